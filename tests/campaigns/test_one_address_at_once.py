"""What is said about one address by several at the same moment: nothing gets past it, nobody waits for ever (RF-07)."""

import contextlib
import threading
import time
from functools import partial
from uuid import UUID

import msgspec
import pytest
from django.db import transaction
from django.utils.module_loading import import_string

from accounts.models import ContactPoint, Suppression, Visit
from accounts.services import codes, contacts, record_consent, streams
from accounts.tenancy import acting_for
from campaigns.channels import MailReply
from campaigns.channels.texts import Reply
from campaigns.models import MailEvent
from campaigns.services import hear, hear_mail, track
from tests.accounts.test_place import ADA, MAIL, place, placement
from tests.campaigns.conftest import make_mail
from tests.campaigns.test_one_address import opts_out, second, wants_no_offers
from tests.campaigns.test_track import BOUNCE, post, signed
from tests.conftest import NOW
from tests.payments.test_locks import at_once

pytestmark = pytest.mark.django_db(transaction=True)
PATIENCE = 1.0
"""Seconds for which a race is held open; under a lock the other one never comes."""


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    monkeypatch.setattr("accounts.clock.now", lambda: NOW)


def complains(point) -> None:
    track.given_up(point, reason="complained", at=NOW, now=NOW)


def is_stopped(point) -> bool:
    point.refresh_from_db()
    lists = Suppression.objects.filter(contact_point=point, ended_at=None)
    return bool(point.opted_out_at or point.bad_at or lists)


def places(point) -> ContactPoint:
    """Be a host that lists the address for one more person."""
    told = msgspec.structs.replace(MAIL, value=point.value, value_key=point.value_key)
    bea = msgspec.structs.replace(ADA, host_consumer_id="B-0002", first_name="Bea", ssn="900990002")
    place(placement("900", person=bea, contacts=(told,)), now=NOW)
    return ContactPoint.objects.get(consumer__first_name="Bea")


def types(point) -> ContactPoint:
    """Be one more person, on our pages, who types the address in."""
    account = second(point.consumer.agency, "bob@mail.example.com", reference="500")
    visit = Visit.objects.create(account=account, consumer=account.consumer, started_at=NOW, seen_at=NOW)
    contacts.propose(visit=visit, address=point.value, now=NOW)
    return ContactPoint.objects.get(consumer=account.consumer, value_key=point.value_key)


both = pytest.mark.parametrize(
    ("lists", "stops"),
    # Who types a bad address in gets a code there: it may work by now.
    [(places, opts_out), (places, complains), (places, wants_no_offers), (types, opts_out), (types, wants_no_offers)],
)


@both
def test_who_stops_an_address_while_it_is_listed_anew_stops_that_too(
    acting, point, elsewhere, lists, stops, monkeypatch
):
    read, stopped, take_over = threading.Event(), threading.Event(), streams.take_over

    def look(new):
        found = take_over(new)
        read.set()
        stopped.wait(PATIENCE)
        return found

    def stop():
        assert read.wait(10)
        stops(point)
        stopped.set()

    monkeypatch.setattr("accounts.services.streams.take_over", look)
    new, nothing = at_once(acting, lambda: lists(point), stop)
    assert nothing is None
    assert is_stopped(new)
    with acting_for(elsewhere.agency):
        assert not is_stopped(ContactPoint.objects.get())


@both
def test_who_lists_an_address_while_it_is_stopped_opens_nothing(acting, point, lists, stops):
    said, listed = threading.Event(), threading.Event()

    def stop():
        with transaction.atomic():
            stops(point)
            said.set()
            listed.wait(PATIENCE)

    def list_it():
        assert said.wait(10)
        new = lists(point)
        listed.set()
        return new

    new, nothing = at_once(acting, list_it, stop)
    assert nothing is None
    assert is_stopped(new)


# Two who say something of one address ---------------------------------------------------------------------------


@pytest.fixture
def both_wait(monkeypatch):
    """Let each wait for the other with what it locks first in hand; one that waits before that never comes."""
    barrier = threading.Barrier(2)

    def hold(place: str, seconds: float = 0.0) -> None:
        before = import_string(place)

        def held(*args, **kwargs):
            found = before(*args, **kwargs)
            with contextlib.suppress(threading.BrokenBarrierError):
                barrier.wait(PATIENCE)
            time.sleep(seconds)
            return found

        monkeypatch.setattr(place, held)

    hold.meet = barrier.wait
    return hold


@pytest.fixture
def twin(account, point):
    return second(account.agency, point.value)


