"""Scheduled payments in a database of its own, and due runs over them, each in a fresh process (`due` starts them).

`python -m tests.benchmarks.due_items stage|run|bare|singly|rest [number]` prints one JSON object. `run` and `bare` wait
for a line on their standard input, so that several begin together.
"""

import json
import sys
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from tests.benchmarks.portfolio import STATES, _analyze, _copy, _id

PER_ACCOUNT = 5
GROUPS = 15
"""The first payments are due on so many days, one after the other; each measurement takes a day of its own."""
FIRST = date(2026, 12, 14)
SIGNED = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
CHUNK = 50_000
ALONE = 300


def at(group: int) -> datetime:
    """Give a moment of a group's day at which it is past eight everywhere."""
    return datetime.combine(FIRST + timedelta(days=group), datetime.min.time(), UTC) + timedelta(hours=20)


def stage(count: int) -> dict:
    """Plan so many payments set-wise: five per account, each account with its own consumer, card and authorization."""
    from accounts.models import Account, Agency, Client, Consumer
    from accounts.tenancy import acting_for
    from payments.models import Arrangement, Authorization, Method, Notice, Postdate, ProcessorAccount
    from settlements.models import GlobalOffer

    began = time.perf_counter()
    agency = Agency.objects.create(slug="due", name="Due", legal_name="Due LLC", phone="518-555-0100")
    with acting_for(agency):
        GlobalOffer.objects.create()
        merchant = ProcessorAccount.objects.create(name="Cards", account_ref="acct_due", publishable_key="pk_test_due")
        client = Client.objects.create(number="C1", name="Harbor Medical")
        person = Consumer.objects.create(last_name="Examplova", last_name_key="EXAMPLOVA", state="NY")
        account = Account.objects.create(
            client=client,
            consumer=person,
            reference="first",
            reference_key="FIRST",
            status="open",
            balance_cents=1_000_00,
            original_creditor="Harbor Medical Group",
            description="Emergency room visit",
            contract_on=date(2025, 3, 14),
            sol_status="live",
            as_of=SIGNED + timedelta(days=20),
            body_hash="",
        )
        method = Method.objects.create(
            consumer=person,
            kind="card",
            processor_account=merchant,
            processor_customer="cus_due",
            processor_method="pm_due",
            fingerprint="first",
            brand="visa",
            funding="debit",
            last4="5556",
            stored=True,
            created_at=SIGNED,
        )
        days = [FIRST + timedelta(days=28 * number) for number in range(PER_ACCOUNT)]
        lines = [[day.isoformat(), 125_00] for day in days]
        signed = Authorization.objects.create(
            consumer=person,
            account=account,
            method=method,
            kind="schedule",
            text="I agree.",
            text_sha256="",
            version="bench",
            language="en",
            total_cents=125_00 * PER_ACCOUNT,
            lines=lines,
            accepted_at=SIGNED,
            time_zone="America/New_York",
            level=2,
        )
        plan = Arrangement.objects.create(
            account=account,
            consumer=person,
            authorization=signed,
            method=method,
            kind="plan",
            total_cents=125_00 * PER_ACCOUNT,
            schedule=lines,
            accepted_at=SIGNED,
        )
        item = Postdate.objects.create(
            arrangement=plan,
            account=account,
            method=method,
            number=1,
            of=PER_ACCOUNT,
            due_on=FIRST,
            not_before_at=datetime(2026, 12, 14, 13, 0, tzinfo=UTC),
            amount_cents=125_00,
            executor="portal",
            notifier="portal",
            # Not due itself: it is only what the others are copied from.
            status="cancelled",
            created_at=SIGNED,
        )
        notice = Notice.objects.create(
            postdate=item,
            owner="portal",
            channel="email",
            earliest_on=FIRST,
            target_on=FIRST,
            latest_on=FIRST,
            send_by=FIRST,
            status="sent",
            sent_at=SIGNED,
        )
        rows = (person, account, method, signed, plan, item, notice)
        accounts = count // PER_ACCOUNT
        for start in range(1, accounts + 1, CHUNK):
            _place(start, min(start + CHUNK - 1, accounts), *rows)
        _analyze()
    return {"items": accounts * PER_ACCOUNT, "accounts": accounts, "seconds": time.perf_counter() - began}


