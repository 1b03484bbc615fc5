"""A portfolio in a database of its own, and what is measured over it, each in a fresh process (`offers` starts them).

`python -m tests.benchmarks.portfolio stage|engine|read|simulate|loop|singly [count]` prints one JSON object.
"""

import json
import sys
import time
from itertools import islice, pairwise
from typing import Any

from tests.benchmarks.memory import most_mb

CLIENTS, WITH_RULES = 30, 20
STATES = {
    "NY": "America/New_York",
    "FL": "America/New_York",
    "PA": "America/New_York",
    "TX": "America/Chicago",
    "IL": "America/Chicago",
    "CO": "America/Denver",
    "AZ": "America/Phoenix",
    "CA": "America/Los_Angeles",
    "WA": "America/Los_Angeles",
    "HI": "Pacific/Honolulu",
}
BOUNDS = (0, 100_00, 500_00, 1_500_00, 5_000_00, 20_000_00, 999_999_999_00)
CHUNK = 100_000


def bands(percent_bps: int, *, leave_out: int | None = None, **more: Any) -> list[dict]:
    """Write six bands: the larger the balance, the lower the settlement and the longer the plan."""
    made = []
    for number, (start, end) in enumerate(pairwise(BOUNDS)):
        if number == leave_out:
            continue
        values = {
            "owing_from_cents": start,
            "owing_to_cents": end - 1 if end < BOUNDS[-1] else end,
            "minimum_cents": 25_00,
            "minimum_bps": 2_00,
            "max_months_unsettled": 6 * (number + 1),
            "max_months_settled": 3 * (number + 1),
            "minimum_settlement_bps": percent_bps - 3_00 * number,
            "months_before_settlement": 2,
            "months_until_settlement": 36,
        }
        made.append(values | more)
    return made


def stage(count: int) -> dict:
    """Make the agency, its rules, and so many accounts set-wise: 5 % have an offer of their own, 1 % paid since."""
    from django.utils import timezone

    from accounts.models import Account, Agency, Client, Consumer
    from accounts.tenancy import acting_for, uuid7
    from payments.models import Payment
    from settlements.models import GlobalOffer, IndividualOffer, RuleSet

    began, now = time.perf_counter(), timezone.now()
    agency = Agency.objects.create(slug="portfolio", name="Portfolio", legal_name="Portfolio LLC")
    with acting_for(agency):
        GlobalOffer.objects.create()
        clients = [Client.objects.create(number=f"C{n:03}", name=f"Client {n}") for n in range(CLIENTS)]
        stamps = {"status": "published", "effective_at": now, "published_at": now}
        RuleSet.objects.create(version=1, bands=bands(70_00), **stamps)
        RuleSet.objects.create(version=2, bands=bands(60_00, leave_out=4, max_payments=12, ach_disabled=True))
        for n, client in enumerate(clients[:WITH_RULES]):
            said = [{"owing_from_cents": 0, "owing_to_cents": 2_000_00, "minimum_settlement_bps": 50_00 + 100 * n}]
            RuleSet.objects.create(client=client, version=1, bands=said, replace_all=n % 10 == 0, **stamps)
        person = Consumer.objects.create(last_name="Examplova", last_name_key="EXAMPLOVA")
        first = Account.objects.create(
            client=clients[0],
            consumer=person,
            reference="first",
            reference_key="FIRST",
            status="open",
            balance_cents=0,
            as_of=now,
            body_hash="",
        )
        paid = Payment.objects.create(
            account=first,
            consumer=person,
            idempotency_key=uuid7(),
            request_hash="",
            kind="card",
            executor="portal",
            purpose="amount",
            amount_cents=1_00,
            status="succeeded",
            intended_at=now,
            decided_at=now,
        )
        offer = IndividualOffer.objects.create(account=first, origin="staff", percent_bps=40_00, made_at=now)
        for start in range(1, count + 1, CHUNK):
            _place(start, min(start + CHUNK - 1, count), person, first, paid, offer, clients)
        _analyze()
    return {"accounts": count, "seconds": time.perf_counter() - began}


