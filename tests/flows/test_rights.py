"""“This is wrong” and “Who is the original creditor?” from the account page to the answer (RF-31, RF-32)."""

import datetime as dt
import re

import pytest

from accounts.models import Account
from payments.models import CreditorRequest, Dispute
from tests.conftest import NOW
from tests.flows.test_pay_once import text
from tests.visitor import Visitor


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


@pytest.mark.parametrize("page", ["wrong", "creditor"])
def test_another_agencys_account_is_not_found(shop, other_shop, clock, page):
    stranger = Visitor(other_shop.agency).sign_in(other_shop.account)
    path = f"/accounts/{shop.account.pk}/{page}/"
    assert (stranger.get(path).status_code, stranger.post(path, {"reason": "paid"}).status_code) == (404, 404)
    assert (Dispute.objects.count(), CreditorRequest.objects.count()) == (0, 0)
