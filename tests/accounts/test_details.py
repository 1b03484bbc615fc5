"""Your details: addresses as we know them, a new one, one taken away, and letters instead of e-mail."""

import datetime as dt

import msgspec
import pytest
import time_machine

from accounts.models import Code, Consent, Consumer, ContactPoint, Event
from accounts.placement import Contact
from accounts.services import codes, consent, contacts, streams
from accounts.services.place import place_accounts
from accounts.tenancy import acting_for
from tests.accounts.test_place import ADA, placement
from tests.conftest import NOW
from tests.visitor import Visitor

NEW = "Kim.New@mail.example.com"


@pytest.fixture
def clock():
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def visitor(account, others_account, clock) -> Visitor:
    return Visitor(account.agency).sign_in(account, level=2)


@pytest.fixture
def sure(visitor, clock) -> Visitor:
    """A minute on, so that the next code is not too soon."""
    clock.shift(60)
    return visitor


def words(page) -> str:
    return " ".join(page.content.decode().split())


def add(visitor: Visitor, address: str = NEW, **values):
    with visitor.catching_mail():
        return visitor.post(
            "/details/", {"action": "add", "email": address, "version": contacts.EMAIL_VERSION} | values
        )


def confirm(visitor: Visitor, **values):
    code = visitor.mail[-1][1]
    return visitor.post("/details/", {"action": "verify", "code": code, "version": contacts.EMAIL_VERSION} | values)


def remove(visitor: Visitor, point: ContactPoint):
    return visitor.post("/details/", {"action": "remove", "contact": str(point.pk)})


def points(visitor: Visitor) -> dict[str, ContactPoint]:
    with acting_for(visitor.agency):
        return {point.value: point for point in ContactPoint.objects.all()}


def told(visitor: Visitor) -> list[dict]:
    with acting_for(visitor.agency):
        return list(Event.objects.filter(kind="consumer.contact_changed").values_list("data", flat=True))


def listed(account, *addresses: str) -> None:
    """Have the host push the account with these addresses."""
    jane = msgspec.structs.replace(ADA, first_name="Jane", last_name="Doe", host_consumer_id="", ssn="", dob="")
    told = placement(account.reference, person=jane, contacts=tuple(Contact("email", one, one) for one in addresses))
    with acting_for(account.agency):
        moved = msgspec.structs.replace(told, as_of=NOW + dt.timedelta(minutes=5))
        (outcome,) = place_accounts(connection_id=account.connection_id, placements=[moved], now=NOW)
    assert outcome.applied


def agree(visitor: Visitor, value: str) -> None:
    with acting_for(visitor.agency):
        point = ContactPoint.objects.get(value=value)
        granted = {"kind": "esign", "granted": True, "demonstrated": True, "version": consent.ESIGN_VERSION}
        Consent.objects.create(consumer=point.consumer, contact_point=point, source="page", at=NOW, **granted)


def test_known_addresses_are_masked_and_say_what_goes_there(sure, account):
    with acting_for(account.agency):
        of = {"consumer": account.consumer, "position": 1}
        ContactPoint.objects.create(kind="phone", value="5185550134", value_key="5185550134", textable=True, **of)
        ContactPoint.objects.create(kind="email", value="j@bad.example.com", value_key="j@bad", bad_at=NOW, **of)
        ContactPoint.objects.create(kind="email", value="j@off.example.com", value_key="j@off", opted_out_at=NOW, **of)
    page = words(sure.get("/details/"))
    assert [one for one in ("jane@", "5185550134") if one in page] == []
    assert page.count("Notices and receipts go here") == 1
    for said in ("j•••@acme.example.com", "••• ••• 0134", "Not working: our emails", "You stopped messages to this"):
        assert said in page


def test_the_page_says_beside_the_field_what_the_address_may_be_used_for(sure):
    page = words(sure.get("/details/"))
    assert 'aria-describedby="id_email_helptext"' in page
    assert "Acme Recovery LLC may use this address to write to you about your debt." in page


def test_a_typed_address_counts_for_nothing_until_its_code_comes_back(sure, account):
    assert add(sure).status_code == 302
    point = points(sure)[NEW]
    assert sure.mail[-1][0].contact_point_id == point.pk
    assert f"<strong>{NEW}</strong>" in words(sure.get("/details/"))
    with acting_for(sure.agency):
        in_two_days = NOW + dt.timedelta(days=2)
        assert contacts.emails(account.consumer) == [points(sure)["jane@acme.example.com"]]
        assert point not in codes.contacts_for_codes(account.consumer, now=in_two_days)
        assert contacts.blocked(point) == "unconfirmed"
        assert not Consent.objects.exists()
    assert told(sure) == []


