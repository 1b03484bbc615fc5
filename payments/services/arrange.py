"""Turn what was agreed into an arrangement with its post-dates, the notices they are owed and the host's requests."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from typing import Any
from uuid import UUID

from accounts import events
from accounts.calendars import local_date, utc_of_local
from accounts.models import Account
from payments.models import Arrangement, Authorization, Checkout, Method, Notice, Payment, Postdate
from payments.rules.notices import letter_send_by, letter_window, notice_needed, predebit_window
from payments.services import contact_plans, gate, holds, standstill
from payments.services.route import Route
from settlements.models import Quote
from settlements.rules.offers import Breach
from settlements.rules.schedules import Line
from settlements.services import offers

EIGHT = time(8)  # no scheduled charge earlier where the consumer lives, PDC-02
HELD_FOR_LENGTH = 60
"""A code that a processor made up may be longer."""
BY_THEMSELVES = Route("consumer", "portal")
"""Without a method nobody charges: the consumer pays, and is reminded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreed:
    """Hold what was agreed, frozen: the payments, what they follow from, and who takes them.

    `key` is the checkout's or the quote's id, so that agreeing again finds the same arrangement. With `paid_now` the
    first line was taken at once and is no post-date. `channel` is how later debits are announced.
    """

    kind: str
    lines: tuple[Line, ...]
    terms: Mapping[str, Any]
    frequency: str
    key: UUID
    by: str
    signed_on: date
    method: Method | None = None
    authorization: Authorization | None = None
    route: Route = BY_THEMSELVES
    channel: str = "email"
    paid_now: bool = False
    quote: Quote | None = None
    about: dict = field(default_factory=dict)


def agreed_of(checkout: Checkout, *, method: Method, authorization: Authorization, account: Account) -> Agreed:
    """Read what a confirmed checkout agreed to; everything is frozen, so it is what the consumer signed."""
    lines = gate.lines_of(checkout)
    signed_on = local_date(authorization.accepted_at, account.consumer.time_zone)
    return Agreed(
        kind=Arrangement.Kind.SETTLEMENT if checkout.choice in gate.SETTLING else Arrangement.Kind.PLAN,
        lines=lines,
        terms=checkout.terms,
        frequency=checkout.frequency,
        key=checkout.pk,
        by=f"consumer:{checkout.consumer_id}",
        signed_on=signed_on,
        method=method,
        authorization=authorization,
        route=Route(*authorization.evidence["later"]),
        channel=gate.notice_channel(checkout),
        paid_now=not gate.starts_later(lines, signed_on),
    )


def arrange_paid(*, payment: Payment, checkout: Checkout, account: Account, now: datetime) -> Arrangement:
    """Write the arrangement of a schedule whose first payment was taken or accepted; the caller holds the lock."""
    agreed = agreed_of(checkout, method=payment.method, authorization=payment.authorization, account=account)
    return arrange(agreed=agreed, account=account, now=now)


