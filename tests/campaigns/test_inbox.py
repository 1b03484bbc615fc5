"""The staff inbox: answered in approved words through the gate, stopped by hand; the same by API (SMS-01, RF-07)."""

import pytest
import time_machine
from django.urls import reverse

from accounts.models import Consent, Event
from accounts.tenancy import acting_for
from campaigns.models import Conversation, Message, TextProvider
from campaigns.services import inbox, links, send, templates, texts
from tests.campaigns import campaign_cast as cast
from tests.campaigns.carrier_program import MOBILE, write_in
from tests.campaigns.conftest import told
from tests.conftest import NOW
from tests.integrations.api_caller import Caller, codes, refusal
from tests.staff import member, signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def clock():
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def talk(account, mobile, texting) -> Conversation:
    """The consumer asked something."""
    write_in(texting, "Can I pay on Friday?")
    return Conversation.objects.select_related("consumer").get()


def reply(talk, version, key="k1"):
    return inbox.reply(conversation=talk, version=version, key=key, by="staff:1", now=NOW)


def codes_of(found) -> list[str]:
    return [one.code for one in found]


def test_a_reply_goes_out_once_in_approved_words_with_the_consumers_own_link(talk, account, went):
    version = cast.template("reply_link")
    made = reply(talk, version)
    assert codes_of(reply(talk, version)) == ["sent_before"]
    send.drain(now=NOW)
    (text,) = went()
    assert text["body"].startswith("Jane, thank you for your text. You find what you asked for on your page with Acme")
    assert text["body"].endswith("Reply STOP to stop. From a debt collector.")
    assert links.follow(links.token_of(made.pk), now=NOW).account == account
    assert texts.HIDDEN_LINK in made.text
    talk.refresh_from_db()
    assert (talk.unread, talk.assigned_to) == (0, "staff:1")
    assert [(line.theirs, line.status) for line in inbox.lines(talk)] == [(True, "nothing"), (False, "sent")]


def test_words_that_are_not_approved_do_not_go_out(talk, went):
    drafted = templates.from_library(key="reply_call", name="draft", client=None, by="staff:1", now=NOW)
    assert codes_of(reply(talk, drafted)) == ["template_unknown"]
    assert codes_of(reply(talk, cast.template("settlement_offer"))) == ["template_unknown"]
    assert codes_of(reply(talk, None)) == ["template_unknown"]
    assert Message.objects.count() == 0


def test_the_gate_says_no_with_its_rules_and_nothing_is_written(talk, texting):
    write_in(texting, "STOP")
    before = Message.objects.count()
    (refused,) = reply(talk, cast.template("reply_call"))
    assert refused.code == "contact_denied"
    assert "opted_out (RF-07" in refused.sentence
    assert Message.objects.count() == before


def test_an_unknown_number_cannot_be_answered(acting, texting):
    write_in(texting, "Who is this?", sender="+15185550777")
    assert codes_of(reply(Conversation.objects.get(), cast.template("reply_call"))) == ["number_unknown"]


@pytest.mark.parametrize(
    ("wish", "stopped", "kind"),
    [("stop", {MOBILE}, "optout.address"), ("medium", {MOBILE}, "optout.medium"), ("cease", {MOBILE, "mail"}, "x")],
)
def test_a_revocation_taken_by_hand_holds_at_once_and_is_confirmed_once(talk, account, went, wish, stopped, kind):
    said = {"conversation": talk, "wish": wish, "words": "Told me on the phone.", "by": "staff:1", "now": NOW}
    assert inbox.revoke(**said) is True
    assert inbox.revoke(**said) is False
    points = account.consumer.contact_points.exclude(opted_out_at=None)
    assert {MOBILE if point.kind == "phone" else "mail" for point in points} == stopped
    line = Consent.objects.filter(kind="text").get()
    assert (line.source, line.wording, line.granted) == ("staff", "Told me on the phone.", False)
    assert Event.objects.filter(kind__startswith="optout").first().actor == "staff:1"
    assert (kind in told()) == (wish != "cease")
    assert ("cease.received" in told()) == (wish == "cease")
    send.drain(now=NOW)
    assert len(went()) == 1


def test_a_revocation_by_hand_says_what_was_asked_in_which_words(talk):
    assert codes_of(inbox.revoke(conversation=talk, wish="x", words=" ", by="staff:1", now=NOW)) == [
        "wish_unknown",
        "words_missing",
    ]
    assert Consent.objects.count() == 0


def test_a_closed_conversation_opens_with_the_next_text(talk, texting):
    inbox.close(conversation=talk, closed=True)
    assert inbox.unread() == 0
    write_in(texting, "HELP")
    talk.refresh_from_db()
    assert talk.status == "closed"
    write_in(texting, "Are you there?")
    talk.refresh_from_db()
    assert (talk.status, talk.unread, inbox.unread()) == ("open", 1, 1)


