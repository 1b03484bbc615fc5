"""What a draft refuses: every field, all at once, each with its code and its place; nothing is written then."""

from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from settlements.models import RuleSet
from settlements.rules import bands as rules
from settlements.rules import drafts
from settlements.services import rulesets
from tests.conftest import NOW

LOW = {"owing_from_cents": 0, "owing_to_cents": 999_99}
TOP = 999_999_999_00
FORM = [
    ({"enabled": "yes"}, "not_yes_or_no", "/enabled"),
    ({"enabled": None}, "not_yes_or_no", "/enabled"),
    ({"enabled": 1}, "not_yes_or_no", "/enabled"),
    ({"replace_all": True}, "replace_all_at_agency", "/replace_all"),
    ({"conversion": "monthly"}, "conversion_unknown", "/conversion"),
    ({"conversion": 12}, "not_a_text", "/conversion"),
    ({"breach_reinstates": "everything"}, "breach_unknown", "/breach_reinstates"),
    ({"promise_days": -1}, "number_out_of_range", "/promise_days"),
    ({"promise_days": 366}, "number_out_of_range", "/promise_days"),
    ({"promise_days": "30"}, "not_a_whole_number", "/promise_days"),
    ({"promise_days": True}, "not_a_whole_number", "/promise_days"),
    ({"breach_cure_days": 10.0}, "not_a_whole_number", "/breach_cure_days"),
    ({"breach_cure_days": float("nan")}, "not_a_whole_number", "/breach_cure_days"),
    ({"max_changes": 10**30}, "number_out_of_range", "/max_changes"),
    ({"sif_plan_arrangement": "X" * 21}, "text_too_long", "/sif_plan_arrangement"),
    ({"sif_plan_arrangement": "=HYPERLINK(1)"}, "code_looks_like_formula", "/sif_plan_arrangement"),
    ({"sif_plan_final": "@SUM(A1)"}, "code_looks_like_formula", "/sif_plan_final"),
    ({"sif_plan_final": "SIF\x00"}, "text_unprintable", "/sif_plan_final"),
    ({"sif_plan_final": "SIF\ud800"}, "text_unprintable", "/sif_plan_final"),
    ({"sif_plan_final": ["SIF"]}, "not_a_text", "/sif_plan_final"),
    ({"note": "x" * 301}, "text_too_long", "/note"),
    ({"version": 9}, "field_unknown", "/version"),
    ({"status": "published"}, "field_unknown", "/status"),
    ({"a/b~c": 1}, "field_unknown", "/a~1b~0c"),
    ({"\ud800": 1}, "field_unknown", "/?"),
]
BAND = [
    ({"owing_from_cents": 1_000_00}, "band_reversed", "owing_to_cents"),
    ({"owing_from_cents": -1}, "amount_negative", "owing_from_cents"),
    ({"owing_from_cents": None}, "field_missing", "owing_from_cents"),
    ({"owing_to_cents": TOP + 1}, "amount_too_large", "owing_to_cents"),
    ({"owing_to_cents": "999.99"}, "not_a_whole_number", "owing_to_cents"),
    ({"owing_to_cents": float("inf")}, "not_a_whole_number", "owing_to_cents"),
    ({"minimum_cents": -1}, "amount_negative", "minimum_cents"),
    ({"minimum_cents": 2**63}, "amount_too_large", "minimum_cents"),
    ({"minimum_cents": 25.5}, "not_a_whole_number", "minimum_cents"),
    ({"minimum_bps": 100_01}, "percent_out_of_range", "minimum_bps"),
    ({"minimum_bps": -1}, "percent_out_of_range", "minimum_bps"),
    ({"minimum_settlement_bps": 100_01}, "percent_out_of_range", "minimum_settlement_bps"),
    ({"offered_settlement_bps": 100_01}, "percent_out_of_range", "offered_settlement_bps"),
    ({"down_payment_bps": -5}, "percent_out_of_range", "down_payment_bps"),
    ({"down_payment_cents": TOP + 1}, "amount_too_large", "down_payment_cents"),
    ({"max_months_unsettled": 1_201}, "number_out_of_range", "max_months_unsettled"),
    ({"max_months_settled": -1}, "number_out_of_range", "max_months_settled"),
    ({"months_before_settlement": 10**9}, "number_out_of_range", "months_before_settlement"),
    ({"months_until_settlement": "12"}, "not_a_whole_number", "months_until_settlement"),
    ({"max_payments": 10_000}, "number_out_of_range", "max_payments"),
    ({"max_days": 36_526}, "number_out_of_range", "max_days"),
    ({"latest_first_days": 366}, "number_out_of_range", "latest_first_days"),
    ({"grace_days": 366}, "number_out_of_range", "grace_days"),
    ({"failures_to_break": 100}, "number_out_of_range", "failures_to_break"),
    ({"card_disabled": "N"}, "not_yes_or_no", "card_disabled"),
    ({"ach_disabled": 0}, "not_yes_or_no", "ach_disabled"),
    ({"minimum": 1}, "field_unknown", "minimum"),
    (
        {"minimum_settlement_bps": 80_00, "offered_settlement_bps": 79_99},
        "offered_below_minimum",
        "offered_settlement_bps",
    ),
    ({"months_before_settlement": 6, "months_until_settlement": 6}, "window_never_open", "months_until_settlement"),
    ({"months_before_settlement": 7, "months_until_settlement": 6}, "window_never_open", "months_until_settlement"),
]
BANDS = [
    ("none", [("bands_not_a_list", "/bands")]),
    ({"0": LOW}, [("bands_not_a_list", "/bands")]),
    (None, [("bands_not_a_list", "/bands")]),
    ([LOW, "none"], [("band_not_an_object", "/bands/1")]),
    ([LOW] * 61, [("too_many_bands", "/bands")]),
    ([{}], [("field_missing", "/bands/0/owing_from_cents"), ("field_missing", "/bands/0/owing_to_cents")]),
]


