"""What a carrier gave up telling is asked for: a STOP that no webhook brought holds all the same (SMS-01, RF-06)."""

import datetime as dt

import pytest
import requests

from accounts.models import Consent, Event
from accounts.tenancy import ALL_AGENCIES, acting_for
from campaigns.channels import twilio
from campaigns.models import InboundMessage, Message
from campaigns.services import listen, send, texts, track
from portal.celery import app
from tests.campaigns.carrier_program import MOBILE, make_text_provider, write_in
from tests.campaigns.conftest import told

pytestmark = pytest.mark.django_db
MINUTE = dt.timedelta(minutes=1)


@pytest.fixture
def later():
    """A minute behind the wall's clock, which is the carrier's too."""
    return dt.datetime.now(dt.UTC).replace(second=1) + 2 * MINUTE


def write(carrier, texting, body, *, sender=MOBILE) -> str:
    """Let somebody text a number whose webhook leads nowhere."""
    return carrier.call("POST", "/_sandbox/reply", {"from": sender, "to": texting.number, "body": body})["sid"]


def listened(now) -> int:
    with acting_for(ALL_AGENCIES):
        return listen.listen(now=now)


def test_a_stop_that_no_webhook_brought_is_heard_once(account, mobile, texting, carrier, other_agency, later):
    make_text_provider(other_agency, carrier)
    sid = write(carrier, texting, "STOP")
    assert [listened(later), listened(later + MINUTE)] == [1, 0]
    mobile.refresh_from_db()
    assert mobile.opted_out_at == later
    row = InboundMessage.objects.get()
    assert (row.external_id, row.sender, row.outcome) == (sid, MOBILE, "stopped")
    assert Consent.objects.filter(kind="text", granted=False).count() == 1
    assert told("optout.address", "message.replied") == ["optout.address", "message.replied"]
    # The webhook comes after all.
    write_in(texting, "STOP", sid=sid)
    assert (InboundMessage.objects.count(), Consent.objects.filter(kind="text").count()) == (1, 1)


def test_texts_are_heard_in_the_order_in_which_they_came(account, mobile, texting, carrier, later):
    for body in ("START", "STOP"):
        write(carrier, texting, body)
    assert listened(later) == 2
    mobile.refresh_from_db()
    assert mobile.opted_out_at == later
    wishes = InboundMessage.objects.order_by("pk").values_list("wish", flat=True)
    with acting_for(texting.agency_id):
        assert list(wishes) == ["start", "stop"]


def test_a_text_whose_webhook_may_still_be_under_way_waits(account, mobile, texting, carrier):
    write(carrier, texting, "STOP")
    assert listened(dt.datetime.now(dt.UTC)) == 0


def test_a_stranger_who_asks_for_help_is_not_said_to_be_answered(account, texting, carrier, later):
    write(carrier, texting, "HELP", sender="+15185550177")
    assert listened(later) == 1
    with acting_for(texting.agency_id):
        assert InboundMessage.objects.get().outcome == "not_known"


def test_more_texts_than_a_page_has_are_listed_to_the_end(account, texting, carrier, later):
    sids = [write(carrier, texting, f"I called on day {day}") for day in range(3)]
    access = {"account": texting.account, "token": texting.token, "api_url": texting.api_url}
    since = later - dt.timedelta(hours=1)
    found = twilio_received(access, texting.number, since)
    assert [one.provider_id for one in found] == sids[::-1]


def twilio_received(access, number, since):
    """List in pages of two."""

    class Small(requests.Session):
        def get(self, url, *, params=None, **more):
            return super().get(url, params=params and params | {"PageSize": "2"}, **more)

    with Small() as session:
        return list(twilio.received(**access, number=number, since=since, session=session))


@pytest.mark.parametrize(
    ("number", "status", "kinds"),
    [(MOBILE, "delivered", ["message.delivered"]), ("+15185559001", "bounced", ["message.bounced"])],
)
def test_a_text_whose_report_was_lost_is_asked_about(account, mobile, texting, carrier, later, number, status, kinds):
    mobile.value = mobile.value_key = number
    mobile.save(update_fields=["value", "value_key"])
    carrier.call("POST", "/_sandbox/behaviour", {"delivery_delay_ms": 0})
    about = {"template": "text_help", "consumer": account.consumer, "contact_point": mobile, "account": account}
    message = texts.queue(**about, cause="test", language="en", answers=True, now=later)
    send.drain(now=later)
    message.refresh_from_db()
    assert message.status == Message.Status.SENT
    carrier.call("GET", "/_sandbox/texts")
    deadline = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=10)
    while carrier.texts(to=number)[-1]["status"] == "queued":
        assert dt.datetime.now(dt.UTC) < deadline
    assert [listened(later + MINUTE), listened(later + 2 * MINUTE)] == [1, 0]
    track.apply(now=later + 2 * MINUTE)
    message.refresh_from_db()
    assert message.status == status
    assert [event.kind for event in Event.objects.filter(kind__in=kinds)] == kinds


def test_a_carrier_that_does_not_say_holds_up_no_other_agency(account, mobile, texting, carrier, other_agency, later):
    write(carrier, texting, "STOP")
    make_text_provider(other_agency, carrier, token="wrong")
    assert listened(later) == 1


def test_the_carrier_gives_a_webhook_up_after_its_second_try(account, texting, carrier):
    carrier.call("POST", "/_sandbox/behaviour", {"webhooks_paused": False})
    account_at = {"sid": texting.account, "token": texting.signing_key, "number": texting.number}
    carrier.call("POST", "/_sandbox/accounts", account_at | {"inbound_url": "http://127.0.0.1:9/nobody"})
    try:
        sid = write(carrier, texting, "STOP")
        deadline = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=10)
        while True:
            (hook,) = [one for one in carrier.call("GET", "/_sandbox/webhooks")["webhooks"] if sid in one["form"]]
            if hook["state"] != "waiting":
                break
            assert dt.datetime.now(dt.UTC) < deadline
        assert (hook["state"], hook["attempts"]) == ("given up", 2)
    finally:
        carrier.call("POST", "/_sandbox/behaviour", {"webhooks_paused": True})


def test_a_code_waits_behind_no_carrier_that_is_asked():
    queues = [app.amqp.router.route({}, f"campaigns.tasks.{name}")["queue"].name for name in ("poll", "listen")]
    assert queues == ["message", "batch"]