def arrange(*, agreed: Agreed, account: Account, now: datetime) -> Arrangement:
    """Write an arrangement with all that belongs to it, in the caller's transaction and under the account's lock."""
    schedule = [[line.due_on.isoformat(), line.amount_cents] for line in agreed.lines]
    still = standstill.why(account.pk)
    arrangement = Arrangement.objects.create(
        account=account,
        consumer_id=account.consumer_id,
        authorization=agreed.authorization,
        method=agreed.method,
        quote=agreed.quote,
        key=agreed.key,
        kind=agreed.kind,
        status=Arrangement.Status.PAUSED if still else Arrangement.Status.PERFORMING,
        frequency=agreed.frequency,
        total_cents=sum(line.amount_cents for line in agreed.lines),
        saving_cents=agreed.terms.get("saving_cents", 0) if agreed.kind == Arrangement.Kind.SETTLEMENT else 0,
        schedule=schedule,
        due=schedule,
        terms=dict(agreed.terms),
        trace=agreed.terms.get("trace", []),
        accepted_by=agreed.by,
        accepted_at=now,
    )
    if agreed.kind == Arrangement.Kind.SETTLEMENT:
        about = {"arrangement": str(arrangement.pk)}
        offers.accept(account=account, terms=dict(agreed.terms), now=now, about=about)
    events.record("arrangement.created", account=account, now=now, data=about_of(arrangement, account) | agreed.about)
    if agreed.kind == Arrangement.Kind.PROMISE:
        events.record("promise.made", account=account, now=now, data=about_of(arrangement, account))
    today = local_date(now, account.consumer.time_zone)
    contact_plans.request_at_acceptance(arrangement, account=account, today=today, now=now)
    first = 2 if agreed.paid_now else 1
    postdates = [
        new_postdate(
            arrangement,
            account=account,
            method=agreed.method,
            route=agreed.route,
            number=number,
            of=len(agreed.lines),
            due_on=line.due_on,
            amount_cents=line.amount_cents,
            now=now,
        )
        for number, line in enumerate(agreed.lines[first - 1 :], first)
    ]
    Postdate.objects.bulk_create(postdates)
    schedule_postdates(
        postdates, account=account, arrangement=arrangement, signed_on=agreed.signed_on, channel=agreed.channel, now=now
    )
    if still:
        # Agreed to while collection stands still: it rests as what was planned before (RF-32).
        told = about_of(arrangement, account, until=None, reason=still)
        events.record("arrangement.paused", account=account, now=now, data=told)
    return arrangement


def new_postdate(
    arrangement: Arrangement,
    *,
    account: Account,
    method: Method | None,
    route: Route,
    number: int,
    of: int,
    due_on: date,
    amount_cents: int,
    now: datetime,
) -> Postdate:
    """Make one item in memory: who executes it is written down now and never guessed later (PDC-06)."""
    return Postdate(
        arrangement=arrangement,
        account=account,
        method=method,
        number=number,
        of=of,
        due_on=due_on,
        not_before_at=utc_of_local(due_on, EIGHT, account.consumer.time_zone),
        amount_cents=amount_cents,
        executor=route.executor,
        notifier=route.notifier,
        created_at=now,
    )


def schedule_postdates(
    postdates: Sequence[Postdate],
    *,
    account: Account,
    arrangement: Arrangement,
    signed_on: date,
    channel: str,
    now: datetime,
) -> None:
    """Tell new items and each notice that a debit is owed; what must not be charged as things stand is held at once."""
    for postdate in postdates:
        told = snapshot(postdate, account=account, method=postdate.method, authorization=arrangement.authorization_id)
        events.record("postdate.scheduled", account=account, now=now, data=told)
    charged = [postdate for postdate in postdates if postdate.method_id]
    _owe_notices(charged, account=account, channel=channel, signed_on=signed_on, now=now)
    hold_standing(charged, account=account, now=now)


def hold_standing(postdates: Sequence[Postdate], *, account: Account, now: datetime) -> None:
    """Hold what must not be charged as things stand, by whoever executes it."""
    why = holds.standing(postdates, account=account)
    for postdate in postdates:
        if reason := why.get(postdate.pk):
            hold(postdate, reason, account=account, now=now)


def hold(postdate: Postdate, reason: str, *, account: Account, now: datetime) -> Postdate:
    """Hold a scheduled item, whose account the caller has locked, and ask the host to if the host executes it."""
    postdate.held_for = reason[:HELD_FOR_LENGTH]
    told = {"reason": postdate.held_for, "hold": True}
    return move(postdate, account, Postdate.Status.HELD, "postdate.hold_requested", now, **told)


def breach_of(terms: Mapping[str, Any]) -> Breach:
    """Read what was agreed to happen when it breaks; where nothing was agreed, what was promised stays due."""
    return Breach(**terms["breach"]) if "breach" in terms else Breach(reinstates="rest", cure_days=0)


