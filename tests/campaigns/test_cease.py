"""RF-06, RF-07: "do not contact me in any way" ends what we send for ourselves, by whom and how it is written down."""

import pytest

from accounts.models import Account, Consumer
from accounts.tenancy import acting_for
from campaigns.models import Conversation, InboundMessage
from campaigns.services import gate, inbox
from campaigns.services.gate import Asked
from tests.campaigns.carrier_program import MOBILE, write_in
from tests.campaigns.conftest import make_mobile
from tests.campaigns.test_hear_mail import write_back
from tests.conftest import NOW, make_account
from tests.integrations.api_caller import Caller

pytestmark = pytest.mark.django_db
ALLOWED = ("service", "notice", "receipt")
"""What a cease lets through: it answers the consumer, or the law wants it sent (accounts/statuses.py)."""


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    monkeypatch.setattr("accounts.clock.now", lambda: NOW)


@pytest.fixture
def talk(account, mobile, mail, point, provider, texting) -> Conversation:
    """The consumer wrote by e-mail; their number may be texted."""
    write_back(provider, "Enough now.", sender=point.value, answers=mail.provider_id)
    return Conversation.objects.select_related("consumer").get()


@pytest.fixture
def sharer(account, mobile) -> Account:
    """Somebody else with the same number."""
    consumer = Consumer.objects.create(first_name="Jo", last_name="Roe", last_name_key="ROE", ssn4_index="", state="NY")
    make_mobile(consumer)
    return make_account(account.agency, consumer=consumer, reference="200")


def denied(account, channel: str, purpose: str) -> set[tuple[str, str]]:
    with acting_for(account.agency):
        kind = "email" if channel == "email" else "phone"
        point = account.consumer.contact_points.filter(kind=kind).first()
        asked = Asked(channel=channel, purpose=purpose, consumer=account.consumer, account=account, point=point)
        ((_facts, said),) = gate.judge([asked], now=NOW)
        return {(one.code, one.rules[0]) for one in said.denials}


def ceased(account, channel: str) -> bool:
    return ("status_cease", "RF-06") in denied(account, channel, "campaign")


def write_down(talk, wish: str) -> bool:
    return inbox.revoke(conversation=talk, wish=wish, words="Leave me alone altogether.", by="staff:1", now=NOW)


def test_a_cease_that_staff_write_down_ends_texts_and_calls_too(talk, account):
    assert [denied(account, "text", purpose) for purpose in ALLOWED] == [set(), set(), set()]
    assert not any(ceased(account, channel) for channel in ("email", "text", "call"))
    assert write_down(talk, "cease") is True
    assert all(ceased(account, channel) for channel in ("email", "text", "call"))
    assert [denied(account, "text", purpose) for purpose in ALLOWED] == [set(), set(), set()]


def test_a_cease_that_a_host_writes_down_is_the_answer_of_the_next_permission(talk, account, others_account):
    caller, call = Caller(account.agency), {"account": str(account.pk), "channel": "call"}
    assert "status_cease" not in str(caller.post("contact-permission", call).json()["denials"])
    said = {"wish": "cease", "words": "Do not contact me in any way."}
    assert caller.post(f"conversations/{talk.pk}/revocation", said).json() == {"new": True}
    answer = caller.post("contact-permission", call).json()
    assert answer["allowed"] is False
    assert {"code": "status_cease", "rules": ["RF-06"]} in answer["denials"]
    theirs = Caller(others_account.agency).post(
        "contact-permission", {"account": str(others_account.pk), "channel": "call"}
    )
    assert "status_cease" not in str(theirs.json()["denials"])


def test_a_cease_does_not_open_receipts_that_the_status_forbids_sts_01(talk, account):
    account.status = "bankruptcy"
    account.save()
    write_down(talk, "cease")
    assert ("status_bankruptcy", "STS-01") in denied(account, "text", "receipt")
    assert ("status_bankruptcy", "STS-01") in denied(account, "text", "campaign")


@pytest.mark.parametrize("wish", ["stop", "medium", "cease"])
def test_what_is_written_down_about_a_shared_number_holds_for_who_shares_it(account, sharer, texting, wish):
    write_in(texting, "Hello?")
    talk = Conversation.objects.get()
    assert write_down(talk, wish) is True
    assert write_down(talk, wish) is False
    for one in (account, sharer):
        assert ("opted_out", "RF-07") in denied(one, "text", "campaign")
        assert ceased(one, "call") == (wish == "cease")


def test_a_cease_from_a_shared_number_is_one_of_everybody_who_may_have_said_it(account, sharer, texting):
    write_in(texting, "Do not contact me.", sender=MOBILE)
    assert (InboundMessage.objects.get().consumer, InboundMessage.objects.get().wish) == (None, "cease")
    assert ceased(account, "call")
    assert ceased(sharer, "call")
