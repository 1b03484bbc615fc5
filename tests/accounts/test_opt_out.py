"""The link in every message that stops it: no login, no reason, and looking changes nothing (RF-17, EML-02)."""

import pytest

from accounts.models import ContactPoint, Event
from accounts.services.consent import stop_token
from accounts.tenancy import acting_for
from tests.visitor import Visitor, without_tokens


@pytest.fixture
def contact(account, others_account) -> ContactPoint:
    with acting_for(account.agency):
        return ContactPoint.objects.get()


@pytest.fixture
def link(contact) -> str:
    return f"/stop/{stop_token(contact)}/"


@pytest.fixture
def stranger(account) -> Visitor:
    return Visitor(account.agency, enforce_csrf_checks=True)


def stopped(contact) -> tuple[bool, list[str]]:
    with acting_for(contact.agency_id):
        contact.refresh_from_db()
        return contact.opted_out_at is not None, list(Event.objects.values_list("kind", flat=True))


def test_looking_changes_nothing(stranger, link, contact):
    for method in (stranger.get, stranger.head):
        assert method(link).status_code in (200, 405)
    assert stopped(contact) == (False, [])


def test_one_press_stops_the_address_without_login_or_token(stranger, link, contact):
    answer = stranger.post(link, {"List-Unsubscribe": "One-Click"})
    assert answer.status_code == 200
    assert stopped(contact) == (True, ["optout.address"])
    with acting_for(contact.agency_id):
        event = Event.objects.get()
    assert (event.actor, event.data["to"], event.data["source"]) == (
        "consumer:link",
        "j•••@acme.example.com",
        "link",
    )


def test_a_second_press_is_as_good_as_the_first_and_tells_nothing_new(stranger, link, contact):
    stranger.post(link)
    assert "We will stop" in stranger.post(link).content.decode()
    assert "We will stop" in stranger.get(link).content.decode()
    assert stopped(contact) == (True, ["optout.address"])


def test_the_page_shows_neither_the_whole_address_nor_a_debt(stranger, link, contact):
    page = without_tokens(stranger.get(link), link).lower()
    assert "stop" in page
    assert [said for said in (contact.value, "debt", "owe", "balance", "creditor") if said in page] == []


def test_the_link_of_one_agency_is_nothing_at_another(others_account, link, contact):
    assert Visitor(others_account.agency).post(link).status_code == 404
    assert stopped(contact) == (False, [])


@pytest.mark.parametrize("token", ["x", "eyJhIjoxfQ:1abc:zzz"])
def test_a_made_up_link_is_nothing(stranger, token):
    assert stranger.post(f"/stop/{token}/").status_code == 404