def test_the_code_takes_it_into_use_with_the_wording_kept_and_the_host_told(sure):
    add(sure)
    assert "done=added" in confirm(sure)["Location"]
    point = points(sure)[NEW]
    assert (point.route, point.source, contacts.blocked(point)) == ("consumer", "consumer", "")
    with acting_for(sure.agency):
        agreed = Consent.objects.get()
        assert (agreed.kind, agreed.granted, agreed.version) == ("email", True, contacts.EMAIL_VERSION)
        assert agreed.wording == contacts.wording(sure.agency)
        assert (agreed.contact_point_id, agreed.ip) == (point.pk, "127.0.0.1")
    assert told(sure) == [
        {
            "v": 1,
            "change": "email_added",
            "contact_point": str(point.pk),
            "kind": "email",
            "new": "K•••@mail.example.com",
            "old": "j•••@acme.example.com",
            "address": NEW,
        }
    ]
    assert NEW in words(sure.get("/details/"))


def test_a_new_address_gets_no_sign_in_code_for_24_hours(sure, account):
    add(sure)
    confirm(sure)
    with acting_for(sure.agency):
        at = points(sure)[NEW].code_usable_from
        assert at - NOW == dt.timedelta(hours=24, seconds=60)
        early, late = at - dt.timedelta(seconds=1), at
        assert [one.value for one in codes.contacts_for_codes(account.consumer, now=early)] == ["jane@acme.example.com"]
        assert NEW in [one.value for one in codes.contacts_for_codes(account.consumer, now=late)]
    assert "Codes can go here from" in words(sure.get("/details/"))


@pytest.mark.parametrize("values", [{"version": ""}, {"version": "2020-01"}, {"email": "x"}, {"email": ""}])
def test_an_unreadable_address_or_one_without_the_current_wording_writes_nothing(sure, values):
    before = len(sure.mail)
    assert add(sure, **values).status_code == 422
    assert (len(sure.mail), list(points(sure))) == (before, ["jane@acme.example.com"])


def test_an_address_in_use_is_refused_and_one_too_soon_leaves_no_row(sure):
    page = add(sure, "JANE@acme.example.com")
    assert (page.status_code, "We already have this address." in words(page)) == (422, True)
    add(sure)
    page = add(sure, "other@mail.example.com")
    assert (page.status_code, "Please wait 31 seconds" in words(page)) == (422, True)
    assert sorted(points(sure)) == [NEW, "jane@acme.example.com"]


def test_a_wrong_code_costs_a_try_and_takes_nothing_into_use(sure):
    add(sure)
    page = confirm(sure, code=f"{(int(sure.mail[-1][1]) + 1) % 10**6:06d}")
    assert (page.status_code, "You have 4 more tries." in words(page)) == (422, True)
    with acting_for(sure.agency):
        assert (Code.objects.get(purpose="contact").tries, Consent.objects.count()) == (1, 0)
    assert confirm(sure, version="2020-01").status_code == 422
    assert (points(sure)[NEW].unconfirmed, told(sure)) == (True, [])


def test_a_sign_in_code_does_not_confirm_an_address(sure):
    stepped_up_with = sure.mail[-1][1]
    add(sure)
    if stepped_up_with != sure.mail[-1][1]:
        assert confirm(sure, code=stepped_up_with).status_code == 422
    assert points(sure)[NEW].unconfirmed


def test_typing_it_again_is_how_the_consumer_undoes_an_opt_out(sure, account):
    with acting_for(sure.agency):
        ContactPoint.objects.update(opted_out_at=NOW)
    assert add(sure, "jane@acme.example.com").status_code == 302
    assert points(sure)["jane@acme.example.com"].opted_out_at == NOW
    confirm(sure)
    point = points(sure)["jane@acme.example.com"]
    assert (point.opted_out_at, point.code_usable_from) == (None, None)


