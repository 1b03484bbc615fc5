"""A consumer who agreed in Spanish keeps the same words in English too, as they stood that day (LANG-04)."""

import pytest

from payments.models import Authorization
from payments.services import by_link, checkout, papers, pay_links
from payments.services import together as groups
from tests.conftest import NOW, make_account
from tests.payments.conftest import VISA_DEBIT
from tests.payments.test_documents import assert_says, read, squeeze
from tests.payments.test_later import later

TITLE = "In English: what you agreed to"


def english_of(begun) -> str:
    return checkout.review(begun, language="en", now=NOW).text


@pytest.mark.parametrize("made", ["paid now", "planned"])
def test_lang_04_the_copy_of_a_spanish_consumer_has_the_english_text_too(shop, made):
    begun = later(shop) if made == "planned" else shop.checkout()
    english = english_of(begun)
    shop.confirm(begun, language="es")
    signed = Authorization.objects.get()
    assert signed.language == "es"
    assert signed.evidence["english"] == english
    assert english not in signed.text
    pdf = papers.authorization_copy(signed)
    assert_says(pdf, "Lo que usted aceptó", TITLE, *signed.text.split("\n\n"), *english.split("\n\n"))


def test_lang_04_it_is_the_text_of_that_day_whatever_the_agency_says_later(shop):
    begun = shop.checkout()
    english = english_of(begun)
    shop.confirm(begun, language="es")
    shop.agency.legal_name = "Another Name LLC"
    shop.agency.save()
    pdf = papers.authorization_copy(Authorization.objects.get())
    assert_says(pdf, *english.split("\n\n"))


def test_lang_04_who_agreed_in_english_keeps_one_text(shop):
    shop.confirm(shop.checkout(), language="en")
    signed = Authorization.objects.get()
    assert "english" not in signed.evidence
    assert squeeze(TITLE) not in read(papers.authorization_copy(signed))


def test_lang_04_several_accounts_in_one_signature_have_one_english_text(shop):
    visit = shop.visit()
    other = make_account(shop.agency, reference="B2", consumer=shop.account.consumer, sol_status="live")
    shares = [groups.Share(account=one, choice="amount", amount_cents=25_00) for one in (shop.account, other)]
    group = groups.choose(visit=visit, shares=shares, now=NOW)
    begun = groups.load(group=group, visit=visit)
    token = shop.merchant.token(VISA_DEBIT)
    assert groups.take_card(checkouts=begun, confirmation_token=token, now=NOW) == []
    english = groups.review(checkouts=begun, language="en", now=NOW).text
    seen = groups.review(checkouts=begun, language="es", now=NOW)
    groups.confirm(
        group=group, visit=visit, text_sha256=seen.text_sha256, ip=None, user_agent="", language="es", now=NOW
    )
    assert [one.evidence["english"] for one in Authorization.objects.all()] == [english, english]


def test_lang_04_a_helper_s_text_is_kept_in_english_too(shop):
    link, _token = pay_links.make_helper(account=shop.account, visit=shop.visit(), amount_cents=50_00, now=NOW)
    begun = by_link.begin(link=link, said={"channel": by_link.HELPER, "payer": "Sam Friend"}, now=NOW)
    token = shop.merchant.token(VISA_DEBIT)
    assert by_link.take_card(checkout=begun, confirmation_token=token, now=NOW) == []
    english = by_link.review(made=begun, language="en", now=NOW).text
    seen = by_link.review(made=begun, language="es", now=NOW)
    by_link.confirm(made=begun, text_sha256=seen.text_sha256, ip=None, user_agent="", language="es", now=NOW)
    signed = Authorization.objects.get()
    assert (signed.language, signed.evidence["english"]) == ("es", english)
