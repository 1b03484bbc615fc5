"""A month of a household: normalised, added up, shared out, and what that comes to; forms as data."""

import datetime as dt
import json
from copy import deepcopy
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from settlements.rules import affordability as rules
from settlements.rules.affordability import PER_MONTH, budget, decide, monthly, share
from settlements.rules.bands import Band, RuleSet, compile_rules
from settlements.rules.budget_forms import FREQUENCIES, GROUPS, check_answers, check_form, read_form, say
from settlements.rules.quotes import Facts, offered
from settlements.services.budget_forms import STANDARD

TODAY = dt.date(2026, 12, 1)
STANDARD_FORM = json.loads(STANDARD.read_text())
FORM = read_form(STANDARD_FORM)


def standing(owed_cents=1_000_00, *, minimum_cents=25_00, months=60, **band):
    """Give what an agency's one band opens on a balance."""
    said = Band(0, 999_999_999_00, minimum_cents=minimum_cents, max_months_unsettled=months, **band)
    compiled = compile_rules(None, RuleSet("agency", 1, (said,)))
    return offered(Facts(owed_cents=owed_cents, today=TODAY, rules=compiled))


# A month --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cents", "frequency", "income", "outgoing"),
    [
        (75_00, "week", 325_00, 325_00),  # UK-09
        (400_00, "four_weeks", 433_33, 433_34),  # UK-09, rounded by our rule
        (100_00, "week", 433_33, 433_34),
        (100_00, "fortnight", 216_66, 216_67),
        (100_00, "month", 100_00, 100_00),
        (100_00, "year", 8_33, 8_34),
        (1, "year", 0, 1),
        (0, "week", 0, 0),
    ],
)
def test_an_amount_becomes_a_month_income_rounded_down_and_outgoings_up(cents, frequency, income, outgoing):
    assert monthly(cents, frequency, income=True) == income
    assert monthly(cents, frequency, income=False) == outgoing


@settings(max_examples=2_000)
@given(cents=st.integers(0, 10**12), frequency=st.sampled_from(FREQUENCIES))
def test_a_month_is_never_a_cent_off_nor_on_the_wrong_side(cents, frequency):
    exact = Fraction(cents) * Fraction(*PER_MONTH[frequency])
    down, up = monthly(cents, frequency, income=True), monthly(cents, frequency, income=False)
    assert 0 <= exact - down < 1
    assert 0 <= up - exact < 1


def amounts(**given):
    return {code: {"cents": cents, "frequency": every} for code, (cents, every) in given.items()}


def test_surplus_is_income_less_essential_and_other_outgoings():
    month = budget(
        FORM,
        amounts(pay=(450_00, "week"), rent=(900_00, "month"), food=(400_00, "four_weeks"), leisure=(600_00, "year")),
    )
    assert (month.income_cents, month.essential_cents, month.other_cents) == (1_950_00, 1_333_34, 50_00)
    assert (month.outgoings_cents, month.surplus_cents) == (1_383_34, 566_66)


def test_debts_are_balances_and_no_outgoing():
    month = budget(
        FORM, amounts(pay=(10_00, "month")) | {"debt_cards": {"cents": 6_700_00}, "debt_loans": {"cents": 0}}
    )
    assert (month.surplus_cents, month.debts) == (10_00, (("debt_cards", 6_700_00),))


def test_a_cap_grows_with_the_dependants_and_flags_only_what_is_above_it():
    at_the_cap = amounts(food=(1_500_00, "month")) | {"dependants": {"number": 2}}
    assert [line.cap_cents for line in budget(FORM, at_the_cap).lines] == [1_500_00]
    assert budget(FORM, at_the_cap).over == ()
    above = amounts(food=(1_500_01, "month")) | {"dependants": {"number": 2}}
    assert [line.code for line in budget(FORM, above).over] == ["food"]
    assert [line.code for line in budget(FORM, amounts(food=(1_500_00, "month"))).over] == ["food"]
    assert budget(FORM, above).essential_cents == 1_500_01


