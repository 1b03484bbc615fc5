"""Forms about a debt say, in both languages, that filling them in is no promise to pay it; what was shown is kept."""

import pytest

from accounts.no_promise import SENTENCE, VERSION
from payments.models import Dispute
from payments.services import disputes
from settlements.models import Affordability, Hardship
from tests.conftest import NOW
from tests.flows.conftest import (  # noqa: F401 - fixtures
    clock,
    open_shop,
    other_shop,
    processor,
    processor_program,
    shop,
    sure,
    visitor,
)
from tests.flows.test_budget import ask_for_pause, fill_in, submit, text

SAID = {
    "en": SENTENCE,
    "es": "Llenar este formulario no es una promesa de pago ni significa que usted admita que debe esta deuda.",
}


@pytest.mark.parametrize("language", ["en", "es"])
@pytest.mark.parametrize("form", ["wrong", "hardship", "budget", "budget/income"])
def test_sol_05_each_form_says_that_it_is_no_promise_in_the_language_of_the_page(sure, shop, form, language):  # noqa: F811
    sure.post("/language/", {"language": language, "next": "/home/"})
    assert SAID[language] in text(sure.get(f"/accounts/{shop.account.pk}/{form}/"))


@pytest.mark.parametrize("language", ["en", "es"])
def test_sol_05_which_sentence_was_shown_is_kept_with_what_was_filled_in(sure, shop, language):  # noqa: F811
    sure.post("/language/", {"language": language, "next": "/home/"})
    fill_in(sure, shop.account)
    review = sure.get(f"/accounts/{shop.account.pk}/budget/review/")
    assert SAID[language] in text(review)
    submit(sure, shop.account)
    ask_for_pause(sure, shop.account)
    sure.post(f"/accounts/{shop.account.pk}/wrong/", {"reason": "not_mine"})
    for row in (Affordability.objects.get(), Hardship.objects.get(), Dispute.objects.get()):
        assert row.no_promise == f"{VERSION} {language}", row


def test_sol_05_where_we_showed_nothing_nothing_is_said_to_have_been_shown(shop):  # noqa: F811
    row = disputes.open_dispute(
        account=shop.account, visit=None, reason="not_mine", text="", amount_cents=None, now=NOW
    )
    assert row.no_promise == ""
