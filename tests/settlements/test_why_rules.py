"""Why something is offered: a plain sentence for its consumer, and every number with its source for staff."""

from datetime import date

import pytest

from settlements.rules.bands import HIGHEST_CENTS, Band, RuleSet, compile_rules
from settlements.rules.offers import GlobalOffer, HostSettlement, PaymentOptions, payment_options
from settlements.rules.quotes import Facts, offered
from settlements.rules.why import lines, recompute, sentence

TODAY = date(2026, 6, 1)
TERMS = {"minimum_settlement_bps": 75_00}


def at(*bands, client=None, **facts):
    rules = compile_rules(client, RuleSet("agency", 3, bands)) if bands or client else None
    return offered(Facts(500_00, TODAY, date(2025, 1, 1), **({"rules": rules} | facts)))


@pytest.mark.parametrize(
    ("offer", "code", "says"),
    [
        (
            at(Band(0, 1_000_00, **TERMS)),
            "why_settlement_up_to",
            "Your agency offers everyone with a balance of up to $1,000.00 to settle for 75%.",
        ),
        (
            at(Band(0, 100_00), Band(50_00, 1_000_00, minimum_settlement_bps=62_50)),
            "why_settlement_between",
            "Your agency offers everyone with a balance from $100.01 to $1,000.00 to settle for 62.5%.",
        ),
        (
            at(Band(100_00, HIGHEST_CENTS, **TERMS)),
            "why_settlement_from",
            "Your agency offers everyone with a balance of $100.00 or more to settle for 75%.",
        ),
        (
            at(Band(0, HIGHEST_CENTS, **TERMS)),
            "why_settlement_all",
            "Your agency offers everyone with an account like yours to settle for 75%.",
        ),
        (
            at(Band(0, HIGHEST_CENTS, **TERMS), client=RuleSet("client", 1, (Band(0, 900_00, minimum_cents=1_00),))),
            "why_settlement_client_up_to",
            "Your agency offers everyone with an account from the same company and a balance of up to $900.00 to"
            " settle for 75%.",
        ),
        (
            at(Band(0, 1_000_00, months_before_settlement=3, **TERMS)),
            "why_settlement_by_age",
            "Your agency offers everyone whose balance and time with the agency are like yours to settle for 75%.",
        ),
        (
            at(global_offer=GlobalOffer(75_00, 6, 180)),
            "why_settlement_global",
            "Your agency offers everyone to settle for 75%.",
        ),
        (
            at(individual=HostSettlement(percent_bps=40_00)),
            "why_settlement_host",
            "Your agency made this offer for your account.",
        ),
        (
            at(individual=HostSettlement(percent_bps=40_00, level="staff")),
            "why_settlement_staff",
            "A person at your agency made this offer for your account.",
        ),
        (
            at(individual=HostSettlement(percent_bps=40_00, level="campaign")),
            "why_settlement_campaign",
            "Your agency made this offer when it wrote to you.",
        ),
        (
            at(individual=HostSettlement(amount_cents=600_00)),
            "why_settlement_less_is_owed",
            "You owe no more than this, so the offer asks for no more than $500.00.",
        ),
        (at(), "no_settlement", "There is no settlement offer for this account now."),
    ],
)
def test_the_consumer_is_told_in_one_plain_sentence_why_this_settlement(offer, code, says):
    found = sentence(offer, "settlement")
    assert (found.code, found.sentence) == (code, says)


@pytest.mark.parametrize(
    ("band", "says"),
    [
        (Band(0, 1_000_00), "Your agency lets everyone with a balance like yours pay in parts."),
        (
            Band(0, 1_000_00, minimum_bps=5_00, max_months_unsettled=12),
            "Your agency lets everyone with a balance like yours pay in parts of at least $25.00 a month, within 12"
            " months.",
        ),
    ],
)
def test_the_consumer_is_told_why_a_plan_is_open(band, says):
    assert sentence(at(band), "plan").sentence == says


def test_the_other_choices_have_their_sentence_too():
    small = payment_options(PaymentOptions(minimum_single_cents=20_00))
    assert sentence(at(), "full").sentence == "You can always pay everything you owe at once."
    assert sentence(at(), "amount").sentence == "You can always pay an amount of your choice."
    said = sentence(at(allowed=small), "amount").sentence
    assert said == "You can always pay an amount of your choice from $20.00 on."
    assert sentence(at(), "promise").sentence == (
        "Your agency gives everyone up to 30 days for a payment on a later day."
    )


def test_staff_see_every_number_with_level_version_and_field():
    client = RuleSet("client", 7, (Band(0, HIGHEST_CENTS, minimum_cents=30_00, card_disabled=True),))
    found = {(one.choice, one.number): one for one in lines(at(Band(0, HIGHEST_CENTS, **TERMS), client=client))}
    amount = found["settlement", "amount_cents"]
    assert (amount.value, amount.level, amount.version, amount.field, amount.said) == (
        375_00,
        "agency",
        3,
        "minimum_settlement_bps",
        75_00,
    )
    assert amount.sentence.sentence == (
        "The agency's rules, version 3: 75 % as minimum settlement percent of $500.00 is $375.00."
    )
    minimum = found["plan", "monthly_minimum_cents"]
    assert (minimum.value, minimum.level, minimum.version) == (30_00, "client", 7)
    assert minimum.sentence.sentence == "The client's rules, version 7: minimum is $30.00."
    assert found["allowed", "single_card"].sentence.sentence == "The client's rules, version 7: single card is no."
    assert found["plan", "max_months"].sentence.sentence == "No level says max months unsettled, so there is none."
    assert found["promise", "promise_days"].value == 30


def test_a_frozen_trace_of_years_ago_gives_the_numbers_of_its_day():
    trace = [
        ["amount_cents", "global", 3, "percent_bps", 75_00],
        ["max_payments", "global", 3, "max_payments", 6],
        ["last_date", "host", 3, "max_date", "2023-06-30"],
    ]
    assert recompute(trace, balance_cents=1_000_01, today=date(2023, 1, 1)) == {
        "amount_cents": 750_01,
        "saving_cents": 250_00,
        "last_date": date(2023, 6, 30),
        "ends_on": date(2023, 6, 30),
        "max_payments": 6,
        "minimum_payment_cents": 0,
    }
