"""The mail sandbox, spoken to by the real Mailgun backend of anymail."""

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import requests
from django.conf import settings

if not settings.configured:
    settings.configure(SECRET_KEY="only for this test", ALLOWED_HOSTS=["*"])

from anymail.exceptions import AnymailRequestsAPIError, AnymailWebhookValidationFailure
from anymail.message import AnymailMessage
from anymail.webhooks.mailgun import MailgunTrackingWebhookView
from django.core.mail import get_connection
from django.test import RequestFactory

from campaigns.channels import DoesNotSay, NotGenuine, mailgun

ROOT = Path(__file__).parents[2]
DOMAIN, KEY, SIGNING_KEY = "mg.northgate.example", "key-northgate", "sign-northgate"


class Receiver(BaseHTTPRequestHandler):
    """Stand for the portal: keep what comes, answer with the next scripted status, else 200."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.came.append((self.path, self.headers["Host"], body.decode()))
        self.send_response(self.server.answers.pop(0) if self.server.answers else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class Sandbox:
    def __init__(self, data):
        self.data = data
        self.start()

    def start(self):
        command = [sys.executable, "-m", "campaigns.sandbox", "--port", "0", "--data", str(self.data)]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        first = self.process.stdout.readline().strip()
        assert first.startswith("listening on http://127.0.0.1:"), first
        self.port = int(first.rpartition(":")[2])

    def kill(self):
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def call(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request(method, path, json.dumps(body) if body is not None else None)
        answer = connection.getresponse()
        content = answer.read()
        connection.close()
        kind = answer.headers.get_content_type()
        return answer, json.loads(content) if kind == "application/json" else content

    def control(self, method, path, body=None):
        answer, content = self.call(method, f"/_sandbox/{path}", body)
        assert answer.status == 200, content
        return content

    def mails_to(self, address):
        return self.control("GET", f"messages?to={address}")

    def connection(self, key=KEY, domain=DOMAIN):
        return get_connection(
            "anymail.backends.mailgun.EmailBackend",
            api_key=key,
            sender_domain=domain,
            api_url=f"http://127.0.0.1:{self.port}/v3",
        )


def wait_for(condition, seconds=5):
    """Poll until the condition gives something true, and return that."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError("It did not happen in time")


@pytest.fixture
def portal():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    server.came, server.answers = [], []
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def sandbox(tmp_path, portal):
    found = Sandbox(tmp_path / "mail")
    found.control(
        "POST",
        "domains",
        {
            "domain": DOMAIN,
            "api_key": KEY,
            "signing_key": SIGNING_KEY,
            "webhook_url": f"http://127.0.0.1:{portal.server_port}/mail/events",
            "webhook_host": "northgate.localhost:8000",
        },
    )
    found.control("POST", "behaviour", {"delivery_delay_ms": 20})
    yield found
    found.kill()
    found.process.stdout.close()


def send(sandbox, to="ana@example.com", connection=None, html="", **more):
    message = AnymailMessage(
        subject=more.pop("subject", "Your code is 123456"),
        body="Your code: 123456",
        from_email="Northgate Recovery <pay@mg.northgate.example>",
        to=[to] if isinstance(to, str) else to,
        connection=connection or sandbox.connection(),
        **more,
    )
    if html:
        message.attach_alternative(html, "text/html")
    message.send()
    return message


def webhooks(portal, name=None):
    """Return the event objects that came, read and checked as anymail does it."""
    view = MailgunTrackingWebhookView(webhook_signing_key=SIGNING_KEY)
    events = []
    for _, _, body in list(portal.came):
        request = RequestFactory().post("/", body, content_type="application/json")
        view.validate_request(request)
        events += view.parse_events(request)
    return [event for event in events if name in (None, event.event_type)]


def test_a_mail_sent_with_anymail_lies_in_the_mailbox_whole(sandbox):
    receipt = bytes(range(256)) * 40 + b"\r\n--not a boundary\r\n"
    message = AnymailMessage(
        subject="Receipt ✓ for José",
        body="Paid: $125.00\r\nThank you.",
        from_email='"Northgate, Inc. ñ" <pay@mg.northgate.example>',
        to=["José Ruiz <JOSE@example.com>"],
        headers={"List-Unsubscribe": "<https://northgate.example/u/1>"},
        connection=sandbox.connection(),
    )
    message.metadata = {"outbox": "42"}
    message.tags = ["receipt"]
    message.attach("recibo ñ.pdf", receipt, "application/pdf")
    message.send()

    assert message.anymail_status.status == {"queued"}
    [mail] = sandbox.mails_to("jose@example.com")
    assert mail["message_id"] == message.anymail_status.message_id
    assert mail["subject"] == "Receipt ✓ for José"
    assert mail["from"].replace('"', "") == "Northgate, Inc. ñ <pay@mg.northgate.example>"
    assert mail["text"].replace("\r\n", "\n") == "Paid: $125.00\nThank you."
    assert (mail["tags"], mail["variables"]) == (["receipt"], {"outbox": "42"})
    assert ["List-Unsubscribe", "<https://northgate.example/u/1>"] in mail["headers"]
    [file] = mail["attachments"]
    assert (file["name"], file["content_type"], file["size"]) == (
        "recibo ñ.pdf",
        "application/pdf",
        len(receipt),
    )
    assert sandbox.call("GET", file["url"])[1] == receipt


