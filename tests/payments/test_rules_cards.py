from datetime import timedelta

import pytest

from payments.rules.cards import CardPolicy, alternatives, check_card, decline

PAYDAY = CardPolicy(payday_loan=True)


def codes(*card, **options):
    return [refusal.code for refusal in check_card(*card, **options)]


def test_visa_credit_is_refused_by_default_and_the_alternatives_are_named_card_01():
    (refusal,) = check_card("visa", "credit")
    assert refusal.code == "visa_credit_not_accepted"
    assert refusal.sentence == (
        "Visa credit cards cannot be used to pay a debt. You can use a Visa debit or prepaid card,"
        " a Mastercard, an American Express card, a Discover card, or your bank account."
    )


@pytest.mark.parametrize(
    "card",
    [("visa", "debit"), ("visa", "prepaid"), ("mastercard", "credit"), ("amex", "credit"), ("VISA", "debit")],
)
def test_other_cards_are_taken_card_01(card):
    assert codes(*card) == []


def test_a_visa_card_of_unknown_funding_could_be_a_credit_card_card_01():
    assert codes("visa", "unknown") == ["card_funding_unknown"]
    assert codes("visa", "") == ["card_funding_unknown"]
    assert codes("mastercard", "unknown") == []


def test_an_agency_may_take_visa_credit_and_then_funding_does_not_matter():
    policy = CardPolicy(visa_credit=True)
    assert codes("visa", "credit", policy) == []
    assert codes("visa", "unknown", policy) == []


@pytest.mark.parametrize("funding", ["credit", "debit", "prepaid"])
def test_no_visa_card_repays_a_payday_loan_card_01(funding):
    assert codes("visa", funding, PAYDAY) == ["visa_not_accepted"]
    assert codes("mastercard", funding, PAYDAY) == []


def test_only_what_is_really_taken_is_named_as_an_alternative():
    assert alternatives(PAYDAY) == (
        "a Mastercard",
        "an American Express card",
        "a Discover card",
        "your bank account",
    )
    assert alternatives(CardPolicy(brands=("visa",)), ach_allowed=False) == ("a Visa debit or prepaid card",)
    assert alternatives(CardPolicy(brands=()), ach_allowed=False) == ("another way to pay that the agency can name",)


def test_a_brand_that_is_not_taken_is_refused_by_its_name():
    (refusal,) = check_card("diners", "credit")
    assert refusal.code == "card_brand_not_accepted"
    assert refusal.sentence.startswith("Diners Club cards are not accepted here. You can use a Visa debit")


@pytest.mark.parametrize(
    ("code", "grade", "next_step"),
    [
        ("lost_card", "A", "use_another_method"),
        ("stolen_card", "A", "use_another_method"),
        ("pickup_card", "A", "use_another_method"),
        ("restricted_card", "A", "use_another_method"),
        ("fraudulent", "A", "use_another_method"),
        ("invalid_account", "A", "use_another_method"),
        ("card_not_supported", "A", "use_another_method"),
        ("transaction_not_allowed", "A", "use_another_method"),
        ("stop_payment_order", "A", "authorization_revoked"),
        ("revocation_of_authorization", "A", "authorization_revoked"),
        ("revocation_of_all_authorizations", "A", "authorization_revoked"),
        ("expired_card", "B", "check_card"),
        ("incorrect_cvc", "B", "check_card"),
        ("incorrect_zip", "B", "check_card"),
        ("invalid_expiry", "B", "check_card"),
        ("invalid_expiry_year", "B", "check_card"),
        ("authentication_required", "B", "authenticate"),
        ("insufficient_funds", "C", "pay_less_or_later"),
        ("try_again_later", "C", "try_later"),
        ("issuer_not_available", "C", "try_later"),
        ("processing_error", "C", "try_later"),
        ("card_velocity_exceeded", "C", "pay_less_or_later"),
        ("withdrawal_count_limit_exceeded", "C", "pay_less_or_later"),
        ("do_not_honor", "D", "ask_bank"),
        ("generic_decline", "D", "ask_bank"),
        ("a_code_of_next_year", "D", "ask_bank"),
    ],
)
def test_each_decline_has_its_grade_and_next_step_card_09(code, grade, next_step):
    outcome = decline(code)
    assert (outcome.code, outcome.grade, outcome.next_step) == (code, grade, next_step)
    assert "Nothing was taken" in outcome.sentence


def test_a_machine_tries_again_twice_once_or_never_card_07():
    assert [decline(code).automatic_retries for code in ("lost_card", "expired_card")] == [0, 0]
    assert (decline("insufficient_funds").automatic_retries, decline("do_not_honor").automatic_retries) == (
        2,
        1,
    )
    assert decline("insufficient_funds").wait == timedelta(hours=72)


@pytest.mark.parametrize("code", ["lost_card", "stolen_card", "fraudulent", "pickup_card"])
def test_the_page_never_says_lost_stolen_or_fraud(code):
    assert decline(code).sentence == decline("restricted_card").sentence
    for word in ("lost", "stolen", "fraud"):
        assert word not in decline(code).sentence.lower()


def test_advice_makes_a_grade_stricter_and_never_milder_card_08():
    assert decline("generic_decline", advice_code="do_not_try_again").grade == "A"
    assert decline("insufficient_funds", network_advice_code="03").grade == "A"
    assert decline("insufficient_funds", network_advice_code="21").grade == "A"
    assert decline("do_not_honor", advice_code="confirm_card_data").grade == "B"
    assert decline("do_not_honor", network_advice_code="01").next_step == "check_card"
    assert decline("do_not_honor", advice_code="try_again_later").grade == "D"
    assert decline("lost_card", advice_code="try_again_later").grade == "A"
    assert decline("do_not_honor", brand="visa", network_decline_code="04").grade == "A"
    assert decline("do_not_honor", brand="mastercard", network_decline_code="04").grade == "D"


def test_mastercard_says_how_long_to_wait_card_08():
    assert decline("insufficient_funds", network_advice_code="24").wait == timedelta(hours=1)
    assert decline("insufficient_funds", network_advice_code="28").wait == timedelta(days=6)
    assert decline("insufficient_funds", network_advice_code="30").wait == timedelta(days=10)
