"""Staff answer e-mails in approved words in the consumer's thread; who stopped e-mail hears so once (RF-07, RF-08)."""

import datetime as dt

import pytest
import time_machine
from django.urls import reverse

from accounts.models import Account, Event
from campaigns.models import ContactDecision, Conversation, InboundMessage, Message
from campaigns.services import inbox, links, send
from campaigns.services.texts import HIDDEN_LINK
from tests.campaigns import campaign_cast as cast
from tests.campaigns.carrier_program import write_in
from tests.campaigns.test_hear_mail import write_back
from tests.conftest import NOW
from tests.integrations.api_caller import Caller, codes
from tests.staff import member, signed_in

pytestmark = pytest.mark.django_db
NIGHT = NOW.replace(hour=7)
"""Two in the morning in New York."""


@pytest.fixture(autouse=True)
def clock():
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def talk(account, mail, point, provider) -> Conversation:
    """The consumer asked something by e-mail."""
    write_back(provider, "Can I pay half now?", sender=point.value, answers=mail.provider_id)
    return Conversation.objects.select_related("consumer").get()


def reply(talk, version, key="k1", now=NOW):
    return inbox.reply(conversation=talk, version=version, key=key, by="staff:1", now=now)


def codes_of(found) -> list[str]:
    return [one.code for one in found]


def headers_of(mail) -> dict[str, str]:
    return {name.lower(): value for name, value in mail["headers"]}


def test_an_answer_goes_out_once_in_the_consumers_thread_with_their_own_link(talk, account, mails):
    version = cast.template("answer_page")
    made = reply(talk, version)
    assert codes_of(reply(talk, version)) == ["sent_before"]
    send.drain(now=NOW)
    (sent,) = mails()
    theirs = InboundMessage.objects.get().external_id
    assert theirs.startswith("<")
    headers = headers_of(sent)
    assert (headers["in-reply-to"], headers["references"]) == (theirs, theirs)
    link = links.link_url(account.agency, links.token_of(made.pk))
    assert link in sent["text"]
    assert f'href="{link}"' in sent["html"]
    assert links.follow(links.token_of(made.pk), now=NOW).account == account
    assert HIDDEN_LINK in made.text
    assert link not in made.text + made.html
    assert sent["tags"] == ["replies", "mail_reply"]
    assert sent["tracking"]["opens"] is True
    assert "This communication is from a debt collector." in sent["text"]
    assert "/stop/" in headers["list-unsubscribe"]
    made.refresh_from_db()
    assert (made.status, made.stream, made.account) == ("sent", "replies", account)
    told = Event.objects.filter(data__message=str(made.pk)).order_by("id")
    assert [one.kind for one in told] == ["message.queued", "message.sent"]
    decision = ContactDecision.objects.get(message=made)
    assert (decision.purpose, decision.channel, decision.allowed) == ("service", "email", True)
    talk.refresh_from_db()
    assert (talk.unread, talk.assigned_to) == (0, "staff:1")
    shown = inbox.lines(talk)
    assert [(line.theirs, line.channel, line.status) for line in shown] == [
        (True, "email", "nothing"),
        (False, "email", "sent"),
    ]
    assert "You find what you asked for on your page." in shown[1].text


def test_an_answer_within_its_window_goes_at_night_and_a_late_one_waits_for_the_morning(talk, provider, mails):
    InboundMessage.objects.update(received_at=NIGHT)
    reply(talk, cast.template("answer_looking"), now=NIGHT)
    late = reply(talk, cast.template("answer_call"), key="k2", now=NIGHT + dt.timedelta(hours=2))
    send.drain(now=NIGHT)
    send.drain(now=NIGHT + dt.timedelta(hours=2))
    assert len(mails()) == 1
    late.refresh_from_db()
    assert (late.status, late.reason) == ("queued", "outside_hours")


def test_only_published_answers_go_by_mail_and_an_offer_is_no_answer(talk):
    assert codes_of(reply(talk, cast.template("settlement_offer"))) == ["template_unknown"]
    assert codes_of(reply(talk, cast.template("reply_call"))) == ["number_unknown"]
    assert Message.objects.filter(template="mail_reply").count() == 0


def test_sol_01_an_answer_about_an_old_debt_says_that_it_is_old(talk, account):
    Account.objects.filter(pk=account.pk).update(sol_status="expired", sol_on="2020-01-01")
    assert "we will not sue you for it" in reply(talk, cast.template("answer_call")).text


def test_a_mail_of_nobody_known_cannot_be_answered(account, mail, provider):
    write_back(provider, "Who are you?", sender="eve@example.org")
    assert codes_of(reply(Conversation.objects.get(), cast.template("answer_call"))) == ["no_mail"]


def test_another_agency_sees_no_conversation_and_answers_none(talk, other_agency):
    cast.template("answer_call", name="Call us")
    caller = Caller(other_agency)
    said = {"template": "Call us", "channel": "email"}
    assert caller.get("conversations").json()["items"] == []
    assert caller.post(f"conversations/{talk.pk}/reply", said).status_code == 404
    assert Message.objects.filter(template="mail_reply").count() == 0