def test_webhooks_carry_a_signature_that_anymail_accepts(sandbox, portal):
    message = send(sandbox, metadata={"outbox": "42"}, tags=["code"])
    queued, delivered = wait_for(lambda: len(portal.came) == 2 and webhooks(portal))
    assert (queued.event_type, delivered.event_type) == ("queued", "delivered")
    assert delivered.message_id == message.anymail_status.message_id
    assert (delivered.recipient, delivered.metadata, delivered.tags) == (
        "ana@example.com",
        {"outbox": "42"},
        ["code"],
    )
    assert abs(delivered.timestamp.timestamp() - time.time()) < 5
    assert portal.came[0][:2] == ("/mail/events", "northgate.localhost:8000")


def test_a_webhook_fails_the_check_with_another_key(sandbox, portal):
    send(sandbox)
    wait_for(lambda: portal.came)
    request = RequestFactory().post("/", portal.came[0][2], content_type="application/json")
    with pytest.raises(AnymailWebhookValidationFailure):
        MailgunTrackingWebhookView(webhook_signing_key="sign-other").validate_request(request)


@pytest.mark.parametrize(("key", "domain", "status"), [("key-other", DOMAIN, 401), (KEY, "mg.unknown.example", 404)])
def test_a_wrong_key_or_domain_sends_nothing(sandbox, key, domain, status):
    with pytest.raises(AnymailRequestsAPIError) as refused:
        send(sandbox, connection=sandbox.connection(key=key, domain=domain))
    assert refused.value.status_code == status
    assert sandbox.mails_to("ana@example.com") == []


def test_a_mail_without_tracking_reports_no_opening_and_no_click(sandbox, portal):
    send(sandbox, html='<p>Pay <a href="https://northgate.example/pay?a=1&amp;b=2">here</a></p>')
    [mail] = wait_for(lambda: len(portal.came) == 2 and sandbox.mails_to("ana@example.com"))
    html = sandbox.call("GET", f"/messages/{mail['id']}/html")[1].decode()
    assert 'href="https://northgate.example/pay?a=1&amp;b=2"' in html
    assert "/o/" not in html
    assert sandbox.control("POST", f"messages/{mail['id']}/open") == {"event": None}
    assert sandbox.control("POST", f"messages/{mail['id']}/click") == {"event": None}
    assert [e["event"] for e in sandbox.mails_to("ana@example.com")[0]["events"]] == ["accepted", "delivered"]


def test_a_tracked_mail_reports_the_opening_and_the_click(sandbox, portal):
    html = '<a href="mailto:a@b.example">x</a><a href="https://northgate.example/pay?a=1&amp;b=2">here</a>'
    send(sandbox, html=html, track_opens=True, track_clicks=True)
    [mail] = wait_for(lambda: len(portal.came) == 2 and sandbox.mails_to("ana@example.com"))
    shown = sandbox.call("GET", f"/messages/{mail['id']}/html")[1].decode()
    assert f'src="/o/{mail["id"]}.gif"' in shown
    assert f'href="/c/{mail["id"]}/0"' in shown
    assert 'href="mailto:a@b.example"' in shown

    assert sandbox.call("GET", f"/o/{mail['id']}.gif")[1].startswith(b"GIF89a")
    answer, _ = sandbox.call("GET", f"/c/{mail['id']}/0")
    assert (answer.status, answer.headers["Location"]) == (302, "https://northgate.example/pay?a=1&b=2")
    [click] = wait_for(lambda: webhooks(portal, "clicked"))
    assert click.click_url == "https://northgate.example/pay?a=1&b=2"
    assert len(webhooks(portal, "opened")) == 1