# Shares ---------------------------------------------------------------------------------------------------------


def test_what_is_left_is_shared_by_balance_rounded_down_pr_1():
    shared = share(160_00, 4_550_00, (6_700_00, 1_200_00))
    assert shared.shares_cents == (58_47, 86_10, 15_42)
    assert shared.available_cents - sum(shared.shares_cents) == 1


@settings(max_examples=2_000)
@given(
    available=st.integers(-(10**9), 10**9),
    owed=st.integers(0, 10**9),
    others=st.lists(st.integers(0, 10**9), max_size=8),
)
def test_a_share_is_never_more_than_what_is_left_nor_than_what_is_owed(available, owed, others):
    shared = share(available, owed, others)
    assert sum(shared.shares_cents) <= max(available, 0)
    assert 0 <= shared.cents <= owed
    assert len(shared.shares_cents) == 1 + len(others)


# What follows ---------------------------------------------------------------------------------------------------


def test_the_share_becomes_a_plan_that_the_rules_allow():
    decision = decide(surplus_cents=160_00, offered=standing(4_550_00, months=0), others_cents=[6_700_00, 1_200_00])
    assert (decision.outcome, decision.choice) == ("plan", "plan")
    lines = decision.answer.lines
    assert {line.amount_cents for line in lines[:-1]} == {58_47}
    assert (len(lines), lines[-1].amount_cents, sum(line.amount_cents for line in lines)) == (78, 47_81, 4_550_00)


def test_below_the_bands_minimum_a_person_decides_and_the_reason_is_named_once():
    decision = decide(surplus_cents=160_00, offered=standing(4_550_00, minimum_cents=60_00, months=0),
                      others_cents=[6_700_00, 1_200_00])  # fmt: skip
    assert (decision.outcome, decision.answer, decision.share.cents) == ("referral", None, 58_47)
    assert [one.code for one in decision.refusals].count("payment_below_minimum") == 1


def test_a_plan_too_long_for_the_band_goes_to_a_person_too():
    decision = decide(surplus_cents=50_00, offered=standing(1_000_00, months=12))
    assert decision.outcome == "referral"
    assert "too_many_payments" in [one.code for one in decision.refusals]


@pytest.mark.parametrize("surplus", [0, -1, -500_00])
def test_nothing_left_over_is_never_a_payment(surplus):
    decision = decide(surplus_cents=surplus, offered=standing())
    assert (decision.outcome, decision.answer, decision.share.cents) == ("hardship", None, 0)


def test_a_share_of_less_than_a_cent_goes_to_a_person():
    decision = decide(surplus_cents=1, offered=standing(), others_cents=[1_000_00])
    assert [one.code for one in decision.refusals] == ["share_is_nothing"]


def test_whoever_could_pay_everything_at_once_is_still_proposed_two_payments():
    decision = decide(surplus_cents=5_000_00, offered=standing(1_000_01))
    assert [line.amount_cents for line in decision.answer.lines] == [500_01, 500_00]


@pytest.mark.parametrize(("down_cents", "outcome"), [(50_00, "plan"), (50_01, "referral")])
def test_a_first_payment_above_the_share_is_not_proposed_whatever_the_rules_want(down_cents, outcome):
    decision = decide(surplus_cents=50_00, offered=standing(down_payment_cents=down_cents))
    assert decision.outcome == outcome
    assert ("above_share" in [one.code for one in decision.refusals]) == (outcome == "referral")


def test_where_there_is_no_plan_a_settlement_in_parts_is_proposed():
    at = standing(1_000_00, months=1, minimum_cents=0, minimum_settlement_bps=75_00, max_months_settled=12)
    decision = decide(surplus_cents=100_00, offered=at)
    assert (decision.choice, decision.answer.total_cents, decision.answer.saving_cents) == ("parts", 750_00, 250_00)


