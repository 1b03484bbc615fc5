"""The mail sandbox as a real process, and both agencies with a provider account in it."""

import contextlib
import datetime as dt
import http.client
import json
import re
import subprocess
import sys
import time
import zlib
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.db import transaction

from accounts import events
from accounts.calendars import utc_of_local
from accounts.models import Consent, ContactPoint, Event
from accounts.services.consent import ESIGN_VERSION
from accounts.tenancy import acting_for, uuid7
from campaigns.models import MailProvider, Message, TextProvider
from campaigns.services import announce, fulfil, outbox, send, track, waiting
from payments.models import Arrangement, Authorization, Method, Notice, Payment, Postdate, ProcessorAccount
from payments.rules.notices import predebit_window
from tests.campaigns.carrier_program import MOBILE, CarrierProgram, make_text_provider

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def passed(monkeypatch) -> SimpleNamespace:
    """The seconds that went by while something ran: none, until the test says so."""
    passed = SimpleNamespace(seconds=0)
    monkeypatch.setattr("accounts.clock.monotonic", lambda: passed.seconds)
    return passed


class Provider:
    """A running mail sandbox."""

    def __init__(self, folder: Path) -> None:
        command = [sys.executable, "-m", "campaigns.sandbox", "--port", "0", "--data", str(folder)]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline().rpartition(":")[2])

    def call(self, method: str, path: str, body: object = None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        with contextlib.closing(connection):
            connection.request(method, path, None if body is None else json.dumps(body))
            answer = connection.getresponse()
            content = answer.read()
            assert answer.status == 200, content
            return json.loads(content) if answer.headers.get_content_type() == "application/json" else content

    def mails(self, to: str = "") -> list[dict]:
        """List what the provider took, newest first."""
        return self.call("GET", f"/_sandbox/messages?to={to}")

    def paper(self, mail: dict, number: int = 0) -> bytes:
        """Fetch an attachment."""
        return self.call("GET", mail["attachments"][number]["url"])

    def act(self, mail: dict, action: str, body: object = None) -> dict:
        """Do what a person or a mail server does to a mail."""
        return self.call("POST", f"/_sandbox/messages/{mail['id']}/{action}", body or {})

    def fault(self, domain: str, mode: str, times: int = 1, seconds: float = 0) -> None:
        self.call("POST", "/_sandbox/faults", {"domain": domain, "mode": mode, "times": times, "seconds": seconds})

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory):
    """One sandbox for the session; every agency of every test has a domain of its own in it."""
    provider = Provider(tmp_path_factory.mktemp("mail"))
    provider.call("POST", "/_sandbox/behaviour", {"delivery_delay_ms": 5})
    yield provider
    provider.stop()


def make_provider(agency, sandbox, **values) -> MailProvider:
    """Give an agency its account at the sandbox; domains are new in each test, so nobody sees old mail."""
    with acting_for(agency):
        domain = f"{agency.slug}-{agency.pk.hex[-8:]}.example.com"
        row = MailProvider.objects.create(
            **{
                "name": "Mail",
                "domain": domain,
                "from_name": agency.name,
                "from_address": f"no-reply@{domain}",
                "api_key": f"key-{domain}",
                "signing_key": f"sign-{domain}",
                "api_url": f"http://127.0.0.1:{sandbox.port}/v3",
            }
            | values
        )
    sandbox.call(
        "POST",
        "/_sandbox/domains",
        {"domain": row.domain, "api_key": f"key-{domain}", "signing_key": f"sign-{domain}"},
    )
    return row


@pytest.fixture
def provider(agency, sandbox) -> MailProvider:
    return make_provider(agency, sandbox)


@pytest.fixture
def others_provider(other_agency, sandbox) -> MailProvider:
    return make_provider(other_agency, sandbox)


@pytest.fixture
def mails(sandbox, provider):
    """The mails that the provider took from the agency, newest first."""
    return lambda: sandbox.call("GET", f"/_sandbox/messages?domain={provider.domain}")