def test_an_address_that_somebody_else_of_the_agency_stopped_is_stopped_until_its_code_comes_back(sure, account):
    with acting_for(sure.agency):
        other = Consumer.objects.create(last_name="Roe", last_name_key="ROE")
        theirs = ContactPoint.objects.create(consumer=other, kind="email", value=NEW, value_key=NEW.lower())
        consent.opt_out(contact_point=theirs, scope="address", source="link", now=NOW)
        streams.stop(contact_point=theirs, stream="campaigns", source="link", now=NOW)
    add(sure)
    with acting_for(sure.agency):
        mine = ContactPoint.objects.get(consumer=account.consumer, value=NEW)
        assert (mine.opted_out_at, streams.stopped({mine.pk})) == (NOW, {mine.pk: {"campaigns"}})
    confirm(sure)
    with acting_for(sure.agency):
        mine.refresh_from_db()
        theirs.refresh_from_db()
        assert (mine.opted_out_at, theirs.opted_out_at) == (None, NOW)
        assert streams.stopped({mine.pk, theirs.pk}) == {theirs.pk: {"campaigns"}}


def test_the_last_address_for_codes_or_notices_stays(sure):
    jane = points(sure)["jane@acme.example.com"]
    assert remove(sure, jane).status_code == 422
    add(sure)
    confirm(sure)
    page = remove(sure, jane)
    assert (page.status_code, "This address must stay for now" in words(page)) == (422, True)
    assert points(sure)["jane@acme.example.com"].removed_at is None
    assert [one["change"] for one in told(sure)] == ["email_added"]


def test_a_removed_address_is_gone_even_when_the_host_goes_on_listing_it(sure, account):
    add(sure)
    confirm(sure)
    with acting_for(sure.agency):
        ContactPoint.objects.filter(value=NEW).update(code_usable_from=NOW)
    jane = points(sure)["jane@acme.example.com"]
    assert "done=removed" in remove(sure, jane)["Location"]
    assert told(sure)[-1]["old"] == "j•••@acme.example.com"
    listed(account, "jane@acme.example.com")
    assert points(sure)["jane@acme.example.com"].removed_at is not None
    assert "j•••@acme" not in words(sure.get("/details/"))


def test_a_host_that_does_not_list_a_typed_address_does_not_take_it_away(sure, account):
    add(sure)
    confirm(sure)
    listed(account, "someone.else@host.example.com")
    point = points(sure)[NEW]
    assert (point.removed_at, point.route) == (None, "consumer")


def test_the_address_of_the_agreement_stays_until_the_agreement_is_taken_back(sure, account):
    add(sure)
    confirm(sure)
    with acting_for(sure.agency):
        ContactPoint.objects.filter(value=NEW).update(code_usable_from=NOW)
    agree(sure, "jane@acme.example.com")
    jane = points(sure)["jane@acme.example.com"]
    assert remove(sure, jane).status_code == 422
    assert "You agreed to get required notices by email on" in words(sure.get("/details/"))
    page = sure.follow(sure.post("/details/", {"action": "withdraw"}))
    assert "From now on required notices come by letter." in words(page)
    with acting_for(sure.agency):
        assert consent.esign_live(account.consumer) is None
        assert Consent.objects.filter(kind="esign").order_by("at").last().ip == "127.0.0.1"
        assert Event.objects.filter(kind="esign.withdrawn").count() == 1
    assert remove(sure, jane).status_code == 302


def test_taking_back_what_was_not_given_writes_nothing(sure):
    assert sure.post("/details/", {"action": "withdraw"}).status_code == 302
    with acting_for(sure.agency):
        assert (Consent.objects.count(), Event.objects.filter(kind="esign.withdrawn").count()) == (0, 0)


def test_an_address_of_another_agency_is_not_there_to_remove(sure, others_account):
    with acting_for(others_account.agency):
        theirs = ContactPoint.objects.get()
    assert remove(sure, theirs).status_code == 302
    with acting_for(others_account.agency):
        theirs.refresh_from_db()
        assert (theirs.removed_at, theirs.source, Event.objects.count()) == (None, "host", 0)


@pytest.mark.parametrize("action", ["add", "remove", "withdraw"])
def test_level_1_changes_nothing(account, clock, action):
    visitor = Visitor(account.agency).sign_in(account)
    sent = {"action": action, "email": NEW, "version": contacts.EMAIL_VERSION}
    answer = visitor.post("/details/", sent | {"contact": str(points(visitor)["jane@acme.example.com"].pk)})
    assert (answer.status_code, answer["X-Refusal"]) == (403, "step_up_required")
    assert (list(points(visitor)), told(visitor)) == (["jane@acme.example.com"], [])