def _place(start: int, end: int, person, account, method, signed, plan, item, notice) -> None:
    numbers = f"generate_series({start}, {end}) AS n"
    zones = "(ARRAY[" + ", ".join(f"'{zone}'" for zone in STATES.values()) + f"])[1 + n % {len(STATES)}]"
    states = "(ARRAY[" + ", ".join(f"'{state}'" for state in STATES) + f"])[1 + n % {len(STATES)}]"
    first = f"(DATE '{FIRST}' + n % {GROUPS})"
    lines = (
        "(SELECT jsonb_agg(jsonb_build_array(to_char("
        f"{first} + 28 * k, 'YYYY-MM-DD'), 12500) ORDER BY k) FROM generate_series(0, {PER_ACCOUNT - 1}) AS k)"
    )
    _copy(person, numbers, {"id": _id("n", 1), "state": states, "time_zone": zones})
    names = {"reference": "'D' || n", "reference_key": "'D' || n"}
    _copy(account, numbers, {"id": _id("n", 2), "consumer_id": _id("n", 1), **names})
    _copy(method, numbers, {"id": _id("n", 3), "consumer_id": _id("n", 1), "fingerprint": "'card' || n"})
    mine = {"consumer_id": _id("n", 1), "account_id": _id("n", 2), "method_id": _id("n", 3)}
    _copy(signed, numbers, {"id": _id("n", 4), "lines": lines, "time_zone": zones, **mine})
    _copy(plan, numbers, {"id": _id("n", 5), "authorization_id": _id("n", 4), "schedule": lines, **mine})
    _copy(
        item,
        f"generate_series({start * PER_ACCOUNT}, {end * PER_ACCOUNT + PER_ACCOUNT - 1}) AS m"
        f" CROSS JOIN LATERAL (SELECT m / {PER_ACCOUNT} AS n, m % {PER_ACCOUNT} AS k) AS of_account",
        {
            "id": _id("m", 6),
            "arrangement_id": _id("n", 5),
            "account_id": _id("n", 2),
            "method_id": _id("n", 3),
            "number": "k + 1",
            "due_on": f"{first} + 28 * k",
            "not_before_at": f"(({first} + 28 * k) + TIME '08:00') AT TIME ZONE {zones}",
            "status": "'scheduled'",
        },
    )
    _copy(
        notice,
        numbers,
        {
            "id": _id("n", 7),
            "postdate_id": _id(f"(n * {PER_ACCOUNT})", 6),
            "sent_at": f"({first} - 7) + TIME '15:00'",
        },
    )


def run(group: int, *, limit: int | None = None, most: int | None = None) -> dict:
    """Queue everything that is due on a group's day; give how many and how long, by the clock and by the processor."""
    from accounts import events
    from accounts.tenancy import ALL_AGENCIES, acting_for
    from payments.rules.notices import predebit_window
    from payments.services import due, plain

    events.listeners.clear()
    with acting_for(ALL_AGENCIES):
        # A worker has its connection open and the calendars loaded.
        due.run(now=at(-30), charge=False)
        predebit_window(FIRST)
        plain.known(at(group))
        backend = backend_clock()
        print("ready", flush=True)
        sys.stdin.readline()
        began, worked, served = time.perf_counter(), time.process_time(), backend()
        if most is None:
            ran = due.run(now=at(group), charge=False)
            claimed, intended = ran.claimed, ran.intended
        else:
            place = (datetime.min.replace(tzinfo=UTC), due.NOBODY)
            claimed = intended = 0
            while claimed < most:
                batch = due.queue(now=at(group), after=place, limit=limit or 1, claimed=[])
                assert batch is not None, "the group is large enough"
                place = batch.place
                claimed, intended = claimed + len(batch.claimed), intended + len(batch.intended)
        took, worked, served = time.perf_counter() - began, time.process_time() - worked, backend() - served
    return {
        "claimed": claimed,
        "intended": intended,
        "seconds": took,
        "worked": worked,
        "served": served,
        "began": began,
    }


