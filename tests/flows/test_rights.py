"""“This is wrong” and “Who is the original creditor?” from the account page to the answer (RF-31, RF-32)."""

import datetime as dt
import re

import pytest

from accounts.models import Account, Event
from payments.models import CreditorRequest, Dispute
from tests.conftest import NOW, make_account
from tests.integrations.api_caller import Caller
from tests.visitor import Visitor, text


def buttons(page) -> dict[str, str]:
    """Give the classes of each link that looks like a button, by its words."""
    found = re.findall(r'<a class="([^"]*button[^"]*)"\s+href="[^"]*"[^>]*>([^<]+)<', page.content.decode())
    return {words.strip(): classes for classes, words in found}


def test_both_stand_beside_pay_and_look_like_it(visitor, shop):
    seen = buttons(visitor.get(f"/accounts/{shop.account.pk}/"))
    assert seen["Choose how to pay"] == seen["This is wrong"] == seen["Who is the original creditor?"] == "button"


def test_both_stay_where_nothing_can_be_paid(visitor, shop):
    Account.objects.update(status="cease", as_of=NOW - dt.timedelta(days=90))
    seen = buttons(visitor.get(f"/accounts/{shop.account.pk}/"))
    assert "Choose how to pay" not in seen
    assert {"This is wrong", "Who is the original creditor?"} <= seen.keys()


def test_the_help_page_leads_to_the_form_of_each_account_and_names_none_before_the_log_in(visitor, shop):
    other = make_account(shop.agency, reference="7", consumer=shop.account.consumer)
    page = visitor.get("/help/")
    for account in (shop.account, other):
        for form in ("wrong", "creditor"):
            assert f'href="/accounts/{account.pk}/{form}/"' in page.content.decode()
    assert "what you send here counts as writing" in text(page)
    seen = buttons(page)
    assert seen["This is wrong"] == seen["Who is the original creditor?"] == "button second"
    assert "/accounts/" not in Visitor(shop.agency).get("/help/").content.decode()


def test_a_dispute_is_sent_in_a_minute_and_the_page_says_what_happens_next(visitor, shop):
    path = f"/accounts/{shop.account.pk}/wrong/"
    page = visitor.get(path)
    answer = visitor.submit(page, having="reason", reason="amount", amount="$400", words="I owe 600 only.")
    page = visitor.follow(answer)
    assert "We have your message" in text(page)
    assert "$400.00" in text(page)
    assert "You need do nothing now." in text(page)
    row = Dispute.objects.get()
    assert (row.amount_cents, row.text, row.visit) == (400_00, "I owe 600 only.", visitor.visit())
    assert "You disputed this account." in text(visitor.get(f"/accounts/{shop.account.pk}/"))
    assert "Make a payment" not in text(visitor.get(f"/accounts/{shop.account.pk}/"))
    visitor.post(path, {"reason": "fraud"})
    assert Dispute.objects.count() == 1


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ({}, "Choose what is wrong."),
        ({"reason": "amount", "amount": "much"}, "Enter an amount, for example 50.00."),
        ({"reason": "amount", "amount": "5000"}, "more than zero, at most $1,000.00."),
        ({"reason": "other"}, "Tell us in your own words what is wrong."),
    ],
)
def test_what_cannot_be_read_is_said_and_kept(visitor, shop, typed, sentence):
    page = visitor.post(f"/accounts/{shop.account.pk}/wrong/", typed)
    assert page.status_code == 422
    assert sentence in text(page)
    assert Dispute.objects.count() == 0


def test_the_creditor_is_asked_for_with_one_button(visitor, shop):
    path = f"/accounts/{shop.account.pk}/creditor/"
    assert "We have your message" not in text(visitor.get(path))
    page = visitor.follow(visitor.post(path))
    assert "We have your message" in text(page)
    assert CreditorRequest.objects.count() == 1


def test_it_can_be_said_in_spanish(visitor, shop):
    visitor.post("/language/", {"language": "es", "next": "/home/"})
    page = visitor.get(f"/accounts/{shop.account.pk}/wrong/")
    assert "Esto no es correcto" in text(page)


def test_rf_34_the_notice_is_asked_for_in_spanish_and_the_host_hears_once_what_to_send_and_by_when(visitor, shop):
    link = "Quiero este aviso en español"
    assert link not in text(visitor.get(f"/accounts/{shop.account.pk}/"))
    Account.objects.filter(pk=shop.account.pk).update(validation_sent_on=dt.date(2026, 11, 30))
    path = f"/accounts/{shop.account.pk}/spanish/"
    page = visitor.get(f"/accounts/{shop.account.pk}/")
    assert link in text(page)
    assert path in page.content.decode()
    assert "We have your message" not in text(visitor.get(path))
    page = visitor.follow(visitor.post(path))
    assert "The notice about this debt comes to you in Spanish." in text(page)
    visitor.post(path)
    (told,) = Event.objects.filter(kind="letter.required")
    assert (told.account, told.data | {"v": 1}) == (
        shop.account,
        {
            "type": "validation_notice",
            "language": "es",
            "send_by": "2026-12-02",
            "reason": "consumer_asked",
            "v": 1,
        },
    )


def test_rf_34_the_same_by_api_of_the_own_agency_only(shop, other_shop, clock):
    at = f"accounts/{shop.account.pk}/spanish-notice"
    assert Caller(other_shop.agency).post(at, {}).status_code == 404
    caller = Caller(shop.agency)
    assert caller.post(at, {}).json() == {"new": True}
    assert caller.post(at, {}).json() == {"new": False}
    assert Event.objects.filter(kind="letter.required", account=shop.account).count() == 1


@pytest.mark.parametrize("page", ["wrong", "creditor", "spanish"])
def test_another_agencys_account_is_not_found(shop, other_shop, clock, page):
    stranger = Visitor(other_shop.agency).sign_in(other_shop.account)
    path = f"/accounts/{shop.account.pk}/{page}/"
    assert (stranger.get(path).status_code, stranger.post(path, {"reason": "paid"}).status_code) == (404, 404)
    assert (Dispute.objects.count(), CreditorRequest.objects.count()) == (0, 0)
    assert not Event.objects.filter(kind="letter.required").exists()
