"""What people text back: once, obeyed before the carrier has our answer, confirmed once (SMS-01 to 05, RF-06 to 08)."""

import datetime as dt
import re
import threading

import pytest
from django.db import connection, transaction

from accounts.models import Account, Consent, Consumer, Event
from accounts.services import consent
from accounts.tenancy import acting_for
from campaigns.models import Campaign, Conversation, InboundMessage, Message
from campaigns.services import (
    audience,
    campaigns,
    carriers,
    handover_texts,
    launch,
    links,
    send,
    send_texts,
    silence,
    texts,
    writer,
)
from tests.campaigns import campaign_cast as cast
from tests.campaigns.carrier_program import MOBILE, make_text_provider, post, write_in
from tests.campaigns.conftest import make_mobile, told
from tests.conftest import NOW, make_account

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """The webhook's clock is the story's."""
    monkeypatch.setattr("accounts.clock.now", lambda: NOW)


def heard() -> InboundMessage:
    return InboundMessage.objects.latest("pk")


def events(kind: str) -> list[dict]:
    return [event.data for event in Event.objects.filter(kind=kind).order_by("pk")]


# STOP -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "language"), [("STOP", "en"), ("Stop!!", "en"), ("alto", "es"), ("no más", "es"), ("remove me", "en")]
)
def test_a_stop_holds_before_the_answer_and_is_confirmed_once_in_its_language(
    account, mobile, texting, went, now, words, language
):
    assert write_in(texting, words).status_code == 200
    mobile.refresh_from_db()
    assert mobile.opted_out_at == now
    line = Consent.objects.get(kind="text", granted=False)
    assert (line.wording, line.source, line.contact_point) == (words, "text", mobile)
    for _again in range(2):
        write_in(texting, words)
    send.drain(now=now)
    send.drain(now=now + dt.timedelta(minutes=1))
    assert [text["body"] for text in went()] == [
        {
            "en": "Acme Recovery: You asked us to stop. You will get no more texts.",
            "es": "Acme Recovery: Usted nos pidió parar. No recibirá más mensajes de texto.",
        }[language]
    ]
    assert Consent.objects.filter(kind="text").count() == 1
    assert told("optout.address", "message.replied") == ["optout.address", *["message.replied"] * 3]
    assert [one["outcome"] for one in events("message.replied")] == ["stopped", "was_stopped", "was_stopped"]


@pytest.mark.parametrize(("seconds", "sent"), [(300, 1), (301, 0)])
def test_a_confirmation_that_is_later_than_five_minutes_is_not_sent(account, mobile, texting, went, now, seconds, sent):
    write_in(texting, "STOP")
    send.drain(now=now + dt.timedelta(seconds=seconds))
    assert len(went()) == sent
    assert Message.objects.get().reason == ("" if sent else "too_late")


def test_where_the_carrier_confirms_we_do_not(agency, account, mobile, carrier, now):
    texting = make_text_provider(agency, carrier, keywords="carrier")
    write_in(texting, "STOP")
    assert heard().outcome == "stopped"
    assert Message.objects.count() == 0
    # Words that the carrier does not know are ours to confirm.
    consent.start_texts(contact_point=mobile, words="START", now=now)
    write_in(texting, "please take me off your list")
    assert Message.objects.get().template == "text_stopped"


def test_a_webhook_that_comes_twice_is_heard_once(account, mobile, texting, now):
    for _copy in range(3):
        assert write_in(texting, "What is this about?", sid="SM77").status_code == 200
    assert InboundMessage.objects.count() == 1
    assert Conversation.objects.get().unread == 1
    assert told() == ["message.replied"]


def test_only_the_account_itself_hands_texts_in(texting, mobile):
    form = {"MessageSid": "SM1", "From": MOBILE, "To": texting.number, "Body": "STOP"}
    assert post(texting, form, key="wrong").status_code == 403
    assert post(texting, {"MessageSid": "SM1"}).status_code == 400
    assert InboundMessage.objects.count() == 0
    mobile.refresh_from_db()
    assert mobile.opted_out_at is None


def test_who_shares_a_number_is_silenced_together_and_gets_one_confirmation(account, mobile, texting, went, now):
    second = Consumer.objects.create(first_name="Jo", last_name="Roe", last_name_key="ROE", ssn4_index="", state="NY")
    shared = make_mobile(second)
    write_in(texting, "STOP")
    send.drain(now=now)
    shared.refresh_from_db()
    assert shared.opted_out_at == now
    assert len(went()) <= 1
    assert Consent.objects.filter(kind="text", granted=False).count() == 2