def backend_clock() -> Callable[[], float]:
    """Give what reads the processor seconds of this connection's PostgreSQL process; 0 where it runs elsewhere."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()
    spent = Path(f"/proc/{pid}/schedstat")
    return lambda: int(spent.read_text().split()[0]) / 1e9 if spent.exists() else 0.0


BARE = """
WITH item AS MATERIALIZED (
    SELECT postdate.id, account_id, arrangement_id, method_id, account.consumer_id, account.event_seq
    FROM payments_postdate postdate JOIN accounts_account account ON account.id = account_id
    WHERE postdate.id = ANY(%s::uuid[])
), payment AS (
    INSERT INTO payments_payment ({names}) SELECT {picked} FROM item CROSS JOIN (
        SELECT * FROM payments_payment ORDER BY id LIMIT 1) known
), told AS (
    INSERT INTO accounts_event (id, agency_id, account_id, consumer_id, account_seq, kind, actor, request_id,
        occurred_at, data)
    SELECT gen_random_uuid(), agency_id, item.account_id, item.consumer_id, item.event_seq + number, kind, actor,
        request_id, occurred_at, data
    FROM item CROSS JOIN (SELECT *, row_number() OVER () AS number FROM (
        SELECT * FROM accounts_event WHERE kind IN ('postdate.due', 'payment.intended') ORDER BY id LIMIT 2) two) known
), counted AS (
    UPDATE accounts_account SET event_seq = item.event_seq + 2 FROM item WHERE accounts_account.id = item.account_id
)
SELECT count(*) FROM item
"""
"""The rows that the run writes, copied from known ones, with no question asked."""


def bare(group: int) -> dict:
    """Claim a group's items and write as many rows of the same size into the same tables, gates and facts left out."""
    from django.db import connection, transaction

    from accounts.tenancy import ALL_AGENCIES, acting_for
    from payments.models import Payment
    from payments.services import due

    own = {name: f"item.{name}" for name in ("account_id", "consumer_id", "arrangement_id", "method_id")}
    own |= {"id": "gen_random_uuid()", "idempotency_key": "gen_random_uuid()", "postdate_id": "item.id"}
    names = [connection.ops.quote_name(line.column) for line in Payment._meta.concrete_fields]
    picked = [own.get(line.column, f'known."{line.column}"') for line in Payment._meta.concrete_fields]
    sql = BARE.format(names=", ".join(names), picked=", ".join(picked))
    place, now, written = (datetime.min.replace(tzinfo=UTC), due.NOBODY), at(group), 0
    with acting_for(ALL_AGENCIES), connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        backend = backend_clock()
        print("ready", flush=True)
        sys.stdin.readline()
        began, worked, served = time.perf_counter(), time.process_time(), backend()
        while True:
            given = {"now": now, "until": now + due.LEASE, "limit": due.BATCH, "only": None}
            with transaction.atomic():
                cursor.execute(due.CLAIM, given | {"after_at": place[0], "after": place[1]})
                if not (claimed := cursor.fetchall()):
                    break
                cursor.execute(sql, [[row[0] for row in claimed]])
            place = max((row[2], row[0]) for row in claimed)
            written += len(claimed)
        took, worked, served = time.perf_counter() - began, time.process_time() - worked, backend() - served
    return {
        "claimed": written,
        "intended": written,
        "seconds": took,
        "worked": worked,
        "served": served,
        "began": began,
    }


def rest(_group: int) -> dict:
    """Put what was measured out of the way: as if it had been charged."""
    from django.db import connection

    from accounts.tenancy import ALL_AGENCIES, acting_for

    with acting_for(ALL_AGENCIES), connection.cursor() as cursor:
        cursor.execute("UPDATE payments_postdate SET status = 'taken' WHERE claimed_until IS NOT NULL")
        rested = cursor.rowcount
    _analyze()
    return {"rested": rested}


def main() -> int:
    """Run one of them."""
    import django

    django.setup()
    name, number = sys.argv[1], int(sys.argv[2])
    if name == "singly":
        print(json.dumps(run(number, limit=1, most=ALONE)))
    else:
        print(json.dumps({"stage": stage, "run": run, "bare": bare, "rest": rest}[name](number)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