def found(values, bands, *, of_client=False):
    return [(one.code, one.field) for one in drafts.check(values, bands, of_client=of_client).refusals]


@pytest.mark.parametrize(("values", "code", "field"), FORM)
def test_a_wrong_field_of_the_form_has_its_code(values, code, field):
    assert found(values, [LOW]) == [(code, field)]


@pytest.mark.parametrize(("values", "code", "field"), BAND)
def test_a_wrong_field_of_a_band_has_its_code(values, code, field):
    assert found({}, [LOW, LOW | values]) == [(code, f"/bands/1/{field}")]


@pytest.mark.parametrize(("bands", "said"), BANDS)
def test_bands_that_are_none_have_a_code(bands, said):
    assert found({}, bands) == said


def test_a_client_has_no_master_switch_but_may_replace_all():
    assert found({"is_master": True, "replace_all": True}, [], of_client=True) == [("master_at_client", "/is_master")]


def test_everything_wrong_is_told_at_once_with_sentences():
    refusals = drafts.check({"enabled": 3, "promise_days": 999}, [{"minimum_bps": -1}], of_client=False).refusals
    assert [one.code for one in refusals] == [
        "not_yes_or_no",
        "number_out_of_range",
        "percent_out_of_range",
        "field_missing",
        "field_missing",
    ]
    assert refusals[1].sentence == "This is a number from 0 to 365."


@pytest.mark.parametrize(
    "values",
    [
        {"max_months_settled": 999, "max_months_unsettled": 0, "minimum_settlement_bps": 0},
        {"minimum_settlement_bps": 100_00, "offered_settlement_bps": 100_00, "card_disabled": False},
        {"offered_settlement_bps": 0, "minimum_settlement_bps": 80_00},
        {"months_before_settlement": 6, "months_until_settlement": 0},
        {"owing_to_cents": TOP},
        {"owing_to_cents": 0},
        {"minimum_cents": None, "max_payments": 0},
    ],
)
def test_what_is_meant_is_taken(values):
    assert found({}, [LOW | values]) == []


