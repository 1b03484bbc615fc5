"""The whole product on clocks that the simulation moves: portal, processor, mail provider and hosts go together.

Consumers and webhooks come to the real site over HTTP. There is no beat: this process says when each periodic task
runs, because only it knows what time it is. The task's own code runs here; a real worker sends the messages.
"""

import contextlib
import gc
import os
import shutil
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from portal.local import CHECKOUT, HOME, stack
from portal.local.stack import AGENCIES, Stack, call, free_port, introduce

PATIENCE = 60.0
SWEEP_SECONDS = 2.0
"""So long nothing comes to rest before the sweep is run, which beat would run all the time."""
OTHERS_SECONDS = 0.05
MANY = 8
"""So many deliveries are worth a drain while the message worker is still at work."""
BACK_OFF_PASSED = timedelta(minutes=15)
"""So long a try of a delivery may lie ahead for the clocks to be moved to it: the first few."""
stack.START_SECONDS = 300.0  # a simulation may run beside other work, and nobody waits for it
BAND = {
    "owing_from_cents": 0,
    "owing_to_cents": 999_999_999_00,
    "minimum_cents": 20_00,
    "max_months_unsettled": 24,
    "max_months_settled": 12,
    "minimum_settlement_bps": 60_00,
    "latest_first_days": 45,
    "grace_days": 5,
    "failures_to_break": 2,
}
NEWS = (
    *("payment_intent.succeeded", "payment_intent.payment_failed", "payment_intent.processing"),
    *("payment_intent.requires_action", "payment_intent.canceled", "charge.failed", "charge.refunded"),
    *("charge.dispute.created", "charge.dispute.updated", "charge.dispute.closed"),
    *("charge.dispute.funds_withdrawn", "charge.dispute.funds_reinstated"),
    *("refund.created", "refund.updated", "refund.failed", "setup_intent.succeeded", "setup_intent.setup_failed"),
    *("payment_method.automatically_updated", "mandate.updated"),
)
"""What the endpoint at the processor subscribes to, as docs/operations.md says; the others tell nothing new."""
RELAYED = 20
"""The mail provider's events that wait come in one request, at most so many."""
HOST_AGENCY, PORTAL_AGENCY = AGENCIES
"""At the first the host executes what is post-dated and every bank debit; at the other the portal does it all."""


class Site(Stack):
    """Processes without beat; the hosts begin empty, and so does a copy of a database that was migrated once.

    `inside` is the processor's sandbox, where it is called in process.
    """

    in_process = False
    inside: Any = None

    def _empty_database(self) -> None:
        files = sorted(CHECKOUT.glob("*/migrations/*.py"))
        digest = sha256(b"".join(file.name.encode() + file.read_bytes() for file in files)).hexdigest()[:12]
        wanted, self.database = self.database, f"model_of_year_{digest}"
        model = self.database
        if not self._sql("SELECT 1 FROM pg_database WHERE datname = %s", model):
            # Under another name until it is whole.
            self.database = f"{model}_new"
            super()._empty_database()
            mine = self.environment
            self.environment = mine | {"DATABASE_URL": self.server_url.rpartition("/")[0] + "/" + self.database}
            self.manage("migrate", "--verbosity", "0")
            self.environment = mine
            self._sql(f"ALTER DATABASE {self.database} RENAME TO {model}")
        self.database = wanted
        self._sql(f"DROP DATABASE IF EXISTS {wanted} WITH (FORCE)")
        self._sql(f"CREATE DATABASE {wanted} TEMPLATE {model}")
        # Nothing is killed here, so nobody waits for the disk: that a commit survives is shown by `make kills`.
        self._sql(f"ALTER DATABASE {wanted} SET synchronous_commit = off")

    def _sql(self, sql: str, *values: object) -> list[tuple]:
        """Run a statement on the server, outside of any transaction."""
        import psycopg2
        from environ import Env

        where = Env.db_url_config(self.server_url)
        names = {"host": "HOST", "port": "PORT", "user": "USER", "password": "PASSWORD", "dbname": "NAME"}
        own = psycopg2.connect(**{name: where[key] or None for name, key in names.items()})
        own.autocommit = True
        with contextlib.closing(own), own.cursor() as cursor:
            cursor.execute(sql, values or None)
            return cursor.fetchall() if cursor.description else []

    def start(self, name: str, command: list[str], **more: str) -> None:
        """Start a process; no host has the demonstration's accounts."""
        if self.in_process and name == "processor":
            return self._start_inside(self.folder / name)
        if self.in_process and name == "web":
            command = ["tests.simulation.inside:application" if word == "portal.wsgi" else word for word in command]
        if "--seed" in command:
            place = command.index("--seed")
            command = command[:place] + command[place + 2 :]
        return super().start(name, command, **more)

    def _start_inside(self, data: Path) -> None:
        """Serve the processor from this process, and have the site call it in its own."""
        os.environ.update(self.environment)
        from .inside import STORE, Program

        self.environment[STORE] = str(data)
        self.inside = Program(port=int(self.urls["processor"].rpartition(":")[2]), data=data)

    def stop(self) -> None:
        """End everything."""
        super().stop()
        if self.inside is not None:
            self.inside.close()

    def start_site(self) -> None:
        """Start the site and the worker that sends messages."""
        self.start_web()
        words = ["celery", "-A", "portal", "worker", "--loglevel", "WARNING", "--without-gossip", "--without-mingle"]
        self.start("worker", [*words, "-Q", "message", "-c", "1", "-n", "messages@%h"])
        self.wait_for("web", "/health/ready", host="localhost")
        self._wait_for_workers(1)


