"""How fast a confirmed payment is written, beside the bare execution of the statements that it really issues."""

import re
import threading
import time
from urllib.parse import urlencode
from uuid import UUID, uuid4

from tests.benchmarks import posts
from tests.benchmarks.report import Line, Section
from tests.benchmarks.stage import CSRF, Stage, percentile

ALONE, CROWD = 60, 240
"""Payments by one client and by eight together, each on an account of its own; per server and round."""
CLIENTS = 8
UUID_TEXT = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def run(stage: Stage, *, rounds: int, full: bool) -> Section:
    """Pay through both servers, then replay the statements of one payment, in turns."""
    found: dict[str, list[float]] = {}

    def add(name: str, took: posts.Took) -> None:
        assert set(took.statuses) == {302}, took.statuses
        for label, value in (
            ("p50", percentile(took.each, 0.5) * 1000),
            ("p99", percentile(took.each, 0.99) * 1000),
            ("rate", took.rate),
        ):
            found.setdefault(f"{name} {label}", []).append(value)

    statements, recorded = record(stage)
    found["statements"] = [float(sum(not one.startswith((b"BEGIN", b"COMMIT")) for one in statements))]
    found["commits"] = [float(sum(one.startswith(b"COMMIT") for one in statements))]
    for _round in range(rounds):
        for name, processor in (("instant", "instant"), ("stripe", "")):
            ready = prepare(stage, ALONE + CROWD + 1)
            with stage.web(BENCH_PROCESSOR=processor) as web:
                asks = [one.ask(web, stage) for one in ready]
                for ask in asks[:1]:
                    posts.one_by_one([ask])
                add(f"{name} alone", posts.one_by_one(asks[1 : ALONE + 1]))
                add(f"{name} crowd", posts.many(asks[ALONE + 1 :], clients=CLIENTS))
        ready = prepare(stage, ALONE + CROWD)
        add("bare alone", replay(stage, statements, recorded, ready[:ALONE], clients=1))
        add("bare crowd", replay(stage, statements, recorded, ready[ALONE:], clients=CLIENTS))
    return Section("payments", "5. Payment POST", TOLD, lines(found))


TOLD = (
    "The last POST of a checkout by card, each for another consumer and account: session, visit, gates, the durable"
    " intent, the charge, the durable outcome, the redirect. The processor answers inside the web process in no time;"
    " a second pair of rows speaks to a processor on loopback that answers at once, through the real stripe library."
    " Beside it the same SQL, recorded from one payment, is sent again statement by statement on raw psycopg2"
    " connections with fresh ids, over as many connections as there are clients."
)


def lines(found: dict[str, list[float]]) -> list[Line]:
    """Make the table."""
    rate, bare = found["instant crowd rate"], found["bare crowd rate"]
    made = [
        Line("payment POST, 1 client, p50", "ms", found["instant alone p50"], target=15, at_most=True),
        Line("payment POST, 1 client, p99", "ms", found["instant alone p99"]),
        Line(f"payment POST, {CLIENTS} clients", "payments/s", rate, bare, "the same SQL, raw connections", 0.15),
        Line("with the stripe library, 1 client, p50", "ms", found["stripe alone p50"]),
        Line(
            f"with the stripe library, {CLIENTS} clients",
            "payments/s",
            found["stripe crowd rate"],
            bare,
            "the same SQL",
        ),
        Line("the same SQL, 1 connection, p50", "ms", found["bare alone p50"]),
        Line(f"the same SQL, {CLIENTS} connections", "payments/s", bare),
        Line("statements of one payment", "", found["statements"]),
        Line("of them commits", "", found["commits"]),
    ]
    return made


class Ready:
    """A checkout that only waits to be confirmed, and the browser that will."""

    def __init__(self, cookie: str, visit, account, checkout, sha256: str) -> None:
        self.cookie, self.visit, self.account, self.checkout, self.sha256 = cookie, visit, account, checkout, sha256

    def form(self) -> dict[str, str]:
        return {"csrfmiddlewaretoken": CSRF, "agree": "on", "authorization_sha256": self.sha256}

    def ask(self, web: str, stage: Stage) -> posts.Ask:
        headers = (stage.consumer_host, self.cookie, "Content-Type: application/x-www-form-urlencoded")
        return posts.Ask(f"{web}/pay/{self.checkout.pk}/review/", headers, urlencode(self.form()).encode())

    @property
    def names(self) -> dict[bytes, "Ready"]:
        """Give the ids by which the statements of its payment know it, in a fixed order."""
        keys = (self.visit.pk, self.account.pk, self.account.consumer_id, self.checkout.pk)
        return [str(key).encode() for key in keys]

    @property
    def words(self) -> list[bytes]:
        """Give the other words of its own in those statements, in the same order."""
        session = self.cookie.partition("session=")[2].partition(";")[0]
        return [session.encode(), self.account.reference.encode(), self.checkout.confirmation_token.encode()]


