"""One mailbox is one, for whoever of an agency it is listed: what stops it stops it for each (RF-07, RF-17, EML-02)."""

import datetime as dt

import msgspec
import pytest

from accounts.models import Account, Consent, Consumer, ContactPoint, Event, Suppression
from accounts.services import consent, streams
from accounts.tenancy import acting_for
from campaigns.models import Conversation, InboundMessage, Message
from campaigns.services import gate, inbox, track
from campaigns.services.gate import Asked
from tests.accounts.test_place import ADA, MAIL, newer, place, placement
from tests.campaigns.test_hear_mail import write_back
from tests.campaigns.test_track import BOUNCE, post, signed
from tests.conftest import NOW, make_account
from tests.visitor import Visitor

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    monkeypatch.setattr("accounts.clock.now", lambda: NOW)


def second(agency, value: str, **values) -> Account:
    """Make an account of one more consumer with this address; nothing says that it is the same person."""
    with acting_for(agency):
        consumer = Consumer.objects.create(
            first_name="Jane", last_name="Doe", last_name_key="DOE", ssn4_index="", state="NY", zip="12207"
        )
        ContactPoint.objects.create(consumer=consumer, kind="email", value=value, value_key=value, route="consumer")
        return make_account(agency, consumer=consumer, **{"reference": "200"} | values)


@pytest.fixture
def twin(account, point) -> Account:
    return second(account.agency, point.value)


@pytest.fixture
def elsewhere(others_account, point) -> Account:
    """The same address at another agency."""
    return second(others_account.agency, point.value)


def denied(account, purpose="notice", channel="email") -> list[str]:
    with acting_for(account.agency):
        kind = "email" if channel == "email" else "phone"
        point = account.consumer.contact_points.filter(kind=kind).first()
        asked = Asked(channel=channel, purpose=purpose, consumer=account.consumer, account=account, point=point)
        ((_facts, said),) = gate.judge([asked], now=NOW)
        return [one.code for one in said.denials]


def happened(kind: str) -> set:
    return set(Event.objects.filter(kind=kind).values_list("consumer_id", flat=True))


def test_one_click_stops_the_address_for_everyone_and_each_ledger_says_so_once(account, twin, elsewhere, point):
    everyone = {account.consumer_id, twin.consumer_id}
    assert denied(account) == denied(twin) == denied(elsewhere) == []
    for _time in range(2):
        Visitor(account.agency).post(f"/stop/{consent.stop_token(point)}/", {"List-Unsubscribe": "One-Click"})
    assert denied(account) == denied(twin) == ["opted_out"]
    assert denied(elsewhere) == []
    lines = Consent.objects.filter(kind="email", granted=False, source="link")
    assert sorted(lines.values_list("consumer_id", flat=True)) == sorted(everyone)
    assert {line.contact_point.value for line in lines} == {point.value}
    assert (happened("optout.address"), Event.objects.filter(kind="optout.address").count()) == (everyone, 2)


def test_what_was_said_earlier_comes_into_anothers_ledger_as_of_now(account, twin, point):
    earlier = NOW - dt.timedelta(hours=1)
    consent.opt_out(contact_point=point, scope="address", source="host:letter", said_at=earlier, now=NOW)
    lines = dict(Consent.objects.values_list("consumer_id", "at"))
    assert lines == {account.consumer_id: earlier, twin.consumer_id: NOW}


def test_less_than_everything_is_less_for_everyone_eml_06(account, twin, elsewhere, point):
    for _time in range(2):
        Visitor(account.agency).post(f"/stop/{consent.stop_token(point)}/", {"scope": "campaigns"})
    assert ("stream_stopped" in denied(twin, "campaign"), denied(twin)) == (True, [])
    assert "stream_stopped" not in denied(elsewhere, "campaign")
    assert happened("optout.stream") == {account.consumer_id, twin.consumer_id}
    assert Suppression.objects.count() == 2


def test_who_stops_the_medium_stops_each_of_their_addresses_and_nobody_elses_medium(account, twin, elsewhere, point):
    mine = {"kind": "email", "value": "jane@work.example.com", "value_key": "jane@work.example.com"}
    own = ContactPoint.objects.create(consumer=account.consumer, route="consumer", **mine)
    shared = second(account.agency, own.value, reference="300")
    theirs = second(account.agency, "jo@mail.example.com", reference="400")
    Visitor(account.agency).post(f"/stop/{consent.stop_token(point)}/", {"scope": "medium"})
    assert denied(twin) == denied(shared) == ["opted_out"]
    assert denied(theirs) == denied(elsewhere) == []
    assert [line.contact_point for line in Consent.objects.filter(consumer=account.consumer)] == [None]
    assert not consent.medium_stopped(twin.consumer_id, "email")


def test_a_stop_by_mail_holds_for_everyone_also_where_nobody_knows_who_wrote(account, twin, elsewhere, point, provider):
    write_back(provider, "Stop", sender=point.value)
    row = InboundMessage.objects.get()
    assert (row.consumer, row.wish, row.outcome) == (None, "stop", "stopped")
    assert denied(account) == denied(twin) == ["opted_out"]
    assert denied(elsewhere) == []
    assert Message.objects.count() == 0
    assert set(Consent.objects.values_list("wording", "source")) == {("Stop", "reply")}


