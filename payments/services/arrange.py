"""Turn a confirmed schedule into an arrangement with its post-dates and the notices they are owed."""

from collections.abc import Sequence
from datetime import date, datetime, time

from accounts import events
from accounts.calendars import local_date, utc_of_local
from accounts.models import Account
from payments.models import Arrangement, Checkout, Method, Notice, Payment, Postdate
from payments.rules.notices import letter_send_by, letter_window, notice_needed, predebit_window
from payments.services import gate
from payments.services.route import Route
from settlements.services import offers

EIGHT = time(8)  # no scheduled charge earlier where the consumer lives, PDC-02


def arrange(*, payment: Payment, checkout: Checkout, account: Account, now: datetime) -> Arrangement:
    """Write the arrangement of a schedule whose first payment was taken or accepted; the caller holds the lock.

    Everything comes from the frozen checkout, so it is what the consumer signed.
    """
    lines = gate.lines_of(checkout)
    zone = account.consumer.time_zone
    route = Route(*payment.authorization.evidence["later"])
    settling = checkout.choice in gate.SETTLING
    arrangement = Arrangement.objects.create(
        account=account,
        consumer_id=payment.consumer_id,
        authorization_id=payment.authorization_id,
        kind="settlement" if settling else "plan",
        total_cents=sum(line.amount_cents for line in lines),
        saving_cents=checkout.terms.get("saving_cents", 0),
        schedule=checkout.lines,
        trace=checkout.terms.get("trace", []),
        accepted_at=now,
    )
    if settling:
        about = {"arrangement": str(arrangement.pk)}
        offers.accept(account=account, terms=checkout.terms, now=now, about=about)
    events.record("arrangement.created", account=account, now=now, data=_about(arrangement, account, len(lines)))
    postdates = [
        Postdate(
            arrangement=arrangement,
            account=account,
            method_id=payment.method_id,
            number=number,
            of=len(lines),
            due_on=line.due_on,
            not_before_at=utc_of_local(line.due_on, EIGHT, zone),
            amount_cents=line.amount_cents,
            executor=route.executor,
            notifier=route.notifier,
            created_at=now,
        )
        for number, line in enumerate(lines[1:], 2)
    ]
    Postdate.objects.bulk_create(postdates)
    for postdate in postdates:
        told = snapshot(postdate, account=account, method=payment.method, authorization=payment.authorization_id)
        events.record("postdate.scheduled", account=account, now=now, data=told)
    signed_on = local_date(payment.intended_at, zone)
    _owe_notices(postdates, checkout=checkout, account=account, route=route, signed_on=signed_on, now=now)
    return arrangement


def _about(arrangement: Arrangement, account: Account, count: int) -> dict:
    return {
        "arrangement": str(arrangement.pk),
        "kind": arrangement.kind,
        "total_cents": arrangement.total_cents,
        "saving_cents": arrangement.saving_cents,
        "payments": count,
        "schedule": arrangement.schedule,
        "authorization": str(arrangement.authorization_id),
        "currency": account.currency,
    }


def _owe_notices(
    postdates: Sequence[Postdate],
    *,
    checkout: Checkout,
    account: Account,
    route: Route,
    signed_on: date,
    now: datetime,
) -> None:
    """Write down each notice that is owed, with its owner and window (PDC-01, PDC-05), and tell the host."""
    channel = gate.notice_channel(checkout)
    for postdate in postdates:
        if not notice_needed(signed_on, postdate.due_on):
            continue
        by_letter = channel == "letter"
        window = letter_window(postdate.due_on) if by_letter else predebit_window(postdate.due_on)
        notice = Notice.objects.create(
            postdate=postdate,
            owner=route.notifier,
            channel=channel,
            earliest_on=window.earliest,
            target_on=window.target,
            latest_on=window.latest,
            send_by=letter_send_by(postdate.due_on) if by_letter else window.latest,
        )
        told = {
            "notice": str(notice.pk),
            "postdate": str(postdate.pk),
            "kind": notice.kind,
            "channel": channel,
            "owner": notice.owner,
            "earliest": window.earliest.isoformat(),
            "target": window.target.isoformat(),
            "latest": window.latest.isoformat(),
            "send_by": notice.send_by.isoformat(),
            "due_on": postdate.due_on.isoformat(),
            "amount_cents": postdate.amount_cents,
            "currency": account.currency,
        }
        events.record("notice.due", account=account, now=now, data=told)
        if by_letter:
            letter = {"type": notice.kind, **{key: told[key] for key in ("notice", "postdate", "send_by", "due_on")}}
            events.record("letter.required", account=account, now=now, data=letter)


def snapshot(postdate: Postdate, *, account: Account, method: Method, authorization: object) -> dict:
    """Tell a post-date so that whoever executes it needs nothing else; a card by its token, never a number."""
    told = {
        "postdate": str(postdate.pk),
        "arrangement": str(postdate.arrangement_id),
        "number": postdate.number,
        "of": postdate.of,
        "date": postdate.due_on.isoformat(),
        "amount_cents": postdate.amount_cents,
        "currency": account.currency,
        "kind": method.kind,
        "executor": postdate.executor,
        "notifier": postdate.notifier,
        "method": str(method.pk),
        "brand": method.brand,
        "funding": method.funding,
        "last4": method.last4,
        "authorization": str(authorization),
        "not_before": postdate.not_before_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "status": postdate.status,
    }
    if method.kind == Method.Kind.CARD:
        merchant = method.processor_account
        told["token"] = {
            "processor": merchant.processor,
            "merchant_account": merchant.account_ref,
            "customer": method.processor_customer,
            "payment_method": method.processor_method,
            "network_transaction_id": method.network_transaction_id,
            "brand": method.brand,
            "funding": method.funding,
            "last4": method.last4,
            "expiry": f"{method.exp_month:02d}/{method.exp_year}" if method.exp_month and method.exp_year else "",
        }
    return told
