"""One run of the money load: accounts placed, days that pass, people who come each day, and the end of it.

The product's clock and the hosts' are moved together, a day at a time and at last past every patience, so that the run
waits for nothing: intents expire, leases end, hosts settle what they submitted.
"""

import contextlib
import datetime as dt
import functools
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from celery import Celery

from portal.local.browser import Broken
from portal.local.stack import AGENCIES, Stack, call
from tests.faults import judge as books
from tests.faults import plans
from tests.faults.consumers import PLAN_PARTS, Book, Person, alike, people, record_of
from tests.faults.desk import Desk, Program
from tests.faults.load import Progress, crowd, insist

DAYS = PLAN_PARTS
BY_PAGES, MOST_BY_PAGES = 0.3, 150
"""Of a small load three in ten are paid on pages, of a large one so many payments; the rest was agreed to before."""
HOSTS_SHARE = 6
"""One in so many of the arrangements is at the agency whose host charges what is due."""
DAY_SECONDS, STALLED_SECONDS = 300.0, 6.0
"""A day ends when what is due is charged, or after so long. When nothing is for the shorter time, a run died."""
PAST_A_LEASE = dt.timedelta(minutes=6)
"""What a run that died had in its hands is free again, and its intents have not expired yet."""
NEXT_DAY = dt.timedelta(days=1)
PAST_ALL_PATIENCE = (dt.timedelta(minutes=20), dt.timedelta(hours=2), dt.timedelta(days=9))
"""Past the life of an intent; past the hour after which what was ended is tried again; past a host's banking days."""
SETTLED_SECONDS = 300.0
NUDGE_SECONDS = 3.0
LOOK_SECONDS = 0.25
LATE_NEWS_SECONDS = 60.0
MORNING_UTC = 17
"""Noon in New York, nine in Seattle: what is due that day may be charged."""

WAITING = """
SELECT count(*) FROM payments_postdate p JOIN accounts_account a ON a.id = p.account_id
WHERE a.reference LIKE %(mine)s AND p.status = 'scheduled' AND p.executor = 'portal'
    AND coalesce(p.run_at, p.not_before_at) <= now() + %(ahead)s * interval '1 second'
"""
TAKEN = """
SELECT p.id::text, a.slug, p.amount_cents AS cents
FROM payments_payment p JOIN accounts_account c ON c.id = p.account_id JOIN accounts_agency a ON a.id = p.agency_id
WHERE c.reference LIKE %(mine)s AND p.postdate_id IS NOT NULL AND p.executor = 'portal' AND p.status = 'succeeded'
ORDER BY c.reference, p.intended_at
"""
DECIDED = """
SELECT count(*) FROM payments_payment p JOIN accounts_account a ON a.id = p.account_id
WHERE a.reference LIKE %(mine)s AND p.postdate_id IS NOT NULL AND p.status <> 'intended'
"""

WEBHOOKS = [
    *(f"payment_intent.{what}" for what in ("succeeded", "payment_failed", "processing", "canceled")),
    *("charge.refunded", "refund.failed", "setup_intent.succeeded", "setup_intent.setup_failed"),
    *(f"charge.dispute.{what}" for what in ("created", "funds_reinstated", "closed")),
    *("payment_method.automatically_updated", "mandate.updated"),
]

FURNISH = """
import json
from accounts.models import Agency, User
from accounts.tenancy import acting_for
from integrations.models import HostConnection
from portal.local.stack import PASSWORD
from portal.staff import make_staff
parties = {"executor": "portal", "notifier": "portal"}
for agency in Agency.objects.all():
    agency.balance_fresh_hours = 24 * 60
    agency.save()
    if not User.objects.filter(username=f"{agency.slug}-desk").exists():
        make_staff(agency=agency, username=f"{agency.slug}-desk", password=PASSWORD, role="payments supervisor")
    if agency.slug == "birch":
        with acting_for(agency):
            HostConnection.objects.update(
                routing={f"{way}.{when}": parties for way in ("card", "ach") for when in ("immediate", "postdated")}
            )
"""


def furnish(stack: Stack) -> None:
    """Let one portal charge everything itself, let balances be old (days pass in seconds), give each agency a desk.

    Each merchant account asks for the webhooks that the portal has use for, as its agency would at the processor.
    """
    stack.manage("shell", "--command", FURNISH)
    for slug in AGENCIES:
        call(stack.urls["processor"], "/_sandbox/accounts", {"id": f"acct_{slug}", "webhook_events": WEBHOOKS})


