"""Texts through a carrier: the Twilio-shaped adapter against the sandbox program, over real HTTP."""

import json
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
from django.test import RequestFactory

from campaigns.channels import News, NotGenuine, twilio
from campaigns.channels.texts import NotTaken, Reply, carrier

ROOT = Path(__file__).parents[2]
US, THEM = "+15185550100", "+15185550199"
AT = datetime(2026, 12, 1, 15, 0, tzinfo=UTC)


class Hearer(BaseHTTPRequestHandler):
    """Keep each webhook, with its signature, and refuse the first ones where the test says so."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.heard.append((self.path, dict(parse_qsl(body)), self.headers["X-Twilio-Signature"]))
        status = 503 if self.server.refuse[self.path] > 0 else 200
        self.server.refuse[self.path] -= 1
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


class Carrier:
    def __init__(self, folder):
        command = [sys.executable, "-m", "campaigns.sandbox.carrier", "--port", "0", "--data", str(folder)]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        self.url = self.process.stdout.readline().strip().removeprefix("listening on ")
        self.hooks = ThreadingHTTPServer(("127.0.0.1", 0), Hearer)
        self.hooks.heard, self.hooks.refuse = [], Counter()
        threading.Thread(target=self.hooks.serve_forever, args=(0.02,), daemon=True).start()
        self.hook_url = f"http://127.0.0.1:{self.hooks.server_port}"
        account = {"sid": "AC1", "token": "secret", "number": US, "inbound_url": f"{self.hook_url}/in"}
        self.call("POST", "/_sandbox/accounts", account)
        self.call("POST", "/_sandbox/behaviour", {"delivery_delay_ms": 0})
        self.message = "m0"

    def call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def send(self, to=THEM, text="Acme: you have a message.", token="secret"):
        return twilio.send(
            account="AC1",
            token=token,
            api_url=self.url,
            sender=US,
            to=to,
            text=text,
            status_url=f"{self.hook_url}/status/{self.message}",
        )

    def heard(self, count, path=""):
        """Wait for webhooks to an address; reports on another test's text may still come in beside them."""
        path = path or f"/status/{self.message}"
        deadline = time.monotonic() + 10
        while len(found := [one for one in self.hooks.heard if one[0] == path]) < count:
            assert time.monotonic() < deadline, f"only {len(found)} webhooks came"
            time.sleep(0.02)
        return found

    def close(self):
        self.process.terminate()
        self.process.wait(10)
        self.process.stdout.close()
        self.hooks.shutdown()
        self.hooks.server_close()


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    running = Carrier(tmp_path_factory.mktemp("carrier"))
    yield running
    running.close()


@pytest.fixture
def sandbox(program):
    program.call("DELETE", "/_sandbox/faults")
    # Each test has a message of its own, so that a late report on another one is not taken for it.
    program.message = f"m{int(program.message[1:]) + 1}"
    program.hooks.refuse = Counter()
    program.hooks.heard.clear()
    return program


def test_a_text_is_taken_delivered_and_reported_by_signed_webhooks(sandbox):
    taken = sandbox.send()
    assert (taken.provider_id[:2], taken.segments) == ("SM", 1)
    (path, form, _first), (_path, last, signature) = sandbox.heard(2)
    assert (form["MessageStatus"], last["MessageStatus"]) == ("sent", "delivered")
    assert signature == twilio.signature(url=sandbox.hook_url + path, form=last, token="secret")
    news = twilio.read(form=last, message="m1", at=AT)
    assert isinstance(news, News)
    assert (news.kind, news.message, news.provider_id, news.lost) == ("delivered", "m1", taken.provider_id, False)


@pytest.mark.parametrize(
    ("number", "reason", "bad"),
    [
        ("+15185559001", "undelivered 30005", True),
        ("+15185559002", "undelivered 30007", False),
        ("+15185559003", "failed 30006", True),
    ],
)
def test_a_text_that_does_not_arrive_says_whether_the_number_is_good(sandbox, number, reason, bad):
    sandbox.send(to=number)
    news = twilio.read(form=sandbox.heard(2)[1][1], message="m1", at=AT)
    assert (news.kind, news.reason, news.lost, news.bad_address) == ("bounced", reason, True, bad)