def test_a_stop_that_answers_one_of_them_holds_for_both(account, twin, point, mail, provider):
    write_back(provider, "Stop", sender=point.value, answers=mail.provider_id)
    assert InboundMessage.objects.get().consumer == account.consumer
    assert denied(account) == denied(twin) == ["opted_out"]
    assert Message.objects.filter(template="email_stopped").count() == 1


def test_rf_06_not_to_write_at_all_is_heard_of_everyone_who_may_have_said_it(account, twin, elsewhere, point, provider):
    write_back(provider, "Stop contacting me", sender=point.value)
    for one in (account, twin):
        assert "status_cease" in denied(one, "campaign")
        assert consent.medium_stopped(one.consumer_id, "email")
    assert "status_cease" not in denied(elsewhere, "campaign")
    assert happened("cease.received") == {account.consumer_id, twin.consumer_id}


def test_an_address_that_no_host_lists_any_more_is_stopped_all_the_same(account, twin, point, provider):
    ContactPoint.objects.filter(consumer=twin.consumer).update(removed_at=NOW)
    write_back(provider, "Stop", sender=point.value)
    assert InboundMessage.objects.get().consumer == account.consumer
    assert set(ContactPoint.objects.values_list("opted_out_at", flat=True)) == {NOW}


@pytest.mark.parametrize(("event", "more"), [("complained", {}), ("failed", BOUNCE)])
def test_eml_05_a_complaint_and_a_hard_bounce_give_the_address_up_for_everyone(
    account, twin, elsewhere, mail, provider, event, more
):
    assert post(provider, signed(provider, mail, event, **more)).status_code == 200
    track.apply(now=NOW)
    assert denied(account) == denied(twin) == ["bad_address"]
    assert denied(elsewhere) == []


def test_unsubscribing_at_the_provider_holds_for_everyone(account, twin, elsewhere, mail, provider):
    assert post(provider, signed(provider, mail, "unsubscribed")).status_code == 200
    track.apply(now=NOW)
    assert denied(account) == denied(twin) == ["opted_out"]
    assert denied(elsewhere) == []


def test_staff_stop_by_hand_what_several_may_have_written_from(account, twin, elsewhere, point, provider):
    write_back(provider, "Enough now.", sender=point.value)
    talk = Conversation.objects.get()
    assert (talk.consumer, denied(account)) == (None, [])
    assert inbox.revoke(conversation=talk, wish="stop", words="Enough now.", by="staff:1", now=NOW) is True
    assert denied(account) == denied(twin) == ["opted_out"]
    assert denied(elsewhere) == []


# A host that links anew -----------------------------------------------------------------------------------------


def opts_out(point):
    consent.opt_out(contact_point=point, scope="address", source="link", now=NOW)


def complains(point):
    track.given_up(point, reason="complained", at=NOW, now=NOW)


def wants_no_offers(point):
    streams.stop(contact_point=point, stream="campaigns", source="link", words="No offers.", now=NOW)


@pytest.mark.parametrize(
    ("happens", "purpose", "code"),
    [
        (opts_out, "notice", "opted_out"),
        (complains, "notice", "bad_address"),
        (wants_no_offers, "campaign", "stream_stopped"),
    ],
)
def test_accounts_that_a_host_takes_apart_open_no_address_again(acting, other_agency, happens, purpose, code):
    bob = msgspec.structs.replace(ADA, host_consumer_id="B-0002", first_name="Bob", ssn="900990002")
    place(placement("1"), placement("2"), now=NOW)
    happens(ContactPoint.objects.get(kind="email"))
    place(newer(placement("2"), person=bob), placement("3", person=bob), now=NOW)
    assert place(newer(newer(placement("1")), contacts=()), now=NOW) == ["updated"]
    first, apart, third = Account.objects.order_by("reference")
    assert apart.consumer == third.consumer != first.consumer
    assert code in denied(apart, purpose)
    assert ContactPoint.objects.filter(kind="phone", opted_out_at=None, bad_at=None).count() == 2
    with acting_for(other_agency):
        place(placement("1"), now=NOW)
        assert code not in denied(Account.objects.get(), purpose)
        assert Suppression.objects.count() == 0


def test_what_was_said_about_offers_goes_with_the_address_and_is_written_once(acting):
    place(placement("1"), now=NOW)
    wants_no_offers(ContactPoint.objects.get(kind="email"))
    bob = msgspec.structs.replace(ADA, host_consumer_id="B-0002", first_name="Bob", ssn="900990002")
    for told in (placement("2", person=bob), newer(placement("2", person=bob), contacts=(MAIL,))):
        place(told, now=NOW)
    said = Suppression.objects.order_by("pk").values_list("stream", "source", "words", "at")
    assert list(said) == [("campaigns", "link", "No offers.", NOW)] * 2


def test_a_chunk_of_new_addresses_is_compared_with_what_stands_by_one_question(acting, django_assert_max_num_queries):
    place(placement("1"), now=NOW)
    opts_out(ContactPoint.objects.get(kind="email"))
    people = [msgspec.structs.replace(ADA, host_consumer_id=str(n), ssn="") for n in range(100)]
    with django_assert_max_num_queries(24):
        place(*(placement(f"2{n:03}", person=one) for n, one in enumerate(people)), now=NOW)
    assert ContactPoint.objects.filter(kind="email", opted_out_at=NOW).count() == 101