# On the staff pages ---------------------------------------------------------------------------------------------


def test_a_collector_reads_answers_and_stops_on_the_page(talk, agency, went):
    version = cast.template("reply_looking")
    page = reverse("admin:campaigns_conversation_change", args=[talk.pk])
    browser = signed_in(member(agency, "collector"))
    shown = browser.get(page).content.decode()
    assert "Can I pay on Friday?" in shown
    assert "has your text and is looking into it" in shown
    assert Conversation.objects.get().unread == 0
    assert browser.post(page, {"template": version.pk, "key": "n1"}).status_code == 302
    send.drain(now=NOW)
    assert "is looking into it" in went()[0]["body"]
    stop = reverse("admin:campaigns_conversation_revoke", args=[talk.pk])
    assert browser.post(stop, {"wish": "stop", "words": "No more."}).status_code == 302
    assert Consent.objects.get(kind="text").wording == "No more."
    assert "No more." not in browser.get(reverse("admin:campaigns_conversation_changelist")).content.decode()
    take = reverse("admin:campaigns_conversation_take", args=[talk.pk])
    assert browser.post(take).status_code == 302
    assert Conversation.objects.get().assigned_to.startswith("staff:")


def test_an_auditor_reads_and_answers_nothing(talk, agency):
    version = cast.template("reply_looking")
    page = reverse("admin:campaigns_conversation_change", args=[talk.pk])
    browser = signed_in(member(agency, "auditor"))
    assert "Can I pay on Friday?" in browser.get(page).content.decode()
    assert browser.post(page, {"template": version.pk, "key": "n1"}).status_code == 403
    assert Message.objects.count() == 0
    assert Conversation.objects.get().unread == 1


# By API ---------------------------------------------------------------------------------------------------------


def test_a_host_reads_answers_closes_and_stops_by_api(talk, account, went):
    cast.template("reply_call", name="Call us")
    caller = Caller(account.agency)
    (row,) = caller.get("conversations?status=open").json()["items"]
    assert (row["consumer"], row["account"], row["unread"]) == (str(account.consumer_id), str(account.pk), 1)
    assert [(text["from_consumer"], text["text"]) for text in row["texts"]] == [(True, "Can I pay on Friday?")]
    at = f"conversations/{row['id']}"
    first = caller.post(f"{at}/reply", {"template": "Call us"}, Idempotency_Key="r1")
    assert first.status_code == 201
    again = caller.post(f"{at}/reply", {"template": "Call us"}, Idempotency_Key="r1")
    assert again.json()["message"] == first.json()["message"]
    assert codes(caller.post(f"{at}/reply", {"template": "none"})) == [("/template", "template_unknown")]
    send.drain(now=NOW)
    assert [text["body"][:29] for text in went()] == ["Jane, thank you for your text"]
    put = caller.put(at, {"status": "closed", "assigned_to": "desk 4"})
    assert (put.json()["status"], put.json()["assigned_to"]) == ("closed", "desk 4")
    said = {"wish": "medium", "words": "No more texts please."}
    assert caller.post(f"{at}/revocation", said).json() == {"new": True}
    assert caller.post(f"{at}/revocation", said).json() == {"new": False}
    assert Consent.objects.get(kind="text").wording == "No more texts please."


def test_a_carrier_is_set_up_by_api_and_its_keys_are_never_told(account, other_agency):
    caller = Caller(account.agency)
    assert caller.get("text-provider").json()["standing"] == "none"
    said = {
        "name": "Carrier",
        "backend": "twilio",
        "account": "AC1",
        "number": "+15185550100",
        "per_second": 3,
        "keywords": "portal",
        "third_party": True,
    }
    assert refusal(caller.put("text-provider", said)) == (422, "refused")
    keys = {"token": "very secret", "signing_key": "as secret"}
    made = caller.put("text-provider", said | keys).json()
    assert (made["standing"], made["number"]) == ("forbidden", "+15185550100")
    more = {"permit": "Letter of May 2", "registration": "CM1", "approved_on": "2026-06-01"}
    assert caller.put("text-provider", said | more).json()["standing"] == "ready"
    assert "secret" not in caller.get("text-provider").content.decode()
    assert codes(caller.put("text-provider", said | {"number": "5185550100"})) == [("/number", "invalid")]
    with acting_for(account.agency):
        row = TextProvider.objects.get()
        assert (row.token, row.signing_key, row.number) == ("very secret", "as secret", "+15185550100")
    assert Caller(other_agency).get("text-provider").json()["standing"] == "none"