def test_a_bounce_is_permanent_and_stops_the_next_mail(sandbox, portal):
    send(sandbox, to="bounce.ana@example.com")
    [bounce] = wait_for(lambda: webhooks(portal, "bounced"))
    assert (bounce.reject_reason, bounce.esp_event["event-data"]["severity"]) == ("bounced", "permanent")
    send(sandbox, to="bounce.ana@example.com")
    wait_for(lambda: sandbox.mails_to("bounce.ana@example.com")[0]["state"] == "suppressed")
    second = wait_for(lambda: webhooks(portal, "bounced")[1:])[0]
    assert second.esp_event["event-data"]["reason"] == "suppress-bounce"


def test_a_control_call_makes_a_complaint_and_an_unsubscription(sandbox, portal):
    send(sandbox, tags=["offers"])
    [mail] = wait_for(lambda: len(portal.came) == 2 and sandbox.mails_to("ana@example.com"))
    sandbox.control("POST", f"messages/{mail['id']}/unsubscribe")
    wait_for(lambda: webhooks(portal, "unsubscribed"))
    send(sandbox, tags=["code"])
    wait_for(lambda: sandbox.mails_to("ana@example.com")[0]["state"] == "delivered")
    send(sandbox, tags=["offers"])
    wait_for(lambda: sandbox.mails_to("ana@example.com")[0]["state"] == "suppressed")
    sandbox.control("POST", f"messages/{mail['id']}/complain")
    wait_for(lambda: webhooks(portal, "complained"))


def test_a_deferred_mail_is_delivered_later(sandbox, portal):
    send(sandbox, to="defer@example.com")
    wait_for(lambda: webhooks(portal, "delivered"))
    assert [e.event_type for e in webhooks(portal)] == ["queued", "deferred", "delivered"]


def test_a_failed_webhook_comes_again_unchanged(sandbox, portal):
    portal.answers[:] = [500, 503]
    send(sandbox)
    wait_for(lambda: len(webhooks(portal, "queued")) == 2 and len(webhooks(portal, "delivered")) == 2)
    bodies = [body for _, _, body in portal.came]
    assert len(set(bodies)) == 2


def test_webhooks_come_twice_and_in_reverse_on_request(sandbox, portal):
    sandbox.control(
        "POST",
        "behaviour",
        {"webhooks_paused": True, "webhooks_copies": 2, "webhooks_order": "newest_first"},
    )
    send(sandbox)
    wait_for(lambda: sandbox.mails_to("ana@example.com")[0]["state"] == "delivered")
    assert portal.came == []
    sandbox.control("POST", "behaviour", {"webhooks_paused": False})
    wait_for(lambda: len(portal.came) == 4)
    assert [e.event_type for e in webhooks(portal)] == ["delivered", "delivered", "queued", "queued"]


def test_nothing_is_lost_when_the_program_is_killed(sandbox, portal):
    sandbox.control("POST", "behaviour", {"webhooks_paused": True})
    message = send(sandbox)
    sandbox.kill()
    sandbox.process.stdout.close()
    sandbox.start()
    [mail] = sandbox.mails_to("ana@example.com")
    assert mail["message_id"] == message.anymail_status.message_id
    sandbox.control("POST", "behaviour", {"webhooks_paused": False})
    wait_for(lambda: webhooks(portal, "delivered"))


def test_a_mail_for_later_waits_for_the_sandbox_clock(sandbox):
    sandbox.control("POST", "clock", {"now": "2026-12-01T14:00:00Z"})
    send(sandbox, send_at=datetime(2026, 12, 2, 9, 0, tzinfo=UTC))
    time.sleep(0.3)
    assert sandbox.mails_to("ana@example.com")[0]["state"] == "accepted"
    assert sandbox.control("POST", "clock", {"advance_seconds": 86400})["now"].startswith("2026-12-02T14:00:0")
    wait_for(lambda: sandbox.mails_to("ana@example.com")[0]["state"] == "delivered")


def test_a_lost_answer_leaves_the_mail_sent(sandbox):
    sandbox.control("POST", "faults", {"mode": "drop_after_effect"})
    with pytest.raises(AnymailRequestsAPIError) as unknown:
        send(sandbox)
    assert unknown.value.status_code is None
    assert len(sandbox.mails_to("ana@example.com")) == 1
    sandbox.control("POST", "faults", {"mode": "error_500"})
    with pytest.raises(AnymailRequestsAPIError) as failed:
        send(sandbox)
    assert failed.value.status_code == 500
    assert len(sandbox.mails_to("ana@example.com")) == 1


