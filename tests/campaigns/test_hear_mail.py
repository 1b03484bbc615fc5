"""What people mail back: signed, once, into the staff inbox; free words of revocation hold at once (SMS-01, RF-07)."""

import hashlib
import hmac
import time

import pytest
from django.test import Client

from accounts.models import Consent, Event
from accounts.services import consent
from accounts.tenancy import acting_for
from campaigns.models import Conversation, InboundMessage
from campaigns.services import gate, hear_mail, inbox, outbox
from campaigns.services.gate import Asked
from tests.campaigns.test_revocation import CEASE, DOUBT, MEDIUM, STOP
from tests.conftest import NOW

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    monkeypatch.setattr("accounts.clock.now", lambda: NOW)


def write_back(provider, text: str, *, sender: str, answers: str = "", key: str = "", **more):
    """Hand a mail in as a route of the provider does."""
    stamp, token = str(int(time.time())), more.pop("token", hashlib.sha256(text.encode()).hexdigest()[:50])
    signed = hmac.new((key or provider.signing_key).encode(), f"{stamp}{token}".encode(), hashlib.sha256).hexdigest()
    form = {"sender": sender, "recipient": f"reply@{provider.domain}", "In-Reply-To": answers, "stripped-text": text}
    form |= {"timestamp": stamp, "token": token, "signature": signed, "Message-Id": f"<{token[:12]}@mail.example>"}
    return Client().post(f"/hooks/mail/{provider.pk}/replies", form | more, headers={"host": "localhost"})


def denied(account, purpose: str) -> list[str]:
    point = account.consumer.contact_points.get(kind="email")
    asked = Asked(channel="email", purpose=purpose, consumer=account.consumer, account=account, point=point)
    ((_facts, said),) = gate.judge([asked], now=NOW)
    return [one.code for one in said.denials]


def test_a_reply_stands_in_the_inbox_with_its_account_and_the_host_hears_of_it(account, point, mail, provider):
    answer = write_back(provider, "Can I pay half now?", sender=point.value.upper(), answers=mail.provider_id)
    assert answer.status_code == 200
    row = InboundMessage.objects.get()
    assert (row.channel, row.consumer, row.account, row.wish, row.outcome) == (
        "email",
        account.consumer,
        account,
        "nothing",
        "",
    )
    talk = Conversation.objects.get()
    assert (talk.unread, talk.last_text, [line.text for line in inbox.lines(talk)]) == (
        1,
        "Can I pay half now?",
        ["Can I pay half now?"],
    )
    (event,) = Event.objects.filter(kind="message.replied")
    assert (event.data["channel"], event.account, event.data["from"]) == ("email", account, point.masked)


@pytest.mark.parametrize("words", ["Stop!!", "no más", "please take me off your list", "Unsubscribe me, thanks"])
def test_free_words_stop_the_address_before_the_answer(account, point, mail, provider, words):
    assert denied(account, "notice") == []
    write_back(provider, words, sender=point.value, answers=mail.provider_id)
    point.refresh_from_db()
    assert point.opted_out_at == NOW
    line = Consent.objects.get(kind="email")
    assert (line.wording, line.source, line.granted) == (words, "reply", False)
    assert InboundMessage.objects.get().outcome == "stopped"
    assert denied(account, "notice") == ["opted_out"]


def test_every_phrase_that_stops_texts_stops_mail(account, point, mail, provider):
    said = [*STOP, *MEDIUM, *CEASE, *DOUBT]
    for number, phrase in enumerate(said):
        write_back(provider, phrase, sender=point.value, token=f"{number:012}answer")
    rows = InboundMessage.objects.order_by("pk")
    assert len(rows) == len(said)
    assert {row.outcome for row in rows} == {"stopped", "was_stopped"}


def test_rf_06_to_write_no_more_at_all_ends_every_contact_and_a_person_sees_it(account, point, mail, provider):
    write_back(provider, "Stop contacting me and my family.", sender=point.value, answers=mail.provider_id)
    assert [row.wish for row in InboundMessage.objects.all()] == ["cease"]
    assert "status_cease" in denied(account, "campaign")
    assert Event.objects.filter(kind="cease.received").count() == 1
    assert inbox.unread() == 1


