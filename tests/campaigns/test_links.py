"""The personal link and the code that proves a message: nothing is spent by looking, nothing told about a debt."""

import datetime as dt

import pytest

from accounts.models import ContactPoint, Event, IdentifyAttempt, Visit
from accounts.tenancy import acting_for
from campaigns.models import Message, Recipient
from campaigns.services import links
from tests.campaigns.campaign_cast import approved, run
from tests.conftest import NOW
from tests.visitor import Visitor, without_tokens

pytestmark = pytest.mark.django_db


@pytest.fixture
def reader(acting, agency, provider, account, others_account, monkeypatch):
    """Jane Doe, whose account the campaign reaches."""
    monkeypatch.setattr("accounts.clock.now", lambda: NOW)
    account.validation_sent_on = dt.date(2026, 6, 1)
    account.save()
    account.consumer.state, account.consumer.zip = "PA", "19103"
    account.consumer.save()
    run(approved())
    return account


@pytest.fixture
def path(reader, mails) -> str:
    (mail,) = mails()
    return "/m/" + mail["html"].partition("/m/")[2].partition('"')[0]


def visits() -> int:
    return Visit.objects.count()


def test_looking_spends_nothing_and_says_nothing_about_a_debt(reader, path):
    """AUTH-05, AUTH-06: scanners follow every link of every mail."""
    stranger = Visitor(reader.agency)
    for _time in range(3):
        page = stranger.get(path)
        assert page.status_code == 200
    assert (visits(), IdentifyAttempt.objects.count()) == (0, 0)
    text = page.content.decode().lower()
    for word in ("jane", "doe", "harbor", "100234", "1,000", "800.00", "debt"):
        assert word not in text, word


def test_one_factor_leads_to_the_account_with_the_same_offer(reader, path):
    visitor = Visitor(reader.agency)
    answer = visitor.post(path, {"factor": "1234"})
    assert (answer.status_code, answer["Location"]) == (302, f"/accounts/{reader.pk}/")
    page = visitor.get(answer["Location"]).content.decode()
    assert "$800.00" in page
    with acting_for(reader.agency):
        assert Visit.objects.get().level == Visit.Level.IDENTIFIED
        assert Recipient.objects.get(account=reader).identified_at == NOW
        assert Event.objects.filter(kind="offer.viewed", account=reader).count() == 1
    again = Visitor(reader.agency).post(path, {"factor": "1234"})
    assert again.status_code == 302


def test_a_wrong_factor_is_counted_and_locks_softly(reader, path):
    """AUTH-03."""
    visitor = Visitor(reader.agency)
    answers = [visitor.post(path, {"factor": "0000"}).status_code for _time in range(6)]
    assert answers == [422] * 5 + [429]
    with acting_for(reader.agency):
        assert (visits(), IdentifyAttempt.objects.filter(ok=False).count()) == (0, 5)


def test_auth_03_a_lock_of_the_front_door_never_keeps_out_whoever_has_a_link(reader, path):
    stranger = Visitor(reader.agency)
    answers = [stranger.identify(reader, factor="0000").status_code for _time in range(6)]
    assert answers == [422] * 5 + [429]
    assert stranger.identify(reader).status_code == 429
    assert Visitor(reader.agency).post(path, {"factor": "1234"}).status_code == 302
    with acting_for(reader.agency):
        assert visits() == 1


def test_auth_03_a_lock_of_the_link_leaves_the_front_door_open(reader, path):
    visitor = Visitor(reader.agency)
    assert [visitor.post(path, {"factor": "0000"}).status_code for _time in range(5)] == [422] * 5
    assert visitor.post(path, {"factor": "1234"}).status_code == 429
    assert visitor.identify(reader).status_code == 302


def test_the_link_is_bound_to_its_agency_its_address_and_its_time(reader, path, other_agency, monkeypatch):
    assert Visitor(other_agency).get(path).status_code == 404
    assert Visitor(reader.agency).get("/m/nonsense/").status_code == 404
    point = reader.consumer.contact_points.get()
    ContactPoint.objects.filter(pk=point.pk).update(removed_at=NOW)
    assert Visitor(reader.agency).get(path).status_code == 404
    ContactPoint.objects.filter(pk=point.pk).update(removed_at=None)
    monkeypatch.setattr("accounts.clock.now", lambda: NOW + links.LIVES + dt.timedelta(days=1))
    assert Visitor(reader.agency).get(path).status_code == 404


def test_sms_10_the_link_is_128_random_bits_and_only_its_hash_is_kept(reader, path):
    token = path.strip("/").partition("/")[2]
    assert len(token) == 26
    assert Recipient.objects.get(account=reader).link_hash == links.hash_of(token)
    assert token not in str(list(Recipient.objects.values())) + str(list(Message.objects.values()))


def test_the_code_in_any_message_tells_that_it_is_genuine_and_nothing_else(reader, mails, other_agency):
    (mail,) = mails()
    code = mail["text"].partition("Enter the code ")[2][:9]
    visitor = Visitor(reader.agency)
    for typed in (code, code.lower().replace("-", " ")):
        page = without_tokens(visitor.post("/verify/", {"code": typed}))
        assert "Yes, it is ours" in page
        assert "j•••@acme.example.com" in page
        assert "December 1, 2026" in page
    for word in ("harbor", "100234", "$", "debt", "offer"):
        assert word not in page.lower(), word
    assert "We know no message" in visitor.post("/verify/", {"code": "AAAA-AAAA"}).content.decode()
    assert "We know no message" in Visitor(other_agency).post("/verify/", {"code": code}).content.decode()
    assert Visitor(reader.agency).get(f"/verify/?code={code}").status_code == 200


def test_receipts_carry_a_code_too_and_messages_with_a_code_to_log_in_none(reader, pay, mails, now):
    from tests.campaigns.conftest import run as work

    pay()
    work(now)
    (receipt,) = [mail for mail in mails() if "receipt" in mail["subject"].lower()]
    code = receipt["text"].partition("Enter the code ")[2][:9]
    assert "Yes, it is ours" in Visitor(reader.agency).post("/verify/", {"code": code}).content.decode()


def test_codes_are_asked_about_so_often_and_no_more(reader):
    from campaigns.views import PROOFS_PER_HOUR

    visitor = Visitor(reader.agency, REMOTE_ADDR="198.51.100.77")
    answers = {visitor.post("/verify/", {"code": "AAAA-AAAA"}).status_code for _time in range(PROOFS_PER_HOUR)}
    assert answers == {200}
    assert visitor.post("/verify/", {"code": "AAAA-AAAA"}).status_code == 429


def test_codes_tried_from_the_addresses_of_one_ipv6_line_count_as_one(reader):
    from campaigns.views import PROOFS_PER_HOUR

    def tried(address: str) -> int:
        return Visitor(reader.agency, REMOTE_ADDR=address).post("/verify/", {"code": "AAAA-AAAA"}).status_code

    assert {tried(f"2001:db8:7:7::{number + 1:x}") for number in range(PROOFS_PER_HOUR)} == {200}
    assert tried("2001:db8:7:7:ffff::1") == 429
    assert tried("2001:db8:7:8::1") == 200