@settings(max_examples=300, deadline=None)
@given(
    surplus=st.integers(-100_00, 3_000_00),
    owed=st.integers(1, 20_000_00),
    others=st.lists(st.integers(0, 20_000_00), max_size=3),
    minimum=st.integers(0, 200_00),
    months=st.integers(0, 72),
)
def test_whatever_is_proposed_is_affordable_and_adds_up(surplus, owed, others, minimum, months):
    at = standing(owed, minimum_cents=minimum, months=months)
    decision = decide(surplus_cents=surplus, offered=at, others_cents=others)
    assert decision.outcome in rules.OUTCOMES
    assert (decision.outcome == "hardship") == (surplus <= 0)
    assert (decision.answer is not None) == (decision.outcome == "plan")
    if decision.answer:
        assert sum(line.amount_cents for line in decision.answer.lines) == owed
        assert max(line.amount_cents for line in decision.answer.lines) <= decision.share.cents <= surplus


# Forms as data --------------------------------------------------------------------------------------------------


def test_the_standard_form_has_no_mistakes_and_speaks_both_languages():
    assert check_form(STANDARD_FORM) == []
    assert {question.group for question in FORM.questions} == set(GROUPS)
    assert any(question.dependants for question in FORM.questions)
    assert any(question.cap for question in FORM.questions)
    for question in FORM.questions:
        assert say(question.label, "en") != say(question.label, "es"), question.code
    assert FORM.notes


def change(at: str, value):
    """Copy the standard form with one value changed, or removed with `...`."""
    form = deepcopy(STANDARD_FORM)
    *way, last = at.strip("/").split("/")
    place = form
    for step in way:
        place = place[int(step)] if isinstance(place, list) else place[step]
    if value is ...:
        del place[last]
    else:
        place[int(last) if isinstance(place, list) else last] = value
    return form


PAY = "/sections/1/questions/0"
FOOD = "/sections/3/questions/0"
MISTAKES = [
    ("/layout", "quittance-budget-form/2", "/layout", "layout_unknown"),
    ("/extra", 1, "/extra", "field_unknown"),
    ("/title", ..., "/title", "not_an_object"),
    ("/title", {"en": "Budget"}, "/title/es", "text_missing"),
    ("/title", {"en": "Budget", "es": "  "}, "/title/es", "text_missing"),
    ("/title", {"en": "x" * 121, "es": "y"}, "/title/en", "text_too_long"),
    ("/title", {"en": "Budget", "es": "Presupuesto", "fr": "Budget"}, "/title/fr", "field_unknown"),
    ("/sections", [], "/sections", "list_missing"),
    ("/sections", {}, "/sections", "list_missing"),
    ("/sections/0", "household", "/sections/0", "not_an_object"),
    ("/sections/0/code", "review", "/sections/0/code", "code_reserved"),
    ("/sections/0/code", "In Come", "/sections/0/code", "code_unusable"),
    ("/sections/0/code", "_seen", "/sections/0/code", "code_unusable"),
    ("/sections/0/code", "income", "/sections/1/code", "code_twice"),
    ("/sections/0/questions", [], "/sections/0/questions", "list_missing"),
    (f"{PAY}/code", "rent", "/sections/2/questions/0/code", "code_twice"),
    (f"{PAY}/kind", "sum", f"{PAY}/kind", "value_unknown"),
    (f"{PAY}/group", "wages", f"{PAY}/group", "value_unknown"),
    (f"{PAY}/required", "yes", f"{PAY}/required", "not_yes_or_no"),
    (f"{PAY}/frequencies", ..., f"{PAY}/frequencies", "frequencies_missing"),
    (f"{PAY}/frequencies", [], f"{PAY}/frequencies", "list_missing"),
    (f"{PAY}/frequencies", ["week", "day"], f"{PAY}/frequencies/1", "value_unknown"),
    (f"{PAY}/frequencies", ["week", "week"], f"{PAY}/frequencies/1", "code_twice"),
    (f"{PAY}/cap", {"cents": 1, "note": {"en": "a", "es": "b"}}, f"{PAY}/cap", "cap_only_for_outgoings"),
    (f"{PAY}/options", [], f"{PAY}/options", "options_only_for_choices"),
    (f"{PAY}/dependants", True, f"{PAY}/dependants", "dependants_only_for_a_number"),
    (f"{FOOD}/cap/cents", -1, f"{FOOD}/cap/cents", "not_a_number"),
    (f"{FOOD}/cap/cents", 10.5, f"{FOOD}/cap/cents", "not_a_number"),
    (f"{FOOD}/cap/cents", True, f"{FOOD}/cap/cents", "not_a_number"),
    (f"{FOOD}/cap/note", ..., f"{FOOD}/cap/note", "not_an_object"),
    ("/sections/0/questions/1/dependants", False, f"{FOOD}/cap/per_dependant_cents", "cap_without_dependants"),
    ("/sections/0/questions/0/group", "income", "/sections/0/questions/0/group", "group_only_for_amounts"),
    ("/sections/0/questions/0/frequencies", ["week"], "/sections/0/questions/0/frequencies",
     "frequencies_only_for_amounts"),
    ("/sections/0/questions/0/most", 0, "/sections/0/questions/0/most", "not_a_number"),
    ("/sections/0/questions/2/options/1/code", "rent", "/sections/0/questions/2/options/1/code", "code_twice"),
]  # fmt: skip


