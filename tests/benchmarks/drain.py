"""How many waiting deliveries a second reach a host: the product's drain, the limit and the peers."""

import json
import subprocess
import sys
import time

from portal.local import CHECKOUT
from tests.benchmarks import posts
from tests.benchmarks.report import Line, Section
from tests.benchmarks.stage import WORKER, Stage, quiet

EVENTS, SINGLY, TASKS, JOBS = 20_000, 10_000, 600, 5_000
"""Deliveries drained, drained one a request, as a Celery task each, as pgqueuer's jobs; per round."""
CONNECTIONS, AT_ONCE = 32, 1_000
PEER_WORKER = [*WORKER[:2], "tests.benchmarks.peers", *WORKER[3:], "-Q", "peer", "-c", "2", "-n", "peer@bench"]
SINGLE_WORKER = [*WORKER[:2], "tests.benchmarks.singly", *WORKER[3:], "-Q", "deliver", "-c", "1", "-n", "deliver@bench"]
DATA = {
    "payment": "01930000-0000-7000-8000-000000000001",
    "reference": "8F3A11B2C4",
    "amount_cents": 125_00,
    "currency": "usd",
    "kind": "card",
    "executor": "portal",
    "purpose": "settlement",
    "method": "01930000-0000-7000-8000-000000000003",
    "brand": "visa",
    "funding": "debit",
    "last4": "5556",
    "authorization": "01930000-0000-7000-8000-000000000002",
    "processor": "stripe",
    "processor_ref": "pi_3NirD82eZvKYlo2C0",
    "date": "2026-12-01",
}


def run(stage: Stage, *, rounds: int, full: bool) -> Section:
    """Drain the same kind of backlog by every contender, in turns."""
    accounts = stage.place(2_000)
    more = 10 if full else 1
    found: dict[str, list[float]] = {}

    def add(name: str, value: float) -> None:
        found.setdefault(name, []).append(value)

    for _round in range(rounds):
        stage.settle()
        add("route", seed(accounts, EVENTS * more))
        singles, lists = written(stage)
        for name, asks in (("bare", singles), ("bare lists", lists)):
            took = posts.many(asks, clients=CONNECTIONS)
            assert set(took.statuses) == {200}, took.statuses
            add(name, len(singles) / took.whole)
        stage.received()
        with stage.worker():
            add("drain", drained(stage, EVENTS * more))
        seed(accounts, SINGLY)
        with stage.worker(SINGLE_WORKER):
            add("singly", drained(stage, SINGLY))
        seed(accounts, SINGLY)
        add("floor", written_down(stage))
        seed(accounts, TASKS)
        add("celery", by_celery(stage))
        if (rate := by_pgqueuer(stage, [ask.body.decode() for ask in singles[:JOBS]])) is not None:
            add("pgqueuer", rate)
    return Section("drain", "2. Draining a backlog", TOLD.format(events=EVENTS * more), lines(found))


TOLD = (
    "{events:,} deliveries of payment events about 2,000 accounts wait; the deliver worker is woken; the clock stops"
    " when the last one is written down as delivered. The limit is a bare pycurl multi loop with 32 connections that"
    " sends the same events: one in a request, and in the lists of 200 that the product sends to this style of host."
    " A second product row sends one event in a request, as to a host that takes no lists. The floor is what the drain"
    " writes, a thousand in a transaction that does not wait for the disk, with nothing claimed and nothing sent."
)


def lines(found: dict[str, list[float]]) -> list[Line]:
    """Make the table."""
    drain, bare = found["drain"], found["bare"]
    made = [
        Line("drain, lists of up to 200", "events/s", drain, bare, "bare POST, one event each", 0.5),
        Line("drain, lists of up to 200", "events/s", drain, found["celery"], "one Celery task per event", 40),
    ]
    if "pgqueuer" in found:
        made.append(Line("drain, lists of up to 200", "events/s", drain, found["pgqueuer"], "pgqueuer", 2))
    return [
        *made,
        Line("drain, one event in a request", "events/s", found["singly"], bare, "bare POST, one event each"),
        Line("drain, lists of up to 200", "events/s", drain, found["bare lists"], "bare POST, lists of 200"),
        Line("the floor: only written down", "events/s", found["floor"], bare, "bare POST, one event each"),
        Line("drain, lists of up to 200", "events/s", drain, found["floor"], "the floor"),
        Line("routing alone (sequence and delivery)", "events/s", found["route"]),
        Line("bare POST loop, one event each", "events/s", bare),
        Line("bare POST loop, lists of 200", "events/s", found["bare lists"]),
        Line("one Celery task per event, prefork 2", "events/s", found["celery"]),
        Line(
            "pgqueuer, batch 500",
            "events/s",
            found.get("pgqueuer", [0.0]),
            named="" if "pgqueuer" in found else "not run here",
        ),
    ]


