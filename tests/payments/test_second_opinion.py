"""The card path against somebody else's idea of Stripe: localstripe, as a program of its own (GPL: never imported).

It is older than the API that we speak and refuses some of its words, so a translator stands between. What it changes
is all here, and nothing in the product knows of it:

* a confirmation token (which localstripe has not) becomes a payment method made from the same card;
* `DROPPED` leaves out what it refuses by name;
* a SetupIntent that is confirmed when made becomes two requests, and its card is attached, as Stripe does by itself;
* a SetupIntent is answered with its payment method opened, as `expand` asks.

It says nothing about idempotency, bank debits, 3-D Secure without the consumer or two merchant accounts: it ignores
or lacks them. It listens on every address of the machine while the test runs; it has no option for less.
"""

import contextlib
import datetime as dt
import http.client
import http.server
import json
import re
import socket
import subprocess
import sys
import threading
import time
import uuid
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from payments.processors import KeepOrder, NotReadable, Order, RefundOrder
from payments.processors.stripe import Stripe

PROGRAM = Path(sys.executable).with_name("localstripe")
VISA, DECLINED_ON_CHARGE, DECLINED_ON_SETUP = "4242424242424242", "4000000000000341", "4000000000000002"
DROPPED = {
    r"/v1/payment_intents": {
        "description",
        "allowed_payment_method_types",
        "payment_method_options",
        "confirmation_token",
        "setup_future_usage",
    },
    r"/v1/setup_intents": {"allowed_payment_method_types", "payment_method_options", "confirmation_token", "confirm"},
    r"/v1/(payment|setup)_intents/\w+/cancel": {"cancellation_reason"},
    r"/v1/refunds": {"reason", "created"},
}

pytestmark = pytest.mark.skipif(not PROGRAM.exists(), reason="localstripe is not installed")