@pytest.mark.parametrize(("at", "value", "pointer", "code"), MISTAKES)
def test_each_mistake_of_a_definition_is_named_with_its_pointer(at, value, pointer, code):
    assert (pointer, code) in [(one.field, one.code) for one in check_form(change(at, value))]


@pytest.mark.parametrize("definition", [None, [], "form", 7, {}])
def test_what_is_no_form_at_all_is_refused_and_does_not_break(definition):
    assert check_form(definition)


def test_a_form_without_income_or_outgoings_is_refused():
    bare = deepcopy(STANDARD_FORM)
    bare["sections"] = bare["sections"][:1]
    assert {one.code for one in check_form(bare)} == {"no_income", "no_outgoings"}


def test_all_mistakes_come_at_once():
    form = change("/layout", "?")
    form["title"] = {}
    form["sections"][0]["code"] = "result"
    assert len(check_form(form)) == 4


# Answers --------------------------------------------------------------------------------------------------------

COMPLETE = amounts(pay=(450_00, "week"), rent=(900_00, "month"), food=(400_00, "month")) | {
    "adults": {"number": 1},
    "dependants": {"number": 0},
}


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ({"pay": {"cents": -1, "frequency": "week"}}, "amount_out_of_range"),
        ({"pay": {"cents": 10**13, "frequency": "week"}}, "amount_out_of_range"),
        ({"pay": {"cents": "5", "frequency": "week"}}, "amount_out_of_range"),
        ({"pay": {"cents": True, "frequency": "week"}}, "amount_out_of_range"),
        ({"pay": {"cents": 5}}, "frequency_not_asked"),
        ({"pay": {"cents": 5, "frequency": "day"}}, "frequency_not_asked"),
        ({"adults": {"number": 21}}, "number_out_of_range"),
        ({"adults": {"number": -1}}, "number_out_of_range"),
        ({"housing": {"choice": "castle"}}, "choice_not_asked"),
        ({"more": {"text": "x" * 501}}, "text_out_of_range"),
        ({"more": {"text": None}}, "text_out_of_range"),
        ({"pay": {"cents": 5, "frequency": "week", "note": "x" * 1_001}}, "text_out_of_range"),
    ],
)
def test_an_answer_that_cannot_be_is_refused_beside_its_question(answer, code):
    found = check_answers(FORM, COMPLETE | answer)
    assert [(one.field, one.code) for one in found] == [(next(iter(answer)), code)]


def test_what_must_be_answered_is_missed_and_the_rest_may_be_left_out():
    assert check_answers(FORM, COMPLETE) == []
    missing = check_answers(FORM, {})
    assert [one.field for one in missing] == ["adults", "dependants", "pay", "rent", "food"]
    assert {one.code for one in missing} == {"answer_missing"}
    assert [one.field for one in check_answers(FORM, {}, only="home")] == ["rent"]