@pytest.mark.parametrize(
    ("change", "reason", "again", "bad"),
    [
        ({"token": "wrong"}, "http_401 20003", True, False),
        ({"to": "5185550199"}, "http_400 21211", False, True),
        ({"text": "x" * 1601}, "http_400 21617", False, False),
        ({"text": ""}, "http_400 21602", False, False),
    ],
)
def test_a_no_is_certain_and_says_whether_to_try_again(sandbox, change, reason, again, bad):
    with pytest.raises(NotTaken) as refused:
        sandbox.send(**change)
    no = refused.value
    assert (no.reason, no.certain, no.again, no.bad_number, no.opted_out) == (reason, True, again, bad, False)


@pytest.mark.parametrize(
    ("mode", "certain"), [("error_500", False), ("error_429", True), ("drop_after_effect", False), ("garbled", False)]
)
def test_silence_is_not_a_no(sandbox, mode, certain):
    sandbox.call("POST", "/_sandbox/faults", {"mode": mode})
    with pytest.raises(NotTaken) as refused:
        sandbox.send()
    assert (refused.value.certain, refused.value.again) == (certain, True)


def test_a_carrier_that_is_down_has_not_got_it_for_certain():
    with pytest.raises(NotTaken) as refused:
        twilio.send(account="A", token="t", api_url="http://127.0.0.1:9", sender=US, to=THEM, text="x", status_url="")
    assert refused.value.again


def test_stop_is_heard_by_the_carrier_and_told_to_us(sandbox):
    sandbox.call("POST", "/_sandbox/reply", {"from": "+15185550111", "to": US, "body": "Stop"})
    ((_path, form, _signature),) = sandbox.heard(1, "/in")
    said = twilio.read(form=form, message="", at=AT)
    assert isinstance(said, Reply)
    assert (said.sender, said.to, said.text) == ("+15185550111", US, "Stop")
    with pytest.raises(NotTaken) as refused:
        sandbox.send(to="+15185550111")
    assert (refused.value.reason, refused.value.opted_out) == ("http_400 21610", True)
    sandbox.call("POST", "/_sandbox/reply", {"from": "+15185550111", "to": US, "body": "START"})
    assert sandbox.send(to="+15185550111").segments == 1


def test_a_webhook_that_is_not_taken_comes_again_and_is_known_by_its_id(sandbox):
    sandbox.hooks.refuse["/in"] = 1  # a report on another test's text may still come in before it
    sandbox.call("POST", "/_sandbox/reply", {"from": THEM, "to": US, "body": "hello"})
    (_path, first, _one), (_again, second, _two) = sandbox.heard(2, "/in")
    assert twilio.external_id(first) == twilio.external_id(second)


FORM = {"MessageSid": "SM1", "MessageStatus": "delivered", "To": THEM}
URL = "https://pay.example.com/hooks/texts/1/m1"


def posted(form=FORM, **headers):
    return RequestFactory().post("/hooks/texts/1/m1", form, headers=headers)


def test_only_the_accounts_own_signature_opens_the_door():
    good = twilio.signature(url=URL, form=FORM, token="secret")
    twilio.check(request=posted(**{"X-Twilio-Signature": good}), url=URL, token="secret")
    for request, url, token in (
        (posted(**{"X-Twilio-Signature": good}), URL, "another agency's"),
        (posted(**{"X-Twilio-Signature": good}), URL + "?x=1", "secret"),
        (posted(FORM | {"MessageStatus": "failed"}, **{"X-Twilio-Signature": good}), URL, "secret"),
        (posted(), URL, "secret"),
        (posted(**{"X-Twilio-Signature": twilio.signature(url=URL, form=FORM, token="")}), URL, ""),
    ):
        with pytest.raises(NotGenuine):
            twilio.check(request=request, url=url, token=token)


@pytest.mark.parametrize("form", [{}, {"MessageStatus": "delivered"}, {"MessageSid": "SM1"}])
def test_what_is_not_twilios_is_unreadable(form):
    with pytest.raises(ValueError, match="Not a Twilio webhook"):
        twilio.read(form=form, message="", at=AT)


def test_twilio_forbids_third_party_collection_until_an_exception_is_recorded():
    assert carrier("twilio").CAPABILITIES.third_party_collection is False
    with pytest.raises(LookupError):
        carrier("pigeon")