def _place(start: int, end: int, person, first, paid, offer, clients: list) -> None:
    numbers = f"generate_series({start}, {end}) AS n"
    states = "ARRAY[" + ", ".join(f"'{state}'" for state in STATES) + "]"
    zones = "ARRAY[" + ", ".join(f"'{zone}'" for zone in STATES.values()) + "]"
    keys = "ARRAY[" + ", ".join(f"'{client.pk}'" for client in clients) + "]::uuid[]"
    place = f"[1 + n % {len(STATES)}]"
    options = (
        'CASE n % 20 WHEN 0 THEN \'{"single_ach": false, "recurring_ach": false}\'::jsonb'
        " WHEN 1 THEN '{\"minimum_recurring_cents\": 5000}'::jsonb ELSE '{}'::jsonb END"
    )
    _copy(
        person,
        numbers,
        {"id": _id("n", 1), "state": f"({states}){place}", "time_zone": f"({zones}){place}"},
    )
    _copy(
        first,
        numbers,
        {
            "id": _id("n", 2),
            "consumer_id": _id("n", 1),
            "client_id": f"({keys})[1 + floor({CLIENTS} * {_dice(1)})::int]",
            "reference": "'B' || n",
            "reference_key": "'B' || n",
            # Many small ones, a few large: 50 cents to 50,000 dollars.
            "balance_cents": f"(50 * exp(ln(100000.0) * {_dice(2)}))::bigint",
            "listed_on": f"current_date - floor(1500 * {_dice(3)})::int",
            "payment_options": options,
        },
    )
    _copy(offer, numbers + " WHERE n % 20 = 7", {"id": _id("n", 3), "account_id": _id("n", 2)})
    _copy(
        paid,
        numbers + " WHERE n % 100 = 9",
        {
            "id": _id("n", 4),
            "account_id": _id("n", 2),
            "consumer_id": _id("n", 1),
            "idempotency_key": _id("n", 5),
        },
    )


def _id(number: str, kind: int) -> str:
    """Make ids in the order of their numbers, as version 7 does."""
    return f"('0193000{kind}-0000-7000-8000-' || lpad(to_hex({number}), 12, '0'))::uuid"


def _dice(salt: int) -> str:
    """Throw the same number from 0 up to 1 for the same account every time."""
    return f"((hashint4(n + {salt * 7919})::bigint + 2147483648) / 4294967296.0)"


def _copy(row, source: str, values: dict[str, str]) -> None:
    """Write a row again for every number of a source, with these columns worked out."""
    from django.db import connection

    table = row._meta.db_table
    columns = [line.column for line in row._meta.concrete_fields]
    picked = ", ".join(values.get(column, f't."{column}"') for column in columns)
    names = ", ".join(f'"{column}"' for column in columns)
    of, _where, condition = source.partition(" WHERE ")
    with connection.cursor() as cursor:
        cursor.execute(
            f'INSERT INTO "{table}" ({names}) SELECT {picked} FROM {of}, "{table}" t '
            f"WHERE t.id = '{row.pk}'{' AND ' + condition if condition else ''}"
        )


def _analyze() -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def _drafted():
    from settlements.models import RuleSet

    return RuleSet.objects.get(status="draft")


def _portfolio():
    """Give what a simulation reads, and the moment."""
    from django.utils import timezone

    from accounts.models import Account
    from settlements.services import portfolio

    now = timezone.now()
    last = str(Account.objects.latest("pk").pk)
    return portfolio.Portfolio(draft=portfolio.frozen(_drafted()), at=now, read_at=now, last=last)