def test_a_number_that_said_stop_stays_silent_when_it_is_listed_anew(account, acting, texting, went, now):
    write_in(texting, "STOP")
    assert heard().outcome == "stopped"
    late = make_mobile(account.consumer)
    message = texts.queue(
        template="text_pay", consumer=account.consumer, contact_point=late, account=account, cause="x", language="en",
        now=now + dt.timedelta(hours=1),
    )  # fmt: skip
    send.drain(now=now + dt.timedelta(hours=1))
    message.refresh_from_db()
    assert (message.status, message.reason, went()) == ("held", "medium_stopped", [])


def test_two_agencies_hear_the_same_number_apart(account, mobile, texting, other_agency, carrier, now):
    theirs = make_text_provider(other_agency, carrier)
    with acting_for(other_agency):
        others = make_account(other_agency)
        their_mobile = make_mobile(others.consumer)
    write_in(texting, "STOP")
    mobile.refresh_from_db()
    assert mobile.opted_out_at == now
    with acting_for(other_agency):
        their_mobile.refresh_from_db()
        assert their_mobile.opted_out_at is None
        assert InboundMessage.objects.count() == Consent.objects.count() == 0
        write_in(theirs, "PAY")
        assert heard().outcome == "answered"
        assert heard().account == others
    assert InboundMessage.objects.count() == 1


# Wider words ----------------------------------------------------------------------------------------------------


def test_stop_texting_me_stops_the_medium(account, mobile, texting, now):
    second = make_mobile(account.consumer, number="+15185550198")
    write_in(texting, "Stop texting me")
    second.refresh_from_db()
    assert second.opted_out_at == now
    assert account.consumer.contact_points.get(kind="email").opted_out_at is None
    assert told("optout.medium") == ["optout.medium"]


def test_do_not_contact_me_stops_everything_and_waits_for_a_person(account, mobile, texting, now):
    write_in(texting, "I refuse to pay. Do not contact me again")
    assert account.consumer.contact_points.filter(opted_out_at=None).count() == 0
    assert told("cease.received") == ["cease.received"]
    assert Conversation.objects.get().unread == 1


def test_on_doubt_it_is_silence_until_a_person_looked(account, mobile, texting, went, now):
    write_in(texting, "I stopped by your office yesterday")
    mobile.refresh_from_db()
    assert (heard().wish, mobile.opted_out_at) == ("doubt", now)
    assert Conversation.objects.get().unread == 1
    send.drain(now=now)
    assert went() == []


# HELP, START, PAY -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("word", "pay"), [("HELP", "PAY"), ("ayuda", "PAGAR")])
def test_help_says_who_we_are_even_while_stopped(account, mobile, texting, went, now, word, pay):
    write_in(texting, "STOP")
    write_in(texting, word)
    send.drain(now=now)
    body = went()[1]["body"]
    for part in ("Acme Recovery", "518-555-0100", "Mon to Fri, 8 am to 6 pm ET", pay):
        assert part in body
    assert Conversation.objects.get().unread == 0


@pytest.mark.parametrize(("word", "said"), [("HELP", "Reply STOP to stop"), ("ayuda", "Responda ALTO para parar")])
def test_sms_05_help_from_a_number_that_nobody_knows_gets_the_help_of_the_agency_it_texted(
    account, acting, texting, others_account, carrier, word, said
):
    others = make_text_provider(others_account.agency, carrier)
    body = write_in(texting, word, sender="+15185550777").content.decode()
    for part in ("<Response><Message>Acme Recovery", "518-555-0100", "Mon to Fri, 8 am to 6 pm ET", said):
        assert part in body
    for telling in ("debt", "deuda", "account", "PAY", "Harbor"):
        assert telling not in body
    assert (heard().outcome, heard().consumer, Conversation.objects.get().unread) == ("answered_at_once", None, 0)
    with acting_for(others_account.agency):
        theirs = write_in(others, "HELP", sender="+15185550777").content.decode()
    assert "Acme" not in theirs
    assert f"<Message>{others_account.agency.name}" in theirs


def test_help_from_a_stranger_is_answered_once_a_delivery_five_times_a_day_and_never_by_a_pending_carrier(
    account, acting, texting
):
    first = write_in(texting, "HELP", sender="+15185550777", sid="SMsame").content
    again = write_in(texting, "HELP", sender="+15185550777", sid="SMsame").content
    assert (b"<Message>" in first, again) == (True, b"<Response/>")
    for _turn in range(8):
        last = write_in(texting, "HELP", sender="+15185550777").content
    assert (last, heard().outcome) == (b"<Response/>", "not_again")
    assert InboundMessage.objects.filter(outcome="answered_at_once").count() == 5
    type(texting).objects.update(approved_on=None)
    assert write_in(texting, "HELP", sender="+15185550778").content == b"<Response/>"
    assert write_in(texting, "PAY", sender="+15185550777").content == b"<Response/>"


