"""The demonstration passes, and leaves no number or secret behind that a thief could read.

The sandboxes' own stores are outside of the product: they are where the numbers and secrets of this run are learned
from, and everything that the product keeps (database, Redis, logs) is searched for each of them.
"""

import base64
import contextlib
import fcntl
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest
import redis
from django.contrib.sessions.backends.db import SessionStore
from environ import Env

from portal.local import CHECKOUT, HOME, environment
from portal.local.stack import AGENCIES, PASSWORD, free_port
from portal.local.walk import DECLINED, VISA_CREDIT, VISA_DEBIT, read_code

pytestmark = pytest.mark.xdist_group("browser")  # never beside another stack: this machine is small

PATIENCE = 420  # seconds on a machine that does other things too; half a minute on one that does not
REDIS_DB = 15
CARDS = (VISA_DEBIT, VISA_CREDIT, DECLINED)
BANK_NUMBERS = ("000123456789", "110000000")  # account and routing
CODE_MAILS = """SELECT text FROM messages WHERE tags LIKE '%"code"%'"""
CODE_PAPERS = """
    SELECT content FROM attachments JOIN messages USING (submission) WHERE tags LIKE '%"esign_code"%'
"""
LINK = re.compile(r"/(?:m|p|s|stop)/([^/\s\"<>]+)")
STEPS = [
    "acme's host pushed its",
    "birch's host pushed its",
    "identified by three facts: level 1",
    "the host knows consumer.identified",
    "balance $1,000.00; offered: $750.00 as 6 x $125.00",
    "a six-digit code came by mail",
    "level 2",
    "the schedule: first payment today, the rest post-dated",
    "consent to electronic documents",
    "paid $125.00 by Visa debit",
    "the host knows payment.succeeded",
    "the host knows 5 x postdate.scheduled",
    "the host knows 5 x notice.due",
    "the consumer sees POSTED",
    "five post-dates of $125.00 are in the Post Dates tab",
    "receipt",
    "copy of the authorization by mail",
    "the host knows message.delivered",
    "$50.00 from a bank account",
    "the host knows payment.pending",
    "a declined card is said in plain words",
    "the host knows payment.declined",
    "a Visa credit card is refused with the alternatives named",
    "exactly one successful charge",
    "a month on, the host charged the first post-date itself",
]


def dressed(number: str, *, before: str = r"(?<![\w.])", after: str = r"(?!\w)") -> re.Pattern:
    """Match the digits of a number with whatever people put between them."""
    return re.compile(before + r"[ .\-]?".join(digit for digit in number if digit.isdigit()) + after)


def code(digits: str) -> re.Pattern:
    """Match a six-digit code that stands alone: six digits in the middle of an id or a moment are no code."""
    return re.compile(r"(?<![\w.+/-])" + digits[:3] + "[ -]?" + digits[3:] + r"(?![\w+/]|[.-]\d)")


class Secrets:
    """What this run knew: a pattern for each number and key, by kind."""

    def __init__(self, folder: Path) -> None:
        mail, processor = folder / "mail" / "mail.sqlite3", folder / "processor" / "processor.sqlite3"
        records, keys = [], [PASSWORD]
        for slug in AGENCIES:
            host = folder / f"host-{slug}" / "host.sqlite3"
            records += [json.loads(body) for (body,) in rows(host, "SELECT body FROM accounts")]
            keys += [json.loads(text) for (text,) in rows(host, "SELECT value FROM settings WHERE name LIKE '%_key'")]
        keys += [text for (text,) in rows(processor, "SELECT secret FROM keys")]
        keys += [text for (text,) in rows(processor, "SELECT webhook_secret FROM accounts")]
        keys += [text for pair in rows(mail, "SELECT api_key, signing_key FROM domains") for text in pair]
        known = environment.read() | os.environ
        keys += [known["SECRET_KEY"], known["INDEX_KEY"], known["FIELD_KEYS"].partition(":")[2]]
        self.codes = {re.search(r"\b\d{6}\b", text)[0] for (text,) in rows(mail, CODE_MAILS)}
        self.codes |= {read_code(bytes(paper)) for (paper,) in rows(mail, CODE_PAPERS)}
        self.ssns = {record["SSN"] for record in records}
        self.keys = set(keys)
        said = rows(mail, "SELECT text || html || headers FROM messages")
        said += rows(folder / "carrier" / "carrier.sqlite3", "SELECT body FROM texts")
        self.tokens = {token for (text,) in said for token in LINK.findall(text)}
        self.links = [("link", re.compile(re.escape(token))) for token in self.tokens]
        whole = {"before": r"(?<!\d)", "after": r"(?!\d)"}  # also glued to letters
        self.patterns = [("card", dressed(number, **whole)) for number in CARDS]
        self.patterns += [("bank", dressed(number, **whole)) for number in BANK_NUMBERS]
        self.patterns += [("ssn", dressed(number)) for number in self.ssns]
        self.patterns += [("code", code(digits)) for digits in self.codes]
        self.patterns += [("key", re.compile(re.escape(key))) for key in self.keys]

    def found_in(self, text: str, *, links: bool = False) -> list[str]:
        """Say what kind of secret stands in a text, with what is around it.

        :param links: what opens a link is one too (AUTH-06); stored messages have theirs, for who may read them.
        """
        return [
            f"{kind}: {text[max(0, hit.start() - 80) : hit.end() + 40]!r}"
            for kind, pattern in self.patterns + (self.links if links else [])
            for hit in pattern.finditer(text)
        ]