@pytest.fixture
def elsewhere(others_account, point):
    """The same address at another agency."""
    row = ContactPoint.objects.filter(consumer=others_account.consumer)
    with acting_for(others_account.agency):
        row.update(value=point.value, value_key=point.value_key)
    return others_account


def told(provider, message, event: str) -> UUID:
    """Put the provider's word into the inbox."""
    kind, more = ("failed", BOUNCE) if event == "bounced" else (event, {})
    assert post(provider, signed(provider, message, kind, **more)).status_code == 200
    return MailEvent.objects.latest("pk").pk


def stop_by(point, *, answers) -> MailReply:
    """Be the reader of a mail who writes back."""
    said = {"sender": point.value, "to": "", "answers": answers.provider_id, "subject": "", "text": "Stop"}
    return MailReply(external_id="<1@mail.example>", **said)


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(
    ("one", "other"), [("bounced", "bounced"), ("bounced", "complained"), ("unsubscribed", "bounced")]
)
def test_two_readers_of_a_mailbox_that_is_given_up_at_once_do_not_wait_for_each_other_eml_05(
    acting, account, twin, point, mail, provider, both_wait, one, other, turned
):
    theirs = make_mail(twin, provider, now=NOW, cause="theirs")
    keys = [told(provider, message, event) for message, event in zip((mail, theirs), (one, other), strict=True)]
    both_wait("campaigns.services.outbox.locked")
    calls = [partial(track._apply_once, MailEvent, key, now=NOW) for key in keys]
    assert at_once(acting, *(calls[::-1] if turned else calls)) == [True, True]
    assert [row.outcome for row in MailEvent.objects.order_by("pk")] == [one, other]
    assert all(map(is_stopped, ContactPoint.objects.all()))


def test_a_stop_by_mail_and_a_bounce_at_once_do_not_wait_for_each_other(
    acting, account, twin, point, mail, provider, both_wait
):
    key = told(provider, make_mail(twin, provider, now=NOW, cause="theirs"), "bounced")
    both_wait("campaigns.services.hear_mail._whose")
    both_wait("campaigns.services.outbox.locked")
    calls = [
        partial(hear_mail.hear, said=stop_by(point, answers=mail), now=NOW),
        partial(track._apply_once, MailEvent, key, now=NOW),
    ]
    assert at_once(acting, *calls) == [True, True]
    assert all(one.opted_out_at and one.bad_at for one in ContactPoint.objects.all())


def test_a_stop_by_text_and_a_number_that_is_given_up_at_once_do_not_wait_for_each_other_sms_01(
    acting, mobile, texting, both_wait
):
    both_wait("campaigns.services.hear._account", seconds=0.3)
    said = Reply(provider_id="SM1", sender=mobile.value, to=texting.number, text="STOP", at=NOW)

    def give_up():
        both_wait.meet(10)
        complains(mobile)

    assert at_once(acting, partial(hear.hear, provider=texting, said=said, now=NOW), give_up) == [True, None]
    mobile.refresh_from_db()
    assert (mobile.opted_out_at, mobile.bad_at) == (NOW, NOW)


@pytest.mark.parametrize("way", ["mail", "provider"])
def test_who_asks_for_a_code_while_their_stop_is_written_down_gets_it(
    acting, account, point, mail, provider, both_wait, way
):
    visit = Visit.objects.create(account=account, consumer=account.consumer, started_at=NOW, seen_at=NOW)
    if way == "mail":
        said = stop_by(point, answers=mail)
        stop = partial(hear_mail.hear, said=said, now=NOW)
        both_wait("campaigns.services.hear_mail._whose", seconds=0.3)
    else:
        stop = partial(track._apply_once, MailEvent, told(provider, mail, "unsubscribed"), now=NOW)
        both_wait("accounts.services.consent.hold", seconds=0.3)

    def ask():
        both_wait.meet(10)
        return codes.send(visit=visit, contact_point=point, purpose="step_up", now=NOW)

    stopped, code = at_once(acting, stop, ask)
    assert (stopped, code.contact_point, is_stopped(point)) == (True, point, True)


def test_a_click_and_what_staff_write_down_at_once_do_not_wait_for_each_other_rf_07(
    acting, account, twin, point, both_wait
):
    theirs = twin.consumer.contact_points.get()
    both_wait("accounts.services.record_consent._against", seconds=0.3)

    def write_down():
        return record_consent.record(
            consumer=twin.consumer, contact_point=theirs, kind="email", granted=False, wording="Stop.", version="",
            language="en", how="telephone", said_at=NOW, now=NOW,
        ).new  # fmt: skip

    def click():
        both_wait.meet(10)
        opts_out(point)

    assert at_once(acting, write_down, click) == [True, None]
    assert all(map(is_stopped, ContactPoint.objects.all()))