def test_a_host_answers_a_mail_by_api(talk, account, mails):
    cast.template("answer_call", name="Call us")
    caller = Caller(account.agency)
    at = f"conversations/{talk.pk}"
    shown = caller.get(at).json()
    assert shown["answers"] == [{"channel": "email", "open": True, "not_before": None, "denials": []}]
    assert [text["channel"] for text in shown["texts"]] == ["email"]
    said = {"template": "Call us", "channel": "email"}
    first = caller.post(f"{at}/reply", said, Idempotency_Key="r1")
    assert first.status_code == 201
    assert caller.post(f"{at}/reply", said, Idempotency_Key="r1").json()["message"] == first.json()["message"]
    assert codes(caller.post(f"{at}/reply", {"template": "Call us"})) == [("/template", "template_unknown")]
    send.drain(now=NOW)
    assert "Please call us on 518-555-0100" in mails()[0]["text"]


def test_a_collector_answers_a_mail_on_the_page(talk, agency, mails):
    version = cast.template("answer_looking")
    page = reverse("admin:campaigns_conversation_change", args=[talk.pk])
    browser = signed_in(member(agency, "collector"))
    assert "answer_looking (e-mail)" in browser.get(page).content.decode()
    assert browser.post(page, {"template": version.pk, "key": "n1"}).status_code == 302
    send.drain(now=NOW)
    assert "we have your message and are looking into it" in mails()[0]["text"]


# After a revocation ---------------------------------------------------------------------------------------------


def test_rf_07_after_a_stop_the_page_says_why_no_answer_may_go_instead_of_the_form(talk, agency, provider, point):
    cast.template("answer_looking")
    write_back(provider, "Stop", sender=point.value)
    page = reverse("admin:campaigns_conversation_change", args=[talk.pk])
    shown = signed_in(member(agency, "collector")).get(page).content.decode()
    assert "No answer may go by e-mail:" in shown
    assert "the consumer stopped messages (RF-07, EML-04)" in shown
    assert 'name="template"' not in shown
    answers = Caller(agency).get(f"conversations/{talk.pk}").json()["answers"]
    assert [(one["channel"], one["open"], one["denials"]) for one in answers] == [
        ("email", False, [{"code": "opted_out", "rules": ["RF-07", "EML-04"]}])
    ]


def test_rf_07_who_stopped_texts_is_still_answered_by_mail_and_with_no_words_for_texts(talk, agency, mobile, texting):
    cast.template("answer_looking")
    cast.template("reply_looking")
    write_in(texting, "STOP")
    page = reverse("admin:campaigns_conversation_change", args=[talk.pk])
    shown = signed_in(member(agency, "collector")).get(page).content.decode()
    assert "No answer may go by text message:" in shown
    assert "answer_looking (e-mail)" in shown
    assert "reply_looking" not in shown


@pytest.mark.parametrize(("words", "said"), [("Stop", "You asked us to stop"), ("No más", "Usted nos pidió que")])
def test_rf_08_a_stop_by_mail_is_confirmed_once_in_its_language_and_says_nothing_else(
    talk,
    account,
    provider,
    point,
    mails,
    words,
    said,
):
    for number in range(2):
        write_back(provider, words, sender=point.value, token=f"{number:012}stop")
    for _look in range(2):
        send.drain(now=NOW)
    (sent,) = mails()
    theirs = InboundMessage.objects.order_by("received_at", "id")[1]
    assert headers_of(sent)["in-reply-to"] == theirs.external_id
    assert said in sent["text"]
    assert "$" not in sent["text"]
    assert account.original_creditor not in sent["text"]
    assert sent["tracking"]["opens"] is False
    assert theirs.answer.template == "email_stopped"
    assert Message.objects.filter(template="email_stopped").count() == 1


def test_rf_08_a_confirmation_that_is_late_is_not_sent_and_doubt_gets_none(talk, provider, point, mails):
    write_back(provider, "I stopped by", sender=point.value, token="doubtdoubtdoubt")
    assert Message.objects.filter(template="email_stopped").count() == 0
    write_back(provider, "Stop emailing me", sender=point.value, token="stopstopstopstop")
    send.drain(now=NOW + dt.timedelta(minutes=5, seconds=1))
    assert mails() == []
    assert Message.objects.get(template="email_stopped").reason == "too_late"


def test_rf_08_a_stop_by_mail_that_staff_write_down_is_confirmed_once(talk, mails):
    said = {"conversation": talk, "wish": "stop", "words": "On the telephone.", "by": "staff:1", "now": NOW}
    assert inbox.revoke(**said) is True
    assert inbox.revoke(**said) is False
    send.drain(now=NOW)
    assert [one["tags"] for one in mails()] == [["answers", "email_stopped"]]


def test_rf_07_what_staff_stop_by_hand_is_what_the_consumer_wrote_from_last(talk, point, mobile, texting, provider):
    said = {"conversation": talk, "wish": "stop", "words": "Enough.", "by": "staff:1"}
    write_in(texting, "Hello?")
    with time_machine.travel(NOW + dt.timedelta(minutes=1), tick=False):
        write_back(provider, "Enough now.", sender=point.value)
        assert inbox.revoke(**said, now=NOW + dt.timedelta(minutes=1)) is True
    point.refresh_from_db()
    mobile.refresh_from_db()
    assert (point.opted_out_at is not None, mobile.opted_out_at) == (True, None)
    with time_machine.travel(NOW + dt.timedelta(minutes=2), tick=False):
        write_in(texting, "One more thing.")
        assert inbox.revoke(**said, now=NOW + dt.timedelta(minutes=2)) is True
    mobile.refresh_from_db()
    assert mobile.opted_out_at is not None