class Clock:
    """The clock of the product, of both hosts and of the mail provider, moved together; never back."""

    def __init__(self, stack: Stack) -> None:
        self.stack, self.file = stack, Path(stack.environment["CLOCK_FILE"])

    def now(self) -> dt.datetime:
        ahead = float(self.file.read_text()) if self.file.exists() else 0.0
        return dt.datetime.now(dt.UTC) + dt.timedelta(seconds=ahead)

    def move(self, to: dt.datetime) -> None:
        """Move all of them; a host that dies while it does the work of the day goes on when asked again."""
        fresh = self.file.with_suffix(".new")
        fresh.write_text(f"{(to - dt.datetime.now(dt.UTC)).total_seconds():.6f}")
        fresh.replace(self.file)
        for name in ("mail", *(f"host-{slug}" for slug in AGENCIES)):
            insist(
                lambda url=self.stack.urls[name]: call(url, "/_sandbox/clock", {"now": to.isoformat()}, timeout=60.0),
                sentence=f"the clock of {name} does not move",
            )

    def forward(self, by: dt.timedelta) -> None:
        """Move all of them by so much."""
        self.move(self.now() + by)

    def morning(self) -> None:
        """Go to the next noon in New York."""
        now = self.now()
        at = now.replace(hour=MORNING_UTC, minute=0, second=0, microsecond=0)
        self.move(at if at > now else at + NEXT_DAY)