def rows(store: Path, sql: str) -> list[tuple]:
    with contextlib.closing(sqlite3.connect(store)) as opened:
        return opened.execute(sql).fetchall()


def connect(url: str):
    """Open a plain connection to the address of a database."""
    where = Env.db_url_config(url)
    names = {"host": "HOST", "port": "PORT", "user": "USER", "password": "PASSWORD", "dbname": "NAME"}
    return psycopg2.connect(**{name: where[key] or None for name, key in names.items()})


def dump_of_database(url: str) -> Iterator[tuple[str, str]]:
    """Copy every table in the scope of all agencies, sessions opened."""
    with contextlib.closing(connect(url)) as opened, opened.cursor() as cursor:
        cursor.execute("SELECT set_config('portal.agency', '*', false)")
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
        for (table,) in cursor.fetchall():
            cursor.execute(f'SELECT t::text FROM "{table}" AS t')
            yield table, "\n".join(text for (text,) in cursor.fetchall())
        cursor.execute("SELECT session_data FROM django_session")
        yield "django_session, opened", "\n".join(str(SessionStore().decode(data)) for (data,) in cursor.fetchall())


class Listener(threading.Thread):
    """Write down every command that one Redis database gets, from its first to its last."""

    def __init__(self, url: str, number: int) -> None:
        super().__init__(daemon=True)
        # Nobody may speak for a while; a time-out of the client's own would end the listening.
        self.server = redis.Redis.from_url(url, socket_timeout=None)
        self.number, self.commands, self.over = number, [], threading.Event()
        self.start()

    def run(self) -> None:
        with contextlib.suppress(redis.RedisError, OSError, ValueError), self.server.monitor() as monitor:
            while not self.over.is_set():
                line = monitor.next_command()
                if line["db"] == self.number:
                    self.commands.append(line["command"])

    def text(self) -> str:
        """Give the commands, with the bodies of tasks readable."""
        self.over.set()
        said = "\n".join(self.commands)
        for body in re.findall(r'body\\*": *\\*"([A-Za-z0-9+/=]{8,})', said):
            with contextlib.suppress(ValueError, zlib.error):
                said += "\n" + base64.b64decode(body).decode("utf-8", "replace")
        return said