class Translator:
    """Answer the adapter on a loopback port with what localstripe says."""

    def __init__(self, port: int) -> None:
        self.port, self.cards = port, {}
        translator = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer("GET", self.path.partition("?")[2])

            def do_POST(self) -> None:
                self._answer("POST", self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode())

            def _answer(self, verb: str, said: str) -> None:
                fields = parse_qsl(said, keep_blank_values=True)
                status, body = translator.translate(verb, urlsplit(self.path).path, fields)
                sent = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(sent)))
                self.end_headers()
                self.wfile.write(sent)

            def log_message(self, *args: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def ask(self, verb: str, path: str, fields: list[tuple[str, str]]) -> tuple[int, dict]:
        """Send a request to localstripe."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        headers = {"Authorization": "Bearer sk_test_12345", "Content-Type": "application/x-www-form-urlencoded"}
        said = urlencode(fields)
        with contextlib.closing(connection):
            connection.request(
                verb, path + (f"?{said}" if verb == "GET" else ""), said if verb == "POST" else None, headers
            )
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())

    def token(self, number: str) -> str:
        """Type a card into the field: a token that stands for a payment method."""
        card = {"number": number, "exp_month": "12", "exp_year": "2034", "cvc": "123"}
        fields = [("type", "card"), *((f"card[{name}]", value) for name, value in card.items())]
        status, made = self.ask("POST", "/v1/payment_methods", fields)
        assert status == 200, made
        token = f"ctoken_{uuid.uuid4().hex}"
        self.cards[token] = made
        return token

    def translate(self, verb: str, path: str, fields: list[tuple[str, str]]) -> tuple[int, dict]:
        """Say it in localstripe's words."""
        if token := re.fullmatch(r"/v1/confirmation_tokens/(\w+)", path):
            card = self.cards.get(token[1])
            if card is None:
                return 404, {"error": {"type": "invalid_request_error", "message": "No such token"}}
            preview = {"type": "card", "card": card["card"]}
            return 200, {"object": "confirmation_token", "id": token[1], "payment_method_preview": preview}
        given = dict(fields)
        dropped = next((words for pattern, words in DROPPED.items() if re.fullmatch(pattern, path)), set())
        kept = [(name, value) for name, value in fields if name.partition("[")[0] not in dropped]
        method = self.cards.get(given.get("confirmation_token", ""), {}).get("id")
        if path == "/v1/setup_intents" and verb == "POST":
            return self._set_up(kept, method, given.get("customer", ""))
        if method:
            kept.append(("payment_method", method))
        return self.ask(verb, path, kept)

    def _set_up(self, kept: list[tuple[str, str]], method: str, customer: str) -> tuple[int, dict]:
        kept = [(name, value) for name, value in kept if not name.startswith("expand")]
        status, made = self.ask("POST", "/v1/setup_intents", kept)
        if status != 200:
            return status, made
        status, made = self.ask("POST", f"/v1/setup_intents/{made['id']}/confirm", [("payment_method", method)])
        if status == 200 and made["status"] == "succeeded":
            attached, opened = self.ask("POST", f"/v1/payment_methods/{method}/attach", [("customer", customer)])
            assert attached == 200, opened
            made["payment_method"] = opened
        return status, made


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    """Run localstripe on a free port, its one file in a folder of the test."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [PROGRAM, "--from-scratch", "--port", str(port)],
        env={"TMPDIR": str(tmp_path_factory.mktemp("localstripe")), "PATH": "/usr/bin:/bin"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 30
    try:
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            assert process.poll() is None, "localstripe ended"
            assert time.monotonic() < deadline, "localstripe did not come up"
            time.sleep(0.05)
        yield Translator(port)
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def adapter(other) -> Stripe:
    return Stripe(
        account_ref="acct_other", secret_key="sk_test_12345", webhook_secret="", api_base=other.url, timeout=10
    )


def keep(adapter, other, number=VISA):
    token = other.token(number)
    return adapter.keep(KeepOrder(checkout=str(uuid.uuid4()), consumer="c-1", confirmation_token=token))


def due(card, **values) -> Order:
    """Ask for a planned payment, as the due run does."""
    given = {"payment": str(uuid.uuid4()), "consumer": "c-1", "amount_cents": 125_00, "currency": "usd"}
    given |= {"kind": "card", "description": "Payment 1", "method": card.method, "customer": card.customer}
    return Order(**given | {"off_session": True, "use": "installment"} | values)


def test_a_card_is_read_before_it_is_charged(adapter, other):
    seen = adapter.preview(other.token(VISA))
    assert (seen.brand, seen.last4, seen.exp_year) == ("visa", "4242", 2034)
    with pytest.raises(NotReadable):
        adapter.preview("ctoken_nobody")


def test_a_card_is_kept_then_charged_without_the_consumer_and_found_again(adapter, other):
    kept = keep(adapter, other)
    assert (kept.status, kept.card.last4) == ("succeeded", "4242")
    assert kept.card.customer.startswith("cus_")
    paid = adapter.charge(due(kept.card))
    assert (paid.status, paid.amount_cents, paid.currency) == ("succeeded", 125_00, "usd")
    found = adapter.find(payment="", ref=paid.ref)
    assert (found.status, found.amount_cents, found.refunded_cents) == ("succeeded", 125_00, 0)
    assert adapter.find_kept(ref=kept.ref).ref == kept.ref


def test_a_first_payment_with_the_consumer_there_makes_a_customer_and_a_charge(adapter, other):
    order = Order(
        payment=str(uuid.uuid4()),
        consumer="c-1",
        amount_cents=40_00,
        currency="usd",
        kind="card",
        description="Payment 2",
        confirmation_token=other.token(VISA),
        store="installment",
    )
    paid = adapter.charge(order)
    assert (paid.status, paid.amount_cents) == ("succeeded", 40_00)


def test_what_is_given_back_adds_up_and_is_found_by_our_id(adapter, other):
    paid = adapter.charge(due(keep(adapter, other).card))
    for refund, cents, together in (("r-1", 25_00, 25_00), ("r-2", 100_00, 125_00)):
        made = adapter.refund(RefundOrder(refund=refund, payment="p-1", ref=paid.ref, amount_cents=cents))
        assert (made.status, made.amount_cents, made.refunded_cents) == ("done", cents, together)
        assert adapter.find_refund(refund=refund, ref=paid.ref).ref == made.ref
    assert adapter.find_refund(refund="r-3", ref=paid.ref).status == "not_done"
    assert adapter.find(payment="", ref=paid.ref).refunded_cents == 125_00


def test_a_card_that_keeps_well_and_declines_later_is_a_decline_and_no_fault(adapter, other):
    kept = keep(adapter, other, DECLINED_ON_CHARGE)
    assert kept.status == "succeeded"
    said = adapter.charge(due(kept.card))
    assert (said.status, said.decline_code) == ("declined", "card_declined")
    assert keep(adapter, other, DECLINED_ON_SETUP).status == "declined"


def test_an_intent_that_nobody_confirmed_is_voided(adapter):
    about = {"amount_cents": 125_00, "currency": "usd", "since": dt.datetime.now(dt.UTC)}
    voided = adapter.void(payment=str(uuid.uuid4()), ref="", **about)
    assert voided.status == "voided"
    assert adapter.find(payment="", ref=voided.ref).status == "voided"
