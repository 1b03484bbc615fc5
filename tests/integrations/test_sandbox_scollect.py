"""The sandbox SCollect host, seen from outside: the tests play the portal and the processor."""

import gzip
import hashlib
import http.client
import json
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl
from uuid import uuid4

import pytest

ROOT = Path(__file__).parents[2]
MONDAY = "2026-03-02T15:00:00Z"


class Peer(BaseHTTPRequestHandler):
    """Hand every request to the stub's `answer`, which returns (status, body) or None to hang up."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        answer = self.server.stub.answer(self.command, self.path, dict(self.headers), body)
        if answer is None:
            self.close_connection = True
            return
        status, said = answer
        payload = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    do_GET = do_POST

    def log_message(self, format, *args):
        pass


class Stub:
    def __init__(self):
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Peer)
        self.server.daemon_threads = True
        self.server.stub = self
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Portal(Stub):
    def __init__(self):
        self.requests, self.pushes, self.status = [], [], 200
        super().__init__()

    def answer(self, method, path, headers, body):
        self.requests.append((method, path, headers))
        if self.status != 200:
            return self.status, {"code": "scripted"}
        if headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        said = json.loads(body)
        self.pushes.append(said)
        count = len(said) if isinstance(said, list) else 1
        return 200, {
            "received": count,
            "accepted": count,
            "unchanged": 0,
            "stale": 0,
            "refused": 0,
            "errors": [],
        }

    def wait_for(self, file_number, count=1):
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            found = [push for push in self.pushes if isinstance(push, dict) and push["FileNumber"] == file_number]
            if len(found) >= count:
                return found
            time.sleep(0.01)
        raise AssertionError(f"no {count} pushes of {file_number}: {self.pushes}")


class Processor(Stub):
    """Keep a ledger by idempotency key, as the real one does; `mode` spoils the next answers."""

    def __init__(self):
        self.calls, self.by_key, self.mode = [], {}, "succeed"
        self.hanging = threading.Event()
        super().__init__()

    def answer(self, method, path, headers, body):
        if method == "GET":
            return 200, {"data": [intent for _, intent in self.by_key.values()]}
        key, fields = headers["Idempotency-Key"], dict(parse_qsl(body.decode()))
        self.calls.append((path, headers, fields))
        if self.mode == "error_500":
            return 500, {"error": {"type": "api_error"}}
        if key not in self.by_key:
            intent = {"id": f"pi_{len(self.by_key) + 1}", "status": "succeeded"}
            intent["metadata"] = {
                "portal_id": fields["metadata[portal_id]"],
                "host_key": fields["metadata[host_key]"],
            }
            status, said = 200, intent
            if self.mode == "decline":
                intent["status"] = "requires_payment_method"
                error = {"type": "card_error", "code": "card_declined", "decline_code": "insufficient_funds"}
                status, said = 402, {"error": error | {"payment_intent": intent}}
            self.by_key[key] = ((status, said), intent)
        if self.mode == "hang_after_effect":
            self.hanging.set()
            time.sleep(1)
        return None if self.mode == "drop_after_effect" else self.by_key[key][0]


class Host:
    """The program under test, with its directory, so that it can be killed and started again."""

    def __init__(self, directory):
        self.directory = directory
        self.start()

    def start(self):
        command = [sys.executable, "-m", "integrations.sandbox", "--port", "0", "--data", str(self.directory)]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        assert line.startswith("listening on http://127.0.0.1:"), line
        self.port = int(line.rsplit(":", 1)[1])

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()

    def raw(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        sent = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        try:
            connection.request(method, path, body=sent, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read(), answer.headers
        finally:
            connection.close()

    def call(self, method, path, body=None, key=None):
        status, said, _ = self.raw(method, path, body, {"Authorization": f"Bearer {key}"} if key else {})
        return status, json.loads(said)

    def control(self, path, body=None):
        status, said = self.call("GET" if body is None else "POST", f"/_sandbox/{path}", body)
        assert status == 200, said
        return said

    def send(self, *events):
        status, said = self.call("POST", "/events", list(events), key="outbound")
        assert status == 200, said
        return said["results"]

    def record(self, file_number="A-1"):
        return self.call("GET", f"/accounts/{file_number}", key="outbound")[1]


@pytest.fixture
def portal():
    stub = Portal()
    yield stub
    stub.close()


@pytest.fixture
def processor():
    stub = Processor()
    yield stub
    stub.close()


@pytest.fixture
def host(tmp_path, portal, processor):
    program = Host(tmp_path / "host")
    program.control(
        "configure",
        {
            "portal_url": portal.url,
            "portal_host": "acme.localhost",
            "connection_id": "c1",
            "inbound_key": "inbound",
            "outbound_key": "outbound",
            "processor_url": processor.url,
            "processor_key": "sk_test_host",
            "processor_timeout_seconds": 5,
            "push_delay_ms": 0,
        },
    )
    program.control("clock", {"now": MONDAY})
    program.control("accounts", [account("A-1"), account("A-2")])
    yield program
    program.kill()


def account(file_number, **words):
    return {
        "FileNumber": file_number,
        "Status": "ACTIVE",
        "LastName": "Example",
        "CurrentBalance": "1000.00",
    } | words


def event(kind, name, number=1, **words):
    return {
        "EventID": str(uuid4()),
        "Sequence": number,
        "AccountSequence": number,
        "FileNumber": "A-1",
        "Event": name,
        "Type": kind,
        "OccurredAt": MONDAY,
        "CommittedAt": datetime.now(UTC).isoformat(),
        "PostingAgent": "Agency",
        "Data": {"v": 1},
    } | words


def paid(number=1, portal_id="p1", **words):
    block = {
        "PortalID": portal_id,
        "Date": "2026-03-02",
        "Amount": "125.00",
        "Method": "CARD",
        "Last4": "4242",
        "Status": "APPROVED",
        "Executor": "PORTAL",
    }
    return event("PAYMENT", "payment.succeeded", number, Payment=block | words)


def postdate(number=1, portal_id="d1", name="postdate.scheduled", **words):
    token = {"Customer": "cus_1", "PaymentMethod": "pm_1", "Last4": "4242", "Brand": "visa"}
    block = {
        "PortalID": portal_id,
        "Date": "2026-03-10",
        "Amount": "125.00",
        "Method": "CARD",
        "Last4": "4242",
        "Executor": "HOST",
        "Token": token,
        "NotBefore": "2026-03-10T13:00:00Z",
    }
    return event("POSTDATE", name, number, PostDate=block | words)


def request(kind, number=2, portal_id="d1", **words):
    name = "postdate.cancel_requested" if kind == "CANCEL REQUEST" else "postdate.hold_requested"
    return event(kind, name, number, PostDate={"PortalID": portal_id} | words)


BANK = {
    "RoutingNumber": "110000000",
    "AccountNumber": "000123456789",
    "AccountType": "checking",
    "Name": "A Example",
}


def ach(number=1, portal_id="h1", **words):
    block = {
        "PortalID": portal_id,
        "Date": "2026-03-02",
        "Amount": "80.00",
        "Method": "ACH",
        "Last4": "6789",
        "Status": "SUBMIT",
        "Executor": "HOST",
        "Bank": BANK,
    }
    return event("PAYMENT", "payment.intended", number, Payment=block | words)


def statuses(record):
    return [(item["PortalID"], item["Status"]) for item in record["Payments"] + record["PostDates"]]


def wait_until_posted(host):
    deadline = time.monotonic() + 8
    while statuses(host.record()) != [("d1", "POSTED")]:
        assert time.monotonic() < deadline
        time.sleep(0.05)


# The store, fetch and push.


def test_a_wrong_key_reads_nothing_and_writes_nothing(host):
    assert host.call("GET", "/accounts/A-1", key="wrong")[0] == 401
    assert host.call("POST", "/events", [paid()], key="inbound")[0] == 401
    assert host.control("received")["received"] == 0


def test_a_host_without_a_key_admits_nobody(tmp_path):
    program = Host(tmp_path / "bare")
    try:
        assert program.raw("GET", "/accounts/A-1", headers={"Authorization": "Bearer "})[0] == 401
    finally:
        program.kill()


def test_fetch_answers_the_record_in_scollects_own_words(host):
    record = host.record()
    assert record["CurrentBalance"] == "1000.00"
    assert (record["Version"], record["Payments"], record["PostDates"]) == (1, [], [])
    assert record["AsOf"].startswith("2026-03-02T15:00:0")
    assert host.call("GET", "/accounts/A-9", key="outbound")[0] == 404


def test_a_change_raises_as_of_and_version_and_no_change_raises_neither(host):
    first = host.record()
    host.control("accounts", [account("A-1")])
    assert host.record() == first
    # Even a clock that goes back leaves AsOf rising.
    host.control("clock", {"now": "2025-01-01T00:00:00Z"})
    host.control("accounts/A-1", {"CurrentBalance": "900.00"})
    second = host.record()
    assert (second["CurrentBalance"], second["Version"]) == ("900.00", 2)
    assert second["AsOf"] > first["AsOf"]


def test_a_merge_with_null_removes_the_settlement(host):
    host.control("accounts", [account("A-3", Settlement={"Percent": 60})])
    host.control("accounts/A-3", {"Settlement": None})
    assert "Settlement" not in host.record("A-3")


def test_a_push_carries_the_inbound_key_and_the_host_header(host, portal):
    host.control("push", {"FileNumbers": ["A-1"]})
    method, path, headers = portal.requests[-1]
    assert (method, path) == ("POST", "/api/v1/hosts/c1/accounts")
    assert (headers["Authorization"], headers["Host"]) == ("Bearer inbound", "acme.localhost")
    assert portal.pushes == [host.record()]


def test_all_accounts_are_pushed_as_one_list_also_compressed(host, portal):
    answer = host.control("push", {"FileNumbers": "all", "gzip": True})
    assert [record["FileNumber"] for record in portal.pushes[0]] == ["A-1", "A-2"]
    assert answer["answers"][0]["answer"]["accepted"] == 2


def test_stale_duplicate_conflicting_and_reversed_pushes_come_on_command(host, portal):
    host.control("accounts/A-1", {"CurrentBalance": "900.00"})
    now = host.record()
    host.control("push", {"FileNumbers": ["A-1"], "stale": True})
    host.control("push", {"FileNumbers": ["A-1"], "times": 2})
    host.control("push", {"FileNumbers": ["A-1"], "conflict": True})
    host.control("push", {"FileNumbers": ["A-1"], "order": "newest_first"})
    said = [(push["Version"], push["CurrentBalance"]) for push in portal.pushes]
    assert said == [
        (1, "1000.00"),
        (2, "900.00"),
        (2, "900.00"),
        (2, "900.01"),
        (2, "900.00"),
        (1, "1000.00"),
    ]
    assert portal.pushes[3]["AsOf"] == now["AsOf"] > portal.pushes[0]["AsOf"]


def test_the_seeds_of_two_agencies_share_numbers_but_not_people(host):
    host.control("seed", {"agency": "acme"})
    acme = {record["FileNumber"]: record for record in host.control("accounts")["accounts"]}
    host.control("seed", {"agency": "birch"})
    birch = {record["FileNumber"]: record for record in host.control("accounts")["accounts"]}
    assert acme.keys() == birch.keys()
    assert not {r.get("SSN") for r in acme.values()} & {r.get("SSN") for r in birch.values() if "SSN" in r}
    assert acme["100234"]["CurrentBalance"] == "1000.00"
    assert "Settlement" not in acme["100234"]
    assert acme["100235"]["Settlement"]["MaxPayments"] == 3
    assert acme["100241"]["ConsumerID"] == acme["100242"]["ConsumerID"]


# Events: once, in order, timed.


def test_an_approved_card_payment_is_posted_once_and_pushed_back_with_our_id(host, portal):
    payment = paid()
    assert [result["Outcome"] for result in host.send(payment, payment)] == ["accepted", "duplicate"]
    assert host.send(payment)[0]["Outcome"] == "duplicate"
    pushed = portal.wait_for("A-1")[0]
    assert statuses(pushed) == [("p1", "POSTED")]
    assert (pushed["CurrentBalance"], pushed["Version"]) == ("875.00", 2)
    received = host.control("received")
    assert (received["received"], received["duplicates"]) == (1, 2)
    assert 0 <= received["events"][0]["LatencyMs"] < 5000


def test_another_event_about_the_same_payment_has_no_second_effect(host):
    host.send(paid(1), paid(2))
    assert host.record()["CurrentBalance"] == "875.00"


def test_the_echo_of_our_own_push_changes_nothing(host, portal):
    host.send(paid(1))
    host.send(paid(2) | {"Event": "payment.posted"})
    assert host.record()["Version"] == 2


def test_an_itemization_still_adds_up_after_a_payment(host):
    block = {
        "Balance": "1010.00",
        "Interest": "10.00",
        "Fees": "0.00",
        "Payments": "20.00",
        "Credits": "0.00",
    }
    host.control("accounts/A-1", {"Itemization": block})
    host.send(paid())
    assert host.record()["Itemization"]["Payments"] == "145.00"


def test_a_decline_is_shown_and_leaves_the_balance(host):
    host.send(paid(Status="DECLINED"))
    assert (statuses(host.record()), host.record()["CurrentBalance"]) == ([("p1", "DECLINED")], "1000.00")


def test_a_refund_gives_the_balance_back_and_a_late_approval_does_not_take_it_again(host):
    host.send(paid(1), paid(2, Status="REFUNDED"), paid(3))
    assert (statuses(host.record()), host.record()["CurrentBalance"]) == ([("p1", "REFUND")], "1000.00")


def test_a_refund_of_a_part_is_an_item_of_its_own(host):
    host.send(paid(1), paid(2, Status="REFUNDED", Amount="25.00", RefundID="r1"))
    assert statuses(host.record()) == [("p1", "POSTED"), ("r1", "REFUND")]
    assert host.record()["CurrentBalance"] == "900.00"


def test_a_chargeback_that_was_won_is_posted_again_and_a_late_approval_alone_is_not(host):
    host.send(paid())
    host.send(paid(2, Status="CHARGEBACK"))
    assert host.record()["CurrentBalance"] == "1000.00"
    host.send(paid(3))
    assert (statuses(host.record()), host.record()["CurrentBalance"]) == ([("p1", "CHARGEBACK")], "1000.00")
    host.send(paid(4, Reinstated=True))
    assert (statuses(host.record()), host.record()["CurrentBalance"]) == ([("p1", "POSTED")], "875.00")


def test_a_gap_and_a_latecomer_are_reported_but_a_duplicate_is_not(host):
    opened = event("EMAIL", "message.opened", 4)
    host.send(event("LOGIN", "consumer.logged_in", 3), opened, opened)
    host.send(event("EMAIL", "message.clicked", 6), event("EMAIL", "message.sent", 5))
    order = host.control("state")["order"]
    assert [(fault["expected"], fault["got"]) for fault in order["gaps"]] == [(5, 6)]
    assert [(fault["expected"], fault["got"]) for fault in order["out_of_order"]] == [(7, 5)]


def test_one_bad_event_does_not_spoil_its_list(host):
    results = host.send({"EventID": "x"}, paid(1) | {"FileNumber": "A-9"}, paid(2, Amount="1.001"), paid(1, "p2"))
    assert [result["Reason"] for result in results] == [
        "malformed_event",
        "unknown_account",
        "invalid_amount",
        "",
    ]
    assert host.record()["CurrentBalance"] == "875.00"


def test_a_refused_event_is_judged_again_when_it_comes_again(host):
    payment = paid() | {"FileNumber": "A-3"}
    assert host.send(payment)[0]["Outcome"] == "refused"
    host.control("accounts", [account("A-3")])
    assert host.send(payment)[0]["Outcome"] == "accepted"
    assert host.record("A-3")["CurrentBalance"] == "875.00"


def test_what_is_no_list_of_1_to_200_events_is_refused_as_a_whole(host):
    for body in ({}, [], [paid()] * 201):
        assert host.call("POST", "/events", body, key="outbound")[0] == 400
    assert host.raw("POST", "/events", b"{", {"Authorization": "Bearer outbound"})[0] == 400


# Post-dates and ACH.


def test_a_post_date_is_charged_when_the_clock_passes_not_before(host, portal, processor):
    host.send(postdate())
    assert statuses(host.record()) == [("d1", "PENDING")]
    assert host.control("clock", {"now": "2026-03-10T12:59:59Z"})["done"] == []
    done = host.control("advance", {"seconds": 2})["done"]
    assert [(line["Outcome"], line["Amount"], line["IdempotencyKey"]) for line in done] == [
        ("POSTED", "125.00", "host:d1:1")
    ]
    path, headers, fields = processor.calls[0]
    assert (path, headers["Authorization"]) == ("/v1/payment_intents", "Bearer sk_test_host")
    assert headers["Idempotency-Key"] == "host:d1:1"
    assert fields == {
        "amount": "12500",
        "currency": "usd",
        "customer": "cus_1",
        "payment_method": "pm_1",
        "confirm": "true",
        "off_session": "true",
        "metadata[portal_id]": "d1",
        "metadata[host_key]": "host:d1:1",
    }
    pushed = portal.wait_for("A-1", 2)[-1]
    assert (statuses(pushed), pushed["CurrentBalance"]) == ([("d1", "POSTED")], "875.00")
    assert host.control("advance", {"days": 30})["done"] == []
    assert len(processor.calls) == 1


def test_a_declined_post_date_is_shown_and_tried_again_only_by_hand(host, processor):
    host.send(postdate())
    processor.mode = "decline"
    line = host.control("advance", {"days": 10})["done"][0]
    assert (line["Outcome"], line["Code"]) == ("DECLINED", "insufficient_funds")
    processor.mode = "succeed"
    assert host.control("advance", {"days": 10})["done"] == []
    host.control("outcome", {"PortalID": "d1", "Status": "PENDING"})
    assert host.control("advance", {"days": 0})["done"][0]["IdempotencyKey"] == "host:d1:2"
    assert host.record()["CurrentBalance"] == "875.00"


def test_a_cancelled_post_date_is_never_charged(host, processor):
    host.send(postdate())
    cancelling = request("CANCEL REQUEST")
    assert host.send(cancelling)[0]["Answer"] == {"Cancelled": True, "Reason": ""}
    # The acknowledgement may get lost: the same question has the same answer.
    assert host.send(cancelling)[0]["Answer"] == {"Cancelled": True, "Reason": ""}
    assert host.control("advance", {"days": 30})["done"] == []
    assert processor.calls == []
    assert statuses(host.record()) == [("d1", "CANCELLED")]


def test_a_cancel_that_comes_too_late_is_answered_no(host, processor):
    host.send(postdate())
    host.control("advance", {"days": 10})
    assert host.send(request("CANCEL REQUEST"))[0]["Answer"] == {
        "Cancelled": False,
        "Reason": "already_charged",
    }
    unknown = host.send(request("CANCEL REQUEST", 3, "d9"))[0]["Answer"]
    assert unknown == {"Cancelled": False, "Reason": "unknown_postdate"}


def test_a_record_whose_post_date_is_held_or_let_go_is_another_version(host):
    host.send(postdate())
    seen = [host.record()]
    for number, hold in ((2, True), (3, False)):
        host.send(request("HOLD REQUEST", number, Hold=hold))
        seen.append(host.record())
    assert [record["Version"] for record in seen] == [2, 3, 4]


def test_a_held_post_date_waits_until_it_is_let_go(host, processor):
    host.send(postdate(), request("HOLD REQUEST"))
    moved = host.control("advance", {"days": 10})
    assert (moved["done"], [line["PortalID"] for line in moved["held"]]) == ([], ["d1"])
    assert processor.calls == []
    host.send(request("HOLD REQUEST", 3, Hold=False))
    assert host.control("advance", {"days": 0})["posted"] == 1


def test_a_changed_post_date_is_charged_at_its_new_date_and_amount(host, processor):
    host.send(postdate(1))
    host.send(postdate(2, name="postdate.changed", Date="2026-03-20", Amount="90.00", NotBefore="2026-03-20T13:00:00Z"))
    assert host.control("advance", {"days": 15})["done"] == []
    assert host.control("advance", {"days": 5})["done"][0]["Amount"] == "90.00"


def test_a_post_date_without_a_token_is_refused(host):
    assert host.send(postdate(Token=None))[0]["Reason"] == "token_needed"


@pytest.mark.parametrize("mode", ["error_500", "drop_after_effect"])
def test_an_unknown_outcome_is_asked_again_under_the_same_key(host, processor, mode):
    host.send(postdate())
    processor.mode = mode
    assert host.control("advance", {"days": 10})["done"][0]["Outcome"] == "UNKNOWN"
    assert host.send(request("CANCEL REQUEST"))[0]["Answer"]["Reason"] == "being_charged"
    processor.mode = "succeed"
    wait_until_posted(host)
    assert host.record()["CurrentBalance"] == "875.00"
    assert set(processor.by_key) == {"host:d1:1"}


def test_ach_is_processed_at_once_and_posted_after_four_banking_days(host):
    host.send(ach())
    assert (statuses(host.record()), host.record()["CurrentBalance"]) == ([("h1", "PROCESSED")], "1000.00")
    assert host.control("clock", {"now": "2026-03-06T14:59:00Z"})["done"] == []
    assert host.control("advance", {"hours": 1})["done"][0]["Outcome"] == "POSTED"
    assert host.record()["CurrentBalance"] == "920.00"


def test_a_bank_holiday_and_a_weekend_are_no_banking_days(host):
    host.control("clock", {"now": "2026-05-21T15:00:00Z"})
    host.send(ach())
    # Thursday; then Friday, Memorial Day on Monday, so the fourth day is Thursday the 28th.
    assert host.control("clock", {"now": "2026-05-28T14:59:00Z"})["done"] == []
    assert host.control("advance", {"hours": 1})["posted"] == 1


def test_ach_that_ends_in_three_cents_comes_back(host):
    host.send(ach(Amount="80.03"))
    assert host.control("advance", {"days": 7})["done"][0]["Outcome"] == "ACH REVERSAL"
    assert (statuses(host.record()), host.record()["CurrentBalance"]) == ([("h1", "ACH REVERSAL")], "1000.00")
    assert host.record()["Payments"][0]["ReturnCode"] == "R01"


def test_a_post_dated_ach_is_submitted_on_its_day_and_posted_later_in_one_move(host, processor):
    host.send(postdate(Method="ACH", Token=None, Bank=BANK))
    done = host.control("advance", {"months": 1})["done"]
    assert [(line["Outcome"], line["At"][:10]) for line in done] == [
        ("PROCESSED", "2026-03-10"),
        ("POSTED", "2026-03-16"),
    ]
    assert processor.calls == []


def test_a_bank_number_is_never_written_down(host):
    host.send(ach(1), postdate(2, Method="ACH", Token=None, Bank=BANK))
    host.send(ach(3, "h3", Amount="0.00"))
    received = host.control("received")["events"][0]
    salted = f"{host.control('state')['salt']}:110000000:000123456789"
    digest = hashlib.sha256(salted.encode()).hexdigest()
    assert received["Payment"]["Bank"] == {"AccountType": "checking", "Last4": "6789", "SHA256": digest}
    host.kill()
    for file in host.directory.iterdir():
        assert b"000123456789" not in file.read_bytes()
        assert b"110000000" not in file.read_bytes()
    host.start()


def test_a_host_that_lacks_the_bank_number_says_method_needed(host):
    again = {"MethodID": "m1"}
    assert host.send(ach(1, "h1", Bank=again))[0]["Reason"] == "method_needed"
    host.send(ach(1, "h2", Bank=BANK | again))
    assert host.send(ach(2, "h1", Bank=again))[0]["Outcome"] == "accepted"


@pytest.mark.parametrize("status", ["CHARGEBACK", "ACH REVERSAL", "REFUND"])
def test_a_scripted_reversal_gives_the_balance_back_and_is_pushed(host, portal, status):
    host.send(paid())
    portal.wait_for("A-1", 1)
    host.control("outcome", {"PortalID": "p1", "Status": status})
    pushed = portal.wait_for("A-1", 2)[-1]
    assert (statuses(pushed), pushed["CurrentBalance"]) == ([("p1", status)], "1000.00")


def test_a_scripted_reversal_says_the_banks_code_if_one_is_given(host):
    host.send(ach())
    host.control("outcome", {"PortalID": "h1", "Status": "ACH REVERSAL"})
    assert "ReturnCode" not in host.record()["Payments"][0]
    host.control("outcome", {"PortalID": "h1", "Status": "ACH REVERSAL", "ReturnCode": "R10"})
    assert host.record()["Payments"][0]["ReturnCode"] == "R10"


# Faults and death.


def test_scripted_faults_are_played_the_said_number_of_times(host):
    host.control("faults", {"status": 503, "times": 2, "retry_after": 7})
    key = {"Authorization": "Bearer outbound"}
    for _ in range(2):
        status, _, headers = host.raw("POST", "/events", [paid()], key)
        assert (status, headers["Retry-After"]) == (503, "7")
    assert host.control("received")["received"] == 0
    assert host.send(paid())[0]["Outcome"] == "accepted"


def test_an_answer_lost_after_the_effect_is_a_duplicate_next_time(host):
    host.control("faults", {"mode": "drop_after_effect", "times": 1})
    payment = paid()
    with pytest.raises(http.client.RemoteDisconnected):
        host.send(payment)
    assert host.send(payment)[0]["Outcome"] == "duplicate"
    assert host.record()["CurrentBalance"] == "875.00"


def test_an_outage_lasts_until_it_is_cleared_and_a_wrong_body_is_no_json(host):
    host.control("faults", {"mode": "outage"})
    for _ in range(3):
        with pytest.raises(http.client.RemoteDisconnected):
            host.record()
    assert host.raw("GET", "/health")[0] == 200
    host.raw("DELETE", "/_sandbox/faults")
    host.control("faults", {"mode": "wrong_body", "times": 1, "path": "/accounts"})
    with pytest.raises(ValueError, match="Expecting value"):
        host.record()
    assert host.record()["FileNumber"] == "A-1"


def test_a_slow_answer_still_comes(host):
    host.control("faults", {"mode": "slow", "seconds": 0.3, "times": 1})
    started = time.monotonic()
    assert host.record()["FileNumber"] == "A-1"
    assert time.monotonic() - started >= 0.3


def test_a_portal_that_is_down_gets_its_push_when_it_is_back(host, portal):
    portal.status = 503
    host.send(paid())
    deadline = time.monotonic() + 5
    while not portal.requests and time.monotonic() < deadline:
        time.sleep(0.01)
    portal.status = 200
    assert statuses(portal.wait_for("A-1")[0]) == [("p1", "POSTED")]


def test_kill_9_loses_neither_what_was_received_nor_the_push_that_waited(host, portal):
    host.control("configure", {"push_delay_ms": 1500})
    host.send(paid())
    host.kill()
    assert portal.pushes == []
    host.start()
    assert statuses(portal.wait_for("A-1")[0]) == [("p1", "POSTED")]
    assert (
        host.send(paid(2) | {"EventID": host.control("received")["events"][0]["EventID"]})[0]["Outcome"] == "duplicate"
    )
    assert host.control("clock")["now"].startswith("2026-03-02")


def test_kill_9_in_the_middle_of_a_charge_ends_in_one_charge(host, processor):
    host.send(postdate())
    processor.mode = "hang_after_effect"
    move = threading.Thread(target=move_until_killed, args=(host,))
    move.start()
    assert processor.hanging.wait(5)
    host.kill()
    move.join()
    processor.mode = "succeed"
    host.start()
    wait_until_posted(host)
    assert host.record()["CurrentBalance"] == "875.00"
    assert set(processor.by_key) == {"host:d1:1"}


def move_until_killed(host):
    with pytest.raises((http.client.HTTPException, OSError)):
        host.control("advance", {"days": 10})


def test_the_page_shows_what_arrived_and_a_foreign_page_may_not_press_its_buttons(host):
    host.send(paid(), event("EMAIL", "message.opened", 2, FileNumber="<i>x"))
    status, body, headers = host.raw("GET", "/")
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    page = body.decode()
    assert "payment.succeeded" in page
    assert "POSTED" in page
    assert "<i>x" not in page
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert host.raw("POST", "/_sandbox/advance", b"days=1", form)[0] == 303
    foreign = form | {"Origin": "http://elsewhere.example"}
    assert host.raw("POST", "/_sandbox/advance", b"days=1", foreign)[0] == 403
    assert host.control("clock")["now"].startswith("2026-03-03")
