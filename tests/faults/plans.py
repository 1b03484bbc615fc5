"""Arrangements that are there before anybody dies: many people, each with a kept card and a payment a day.

They are agreed to by the product's own services, as staff and the API do it: the card is kept at the processor, the
quote worked out and accepted with it. What is due is then charged by the product's due runs, and by the host where the
host executes, with nobody at a page.

`python -m tests.faults.plans` reads what to prepare on standard input and prints how many payments it planned.
"""

import json
import sys
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid5

from portal.local.stack import Stack, call

PARTS = 6
PART_CENTS = 50_00
CARD = {"number": "5200828282828210", "exp_month": 12, "exp_year": 2031, "cvc": "123"}
AT_ONCE = 2


def prepare(stack: Stack, references: dict[str, list[str]], days: list[str]) -> int:
    """Let each of these accounts pay a settlement on those days; return how many payments that makes.

    :param references: of accounts without an arrangement, by agency.
    :param days: where the consumers live; the first is today.
    """
    asked = {"references": references, "days": days, "processor": stack.urls["processor"]}
    return json.loads(stack.run("tests.faults.plans", stdin=json.dumps(asked)).splitlines()[-1])


def main() -> None:
    """Do it where the product's services are."""
    import django

    django.setup()
    asked = json.load(sys.stdin)
    work = [(slug, one) for slug, all_of in asked["references"].items() for one in all_of]
    done: deque[int] = deque()

    def one(of: tuple[str, str]) -> None:
        done.append(plan(*of, days=asked["days"], processor=asked["processor"]))

    with ThreadPoolExecutor(AT_ONCE) as hands:
        list(hands.map(one, work))
    print(sum(done))


def plan(slug: str, reference: str, *, days: list[str], processor: str) -> int:
    """Keep a card of one account's consumer and agree to a settlement in parts with it."""
    from datetime import date

    from accounts import clock
    from accounts.models import Account, Agency
    from accounts.tenancy import acting_for
    from payments.services import agree
    from settlements.models import Quote
    from settlements.rules.quotes import Wish
    from settlements.rules.schedules import Line

    agency, now = Agency.objects.get(slug=slug), clock.now()
    with acting_for(agency):
        account = Account.objects.select_related("consumer", "client", "agency").get(reference=reference)
        method = keep(account, processor, now)
        lines = tuple(Line(date.fromisoformat(day), PART_CENTS) for day in days)
        wish = Wish(choice="parts", method="card", frequency="custom", lines=lines)
        quote = agree.quote(account=account, wish=wish, by="staff:faults", now=now)
        assert isinstance(quote, Quote), f"{reference}: {quote}"
        agree.accept(quote=quote, by="staff:faults", now=now, method=method)
    return len(lines)


def keep(account, processor: str, now):
    """Keep a fresh card at the processor, and its row."""
    from payments.models import Method
    from payments.processors import KeepOrder
    from payments.services.methods import active_processor, adapter_of

    merchant = active_processor(account)
    token = call(processor, "/_sandbox/confirmation_tokens", CARD | {"account": merchant.account_ref})["id"]
    key = uuid5(account.pk, "kept card")
    order = KeepOrder(checkout=str(key), consumer=str(account.consumer_id), confirmation_token=token)
    kept = adapter_of(merchant).keep(order)
    assert kept.status == "succeeded", f"{account.reference}: {kept}"
    card = kept.card
    return Method.objects.create(
        pk=key,
        consumer_id=account.consumer_id,
        kind="card",
        processor_account=merchant,
        processor_method=card.method,
        processor_customer=card.customer,
        network_transaction_id=card.network_transaction_id,
        fingerprint=card.fingerprint,
        brand=card.brand,
        funding=card.funding,
        last4=card.last4,
        exp_month=card.exp_month,
        exp_year=card.exp_year,
        stored=True,
        created_at=now,
    )


if __name__ == "__main__":
    main()