@pytest.fixture
def point(acting, account) -> ContactPoint:
    """The consumer's e-mail address."""
    return account.consumer.contact_points.get(kind="email")


@pytest.fixture
def mail(account, point, others_account, provider, now) -> Message:
    """A mail about the account, as it stands when the provider has taken it."""
    return make_mail(account, provider, now=now)


def make_mail(account, provider, *, now, cause="x") -> Message:
    point = account.consumer.contact_points.get(kind="email")
    made = outbox.queue(
        template="payment_failed", consumer=account.consumer, contact_point=point, account=account, cause=cause,
        language="en", facts={"name": "Jane", "outcome": "declined", "amount": "$1", "rows": []}, now=now,
    )  # fmt: skip
    Message.objects.filter(pk=made.pk).update(provider_id=f"<{made.pk.hex}@{provider.domain}>", status="sent")
    made.refresh_from_db()
    return made


def wait_for(condition, seconds: float = 5.0):
    """Poll until the condition gives something true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.02)
    raise AssertionError("It did not happen in time.")


def digits_in_pdf(pdf: bytes) -> str:
    """Read the big figure of the sample paper: the only text in a font that has nothing but digits."""
    parts = []
    for match in re.finditer(rb"stream\r?\n(.*?)endstream", pdf, re.DOTALL):
        with contextlib.suppress(zlib.error):
            parts.append(zlib.decompressobj().decompress(match[1]))
    maps = [
        {int(a, 16): chr(int(b, 16)) for a, b in re.findall(rb"<(\w{4})> <(\w{4})>", found[1])}
        for part in parts
        if (found := re.search(rb"beginbfchar(.*?)endbfchar", part, re.DOTALL))
    ]
    (digits,) = [found for found in maps if all(sign.isdigit() for sign in found.values())]
    (shown,) = re.findall(rb" 40 Tf [^\n]*?\[(.*?)\]TJ", b"".join(part for part in parts if b" 40 Tf" in part), re.S)
    codes = re.findall(rb"\\(\d{3})\\?(\d{3}|[nrtbf])", shown)
    named = {b"b": 8, b"t": 9, b"n": 10, b"f": 12, b"r": 13}
    return "".join(digits[named[low] if low in named else int(low, 8)] for _high, low in codes)


@pytest.fixture
def pay(acting, account, now):
    """Make a payment with its authorization and the events that a confirmed checkout writes."""

    def make(status="succeeded", **values):
        return make_payment(account, status=status, now=now, **values)

    return make


def make_payment(account, *, now, status="succeeded", kind="card", lines=None, told=True, **values) -> Payment:
    lines = lines or [["2026-12-01", 125_00]]
    method = Method.objects.create(
        consumer=account.consumer,
        kind=kind,
        brand="visa" if kind == "card" else "",
        funding="debit" if kind == "card" else "",
        account_type="" if kind == "card" else "checking",
        last4="4242",
        processor_account=ProcessorAccount.objects.get() if kind == "card" else None,
        created_at=now,
    )
    authorization = Authorization.objects.create(
        consumer=account.consumer,
        account=account,
        method=method,
        kind="schedule" if len(lines) > 1 else "single",
        text="You agree.\n\nTo this.",
        text_sha256="0" * 64,
        version="1",
        language=account.consumer.language,
        total_cents=sum(cents for _day, cents in lines),
        lines=lines,
        accepted_at=now,
        time_zone="America/New_York",
        ip="192.0.2.7",
        level=2,
    )
    payment = Payment.objects.create(
        **{
            "account": account,
            "consumer": account.consumer,
            "method": method,
            "authorization": authorization,
            "idempotency_key": uuid7(),
            "request_hash": "",
            "kind": kind,
            "executor": "portal",
            "purpose": "amount",
            "amount_cents": lines[0][1],
            "status": status,
            "intended_at": now,
            "decided_at": now,
        }
        | values
    )
    if told:
        with transaction.atomic():
            events.record(
                "authorization.created", account=account, now=now, data={"authorization": str(authorization.pk)}
            )
            events.record(f"payment.{status}", account=account, now=now, data={"payment": str(payment.pk)})
    return payment


def make_plan(payment: Payment, *, now, channel="email", notices=True) -> Arrangement:
    """Give a payment the arrangement it began: the lines after the first as post-dates with their notices."""
    lines = payment.authorization.lines
    plan = Arrangement.objects.create(
        account=payment.account,
        consumer=payment.consumer,
        authorization=payment.authorization,
        kind="plan",
        total_cents=payment.authorization.total_cents,
        schedule=lines,
        accepted_at=now,
    )
    Payment.objects.filter(pk=payment.pk).update(arrangement=plan)
    for number, (day, cents) in enumerate(lines[1:], 2):
        due_on = dt.date.fromisoformat(day)
        postdate = Postdate.objects.create(
            arrangement=plan,
            account=payment.account,
            method=payment.method,
            number=number,
            of=len(lines),
            due_on=due_on,
            not_before_at=utc_of_local(due_on, dt.time(8), "America/New_York"),
            amount_cents=cents,
            executor="host",
            notifier="portal",
            created_at=now,
        )
        if notices:
            window = predebit_window(due_on)
            Notice.objects.create(
                postdate=postdate,
                owner="portal",
                channel=channel,
                earliest_on=window.earliest,
                target_on=window.target,
                latest_on=window.latest,
                send_by=window.latest,
            )
    return plan


@pytest.fixture
def agreed(acting, account, now) -> Consent:
    """The consumer agreed to electronic documents at their only address, and showed that it works."""
    return Consent.objects.create(
        consumer=account.consumer,
        contact_point=account.consumer.contact_points.get(),
        kind="esign",
        granted=True,
        wording="Yes.",
        version=ESIGN_VERSION,
        source="page",
        demonstrated=True,
        at=now,
    )


def run(now) -> None:
    """Do what the message worker does, until nothing is left; its look before misses nothing."""
    steps = {"messages": send.drain, "news": track.apply, "events": fulfil.read, "notices": announce.announce}
    for _round in range(20):
        done = 0
        for name, step in steps.items():
            there = getattr(waiting.look(now=now), name)
            found = step(now=now)
            assert there or not found, f"the worker would have overlooked {found} {name}"
            done += found
        if not done:
            return
    raise AssertionError("The worker found no end.")


def told(*kinds: str) -> list[str]:
    """List the kinds of events written, in order; only these where some are named."""
    found = Event.objects.order_by("id").values_list("kind", flat=True)
    return [kind for kind in found if not kinds or kind in kinds]


@pytest.fixture(scope="session")
def carrier(tmp_path_factory):
    """One carrier for the session; every agency of every test has an account and a number of its own there."""
    program = CarrierProgram(tmp_path_factory.mktemp("carrier"))
    program.call("POST", "/_sandbox/behaviour", {"webhooks_paused": True})
    yield program
    program.stop()


@pytest.fixture
def texting(agency, carrier) -> TextProvider:
    """The agency's account at the carrier."""
    carrier.call("DELETE", "/_sandbox/faults")
    return make_text_provider(agency, carrier)


@pytest.fixture
def mobile(acting, account) -> ContactPoint:
    """The consumer's own number, with a consent that is young enough (RF-16)."""
    return make_mobile(account.consumer)


def make_mobile(consumer, number=MOBILE, **values) -> ContactPoint:
    evidence = {"consent_on": "2026-11-20", "AccountConsent": "yes", "NotEmployer": "yes"}
    made = {"kind": "phone", "value": number, "value_key": number, "textable": True, "route": "consumer"}
    return ContactPoint.objects.create(**{"consumer": consumer, "evidence": evidence} | made | values)


@pytest.fixture
def went(carrier, texting):
    """The texts that the carrier took from the agency, the oldest first."""
    return lambda to="": carrier.texts(sender=texting.number, to=to)
