"""The step from level 1 to level 2: a six-digit code to an address we already know (AUTH-07, AUTH-08, AUTH-09)."""

import datetime as dt
from unittest import mock

import pytest
import time_machine
from django.db import OperationalError

from accounts.crypto import blind_index
from accounts.models import Code, Consumer, ContactPoint, Event, Visit
from accounts.services import codes, visits
from accounts.tenancy import acting_for
from tests.conftest import NOW, make_account
from tests.visitor import Visitor


@pytest.fixture
def clock():
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def visitor(account, others_account, clock) -> Visitor:
    return Visitor(account.agency).sign_in(account)


@pytest.fixture
def contact(account) -> ContactPoint:
    with acting_for(account.agency):
        return ContactPoint.objects.get()


def verify(visitor: Visitor, text: str):
    return visitor.post("/code/", {"action": "verify", "code": text, "next": "/home/"})


def wrong(visitor: Visitor) -> str:
    return f"{(int(visitor.mail[-1][1]) + 1) % 10**6:06d}"


def test_a_code_has_six_digits_and_only_its_hash_is_kept(visitor, contact):
    visitor.ask_for_code(contact)
    code, text = visitor.mail[0]
    assert (len(text), text.isdigit()) == (6, True)
    with acting_for(visitor.agency):
        row = Code.objects.get()
    assert (row.pk, len(row.code_hash), row.contact_point_id) == (code.pk, 64, contact.pk)
    assert text not in str(row.__dict__)
    assert row.expires_at - row.created_at == dt.timedelta(minutes=10)


def test_the_right_code_raises_the_visit_to_level_two_under_a_new_session_id(visitor, contact, account):
    before = visitor.session.session_key
    visitor.ask_for_code(contact)
    answer = verify(visitor, visitor.mail[0][1])
    assert (answer.status_code, answer["Location"]) == (302, "/home/")
    assert visitor.session.session_key != before
    assert visitor.visit().level == 2
    with acting_for(account.agency):
        kinds = list(Event.objects.order_by("account_seq").values_list("kind", flat=True))
    assert kinds[-2:] == ["consumer.stepped_up", "consumer.logged_in"]


def test_the_old_session_id_is_dead_after_the_step(visitor, contact):
    old = visitor.cookies["session"].value
    visitor.ask_for_code(contact)
    verify(visitor, visitor.mail[0][1])
    thief = Visitor(visitor.agency)
    thief.cookies["session"] = old
    answer = thief.get("/home/")
    assert (answer.status_code, answer["Location"]) == (302, "/")


def test_spaces_and_a_pasted_sentence_are_fine(visitor, contact):
    visitor.ask_for_code(contact)
    text = visitor.mail[0][1]
    assert verify(visitor, f" {text[:3]} {text[3:]} ").status_code == 302


def test_a_code_dies_after_ten_minutes(visitor, contact, clock):
    visitor.ask_for_code(contact)
    clock.shift(dt.timedelta(minutes=10))
    answer = verify(visitor, visitor.mail[0][1])
    assert answer.status_code == 422
    assert "no longer works" in answer.content.decode()
    assert visitor.visit().level == 1


def test_five_wrong_tries_spend_a_code_even_for_the_right_digits(visitor, contact):
    visitor.ask_for_code(contact)
    left = []
    for _ in range(5):
        page = verify(visitor, wrong(visitor)).content.decode()
        left.append([n for n in "4321" if f"{n} more tr" in page])
    assert left == [["4"], ["3"], ["2"], ["1"], []]
    answer = verify(visitor, visitor.mail[0][1])
    assert answer.status_code == 422
    assert "Too many tries" in answer.content.decode()
    assert visitor.visit().level == 1


def test_a_code_works_once_and_a_second_press_of_the_same_is_not_refused(visitor, contact):
    visitor.ask_for_code(contact)
    for _press in range(2):
        assert verify(visitor, visitor.mail[0][1]).status_code == 302
    assert verify(visitor, wrong(visitor)).status_code == 422
    with acting_for(visitor.agency):
        assert Event.objects.filter(kind="consumer.stepped_up").count() == 1


def test_digits_that_were_right_raise_nothing_a_second_time(visitor, contact):
    visitor.ask_for_code(contact)
    verify(visitor, visitor.mail[0][1])
    with acting_for(visitor.agency):
        Visit.objects.update(level=Visit.Level.IDENTIFIED)
    verify(visitor, visitor.mail[0][1])
    assert visitor.visit().level == Visit.Level.IDENTIFIED


