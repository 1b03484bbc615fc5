"""SOL-01: a text about a debt too old to sue for says so in the text itself, or does not go."""

import pytest
from django.utils.translation import gettext, override

from accounts.models import Account, Consumer
from campaigns.models import ContactDecision, Message
from campaigns.rules.linter import Words
from campaigns.services import inbox, letters, send, templates, texts
from campaigns.services.letters import AGE_NOTICE
from tests.campaigns import campaign_cast as cast
from tests.campaigns.carrier_program import write_in
from tests.campaigns.conftest import make_mobile
from tests.conftest import NOW

pytestmark = pytest.mark.django_db
LONG = "{first_name}, {agency} has a message for you: {link} Reply STOP to stop. "
LONG += "We are here on every day of the week from morning to evening and take as much time as you need. " * 3


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    monkeypatch.setattr("accounts.clock.now", lambda: NOW)


@pytest.fixture
def crowd(acting, agency, texting, others_account) -> list[Account]:
    """Three debts: surely in time, expired, and one of New York of which nobody knows."""
    people = cast.people(agency, 3)
    for number, account in enumerate(people):
        make_mobile(account.consumer, number=f"+1215555020{number}")
    for account, status, on in zip(
        people, ("live", "expired", "live"), ("2030-01-01", "2020-01-01", None), strict=True
    ):
        Account.objects.filter(pk=account.pk).update(sol_status=status, sol_on=on)
    Account.objects.filter(pk=people[2].pk).update(sol_status="")
    Consumer.objects.filter(pk=people[2].consumer_id).update(state="NY", zip="12207")
    return people


def long_one():
    words = {"en": Words(body=LONG), "es": Words(body=LONG)}
    version = templates.start(
        name="Long", kind="reminder", channel="text", client=None, words=words, by=cast.AUTHOR, now=NOW
    )
    assert templates.publish(version=version, by=cast.AUTHOR, now=NOW) == []
    return version


def test_sol_01_the_notice_stands_in_the_texts_about_old_debts_only(crowd, went):
    cast.run(cast.approved(version=cast.template("settlement_text"), channel="text"))
    bodies = {text["recipient"]: text["body"] for text in went()}
    assert [AGE_NOTICE in bodies[f"+1215555020{number}"] for number in range(3)] == [False, True, True]
    assert all(letters.has_room(body) for body in bodies.values())


def test_sol_01_a_text_without_room_for_the_notice_is_held_with_the_rule_and_the_others_go(crowd, went):
    campaign = cast.run(cast.approved(version=long_one(), channel="text"))
    assert [text["recipient"] for text in went()] == ["+12155550200"]
    reasons = dict(campaign.recipients.values_list("account_id", "reason"))
    assert reasons == {crowd[0].pk: "", crowd[1].pk: "age_notice_no_room", crowd[2].pk: "age_notice_no_room"}
    denied = ContactDecision.objects.filter(allowed=False)
    assert {one.account_id: one.denials for one in denied} == {
        account.pk: [{"code": "age_notice_no_room", "rules": ["SOL-01", "SMS-09"]}] for account in crowd[1:]
    }


def test_sol_01_a_reply_from_the_inbox_carries_the_notice_or_is_refused(crowd, texting, went):
    write_in(texting, "What is this about?", sender="+12155550201")
    talk = crowd[1].consumer.conversations.get()
    assert inbox.account_of(talk) == crowd[1]
    said = {"conversation": talk, "key": "k", "by": "staff:1", "now": NOW}
    (refused,) = inbox.reply(version=long_one(), **said)
    assert (refused.code, refused.params["rule"]) == ("age_notice_no_room", "SOL-01")
    assert Message.objects.count() == 0
    assert AGE_NOTICE in inbox.reply(version=cast.template("reply_call"), **said).text


def test_the_spanish_notice_needs_no_signs_that_make_texts_short(acting):
    from campaigns.rules.segments import measure

    with override("es"):
        spoken = gettext(AGE_NOTICE)
    assert spoken != AGE_NOTICE
    assert measure(spoken).alphabet == "GSM-7"


@pytest.mark.parametrize(("number", "words", "said"), [(0, "PAY", False), (1, "PAY", True), (2, "PAGAR", True)])
def test_sol_01_the_link_that_pay_brings_carries_the_notice_of_an_old_debt(crowd, texting, went, number, words, said):
    write_in(texting, words, sender=f"+1215555020{number}")
    send.drain(now=NOW)
    (text,) = went()
    with override("es" if words == "PAGAR" else "en"):
        assert (gettext(AGE_NOTICE) in text["body"]) is said
    assert letters.has_room(text["body"])


def test_sol_01_where_the_notice_has_no_room_the_link_stays_here_and_a_person_looks(crowd, agency, texting, went):
    type(agency).objects.filter(pk=agency.pk).update(name="Łódź Recovery")
    write_in(texting, "PAY", sender="+12155550201")
    send.drain(now=NOW)
    assert went() == []
    (message,) = Message.objects.all()
    assert (message.status, message.reason) == ("held", "age_notice_no_room")
    talk = crowd[1].consumer.conversations.get()
    assert (talk.inbound.get().outcome, talk.unread) == ("not_sent", 1)


def test_sol_01_a_prepared_payment_told_by_text_carries_the_notice_too(crowd, agency, acting):
    facts = {"url": "https://acme.example.com/prepared/1/", "day": "December 4, 2026"}
    for number, account in enumerate(crowd):
        account.refresh_from_db()
        point = account.consumer.contact_points.get(kind="phone")
        made = texts.queue(
            template="text_prepared", consumer=account.consumer, contact_point=point, account=account,
            cause=f"link:{number}", language="en", facts=facts, now=NOW,
        )  # fmt: skip
        assert (AGE_NOTICE in made.text) is (number > 0)