class World:
    """Hold the running product; everything in it ends with `close`."""

    def __init__(self, folder: Path = HOME / "year", *, in_process: bool = False) -> None:
        self.site = Site(port=free_port(), database="quittance_year", redis_db=3, folder=folder)
        self.site.in_process = in_process
        self.site.environment |= {"CLOCK_FILE": str(folder / "clock"), "LOG_LEVEL": "WARNING"}
        self.spent: dict[str, float] = {}
        self.threads = ThreadPoolExecutor(len(AGENCIES))
        self.stores: dict[str, sqlite3.Connection] = {}

    def open(self) -> None:
        """Start it all and furnish both agencies; from here on Django can be used."""
        shutil.rmtree(self.site.folder, ignore_errors=True)
        introduce(self.site)
        os.environ.update(self.site.environment)
        import django

        django.setup()
        # As the site's own processes do.
        gc.freeze()
        gc.set_threshold(10_000, 10, 10)
        from portal.celery import app

        # Once: it runs all system checks each time.
        app.loader.import_default_modules()
        for slug in AGENCIES:
            call(self.url(slug), "/_sandbox/configure", {"push_delay_ms": 0})
        call(self.site.urls["mail"], "/_sandbox/behaviour", {"delivery_delay_ms": 0, "webhooks_at_once": RELAYED})
        for slug in AGENCIES:
            self.processor("accounts", {"id": f"acct_{slug}", "webhook_events": list(NEWS)})
        self._furnish()

    def _furnish(self) -> None:
        from accounts import clock
        from accounts.tenancy import acting_for
        from integrations.models import HostConnection
        from payments.rules.routing import METHODS, TIMINGS
        from settlements.models import HardshipPolicy, RuleSet

        ours = {f"{method}.{timing}": {"executor": "portal", "notifier": "portal"} for method in METHODS[:2]
                for timing in TIMINGS}  # fmt: skip
        for slug in AGENCIES:
            with acting_for(self.agency(slug)):
                RuleSet.objects.create(
                    version=1,
                    status="published",
                    bands=[BAND],
                    breach_reinstates="balance" if slug == HOST_AGENCY else "rest",
                    breach_cure_days=10,
                    made_by="simulation",
                    made_at=clock.now(),
                    published_at=clock.now(),
                    effective_at=clock.now(),
                )
                HardshipPolicy.objects.create(automatic_days=30)
                if slug == PORTAL_AGENCY:
                    HostConnection.objects.update(routing=ours)

    def agency(self, slug: str):
        """Give the agency's row."""
        from accounts.models import Agency

        return Agency.objects.get(slug=slug)

    def url(self, slug: str) -> str:
        """Give the address of an agency's host."""
        return self.site.urls[f"host-{slug}"]

    def close(self) -> None:
        for store in self.stores.values():
            store.close()
        self.site.stop()

    # Clocks -------------------------------------------------------------------------------------------------------

    def now(self) -> datetime:
        """Give the product's own time."""
        from accounts import clock

        return clock.now()

    def move(self, to: datetime) -> None:
        """Move every clock to a moment, the hosts last; never back."""

        with self.timed("clocks"):
            if not self.peek(to):
                return
            # Hosts do what falls due on the way, at the processor too, so they come last.
            for names in (("processor", "mail"), [f"host-{slug}" for slug in AGENCIES]):
                list(self.threads.map(self._move, names))

    def _move(self, name: str) -> None:
        to = {"now": self.now().isoformat()}
        if name == "processor":
            self.processor("clock", to)
        else:
            call(self.site.urls[name], "/_sandbox/clock", to, timeout=600.0)

    def processor(self, name: str, given: dict[str, Any]) -> dict[str, Any]:
        """Give the processor's sandbox a command, in process where it is there."""
        if self.site.inside is not None:
            return self.site.inside.ask(name, given)
        return call(self.site.urls["processor"], f"/_sandbox/{name}", given, timeout=600.0)

    def peek(self, at: datetime) -> bool:
        """Move the product's own clock alone, to look whether it does something too early; tell whether it was moved.

        It runs meanwhile, and may come to the moment by itself.
        """
        from accounts import clock

        try:
            clock.move(at)
        except ValueError:
            return False
        return True

    def cpu(self) -> dict[str, float]:
        """Give the processor seconds of everything that runs for this simulation, by program."""
        names = {process.pid: name for name, process in self.site.processes.items()}
        postgres = HOME / "postgres" / "data" / "postmaster.pid"
        root = int(postgres.read_text().split()[0]) if postgres.exists() else -1
        ticks = {"simulation": sum(os.times()[:2]) * os.sysconf("SC_CLK_TCK"), "postgres": 0.0}
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                pid, said = int(stat.parent.name), stat.read_text().rpartition(") ")[2].split()
                if (name := names.get(int(said[2]))) is not None:
                    ticks[name] = ticks.get(name, 0) + int(said[11]) + int(said[12])
                elif root in (pid, int(said[1])):
                    # What ended backends used is counted at their parent.
                    ticks["postgres"] += sum(int(one) for one in said[11 : 15 if pid == root else 13])
        return {name: used / os.sysconf("SC_CLK_TCK") for name, used in ticks.items()}

    # Work ---------------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def timed(self, what: str):
        """Add up the seconds that something takes."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.spent[what] = self.spent.get(what, 0.0) + time.perf_counter() - began

    def took(self, most: int) -> str:
        """Say what took the most seconds so far."""
        longest = sorted(self.spent.items(), key=lambda pair: -pair[1])[:most]
        return ", ".join(f"{name} {sum_:.0f}" for name, sum_ in longest)

    def run(self, *names: str) -> None:
        """Run periodic tasks now, as beat would have them run."""
        from portal.celery import app

        for name in names:
            with self.timed(name.rpartition(".")[2]):
                app.tasks[name].apply(throw=True)

    def work(self, *, money_only: bool = False) -> bool:
        """Do once what waits for nothing but a worker: webhooks, deliveries, messages; tell whether there was any.

        :param money_only: only what the processor says.
        """
        from accounts import clock
        from campaigns.tasks import wake
        from integrations.services.drain import Drain

        waiting = self.waiting(money_only=money_only)
        if waiting["messages"]:
            # The message worker works beside us; beat would nudge it every two seconds.
            wake()
        if waiting["events"]:
            self.run("payments.tasks.apply_events")
        # The message worker adds events: what hosts are told goes in few goes, the last one once it is through.
        drains = waiting["deliveries"] and (not waiting["messages"] or waiting["deliveries"] >= MANY)
        if drains:
            with self.timed("deliveries"):
                Drain(clock=clock.now).run()
        if any(waiting.values()) and not (waiting["events"] or drains):
            with self.timed("waiting"):
                time.sleep(OTHERS_SECONDS)
        return any(waiting.values())

    def settle(self, *, money_only: bool = False) -> None:
        """Work until nobody has anything left to say: portal, processor, mail provider, hosts.

        :param money_only: until the processor has not; what hosts and consumers are told of it may come an hour later.
        """
        began = swept = time.monotonic()
        while self.work(money_only=money_only) or (not money_only and self.pass_back_off()):
            now = time.monotonic()
            assert now < began + 10 * PATIENCE, f"it never comes to rest: {self.waiting()}"
            if now > swept + SWEEP_SECONDS:
                # Every ten seconds by beat: what an outage left undecided is asked for again.
                swept = now
                self.run("payments.tasks.sweep")

    def pass_back_off(self) -> bool:
        """Move the clocks to the next try of what a host did not take, if it comes soon; tell whether there is one."""
        from django.db import connection

        from accounts.tenancy import ALL_AGENCIES, acting_for

        with acting_for(ALL_AGENCIES), connection.cursor() as cursor:
            cursor.execute(NEXT_TRY)
            again_at = cursor.fetchone()[0]
        now = self.now()
        if again_at is None or not now < again_at <= now + BACK_OFF_PASSED:
            return False
        self.move(again_at)
        return True

    def waiting(self, *, money_only: bool = False) -> dict[str, int]:
        """Count what is on its way, by who must move it."""
        from django.db import connection

        from accounts.tenancy import ALL_AGENCIES, acting_for

        with self.timed("looking"):
            with acting_for(ALL_AGENCIES), connection.cursor() as cursor:
                cursor.execute(MONEY_WAITS if money_only else WAITING, {"now": self.now()})
                events, deliveries, messages = cursor.fetchone()
            abroad = self._count("processor", "SELECT count(*) FROM deliveries WHERE status = 'pending'")
            if abroad and self.site.inside is not None:
                self.site.inside.tell()
            if money_only:
                return {"events": events, "deliveries": 0, "messages": 0, "abroad": abroad}
            abroad += self._count("mail", MAIL_WAITS, time.time())
            abroad += sum(self._count(f"host-{slug}", "SELECT count(*) FROM pushes") for slug in AGENCIES)
            # A host tries again seconds after a lost answer, by the wall's clock: a day must not pass meanwhile.
            abroad += sum(self._count(f"host-{slug}", HOST_ASKS_AGAIN) for slug in AGENCIES)
            return {"events": events, "deliveries": deliveries, "messages": messages, "abroad": abroad}

    def _count(self, name: str, sql: str, *values: object) -> int:
        return self.rows(name, sql, *values)[0][0]

    def rows(self, name: str, sql: str, *values: object) -> list[tuple]:
        """Read the store of a sandbox, which is outside of the product: a judge of its own."""
        if name not in self.stores:
            file = {"processor": "processor", "mail": "mail"}.get(name, "host")
            self.stores[name] = sqlite3.connect(f"file:{self.site.folder / name / file}.sqlite3?mode=ro", uri=True,
                                                check_same_thread=False)  # fmt: skip
        return self.stores[name].execute(sql, values).fetchall()


WAITING = """
SELECT (SELECT count(*) FROM payments_processorevent WHERE applied_at IS NULL),
    (SELECT count(*) FROM accounts_event WHERE sequence IS NULL)
    + (SELECT count(*) FROM integrations_delivery d LEFT JOIN integrations_hostconnection c ON c.id = d.connection_id
        WHERE d.status = 'waiting' AND d.next_at <= %(now)s AND coalesce(c.probe_at <= %(now)s, true) AND NOT EXISTS (
            SELECT 1 FROM integrations_delivery held
            WHERE held.lane = d.lane AND held.status = 'waiting' AND held.sequence < d.sequence
                AND held.account_id = d.account_id AND held.connection_id = d.connection_id
                AND held.attempts > 0 AND held.next_at > %(now)s))
    + (SELECT count(*) FROM accounts_agency a WHERE last_sequence > coalesce(
        (SELECT sequence FROM accounts_readerposition p WHERE p.agency_id = a.id AND p.reader = 'hosts'), 0)),
    (SELECT count(*) FROM accounts_agency a WHERE last_sequence > coalesce(
        (SELECT sequence FROM accounts_readerposition p WHERE p.agency_id = a.id AND p.reader = 'campaigns'), 0))
    + (SELECT count(*) FROM campaigns_mailevent WHERE applied_at IS NULL)
    + (SELECT count(*) FROM campaigns_message WHERE status = 'queued' AND next_at <= %(now)s)
"""
MONEY_WAITS = "SELECT count(*), 0, 0 FROM payments_processorevent WHERE applied_at IS NULL"
NEXT_TRY = """
SELECT min(greatest(d.next_at, c.probe_at)) FROM integrations_delivery d
LEFT JOIN integrations_hostconnection c ON c.id = d.connection_id WHERE d.status = 'waiting' AND d.attempts > 0
"""
HOST_ASKS_AGAIN = "SELECT count(*) FROM attempts WHERE state IN ('started', 'unknown')"
MAIL_WAITS = """
SELECT (SELECT count(*) FROM messages WHERE due_wall IS NOT NULL)
    + (SELECT count(*) FROM webhooks WHERE state = 'waiting' AND due_wall <= ?)
"""


def utc(day, hour: int = 0, minute: int = 0) -> datetime:
    """Give a moment of a UTC day."""
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=UTC)
