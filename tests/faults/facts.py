"""Facts that are committed at a steady pace, as web processes do it, and the connections whose hosts hear of them.

`python -m tests.faults.facts join|tell` reads what to do on standard input. `tell` writes down each fact whose commit
it was told of, one line each: id, reference, place in the account, payment, cents. A commit that got no answer is not
written down: it may have been made or not, and the next facts go on.
"""

import json
import random
import sys
import time
from pathlib import Path
from uuid import UUID

PAYMENT_SHARE = 0.1
"""So many facts are payments, which move a balance at the host; the others are what consumers looked at."""
AT_ONCE = (1, 2, 3, 4, 5, 6)
"""Facts of one account in one transaction."""
AGAIN_SECONDS = 0.1
LATE_SECONDS = 2.0
"""A producer that was kept waiting for longer does not hurry to make up for it."""


def main() -> None:
    """Do what is asked for."""
    import django

    django.setup()
    asked = json.load(sys.stdin)
    print(json.dumps({"join": join, "tell": tell}[sys.argv[1]](**asked)))


def join(hosts: dict[str, dict]) -> dict[str, dict]:
    """Make a connection for each host ({"agency", "url"}, by name); return what each host must know of us."""
    from accounts.models import Agency
    from accounts.tenancy import acting_for
    from integrations.hosts import defaults
    from integrations.models import HostConnection
    from integrations.services.receive import make_inbound_key

    known = {}
    for name, host in hosts.items():
        agency = Agency.objects.get(slug=host["agency"])
        with acting_for(agency):
            connection = HostConnection.objects.create(
                name=name, base_url=host["url"], outbound_key=f"outbound-{name}", **defaults("scollect")
            )
            known[name] = {
                "connection_id": str(connection.pk),
                "inbound_key": make_inbound_key(connection),
                "outbound_key": connection.outbound_key,
            }
    return known


def tell(references: list[str], count: int, per_second: float, seed: str, output: str) -> int:
    """Commit so many facts about these accounts, some in one transaction; whatever dies, go on."""
    from django.db import DatabaseError, InterfaceError, connection

    from accounts.models import Account
    from accounts.tenancy import ALL_AGENCIES, acting_for

    # The same seed makes the same run, with payments of its own.
    chance, done, began = random.Random(f"{seed} {references[0]}"), 0, time.monotonic()
    with acting_for(ALL_AGENCIES):
        accounts = {one.reference: one for one in Account.objects.filter(reference__in=references)}
    assert len(accounts) == len(references), f"{len(accounts)} of {len(references)} accounts are there"
    with Path(output).open("a", buffering=1) as book:
        while done < count:
            wait = began + done / per_second - time.monotonic()
            if wait > 0:
                time.sleep(wait)
            elif wait < -LATE_SECONDS:
                began -= wait + LATE_SECONDS
            account = accounts[chance.choice(references)]
            try:
                committed = commit(account, min(count - done, chance.choice(AT_ONCE)), chance)
            except (DatabaseError, InterfaceError):
                connection.close()
                time.sleep(AGAIN_SECONDS)
                continue
            book.write("".join(json.dumps(line) + "\n" for line in committed))
            done += len(committed)
    return done


def commit(account, count: int, chance: random.Random) -> list[list]:
    """Commit so many facts of one account in one transaction."""
    from django.db import transaction

    from accounts import clock, events
    from accounts.tenancy import acting_for

    lines = []
    with acting_for(account.agency_id), transaction.atomic():
        for _fact in range(count):
            payment, cents = "", 0
            kind, data = "page.viewed", {"page": "offer", "note": "x" * 200}
            if chance.random() < PAYMENT_SHARE:
                payment, cents = str(UUID(int=chance.getrandbits(128), version=4)), chance.randrange(1, 5_00)
                kind, data = "payment.succeeded", paid(payment, cents)
            event = events.record(kind, account=account, now=clock.now(), data=data)
            lines.append([str(event.pk), account.reference, event.account_seq, payment, cents])
    return lines


def paid(payment: str, cents: int) -> dict:
    """Say what a card payment says of itself."""
    return {
        "payment": payment,
        "amount_cents": cents,
        "currency": "usd",
        "kind": "card",
        "executor": "portal",
        "brand": "visa",
        "funding": "debit",
        "last4": "5556",
        "processor": "stripe",
        "processor_ref": f"pi_{payment[:8]}",
        "date": "2026-12-01",
    }


if __name__ == "__main__":
    main()