def about_of(arrangement: Arrangement, account: Account, **more: object) -> dict:
    """Tell an arrangement as events do; `work_queue` is how the host's queues see the account (Intelec)."""
    return {
        "arrangement": str(arrangement.pk),
        "kind": arrangement.kind,
        "status": arrangement.status,
        "work_queue": WORK_QUEUE[arrangement.status],
        "total_cents": arrangement.total_cents,
        "saving_cents": arrangement.saving_cents,
        "payments": len(arrangement.schedule),
        "frequency": arrangement.frequency,
        "schedule": arrangement.due or arrangement.schedule,
        "authorization": str(arrangement.authorization_id) if arrangement.authorization_id else None,
        "method": str(arrangement.method_id) if arrangement.method_id else None,
        "level": arrangement.terms.get("level"),
        "version": arrangement.terms.get("version"),
        "currency": account.currency,
        **more,
    }


WORK_QUEUE = {
    "performing": "performing",
    "late": "late",
    "broken": "broken",
    # Nobody is to work an account whose payments rest by agreement.
    "paused": "performing",
    "review": "performing",
    "completed": "none",
    "cancelled": "none",
}


def _owe_notices(
    postdates: Sequence[Postdate], *, account: Account, channel: str, signed_on: date, now: datetime
) -> None:
    """Write down each notice that is owed, with its owner and window (PDC-01, PDC-05), and tell the host."""
    for postdate in postdates:
        if not notice_needed(signed_on, postdate.due_on):
            continue
        by_letter = channel == "letter"
        window = letter_window(postdate.due_on) if by_letter else predebit_window(postdate.due_on)
        notice = Notice.objects.create(
            postdate=postdate,
            owner=postdate.notifier,
            channel=channel,
            earliest_on=window.earliest,
            target_on=window.target,
            latest_on=window.latest,
            send_by=letter_send_by(postdate.due_on) if by_letter else window.latest,
        )
        tell_notice_due(notice, account=account, now=now)


def tell_notice_due(notice: Notice, *, account: Account, now: datetime) -> None:
    """Tell that a notice is owed, and the letter where only a letter may carry it (PDC-05)."""
    postdate = notice.postdate
    told = {
        "notice": str(notice.pk),
        "postdate": str(postdate.pk),
        "kind": notice.kind,
        "channel": notice.channel,
        "owner": notice.owner,
        "earliest": notice.earliest_on.isoformat(),
        "target": notice.target_on.isoformat(),
        "latest": notice.latest_on.isoformat(),
        "send_by": notice.send_by.isoformat(),
        "due_on": postdate.due_on.isoformat(),
        "amount_cents": postdate.amount_cents,
        "currency": account.currency,
    }
    if notice.about:
        told["was_on"], told["was_cents"] = notice.about["was"]
    events.record("notice.due", account=account, now=now, data=told)
    if notice.channel == "letter":
        letter = {"type": notice.kind, **{key: told[key] for key in ("notice", "postdate", "send_by", "due_on")}}
        events.record("letter.required", account=account, now=now, data=letter)


def move(postdate: Postdate, account: Account, status: str, kind: str, now: datetime, **more: object) -> Postdate:
    """Write the status of an item, whose account the caller has locked, and its one event."""
    postdate.status = status
    postdate.decided_at = now if status not in Postdate.OPEN else None
    postdate.save(update_fields=["status", "decided_at", "held_for"])
    told = snapshot(
        postdate, account=account, method=postdate.method, authorization=postdate.arrangement.authorization_id
    )
    events.record(kind, account=account, now=now, data=told | more)
    return postdate


def snapshot(postdate: Postdate, *, account: Account, method: Method | None, authorization: object) -> dict:
    """Tell a post-date so that whoever executes it needs nothing else; a card by its token, never a number."""
    told = {
        "postdate": str(postdate.pk),
        "arrangement": str(postdate.arrangement_id),
        "number": postdate.number,
        "of": postdate.of,
        "date": postdate.due_on.isoformat(),
        "amount_cents": postdate.amount_cents,
        "currency": account.currency,
        "kind": method.kind if method else None,
        "executor": postdate.executor,
        "notifier": postdate.notifier,
        "method": str(method.pk) if method else None,
        "brand": method.brand if method else "",
        "funding": method.funding if method else "",
        "last4": method.last4 if method else "",
        "authorization": str(authorization) if authorization else None,
        "not_before": postdate.not_before_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "status": postdate.status,
    }
    if method and method.kind == Method.Kind.CARD:
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