class Money:
    """One run: so many payments of the load, named so that no account of another run is touched."""

    def __init__(self, stack: Stack, *, payments: int, name: str, seed: str, hands: int) -> None:
        self.stack, self.hands = stack, hands
        self.book, self.progress, self.clock = Book(), Progress(), Clock(stack)
        self.payments, self.name, self.seed, self.seen = payments, name, seed, 0
        self.days: list[tuple[float, float]] = []
        """Of each day, the seconds until all who came were gone, and until what was due was charged."""
        self.given: set[str] = set()
        self.celery = Celery("faults", broker=stack.environment["REDIS_URL"])
        self.celery.conf.broker_transport_options = {"socket_connect_timeout": 1.0}

    def victims(self, names: list[str]) -> list[str]:
        """Let everything die."""
        return names

    def prepare(self) -> None:
        """Go to a morning, place the accounts, let the arrangements be agreed to; nobody dies yet."""
        self.clock.morning()
        by_pages = min(round(self.payments * BY_PAGES), MOST_BY_PAGES)
        self.come: list[list[Person]] = people(
            self.stack, self.book, self.progress, payments=by_pages, name=self.name, days=DAYS, seed=self.seed
        )
        count = -(-(self.payments - by_pages) // plans.PARTS)
        hosts, ours = AGENCIES
        # Numbers of their own behind those of the people who come.
        slugs = {f"{self.name}{90_000 + n:05d}": ours if n % HOSTS_SHARE else hosts for n in range(count)}
        records = [(who.slug, who.record) for today in self.come for who in today]
        like = alike(self.stack)
        records += [(slug, record_of(like[slug], number, mail=False)) for number, slug in slugs.items()]
        for slug in AGENCIES:
            self._place(slug, [record for of, record in records if of == slug])
        planned = plans.prepare(
            self.stack,
            {slug: [number for number, of in slugs.items() if of == slug] for slug in AGENCIES},
            self._dates(),
        )
        self.presses = planned + sum(len(who.wishes) for today in self.come for who in today)

    def _place(self, slug: str, records: list[dict]) -> None:
        host = self.stack.urls[f"host-{slug}"]
        call(host, "/_sandbox/accounts", records, timeout=120.0)
        numbers = [record["FileNumber"] for record in records]
        answer = call(host, "/_sandbox/push", {"FileNumbers": numbers}, timeout=120.0)
        assert all(one["status"] == 200 for one in answer["answers"]), json.dumps(answer)[:500]

    def _dates(self) -> list[str]:
        return [(self.clock.now().date() + dt.timedelta(days=n)).isoformat() for n in range(PLAN_PARTS)]

    def play(self) -> list[str]:
        """Let the days pass; give what could not be played to its end."""
        failed = []
        with self._watching():
            for day, today in enumerate(self.come):
                if day:
                    self.clock.forward(NEXT_DAY)
                self.nudge("payments.tasks.run_due", times=2)
                dates = self._dates()
                for who in today:
                    who.days = dates
                began = time.monotonic()
                failed += crowd([*self._desks(day), *today], hands=self.hands)
                came = time.monotonic()
                self._end_of_day()
                self.days.append((round(came - began, 1), round(time.monotonic() - came, 1)))
            failed += crowd(self._desks(DAYS), hands=self.hands)
        self.progress.finish()
        return failed

    def _end_of_day(self) -> None:
        """Wait until what is due is charged; where nothing moves, let the lease of a run that died pass."""
        deadline, asked, changed, before = time.monotonic() + DAY_SECONDS, 0.0, time.monotonic(), None
        while time.monotonic() < deadline:
            with contextlib.suppress(ConnectionError):
                if not (now := self._ask(WAITING)):
                    return
                if now != before:
                    before, changed = now, time.monotonic()
            if time.monotonic() > changed + STALLED_SECONDS:
                self.clock.forward(PAST_A_LEASE)
                changed = time.monotonic()
            if time.monotonic() > asked + NUDGE_SECONDS:
                self.nudge("payments.tasks.run_due")
                asked = time.monotonic()
            time.sleep(LOOK_SECONDS)

    @contextlib.contextmanager
    def _watching(self) -> Iterator[None]:
        """Count what due runs and hosts charge as progress of the load: nobody presses for it."""
        over, counted = threading.Event(), 0

        def look() -> None:
            nonlocal counted
            while not over.wait(LOOK_SECONDS):
                with contextlib.suppress(ConnectionError):
                    found = self._ask(DECIDED)
                    self.progress.step(found - counted)
                    counted = found

        watch = threading.Thread(target=look, name="watch", daemon=True)
        watch.start()
        try:
            yield
        finally:
            over.set()
            watch.join()

    def _ask(self, sql: str) -> int:
        ahead = (self.clock.now() - dt.datetime.now(dt.UTC)).total_seconds()
        with books.database(self.stack) as cursor:
            cursor.execute(sql, {"mine": f"{self.name}%", "ahead": ahead})
            return cursor.fetchone()["count"]

    def _desks(self, day: int) -> list[Desk | Program]:
        """Let staff of each agency give back some of what went through since they looked last."""
        told, self.seen = self.book.told[self.seen :], len(self.book.told)
        # By the wish's cents, so that a settlement's, which nobody named, stays.
        through = [one for one in told if one.state == "succeeded" and one.cents]
        seed = f"{self.seed} desk {day}"
        desks = [Desk(self.stack, slug, [one for one in through if one.slug == slug], seed=seed) for slug in AGENCIES]
        return [*desks, *(Program(self.stack, slug, taken, seed=seed) for slug, taken in self._taken().items())]

    def _taken(self) -> dict[str, list[dict]]:
        """Give what due runs took since this was asked last, by agency, in the order of accounts."""

        def read() -> list[dict]:
            with books.database(self.stack) as cursor:
                cursor.execute(TAKEN, {"mine": f"{self.name}%"})
                return [dict(row) for row in cursor.fetchall()]

        fresh = [one for one in insist(read, sentence="the payments cannot be read") if one["id"] not in self.given]
        self.given |= {one["id"] for one in fresh}
        return {slug: [one for one in fresh if one["slug"] == slug] for slug in AGENCIES}

    def nudge(self, task: str, times: int = 1) -> None:
        """Ask for a run as beat does every minute; a lost nudge costs that minute only."""
        for _time in range(times):
            try:
                self.celery.send_task(task, queue="charge", expires=60, retry=False)
            except Exception:
                # The broker is among the victims.
                continue

    def close(self) -> None:
        """Move the clock past every patience, and after each move wait until nothing is open that can be decided."""
        for patience in PAST_ALL_PATIENCE:
            self.clock.forward(patience)
            call(self.stack.urls["processor"], "/_sandbox/settle", {}, timeout=60.0)
            call(self.stack.urls["processor"], "/_sandbox/webhooks", {"flush": True, "account": ""})
            self._settle()

    def still_open(self) -> list[str]:
        """Say what stays open; a mail that is told as delivered this very moment is given the time to be routed."""
        deadline = time.monotonic() + LATE_NEWS_SECONDS
        while True:
            ahead = (self.clock.now() - dt.datetime.now(dt.UTC)).total_seconds()
            left = books.still_open(self.stack, ahead=ahead)
            if not left or time.monotonic() > deadline:
                return left
            time.sleep(0.5)

    def _settle(self) -> None:
        """Wait until nothing is open, twice in a row: what one thing brings about may open another.

        :raises Broken: something stays open; the sentence says what.
        """
        deadline, asked, quiet, left = time.monotonic() + SETTLED_SECONDS, 0.0, 0, []
        while quiet < 2:
            if time.monotonic() > deadline:
                raise Broken(f"it does not settle: {'; '.join(left)}")
            ahead = (self.clock.now() - dt.datetime.now(dt.UTC)).total_seconds()
            read = functools.partial(books.still_open, self.stack, ahead=ahead)
            left = insist(read, sentence="the books cannot be read")
            quiet = 0 if left else quiet + 1
            if left and time.monotonic() > asked + NUDGE_SECONDS:
                # One item of an account at a time; beat would ask for the next one in a minute.
                self.nudge("payments.tasks.run_due")
                asked = time.monotonic()
            time.sleep(0.5)


def judge(load: Money, figures: dict) -> list[str]:
    """Judge a run that came to its end; fill in its figures."""
    open_ = load.still_open()
    read = books.read(load.stack)
    mine = [one for one in read.payments if one["reference"].startswith(load.name)]
    figures |= {
        "count": len(mine),
        "statuses": dict(Counter(f"{one['executor']} {one['kind']} {one['status']}" for one in mine)),
        "presses": dict(Counter(f"{one.press}: {one.state or 'left'}" for one in load.book.told)),
        "refused": len(load.book.refused),
        "days": load.days,
        "sums": books.figures(read),
    }
    return [f"open: {one}" for one in open_] + [
        *books.compare(read),
        *books.told(read, load.book.told),
        *books.invariants(load.stack),
    ]