def test_what_they_answer_to_is_not_their_word(account, point, mail, provider):
    quoted = "Thank you!\n\nOn Tue, Dec 1, 2026 at 10:00 AM Acme wrote:\n> Stop email to this address"
    write_back(
        provider, "", sender=point.value, answers=mail.provider_id, **{"body-plain": quoted, "stripped-text": ""}
    )
    row = InboundMessage.objects.get()
    assert (row.text, row.wish) == ("Thank you!", "nothing")
    assert hear_mail.own_words("Gracias\nEl mar, 1 dic 2026 a las 10:00, Acme escribió:\n> alto") == "Gracias"


@pytest.mark.parametrize(
    ("subject", "body", "wish"),
    [
        ("STOP", "", "stop"),
        ("Unsubscribe", "", "stop"),
        ("No me escriban más", "Jane Doe, sent from my telephone", "stop"),
        ("A question", "Stop emailing me", "medium"),
        ("Re: You asked us to stop", "", "nothing"),
        ("RV: Usted nos pidió parar", "Gracias", "nothing"),
    ],
)
def test_rf_07_a_subject_of_their_own_counts_like_the_words_below_it(
    account, point, mail, provider, subject, body, wish
):
    more = {"subject": subject, "body-plain": body}
    assert write_back(provider, "", sender=point.value, answers=mail.provider_id, **more).status_code == 200
    assert InboundMessage.objects.get().wish == wish
    point.refresh_from_db()
    assert (point.opted_out_at is not None) == (wish != "nothing")


def test_a_person_reads_a_subject_of_their_own_above_what_was_written(account, point, mail, provider):
    write_back(provider, "When is it due?", sender=point.value, subject="My next payment")
    assert InboundMessage.objects.get().text == "My next payment\nWhen is it due?"


def test_the_same_mail_twice_is_one(account, point, mail, provider):
    for _time in range(2):
        assert write_back(provider, "Hello?", sender=point.value, answers=mail.provider_id).status_code == 200
    assert (InboundMessage.objects.count(), Conversation.objects.get().unread) == (1, 1)


def test_a_stranger_stops_nobody_and_a_person_reads_it(account, point, mail, provider):
    write_back(provider, "Stop", sender="eve@example.org", answers=mail.provider_id)
    point.refresh_from_db()
    assert point.opted_out_at is None
    row = InboundMessage.objects.get()
    assert (row.consumer, row.account, row.conversation.number) == (None, None, "eve@example.org")
    (event,) = Event.objects.filter(kind="message.received")
    assert event.data["from"] == "e•••@example.org"


def test_only_the_providers_own_signature_opens_the_door_and_of_one_agency_only(
    account, point, mail, provider, others_account, others_provider
):
    assert write_back(provider, "Stop", sender=point.value, key="wrong").status_code == 403
    assert write_back(others_provider, "Stop", sender=point.value, key=provider.signing_key).status_code == 403
    assert InboundMessage.objects.count() == 0
    assert write_back(others_provider, "Stop", sender=point.value, answers=mail.provider_id).status_code == 200
    point.refresh_from_db()
    assert (point.opted_out_at, InboundMessage.objects.count()) == (None, 0)
    with acting_for(others_account.agency):
        assert InboundMessage.objects.get().account != account


def test_a_card_number_is_not_kept(account, point, mail, provider):
    write_back(provider, "Take it from 4242 4242 4242 4242", sender=point.value, answers=mail.provider_id)
    assert "4242 4242" not in InboundMessage.objects.get().text


def test_a_person_writes_down_what_a_mail_meant(account, point, mail, provider):
    write_back(provider, "Enough now.", sender=point.value, answers=mail.provider_id)
    talk = Conversation.objects.get()
    assert inbox.revoke(conversation=talk, wish="stop", words="Enough now.", by="staff:1", now=NOW) is True
    point.refresh_from_db()
    assert point.opted_out_at == NOW
    assert not consent.opt_out(contact_point=point, scope="address", source="staff", now=NOW)


def test_the_sandbox_can_be_told_to_answer_a_mail(provider, sandbox, mails, account, point, acting):
    """Its route speaks to whatever address the domain reports to; nobody listens there in this test."""
    from campaigns.services import send

    type(provider).objects.update(replies_to=f"reply@{provider.domain}")
    outbox.queue(
        template="payment_failed", consumer=account.consumer, contact_point=point, account=account, cause="y",
        language="en", facts={"name": "Jane", "outcome": "declined", "amount": "$1", "rows": []}, now=NOW,
    )  # fmt: skip
    send.drain(now=NOW)
    (mail,) = mails()
    headers = {name.lower(): value for name, value in mail["headers"]}
    assert headers["reply-to"] == f"reply@{provider.domain}"