def test_each_recipient_of_a_batch_gets_their_own_words(sandbox):
    send(
        sandbox,
        to=["ana@example.com", "ben@example.com"],
        subject="For %recipient.name%",
        merge_data={"ana@example.com": {"name": "Ana"}, "ben@example.com": {"name": "Ben"}},
        merge_metadata={"ana@example.com": {"outbox": 1}, "ben@example.com": {"outbox": 2}},
    )
    [ana], [ben] = sandbox.mails_to("ana@example.com"), sandbox.mails_to("ben@example.com")
    assert (ana["subject"], ana["variables"]) == ("For Ana", {"outbox": "1"})
    assert (ben["subject"], ben["variables"]) == ("For Ben", {"outbox": "2"})
    assert ["To", "ana@example.com"] in ana["headers"]


def test_one_click_unsubscribe_reaches_the_page_of_the_sender(sandbox, portal):
    link = f"<http://northgate.localhost:{portal.server_port}/out/7>"
    headers = {"List-Unsubscribe": link, "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
    send(sandbox, headers=headers)
    [mail] = wait_for(lambda: len(portal.came) == 2 and sandbox.mails_to("ana@example.com"))
    assert sandbox.control("POST", f"messages/{mail['id']}/one-click") == {"status": 200}
    assert portal.came[2] == (
        "/out/7",
        f"northgate.localhost:{portal.server_port}",
        "List-Unsubscribe=One-Click",
    )


def test_a_hostile_mail_cannot_reach_the_mailbox_page(sandbox):
    send(sandbox, subject="<script>alert(1)</script>", html="<script>alert(2)</script><p>Hello</p>")
    [mail] = sandbox.mails_to("ana@example.com")
    for path in ("/", f"/messages/{mail['id']}", f"/messages/{mail['id']}?note=<script>"):
        assert b"<script" not in sandbox.call("GET", path)[1]
    answer, _ = sandbox.call("GET", f"/messages/{mail['id']}/html")
    assert answer.headers["Content-Security-Policy"].startswith("sandbox allow-popups")
    assert "script" not in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("address", "last"),
    [
        ("opens-ana@example.com", ["opened"]),
        ("clicks-ana@example.com", ["opened", "clicked"]),
        ("leaves-ana@example.com", ["unsubscribed"]),
        ("scanned-ana@example.com", ["opened", "clicked"]),
        ("opens@example.com", []),
    ],
)
def test_a_reader_acts_out_what_the_address_says(sandbox, address, last):
    html = '<a href="https://northgate.example/pay">here</a>'
    send(sandbox, to=address, html=html, track_opens=True, track_clicks=True)
    [mail] = wait_for(lambda: [one for one in sandbox.mails_to(address) if one["state"] == "delivered"])
    assert [event["event"] for event in mail["events"]] == ["accepted", "delivered", *last]


def test_machines_open_a_mail_and_follow_its_links_before_its_reader_does(sandbox, portal):
    html = '<a href="https://northgate.example/pay">here</a><a href="https://northgate.example/stop/1/">stop</a>'
    send(sandbox, to="scanned-ana@example.com", html=html, track_opens=True, track_clicks=True)
    wait_for(lambda: len(webhooks(portal, "clicked")) == 2)
    [mail] = sandbox.mails_to("scanned-ana@example.com")
    sandbox.control("POST", f"messages/{mail['id']}/open")
    sandbox.control("POST", f"messages/{mail['id']}/click", {"bot": "gmail"})
    wait_for(lambda: len(portal.came) == 7)
    read = [mailgun.read(body=json.loads(body), signing_key=SIGNING_KEY) for _path, _host, body in portal.came]
    by_kind = {kind: [one.machine for one in read if one.kind == kind] for kind in ("delivered", "opened", "clicked")}
    assert by_kind == {"delivered": [False], "opened": [True, False], "clicked": [True, True, True]}
    assert sandbox.call("POST", f"/_sandbox/messages/{mail['id']}/open", {"bot": "nobody"})[0].status == 400


def test_a_relay_posts_many_webhooks_at_once_twice_and_in_no_order(sandbox, portal):
    behaviour = {"webhooks_copies": 2, "webhooks_order": "shuffled", "webhooks_at_once": 20}
    sandbox.control("POST", "behaviour", {"webhooks_paused": True, **behaviour})
    portal.answers[:] = [503]
    people = [f"ana{number}@example.com" for number in range(15)]
    send(sandbox, to=people, merge_data={one: {} for one in people})
    wait_for(lambda: all(sandbox.mails_to(one)[0]["state"] == "delivered" for one in people))
    sandbox.control("POST", "behaviour", {"webhooks_paused": False})
    # Sixty in three requests; the first is answered with an error, and comes again.
    wait_for(lambda: len(portal.came) == 4)
    lists = [json.loads(body) for _path, _host, body in portal.came]
    assert [len(found) for found in lists] == [20] * 4
    taken = [one["event-data"]["id"] for found in lists[1:] for one in found]
    assert sorted(taken) == sorted(2 * sorted(set(taken)))
    assert len(set(taken)) == 30
    names = [one["event-data"]["event"] for found in lists for one in found]
    assert names != sorted(names)
    assert [one.status for one in (sandbox.call("POST", "/_sandbox/behaviour", bad)[0] for bad in BAD)] == [400] * 2