def prepare(stage: Stage, count: int) -> list[Ready]:
    """Make checkouts that have been through every page but the last."""
    from django.utils import timezone

    from accounts.tenancy import acting_for
    from payments.models import Checkout
    from payments.services import checkout as services
    from payments.services.gate import local_date

    accounts = stage.place(count)
    now = timezone.now()
    card = {"brand": "visa", "funding": "debit", "last4": "5556", "exp_month": 12, "exp_year": 2034}
    made = []
    with acting_for(stage.agency):
        for account, (cookie, visit) in zip(accounts, stage.sign_in(accounts, now=now), strict=True):
            made.append(
                (
                    cookie,
                    visit,
                    account,
                    Checkout(
                        account=account,
                        consumer=account.consumer,
                        visit=visit,
                        choice="amount",
                        lines=[[local_date(now, account.consumer.time_zone).isoformat(), 125_00]],
                        confirmation_token=f"ctoken_{uuid4().hex}",
                        card=card | {"fingerprint": uuid4().hex},
                        created_at=now,
                    ),
                )
            )
        Checkout.objects.bulk_create([checkout for *_others, checkout in made])
        return [Ready(*one, services.authorization_text(one[-1], "en", now=now)[1]) for one in made]


def record(stage: Stage) -> tuple[list[bytes], Ready]:
    """Confirm one payment in this process; give every statement that it sent, with BEGIN and COMMIT."""
    import psycopg2.extensions
    from django.db import connection
    from django.test import Client

    from payments import processors
    from tests.benchmarks.stage import quiet

    sent: list[bytes] = []

    class Cursor(psycopg2.extensions.cursor):
        def execute(self, sql, values=None):
            connected = self.connection
            if not connected.autocommit and connected.get_transaction_status() == 0:
                sent.append(b"BEGIN")
            sent.append(self.mogrify(sql, values))
            return super().execute(sql, values)

    class Connection(psycopg2.extensions.connection):
        def commit(self):
            if self.get_transaction_status() != 0:
                sent.append(b"COMMIT")
            return super().commit()

    adapters, options = dict(processors.ADAPTERS), connection.settings_dict["OPTIONS"]
    processors.ADAPTERS["stripe"] = "tests.benchmarks.server_urls:Instant"
    processors.connect.cache_clear()
    warm, one = prepare(stage, 2)
    connection.close()
    connection.settings_dict["OPTIONS"] = options | {"connection_factory": Connection, "cursor_factory": Cursor}
    try:
        for ready in (warm, one):
            client = Client(SERVER_NAME=stage.consumer_host.partition(": ")[2].partition(":")[0])
            client.cookies["session"] = ready.cookie.partition("session=")[2].partition(";")[0]
            with quiet():
                # The test client would close the connection otherwise, which web servers keep.
                sent.clear()
                answer = client.post(f"/pay/{ready.checkout.pk}/review/", ready.form())
            assert answer.status_code == 302, answer.content.decode()[:2000]
        return list(sent), one
    finally:
        connection.close()
        connection.settings_dict["OPTIONS"] = options
        processors.ADAPTERS.clear()
        processors.ADAPTERS.update(adapters)
        processors.connect.cache_clear()


def replay(stage: Stage, statements: list[bytes], recorded: Ready, ready: list[Ready], *, clients: int) -> posts.Took:
    """Send the recorded statements once for each checkout, its own ids in the place of the recorded one's."""
    import psycopg2
    from django.db import connection

    stays = {str(key).encode() for key in (stage.agency.pk, stage.connection.pk, stage.merchant.pk)}
    stays.add(str(recorded.account.client_id).encode())
    scripts = [rewritten(statements, recorded, one, stays) for one in ready]
    parameters = connection.get_connection_params()
    parameters.pop("cursor_factory", None)
    parameters.pop("context", None)
    connections = [psycopg2.connect(**parameters) for _ in range(clients)]
    for one in connections:
        one.autocommit = True
    each: list[float] = []
    failures: list[Exception] = []
    waiting = iter(scripts)
    lock = threading.Lock()

    def work(own) -> None:
        with own.cursor() as cursor:
            # Until the first statement of the script names it, nobody acts on this connection.
            while True:
                with lock:
                    script = next(waiting, None)
                if script is None or failures:
                    return
                began = time.perf_counter()
                try:
                    for statement in script:
                        cursor.execute(statement)
                        if cursor.description is not None:
                            cursor.fetchall()
                except psycopg2.Error as error:
                    failures.append(error)
                    return
                each.append(time.perf_counter() - began)

    threads = [threading.Thread(target=work, args=[one]) for one in connections]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    whole = time.perf_counter() - began
    for one in connections:
        one.close()
    if failures:
        raise failures[0]
    return posts.Took(each, whole, {302: len(each)})


def rewritten(statements: list[bytes], recorded: Ready, other: Ready, stays: set[bytes]) -> list[bytes]:
    """Put another checkout's ids and words into the statements, and fresh ids where the payment made its own."""
    known = dict(zip(recorded.names, other.names, strict=True)) | {one: one for one in stays}
    words = list(zip(recorded.words, other.words, strict=True))

    def fresh(found: re.Match) -> bytes:
        return known.setdefault(found[0], str(uuid7_like(found[0])).encode())

    made = []
    for statement in statements:
        for mine, theirs in words:
            statement = statement.replace(mine, theirs)
        made.append(UUID_TEXT.sub(fresh, statement))
    return made


def uuid7_like(text: bytes) -> UUID:
    """Make a new id of the same version, so that indexes grow as they do in the product."""
    from accounts.tenancy import uuid7

    return uuid7() if text[14:15] == b"7" else uuid4()