def seed(accounts: list, count: int) -> float:
    """Write events and route them, nobody woken; give the routed events a second."""
    from django.db import transaction
    from django.utils import timezone

    from accounts import events
    from accounts.models import Account
    from accounts.tenancy import ALL_AGENCIES, acting_for
    from integrations.services.route import route

    keys = [account.pk for account in accounts]
    with acting_for(ALL_AGENCIES), quiet():
        for start in range(0, count, len(keys)):
            with transaction.atomic():
                held = list(Account.objects.select_for_update(no_key=True).filter(pk__in=keys).order_by("pk"))
                facts = [("payment.succeeded", account, DATA) for account in held[: count - start]]
                events.record_all(facts, now=timezone.now())
        began = time.perf_counter()
        while route(now=timezone.now()).events:
            pass
        return count / (time.perf_counter() - began)


def written(stage: Stage) -> tuple[list[posts.Ask], list[posts.Ask]]:
    """Write what waits as requests, one event each and in the product's lists."""
    from django.utils import timezone

    from accounts.tenancy import ALL_AGENCIES, acting_for
    from integrations.services import parcels
    from integrations.services.receive import adapter_for
    from integrations.services.receivers import EVENTS_PER_REQUEST
    from integrations.services.route import LANES

    adapter = adapter_for(stage.connection)
    with acting_for(ALL_AGENCIES):
        found = parcels.claim(range(LANES), known=[], blocked=[], now=timezone.now(), limit=10**7)
        messages = parcels.write(found, adapter)

    def ask(some: list[bytes]) -> posts.Ask:
        request = adapter.events_request(some)
        return posts.Ask(request.url, request.headers, request.body)

    step = EVENTS_PER_REQUEST
    return [ask([one]) for one in messages], [ask(messages[at : at + step]) for at in range(0, len(messages), step)]


def written_down(stage: Stage) -> float:
    """Write down of everything that waits that it was delivered; give the deliveries a second."""
    from django.db import transaction
    from django.utils import timezone

    from accounts.tenancy import ALL_AGENCIES, acting_for
    from integrations.services import parcels
    from integrations.services.receive import adapter_for
    from integrations.services.route import LANES

    now, adapter = timezone.now(), adapter_for(stage.connection)
    with acting_for(ALL_AGENCIES):
        found = parcels.claim(range(LANES), known=[], blocked=[], now=now, limit=10**7)
        parcels.write(found, adapter)
        done = [parcels.Attempt(parcel, "delivered", now, "", 200, 1.0, "") for parcel in found]
        began = time.perf_counter()
        for start in range(0, len(done), AT_ONCE):
            with transaction.atomic():
                parcels.commit_lazily()
                parcels.settle(done[start : start + AT_ONCE], now=now)
        return len(done) / (time.perf_counter() - began)


def drained(stage: Stage, count: int) -> float:
    """Wake the worker's drain; give the deliveries a second until the last one is written down."""
    from django.db import connection

    from accounts.tenancy import ALL_AGENCIES, acting_for
    from integrations.wake import wake

    with acting_for(ALL_AGENCIES), connection.cursor() as cursor:
        began = time.perf_counter()
        wake()
        while True:
            cursor.execute("SELECT EXISTS (SELECT FROM integrations_delivery WHERE status = 'waiting')")
            if not cursor.fetchone()[0]:
                break
            assert time.perf_counter() - began < 300, "the backlog was not drained"
            time.sleep(0.02)
        rate = count / (time.perf_counter() - began)
    came = len(stage.received())
    assert came == count, f"the host has {came} of {count} events"
    return rate


def by_celery(stage: Stage) -> float:
    """Queue one task per waiting delivery, then start a worker of two processes; give the rate at the sink."""
    from accounts.tenancy import ALL_AGENCIES, acting_for
    from integrations.models import Delivery
    from tests.benchmarks.peers import deliver_one

    with acting_for(ALL_AGENCIES):
        waiting = list(Delivery.objects.filter(status="waiting").values_list("pk", flat=True))
    for key in waiting:
        deliver_one.apply_async([str(key)])
    came: dict[str, int] = {}
    with stage.worker(PEER_WORKER, SINK_URL=stage.sink_url):
        deadline = time.monotonic() + 120
        while len(came) < len(waiting) and time.monotonic() < deadline:
            time.sleep(0.2)
            came |= stage.received()
    assert len(came) == len(waiting), f"{len(came)} of {len(waiting)} tasks"
    return rate_of(came)


def by_pgqueuer(stage: Stage, bodies: list[str]) -> float | None:
    """Let pgqueuer post the same events; give the rate at the sink, None where it is not installed."""
    try:
        import asyncpg  # noqa: F401
        import pgqueuer  # noqa: F401
    except ImportError:
        return None
    from django.db import connection

    named = connection.settings_dict
    database = {"database": named["NAME"], "user": named["USER"], "host": named["HOST"] or None}
    database |= {"password": named["PASSWORD"] or None, "port": int(named["PORT"] or 5432)}
    subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.peers"],
        cwd=CHECKOUT,
        env=stage.stack.environment,
        input=json.dumps({"database": database, "sink": stage.sink_url, "bodies": bodies}),
        text=True,
        check=True,
        capture_output=True,
        timeout=300,
    )
    came = stage.received()
    assert len(came) == len(bodies), f"{len(came)} of {len(bodies)} jobs"
    return rate_of(came)


def rate_of(stamps: dict[str, int]) -> float:
    """Give events a second from the first to the last arrival."""
    return (len(stamps) - 1) / ((max(stamps.values()) - min(stamps.values())) / 1e9)