def engine(count: int) -> dict:
    """Ask the pure functions alone, over the facts of real pages: all options, two answers, the numbers compared."""
    from settlements.rules.portfolio import headline
    from settlements.rules.quotes import Facts, Wish, answer, offered

    whole = _portfolio()
    facts, drafted = [], []
    page = whole.page(None)
    while len(facts) < count:
        for _account, _reference, client, _state, *given in whole.facts(page):
            live, draft = whole.pairs[client]
            facts.append((live, *given))
            drafted.append((draft, *given))
        if page.upto is None:
            break
        page = whole.page(page.upto)
    given = [
        Facts(owed, today, listed, own, rules, default, can, not parts)
        for rules, owed, listed, today, own, default, can, parts in facts
    ]
    some = given[: count // 10]
    for one in given[-200:]:
        offered(one)
    found: dict[str, float] = {}
    began = time.perf_counter()
    at = [offered(one) for one in some]
    found["offered"] = len(some) / (time.perf_counter() - began)
    for choice in ("settlement", "plan"):
        wish, few = Wish(choice=choice), [one for one in at if choice in one.open][:2_000]
        began = time.perf_counter()
        for one in few:
            answer(one, wish)
        found[f"answer {choice}"] = len(few) / (time.perf_counter() - began)
    for one in facts[:1_000]:
        headline(*one)
    began, worked = time.perf_counter(), time.process_time()
    for one in facts:
        headline(*one)
    found["headline"] = len(facts) / (time.perf_counter() - began)
    found["headline of processor"] = len(facts) / (time.process_time() - worked)
    began = time.perf_counter()
    for one, other in zip(facts, drafted, strict=True):
        headline(*one)
        headline(*other)
    found["beside"] = len(facts) / (time.perf_counter() - began)
    return found


def read(_count: int) -> dict:
    """Read every page and work out nothing: what the simulator cannot be faster than."""
    whole, page, done, began = _portfolio(), None, 0, time.perf_counter()
    while page is None or page.upto is not None:
        page = whole.page(page.upto if page else None)
        done += len(whole.rows(page))
    return {"rate": done / (time.perf_counter() - began)}


def simulate(_count: int) -> dict:
    """Simulate the whole portfolio as the worker does; give time and memory."""
    from django.utils import timezone

    from settlements.services import simulate

    before = most_mb()
    began, worked = time.perf_counter(), time.process_time()
    simulation = simulate.start(rule_set=_drafted(), by="bench", now=timezone.now())
    simulate.run(simulation.pk)
    took, worked = time.perf_counter() - began, time.process_time() - worked
    simulation.refresh_from_db()
    assert simulation.status == "done", simulation.error
    after = most_mb()
    about = {"done": simulation.done, "changed": simulation.tallies["all"]["changed"]}
    rates = {"seconds": took, "rate": simulation.done / took, "of processor": simulation.done / worked}
    return rates | about | {"before": before, "after": after}


def loop(count: int) -> dict:
    """Walk over ORM rows, the rules of every client compiled once, the whole engine for each account."""
    from payments.services.gate import local_date, owed_of
    from settlements.models import GlobalOffer, IndividualOffer
    from settlements.rules.quotes import Facts, offered
    from settlements.services import offers

    whole, done, changed = _portfolio(), 0, 0
    from accounts.models import Account

    rows = Account.objects.filter(status="open", balance_cents__gt=0).select_related("consumer", "client")
    default = offers.default_of(GlobalOffer.objects.get(superseded_at=None))
    began = time.perf_counter()
    for account in islice(rows.order_by("pk").iterator(2_000), count):
        own = IndividualOffer.objects.filter(account=account, status__in=offers.STANDING).order_by("made_at").last()
        owed = owed_of([account])[account.pk].cents
        today = local_date(whole.at, account.consumer.time_zone)
        live, draft = (
            offered(
                Facts(
                    owed,
                    today,
                    account.listed_on,
                    offers.said_by(own) if own else None,
                    rules,
                    default,
                    offers.allowed(account),
                )
            )
            for rules in whole.pairs[str(account.client_id)]
        )
        changed += (live.settlement, live.plan) != (draft.settlement, draft.plan)
        done += 1
    return {"rate": done / (time.perf_counter() - began)}


def main() -> int:
    """Run one of them for the only agency."""
    import django

    django.setup()
    from accounts.models import Agency
    from accounts.tenancy import acting_for

    name, count = sys.argv[1], int(sys.argv[2])
    if name == "stage":
        print(json.dumps(stage(count)))
        return 0
    with acting_for(Agency.objects.get(slug="portfolio")):
        print(json.dumps({"engine": engine, "read": read, "simulate": simulate, "loop": loop}[name](count)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