def test_two_machines_that_answer_each_other_come_to_an_end(account, mobile, texting, now):
    for _turn in range(8):
        write_in(texting, "HELP")
    assert Message.objects.filter(template="text_help").count() == 5
    assert heard().outcome == "not_again"


def test_start_opens_the_number_again_where_its_route_still_counts(account, mobile, texting, went, now):
    write_in(texting, "STOP")
    write_in(texting, "START")
    mobile.refresh_from_db()
    assert (mobile.opted_out_at, mobile.evidence["last_text_on"]) == (None, "2026-12-01")
    assert silence.since([MOBILE]) == {}
    assert [line.granted for line in Consent.objects.order_by("pk")] == [False, True]
    assert told("consent.granted") == ["consent.granted"]
    send.drain(now=now)
    assert [text["body"][:44] for text in went()][-1] == "Acme Recovery: You will get texts from us ag"


def test_start_makes_no_consent_where_there_was_none(account, texting, acting, now):
    theirs = make_mobile(account.consumer, route="RF-14")
    write_in(texting, "STOP")
    write_in(texting, "START")
    theirs.refresh_from_db()
    assert (heard().outcome, theirs.opted_out_at) == ("not_allowed", now)
    assert silence.since([MOBILE]) != {}


def test_pay_gets_the_consumers_own_link_at_any_hour(account, mobile, texting, went, now, monkeypatch):
    night = dt.datetime(2026, 12, 2, 4, 30, tzinfo=dt.UTC)
    monkeypatch.setattr("accounts.clock.now", lambda: night)
    write_in(texting, "pagar")
    send.drain(now=night)
    body = went()[0]["body"]
    assert body.startswith("Acme Recovery: su enlace personal: http://acme.localhost")
    token = re.search(r"/m/([^/]+)/", body)[1]
    assert links.follow(token, now=night).account == account
    mobile.refresh_from_db()
    assert mobile.evidence["last_text_on"] == "2026-12-02"


def test_pay_is_about_the_account_last_written_about(account, mobile, texting, now):
    second = make_account(account.agency, consumer=account.consumer, reference="200")
    write_in(texting, "PAY")
    assert (heard().outcome, heard().account) == ("not_known", None)
    assert Conversation.objects.get().unread == 1
    texts.queue(
        template="text_pay", consumer=account.consumer, contact_point=mobile, account=second, cause="x",
        language="en", now=now,
    )  # fmt: skip
    write_in(texting, "PAY")
    assert (heard().outcome, heard().account) == ("answered", second)


# Everything else ------------------------------------------------------------------------------------------------


def test_other_texts_wait_for_a_person_and_are_told_without_their_words(account, mobile, texting, now):
    write_in(texting, "My card 4242 4242 4242 4242 and SSN 900-99-1234 do not work, why?")
    talk = Conversation.objects.get()
    assert (talk.consumer, talk.unread, talk.number, talk.status) == (account.consumer, 1, MOBILE, "open")
    assert heard().text == "My card •••4242 and SSN •••1234 do not work, why?"
    event = Event.objects.get()
    assert (event.kind, event.account, event.data["wish"]) == ("message.replied", account, "nothing")
    assert "card" not in str(event.data)
    assert event.data["from"] == "••• ••• 0199"


def test_a_number_that_nobody_knows_has_a_conversation_of_its_own(account, acting, texting, now):
    write_in(texting, "Who are you?", sender="+15185550777")
    write_in(texting, "Hello?", sender="+15185550777")
    talk = Conversation.objects.get()
    assert (talk.consumer, talk.number, talk.unread) == (None, "+15185550777", 2)
    assert told() == ["message.received"] * 2
    assert Account.objects.count() == 1


# STOP against a batch -------------------------------------------------------------------------------------------


@pytest.fixture
def batch(agency, acting, texting, now) -> Campaign:
    """A campaign to three consumers by text, approved."""
    for number, account in enumerate(cast.people(agency, 3)):
        make_mobile(account.consumer, number=f"+1215555010{number}")
    return cast.approved(version=cast.template("settlement_text"), channel="text")


def test_a_campaign_goes_out_by_text_with_a_link_for_each(batch, texting, went, now):
    assert cast.run(batch).status == "finished"
    bodies = [text["body"] for text in went()]
    assert len(bodies) == 3
    assert all("This is an attempt to collect a debt." in body for body in bodies)
    found = [re.search(r"/m/([^/]+)/", body)[1] for body in bodies]
    assert len(set(found)) == 3
    recipients = {links.follow(token, now=now).recipient for token in found}
    assert recipients == set(batch.recipients.all())
    assert {message.segments for message in Message.objects.all()} == {2}
    assert not any(token in message.text for token in found for message in Message.objects.all())


