"""The wallet and the authorizations as a consumer sees them: what ends is said first, and ends at once (PDC-07)."""

import re

import pytest

from payments.models import Authorization, Method, Postdate
from payments.services import wallet
from tests.flows.test_pay_once import text
from tests.payments.test_life import three_parts
from tests.visitor import Visitor


@pytest.fixture
def card(sure, shop) -> Method:
    three_parts(shop)
    return wallet.methods_of(shop.account.consumer_id).get()


def test_the_wallet_says_what_each_is_and_never_its_number(sure, card):
    page = sure.get("/wallet/")
    assert "visa debit ending 5556" in text(page).lower()
    assert re.search(r"Valid until \d\d/20\d\d", text(page))
    assert "4000056655665556" not in page.content.decode()
    page = sure.follow(sure.post("/wallet/", {"default": str(card.pk)}))
    assert "Proposed first Yes" in text(page)


def test_a_card_is_removed_after_its_consequences_were_shown(sure, card):
    path = f"/wallet/{card.pk}/remove/"
    page = sure.get(path)
    assert "2 planned payments end with it: $500.00 together." in text(page)
    assert "They belong to a settlement." in text(page)
    assert set(Postdate.objects.values_list("status", flat=True)) == {"scheduled"}
    page = sure.follow(sure.post(path))
    assert "No card and no bank account is kept here." in text(page)
    assert set(Postdate.objects.values_list("status", flat=True)) == {"cancel_req"}


def test_an_authorization_is_read_word_for_word_copied_and_revoked_at_once(sure, shop, card):
    signed = Authorization.objects.get()
    page = sure.get("/authorizations/")
    for paragraph in signed.text.split("\n\n"):
        assert " ".join(paragraph.split()) in " ".join(text(page).replace("&#x27;", "'").split())
    assert f"/authorizations/{signed.pk}.pdf" in page.content.decode()
    path = f"/authorizations/{signed.pk}/revoke/"
    assert path in page.content.decode()
    assert "2 planned payments end with it: $500.00 together." in text(sure.get(path))
    page = sure.follow(sure.post(path))
    assert "This authorization is revoked" in text(page)
    assert "December 1, 2026" in text(page)
    signed.refresh_from_db()
    assert signed.revoked_by == f"consumer:{shop.account.consumer_id}"
    assert set(Postdate.objects.values_list("status", flat=True)) == {"cancel_req"}
    assert path not in sure.get("/authorizations/").content.decode()


def test_another_agencys_card_and_signature_are_not_found(card, other_shop, clock):
    stranger = Visitor(other_shop.agency).sign_in(other_shop.account, level=2)
    signed = card.authorizations.get()
    for path in (f"/wallet/{card.pk}/remove/", f"/authorizations/{signed.pk}/revoke/"):
        assert (stranger.get(path).status_code, stranger.post(path).status_code) == (404, 404)
    assert stranger.post("/wallet/", {"default": str(card.pk)}).status_code == 404
    assert Authorization.objects.get().revoked_at is None
