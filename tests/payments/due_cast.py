"""What the tests of the due run stand on: plans whose payments the portal takes, announced or not."""

import datetime as dt

from django.db import transaction

from accounts.models import Account, Event
from accounts.tenancy import ALL_AGENCIES, acting_for
from payments.models import Arrangement, Authorization, Method, Notice, Postdate, ProcessorAccount
from payments.processors import KeepOrder
from payments.rules.authorization import text_sha256
from payments.services import due
from payments.services.arrange import Agreed, arrange
from payments.services.locks import lock_account
from payments.services.methods import adapter_of
from payments.services.route import Route
from settlements.rules.schedules import Line
from tests.conftest import NOW
from tests.payments.conftest import VISA_DEBIT

OURS = Route("portal", "portal")
DAY = dt.date(2026, 12, 15)
"""A Tuesday; a notice may be sent from the fifth to the tenth."""
EIGHT = dt.datetime(2026, 12, 15, 13, 0, tzinfo=dt.UTC)
"""Eight in the morning of that day in New York."""
MINUTE = dt.timedelta(minutes=1)


def keep_card(shop, number=VISA_DEBIT, **values) -> Method:
    """Keep a card at the sandbox as a consumer does who plans payments."""
    merchant = ProcessorAccount.objects.get()
    order = KeepOrder(checkout=str(Event().pk), consumer="c", confirmation_token=shop.merchant.token(number))
    outcome = adapter_of(merchant).keep(order)
    if outcome.status == "action":
        shop.program.control("POST", "challenges", {"intent": outcome.ref, "outcome": "complete"})
        outcome = adapter_of(merchant).find_kept(ref=outcome.ref)
    card = outcome.card
    return Method.objects.create(
        **{
            "consumer_id": shop.account.consumer_id,
            "kind": "card",
            "processor_account": merchant,
            "processor_customer": card.customer,
            "processor_method": card.method,
            "fingerprint": card.fingerprint,
            "brand": card.brand,
            "funding": card.funding,
            "last4": card.last4,
            "stored": True,
            "created_at": NOW,
        }
        | values
    )


def keep_bank(shop, number="000123456789", **values) -> Method:
    """Keep a bank account at the sandbox, validated."""
    merchant = ProcessorAccount.objects.get()
    check = adapter_of(merchant).validate_bank(
        key=str(Event().pk),
        consumer="c",
        routing="110000000",
        number=number,
        account_type="checking",
        holder="Jane Doe",
        ip="127.0.0.1",
        user_agent="test",
        keep=True,
    )
    return Method.objects.create(
        **{
            "consumer_id": shop.account.consumer_id,
            "kind": "ach",
            "processor_account": merchant,
            "processor_customer": check.customer,
            "processor_method": check.method,
            "fingerprint": f"bank-{number}",
            "account_type": "checking",
            "last4": number[-4:],
            "validated_at": NOW,
            "created_at": NOW,
        }
        | values
    )


@transaction.atomic
def plan(
    shop,
    lines=((DAY, 125_00),),
    *,
    method=None,
    account=None,
    now=NOW,
    route=OURS,
    kind="plan",
    channel="email",
    **terms,
):
    """Sign and arrange payments that the portal takes on their days."""
    account = lock_account((account or shop.account).pk)
    method = method or keep_card(shop)
    text = "I agree."
    authorization = Authorization.objects.create(
        consumer_id=account.consumer_id,
        account=account,
        method=method,
        kind="schedule" if len(lines) > 1 else "later",
        text=text,
        text_sha256=text_sha256(text),
        version="test",
        language="en",
        total_cents=sum(cents for _on, cents in lines),
        lines=[[on.isoformat(), cents] for on, cents in lines],
        accepted_at=now,
        time_zone=account.consumer.time_zone,
        level=2,
    )
    agreed = Agreed(
        kind=kind,
        lines=tuple(Line(*line) for line in lines),
        terms=terms,
        frequency="monthly",
        key=Event().pk,
        by="test",
        signed_on=now.date(),
        method=method,
        authorization=authorization,
        route=route,
        channel=channel,
    )
    return arrange(agreed=agreed, account=account, now=now)


def announce(arrangement: Arrangement, on: dt.date | None = None) -> None:
    """Prove the notice of every payment, on its target day or another one."""
    for notice in Notice.objects.filter(postdate__arrangement=arrangement):
        day = on or notice.target_on
        notice.status, notice.sent_at = "sent", dt.datetime.combine(day, dt.time(15), dt.UTC)
        notice.save()


def item_of(arrangement: Arrangement, number: int = 1) -> Postdate:
    return Postdate.objects.get(arrangement=arrangement, number=number)


def due_item(shop, **more) -> Postdate:
    """Plan one payment for that day, announced."""
    arrangement = plan(shop, **more)
    announce(arrangement)
    return item_of(arrangement)


def run(now=EIGHT, **more) -> due.Ran:
    """Run as the task does: for all agencies."""
    with acting_for(ALL_AGENCIES):
        return due.run(now=now, **more)


def fresh(item: Postdate) -> Postdate:
    return Postdate.objects.get(pk=item.pk)


def told(account: Account, kind: str) -> list[dict]:
    found = Event.objects.filter(account=account, kind=kind).order_by("account_seq")
    return list(found.values_list("data", flat=True))