def test_a_campaign_keeps_the_carriers_pace(batch, texting, went, now):
    type(texting).objects.update(per_second=1)
    type(texting).objects.update(window_at=now, window_used=3)
    cast.run(batch)
    assert len(went()) == 2
    cast.run(batch, now=now + dt.timedelta(seconds=5))
    assert len(went()) == 3


def test_texts_that_a_dead_process_wrote_down_and_never_asked_for_go_out_later(batch, went, now):
    assert campaigns.start(campaign=batch, now=now)
    while audience.freeze(batch, now=now):
        pass
    campaigns.frozen(campaign=batch, now=now)
    begun = Campaign.objects.select_related("version_a__template", "version_b__template").get(pk=batch.pk)
    with transaction.atomic():
        assert launch._prepare(begun, now=now, limit=10)[0] == 3
    assert cast.run(batch).status == "sending"
    assert went() == []
    assert cast.run(batch, now=now + writer.LEASE).status == "finished"
    assert len(went()) == 3
    assert {message.status for message in Message.objects.all()} == {"sent"}


@pytest.mark.parametrize(("mode", "copies"), [("drop_after_effect", 1), ("drop_before_effect", 0)])
def test_a_campaign_asks_about_a_lost_answer_and_never_sends_twice(batch, carrier, went, now, mode, copies):
    carrier.fault(mode)
    cast.run(batch)
    assert Message.objects.filter(status="queued").count() == 1
    cast.run(batch, now=now + dt.timedelta(minutes=31))
    statuses = sorted(Message.objects.values_list("status", flat=True))
    assert statuses == (["sent"] * 3 if copies else ["failed", "sent", "sent"])
    assert len(went()) == 2 + copies
    batch.refresh_from_db()
    assert batch.status == "finished"


def test_none_is_handed_over_to_a_number_after_its_stop_has_committed(batch, texting, went, now, monkeypatch):
    """The STOP comes between judging and handing over; the rest of the batch goes on."""
    real, stopped = handover_texts.give, []

    def give(campaign, leaving, *, now):
        write_in(texting, "STOP", sender=leaving[1].message.contact_point.value)
        stopped.append(leaving[1].message.contact_point.value)
        real(campaign, leaving, now=now)

    monkeypatch.setattr(handover_texts, "give", give)
    cast.run(batch)
    assert len(went()) == 2
    assert went(to=stopped[0]) == []
    assert sorted(batch.recipients.values_list("status", "reason")) == [
        ("leaving", ""),
        ("leaving", ""),
        ("left_out", "opted_out"),
    ]
    send.drain(now=now)
    assert [text["body"][:32] for text in went(to=stopped[0])] == ["Acme Recovery: You asked us to s"]


@pytest.mark.django_db(transaction=True)
def test_a_stop_waits_for_the_hand_over_that_runs_and_nothing_begins_after_it(batch, texting, carrier, monkeypatch):
    """Hold a hand-over open with a barrier: the inbound row commits only after it, and the next one is refused."""
    at_carrier, go_on = threading.Event(), threading.Event()
    number = "+12155550101"
    real = send_texts.carrier("twilio").send
    order = []

    def slow(**values):
        if values["to"] == number:
            at_carrier.set()
            assert go_on.wait(10)
            order.append("handed over")
        return real(**values)

    monkeypatch.setattr("campaigns.channels.twilio.send", slow)

    def stop():
        write_in(texting, "STOP", sender=number)
        order.append("stop answered")
        connection.close()

    def launch():
        with acting_for(batch.agency_id):
            cast.run(batch)
        connection.close()

    sending, stopping = threading.Thread(target=launch), threading.Thread(target=stop)
    sending.start()
    assert at_carrier.wait(10)
    stopping.start()
    stopping.join(0.3)
    assert stopping.is_alive()
    assert InboundMessage.objects.count() == 0
    go_on.set()
    stopping.join(10)
    sending.join(20)
    assert order == ["handed over", "stop answered"]
    point = Message.objects.get(contact_point__value=number, stream="campaigns").contact_point
    late = Message(contact_point=point, template="text_pay", queued_at=NOW, stream="receipts")
    said = send_texts.ask(late, "x", provider=carriers.active(), session=None)
    assert said.stopped == "opted_out"
    assert len(carrier.texts(sender=texting.number, to=number)) == 1