def test_a_step_that_fails_leaves_the_code_good(visitor, contact):
    visitor.ask_for_code(contact)
    with mock.patch.object(visits, "step_up", side_effect=OperationalError), pytest.raises(OperationalError):
        verify(visitor, visitor.mail[0][1])
    assert visitor.visit().level == Visit.Level.IDENTIFIED
    assert verify(visitor, visitor.mail[0][1]).status_code == 302
    assert visitor.visit().level == Visit.Level.CONFIRMED


def test_a_code_whose_message_cannot_be_queued_is_not_made(visitor, contact):
    page = {"action": "send", "contact": str(contact.pk), "next": "/home/"}
    with mock.patch.object(codes, "sender", side_effect=OperationalError), pytest.raises(OperationalError):
        visitor.post("/code/", page)
    with acting_for(visitor.agency):
        assert not Code.objects.exists()
    visitor.ask_for_code(contact)
    assert verify(visitor, visitor.mail[0][1]).status_code == 302


def test_another_code_may_be_asked_for_after_half_a_minute_and_spends_the_first(visitor, contact, clock):
    visitor.ask_for_code(contact)
    clock.shift(dt.timedelta(seconds=29))
    early = visitor.ask_for_code(contact)
    assert (early.status_code, len(visitor.mail)) == (422, 1)
    clock.shift(dt.timedelta(seconds=1))
    assert visitor.ask_for_code(contact).status_code == 302
    assert len(visitor.mail) == 2
    assert verify(visitor, visitor.mail[0][1]).status_code == 422
    assert verify(visitor, visitor.mail[1][1]).status_code == 302


def test_six_codes_an_hour_are_enough_over_all_visits(visitor, contact, account, clock):
    for _ in range(6):
        visitor.ask_for_code(contact)
        clock.shift(dt.timedelta(seconds=31))
    again = Visitor(account.agency).sign_in(account)
    assert again.ask_for_code(contact).status_code == 422
    assert again.mail == []
    clock.shift(dt.timedelta(hours=1))
    fresh = Visitor(account.agency).sign_in(account)
    fresh.ask_for_code(contact)
    assert len(fresh.mail) == 1


def test_a_code_belongs_to_the_visit_that_asked_for_it(visitor, contact, account):
    visitor.ask_for_code(contact)
    other_browser = Visitor(account.agency).sign_in(account)
    assert verify(other_browser, visitor.mail[0][1]).status_code == 422
    assert other_browser.visit().level == 1


def test_only_known_working_addresses_are_offered(visitor, contact, account, others_account, clock):
    def add(value, **values):
        ContactPoint.objects.create(
            consumer=account.consumer, kind=values.pop("kind", "email"), value=value, value_key=value, **values
        )

    with acting_for(account.agency):
        add("new@x.example.com", code_usable_from=NOW + dt.timedelta(hours=24))
        add("dead@x.example.com", bad_at=NOW)
        add("gone@x.example.com", removed_at=NOW)
        add("5185550123", kind="phone")
        second = ContactPoint.objects.create(
            consumer=account.consumer, kind="email", value="wanda@x.example.com", value_key="w", position=1
        )
    offered = [one["masked"] for one in visitor.get("/code/").context["contacts"]]
    assert offered == ["j•••@acme.example.com", "w•••@x.example.com"]
    assert visitor.ask_for_code(second).status_code == 302
    with acting_for(others_account.agency):
        foreign = ContactPoint.objects.get()
    refused = visitor.ask_for_code(foreign)
    assert (refused.status_code, len(visitor.mail)) == (422, 1)


def test_the_code_page_never_leads_to_another_site(visitor, contact):
    visitor.ask_for_code(contact)
    answer = visitor.post(
        "/code/", {"action": "verify", "code": visitor.mail[0][1], "next": "https://evil.example.com/"}
    )
    assert answer["Location"] == "/home/"


def test_asking_and_typing_need_the_form_of_our_own_page(visitor, contact):
    stranger = Visitor(visitor.agency, enforce_csrf_checks=True)
    stranger.cookies = visitor.cookies
    assert stranger.ask_for_code(contact).status_code == 403
    assert stranger.mail == []


def test_whoever_is_not_signed_in_gets_no_code_page(account):
    answer = Visitor(account.agency).get("/code/")
    assert (answer.status_code, answer["Location"]) == (302, "/")


def test_codes_of_one_consumer_do_not_slow_down_another(visitor, contact, account):
    visitor.ask_for_code(contact)
    with acting_for(account.agency):
        someone = Consumer.objects.create(
            last_name="Doe",
            last_name_key="DOE",
            ssn4_index=blind_index("1234", agency_id=account.agency_id, field="ssn4"),
        )
    theirs = make_account(account.agency, reference="777", consumer=someone)
    with acting_for(account.agency):
        address = ContactPoint.objects.get(consumer=someone)
    other = Visitor(account.agency).sign_in(theirs)
    assert other.ask_for_code(address).status_code == 302