def test_gaps_and_overlaps_are_not_refused():
    assert found({}, [LOW, LOW, {"owing_from_cents": 50_000_00, "owing_to_cents": 50_000_00}]) == []


def test_a_refused_draft_stays_as_it_was(acting):
    draft = rulesets.draft(client=None, by="staff:1", now=NOW)
    assert rulesets.save_draft(rule_set=draft, values={"promise_days": 5}, bands=[LOW], by="staff:1", now=NOW) == []
    before = RuleSet.objects.values().get()
    values = {"promise_days": 6, "conversion": "?"}
    refusals = rulesets.save_draft(rule_set=draft, values=values, bands=[LOW, LOW], by="staff:2", now=NOW)
    assert [one.code for one in refusals] == ["conversion_unknown"]
    assert RuleSet.objects.values().get() == before
    assert rulesets.save_draft(rule_set=draft, values={"conversion": "annual"}, bands=[], by="staff:2", now=NOW) == []
    saved = RuleSet.objects.get()
    assert (saved.promise_days, saved.conversion, saved.bands) == (5, "annual", []), "what is not said stays"


WORDS = ("", "a", "é", "\x00", "漢字", *drafts.WRITABLE, "owing_from_cents", "owing_to_cents", *rules.BAND_FIELDS)
NUMBERS = (0, 1, -1, 99_99, 100_01, 2**63, 10**30, 0.0, 10.0, 1e300, float("nan"), float("inf"))


def anything(dice: Random, depth: int = 0) -> object:
    """Make any value that JSON could bring; a draw for each part would be slow."""
    kinds = ("none", "truth", "number", "text") + (("list", "object") if depth < 3 else ())
    match dice.choice(kinds):
        case "truth":
            return dice.random() < 0.5
        case "number":
            return dice.choice((*NUMBERS, dice.randint(-(10**6), 10**12), dice.uniform(-1e6, 1e6)))
        case "text":
            return dice.choice(WORDS)
        case "list":
            return [anything(dice, depth + 1) for _item in range(dice.randint(0, 3))]
        case "object":
            return said(dice, WORDS, depth + 1)
    return None


def said(dice: Random, names: Sequence[str], depth: int = 1) -> dict[str, object]:
    """Make an object with any values under some of these names."""
    return {dice.choice(names): anything(dice, depth) for _name in range(dice.randint(0, 3))}


def likely(dice: Random) -> dict[str, object]:
    """Make a band whose every value might be meant, so that some are taken."""
    picked = dice.sample(rules.BAND_FIELDS, dice.randint(0, 3))
    return LOW | {name: dice.choice((None, 0, 1, 12, 50_00, True, False)) for name in picked}


@settings(max_examples=2_000, deadline=None)
@given(st.integers(0, 2**64))
def test_whatever_is_said_is_refused_by_code_or_can_be_compiled(seed):
    dice = Random(seed)
    values = said(dice, (*drafts.WRITABLE, *WORDS))
    some = [dice.choice((likely, lambda dice: said(dice, WORDS)))(dice) for _band in range(dice.randint(0, 4))]
    bands = dice.choice((anything(dice), some))
    checked = drafts.check(values, bands, of_client=False)
    if checked.refusals:
        assert (checked.values, checked.bands) == ({}, [])
        assert all(one.code and one.sentence and one.field.startswith("/") for one in checked.refusals)
        return
    forms = {name: value for name, value in checked.values.items() if name in rules.FORM_FIELDS}
    made = tuple(rules.Band(**band) for band in checked.bands)
    compiled = rules.compile_rules(None, rules.RuleSet("agency", 1, made, **forms))
    for band in made:
        assert compiled.at(band.owing_from_cents).covered