class Run:
    """One demonstration from start to end: what it printed and what it left."""

    def __init__(self) -> None:
        known = environment.read() | {
            name: os.environ[name] for name in ("DATABASE_URL", "REDIS_URL") if name in os.environ
        }
        self.port = free_port()
        self.name = f"quittance_demo_{self.port}"
        self.server, self.redis_url = known["DATABASE_URL"].rpartition("/")[0], known["REDIS_URL"]
        self.folder = HOME / f"demo-{self.port}"
        shared = [HOME / "logs" / f"{name}.log" for name in ("postgres", "valkey")]
        self.sizes = {log: log.stat().st_size for log in shared if log.exists()}
        for log in self.logs():
            log.unlink()

    def logs(self) -> list[Path]:
        return sorted((HOME / "logs").glob(f"{self.name}-*.log"))

    def log_texts(self) -> Iterator[tuple[str, str]]:
        """Give each log of the run, and what the servers wrote meanwhile."""
        for log in self.logs():
            yield log.name, log.read_text(errors="replace")
        for log, size in self.sizes.items():
            yield log.name, log.read_bytes()[size:].decode("utf-8", "replace")

    def go(self) -> None:
        listener = Listener(self.redis_url, REDIS_DB)
        words = ["demo", "--once", "--port", str(self.port), "--redis-db", str(REDIS_DB)]
        process = subprocess.Popen(
            [sys.executable, "manage.py", *words],
            cwd=CHECKOUT,
            env=os.environ | {"DATABASE_URL": f"{self.server}/postgres"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            self.printed, self.errors = process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            process.terminate()  # it stops what it started
            self.printed, self.errors = process.communicate(timeout=60)
        self.status = process.returncode
        self.commands = listener.text()

    def clean(self) -> None:
        """Leave nothing but, after a failure, the logs."""
        shutil.rmtree(self.folder, ignore_errors=True)
        redis.Redis.from_url(self.redis_url.rpartition("/")[0] + f"/{REDIS_DB}").flushdb()
        opened = connect(f"{self.server}/postgres")
        opened.autocommit = True
        with contextlib.closing(opened), opened.cursor() as cursor:
            cursor.execute(f'DROP DATABASE IF EXISTS "{self.name}" WITH (FORCE)')


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    """Run the demonstration once for all questions about it, one run of this checkout at a time."""
    lock = os.open(HOME / "demonstration.lock", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    run = Run()
    try:
        run.go()
        yield run
    finally:
        run.clean()
        os.close(lock)


@pytest.fixture(scope="module")
def secrets(run) -> Secrets:
    return Secrets(run.folder)


def test_the_walk_holds_and_prints_every_step_in_order(run):
    told = f"{run.printed}\n{run.errors}"
    assert run.status == 0, told
    steps = re.findall(r"^ *(\d+)\. (?: *[\d.]+ ms)? +(.+)$", run.printed, re.MULTILINE)
    assert [int(number) for number, _what in steps] == list(range(1, len(steps) + 1)), told
    at = 0
    for what in STEPS:
        found = [place for place, (_number, said) in enumerate(steps) if place >= at and what in said]
        assert found, f"no step says {what!r} after {steps[at - 1][1]!r}: {told}"
        at = found[0] + 1
    assert run.printed.rstrip().endswith("Every step held."), told


def test_the_run_knew_secrets_to_look_for(secrets):
    assert len(secrets.ssns) >= 20
    assert len(secrets.codes) >= 3
    assert len(secrets.keys) >= 15
    assert all(len(key) >= 10 for key in secrets.keys)
    assert {len(token) for token in secrets.tokens} >= {26, 76}
    assert all(len(token) >= 22 for token in secrets.tokens)


def test_the_database_keeps_no_number_or_secret_in_clear(run, secrets):
    tables = dict(dump_of_database(f"{run.server}/{run.name}"))
    assert "Examplova" in tables["accounts_consumer"]
    assert len(tables["accounts_event"].splitlines()) > 50
    assert len(tables["payments_payment"].splitlines()) >= 3
    assert {table: found for table, text in tables.items() if (found := secrets.found_in(text))} == {}


def test_redis_never_heard_a_number_or_secret(run, secrets):
    assert len(run.commands) > 1_000
    assert "integrations.tasks" in run.commands
    assert secrets.found_in(run.commands) == []


def test_no_log_says_a_number_or_secret(run, secrets):
    logs = dict(run.log_texts())
    assert {name.removeprefix(f"{run.name}-") for name in logs} >= {"web.log", "worker.log", "deliver.log", "beat.log"}
    assert "request_finished" in logs[f"{run.name}-web.log"]
    assert "/m/[hidden]" in logs[f"{run.name}-web.log"]
    assert {name: found for name, text in logs.items() if (found := secrets.found_in(text, links=True))} == {}


@pytest.mark.parametrize(
    "around", ["{}", '{{"n": "{}"}}', "n={}&x=1", "({}),", "card {} declined", "\n{}\n", "{}."], ids=str
)
def test_the_search_finds_what_stands_in_clear(run, secrets, around):
    card, ssn = VISA_DEBIT, sorted(secrets.ssns)[0]
    dresses = [card, " ".join(re.findall("....", card)), "-".join(re.findall("....", card)), ssn, ssn.replace("-", "")]
    dresses += ["000123456789", sorted(secrets.codes)[0], sorted(secrets.keys)[0], f"x{card}x"]
    missed = [text for text in dresses if not secrets.found_in(around.format(text))]
    assert missed == []