EVER = datetime(2026, 1, 1, tzinfo=UTC)
BAD = ({"webhooks_at_once": 0}, {"webhooks_order": "as it comes"})


def test_what_befell_the_mails_of_a_message_id_is_listed_page_by_page(sandbox):
    people = [f"ana{number}@example.com" for number in range(3)]
    metadata = {one: {"message": one[:4]} for one in people}
    more = {"merge_data": {one: {} for one in people}, "merge_metadata": metadata}
    send(sandbox, to=people, headers={"Message-Id": "<one@northgate.example>"}, **more)
    send(sandbox, to="bea@example.com", headers={"Message-Id": "<two@northgate.example>"})
    asked = f"/v3/{DOMAIN}/events?message-id=one@northgate.example&event=accepted&limit=2&begin=0&ascending=yes"
    where, key = f"http://127.0.0.1:{sandbox.port}", ("api", KEY)
    first = requests.get(where + asked, auth=key, timeout=10).json()
    second = requests.get(first["paging"]["next"], auth=key, timeout=10).json()
    third = requests.get(second["paging"]["next"], auth=key, timeout=10).json()
    said = [[one["user-variables"]["message"] for one in page["items"]] for page in (first, second, third)]
    assert said == [["ana0", "ana1"], ["ana2"], []]
    assert requests.get(where + asked, auth=("api", "wrong"), timeout=10).status_code == 401
    account = {"api_key": KEY, "api_url": f"{where}/v3", "domain": DOMAIN, "since": EVER}
    found = mailgun.find(**account, message_id="<one@northgate.example>")
    assert sorted(found) == ["ana0", "ana1", "ana2"]
    assert all(abs(datetime.now(UTC) - at) < timedelta(minutes=1) for at in found.values())
    assert mailgun.find(**account, message_id="<nobody@northgate.example>") == {}
    sandbox.control("POST", "faults", {"domain": DOMAIN, "mode": "list_500"})
    with pytest.raises(DoesNotSay, match="http_500"):
        mailgun.find(**account, message_id="<one@northgate.example>")


def test_the_key_goes_to_no_other_address_whatever_the_answer_names_as_its_next_page():
    event = {"user-variables": {"message": "ana"}, "timestamp": 1_790_000_000.5}

    class Liar(BaseHTTPRequestHandler):
        def do_GET(self):
            page = {"items": [event] * mailgun.PAGE, "paging": {"next": "http://127.0.0.1:9/v3/x/events/2"}}
            body = json.dumps(page).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Liar)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    account = {"api_key": KEY, "api_url": f"http://127.0.0.1:{server.server_port}/v3", "domain": DOMAIN, "since": EVER}
    try:
        with pytest.raises(DoesNotSay, match="elsewhere"):
            mailgun.find(**account, message_id="one")
    finally:
        server.shutdown()
        server.server_close()


def test_a_reader_answers_a_mail_and_the_route_hands_it_in_signed(sandbox, portal):
    send(sandbox, tags=["offers"])
    (mail,) = wait_for(lambda: sandbox.mails_to("ana@example.com"))
    assert sandbox.control("POST", f"messages/{mail['id']}/reply", {"text": "Please stop"}) == {"status": 200}
    path, host, body = next(one for one in portal.came if one[0].endswith("/replies"))
    assert (path, host) == ("/mail/events/replies", "northgate.localhost:8000")
    request = RequestFactory().post(path, body, content_type="application/x-www-form-urlencoded")
    said = mailgun.reply(request=request, signing_key=SIGNING_KEY, now=datetime.now(tz=UTC))
    assert (said.sender, said.text, said.answers) == ("ana@example.com", "Please stop", mail["message_id"])
    assert said.external_id
    with pytest.raises(NotGenuine):
        mailgun.reply(request=request, signing_key="another", now=datetime.now(tz=UTC))
    with pytest.raises(NotGenuine):
        mailgun.reply(request=request, signing_key=SIGNING_KEY, now=datetime.now(tz=UTC) + timedelta(days=2))
