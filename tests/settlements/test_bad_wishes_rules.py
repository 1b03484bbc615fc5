"""Wishes that cannot be, each with every code it is refused by: nothing is guessed, nothing overflows."""

from datetime import date

import pytest

from settlements.rules.bands import HIGHEST_CENTS, Band, RuleSet, compile_rules
from settlements.rules.offers import GlobalOffer, HostSettlement, PaymentOptions, payment_options
from settlements.rules.quotes import Facts, Wish, answer, offered
from settlements.rules.schedules import Line

TODAY = date(2028, 2, 29)
HUGE = 10**30
BANDS = (
    Band(
        0,
        2_500_00,
        minimum_cents=50_00,
        max_months_unsettled=12,
        max_months_settled=6,
        minimum_settlement_bps=75_00,
        down_payment_cents=60_00,
        latest_first_days=14,
    ),
    Band(9_000_00, 5_000_00, minimum_settlement_bps=10_00),
    Band(10_000_00, HIGHEST_CENTS),
)
RULES = compile_rules(None, RuleSet("agency", 1, BANDS, promise_days=20))
NO_SCHEDULES = payment_options(PaymentOptions(recurring_card=False, recurring_ach=False))
AT = offered(Facts(1_000_00, TODAY, date(2027, 1, 1), rules=RULES))


def at(owed=1_000_00, **changes):
    return offered(Facts(owed, TODAY, **({"listed_on": date(2027, 1, 1), "rules": RULES} | changes)))


def on(*pairs):
    return tuple(Line(date.fromisoformat(day), cents) for day, cents in pairs)


def wish(*said, **more):
    return Wish(*said, **more)


HALVES = on(("2028-02-29", 500_00), ("2028-03-29", 500_00))
TABLE = [
    # What cannot be understood
    ("unknown choice", AT, wish("everything"), ["choice_unknown"]),
    ("empty choice", AT, wish(""), ["choice_unknown"]),
    ("unknown frequency", AT, wish("plan", frequency="fortnightly"), ["frequency_unknown"]),
    ("empty frequency", AT, wish("plan", frequency=""), ["frequency_unknown"]),
    ("unknown method", AT, wish("plan", "cash"), ["method_unknown"]),
    (
        "all three at once",
        AT,
        wish("x", "cash", "daily"),
        ["choice_unknown", "frequency_unknown", "method_unknown"],
    ),
    ("anchor days alike", AT, wish("plan", frequency="semimonthly", days=(15, 15)), ["anchor_days_invalid"]),
    ("anchor day 32", AT, wish("plan", frequency="semimonthly", days=(1, 32)), ["anchor_days_invalid"]),
    ("anchor day 0", AT, wish("plan", anchor_day=0), ["anchor_days_invalid"]),
    ("custom without lines", AT, wish("plan", frequency="custom"), ["lines_missing"]),
    ("custom with an amount alone", AT, wish("plan", frequency="custom", amount_cents=100_00), ["lines_missing"]),
    # Numbers
    ("no payments", AT, wish("plan", parts=0), ["parts_not_positive"]),
    ("negative payments", AT, wish("parts", parts=-6), ["parts_not_positive"]),
    ("one payment too many", AT, wish("plan", parts=13), ["too_many_payments"]),
    ("two payments too many", AT, wish("plan", parts=14), ["too_many_payments", "last_date_too_late"]),
    (
        "a huge number of payments",
        AT,
        wish("plan", parts=HUGE),
        ["too_many_payments", "payment_not_positive", "last_date_too_late"],
    ),
    (
        "more payments than the minimum allows",
        at(owed=400_00),
        wish("plan", parts=9),
        ["payment_below_minimum"],
    ),
    ("two payments, once", AT, wish("plan", frequency="once", parts=2), ["too_many_payments"]),
    # Amounts
    ("amount of zero", AT, wish("plan", amount_cents=0), ["payment_not_positive"]),
    ("negative amount", AT, wish("plan", amount_cents=-100_00), ["payment_not_positive"]),
    (
        "a cent at a time",
        AT,
        wish("plan", amount_cents=1),
        ["too_many_payments", "payment_below_minimum", "last_date_too_late"],
    ),
    (
        "a cent at a time of the highest balance",
        at(owed=HIGHEST_CENTS),
        wish("plan", amount_cents=1),
        ["too_many_payments", "payment_below_minimum", "last_date_too_late"],
    ),
    (
        "a cent below the minimum",
        AT,
        wish("plan", frequency="weekly", amount_cents=11_53),
        [
            "too_many_payments",
            "payment_below_minimum",
            "last_date_too_late",
        ],
    ),
    ("single amount left out", AT, wish("amount"), ["amount_missing"]),
    ("single amount of zero", AT, wish("amount", amount_cents=0), ["payment_not_positive"]),
    ("single negative amount", AT, wish("amount", amount_cents=-1), ["payment_not_positive"]),
    ("single amount above the debt", AT, wish("amount", amount_cents=1_000_01), ["more_than_owed"]),
    ("single huge amount", AT, wish("amount", amount_cents=HUGE), ["more_than_owed"]),
    (
        "single amount below the account's minimum",
        at(allowed=payment_options(PaymentOptions(minimum_single_cents=20_00))),
        wish("amount", amount_cents=19_99),
        ["payment_below_minimum"],
    ),
    ("promise of nothing", AT, wish("promise", amount_cents=0), ["payment_not_positive"]),
    ("promise of more than is owed", AT, wish("promise", amount_cents=1_000_01), ["more_than_owed"]),
    # Days
    ("first payment yesterday", AT, wish("plan", first_on=date(2028, 2, 28)), ["first_date_in_past"]),
    ("first payment at the beginning of time", AT, wish("plan", first_on=date.min), ["first_date_in_past"]),
    ("first payment a day too late", AT, wish("plan", first_on=date(2028, 3, 15)), ["first_date_too_late"]),
    (
        "first payment at the end of time",
        AT,
        wish("plan", first_on=date.max),
        ["first_date_too_late", "last_date_too_late"],
    ),
    (
        "first payment at the end of time by bank, in a number of payments",
        AT,
        wish("parts", "ach", "semimonthly", parts=3, first_on=date.max),
        ["first_date_too_late", "last_date_too_late"],
    ),
    (
        "zero payments from yesterday on",
        AT,
        wish("plan", parts=0, first_on=date(2028, 2, 28)),
        ["parts_not_positive", "first_date_in_past"],
    ),
    ("settlement yesterday", AT, wish("settlement", first_on=date(2028, 2, 28)), ["first_date_in_past"]),
    ("full at the end of time", AT, wish("full", first_on=date.max), ["first_date_too_late"]),
    ("full by bank at the end of time", AT, wish("full", "ach", first_on=date.max), ["first_date_too_late"]),
    ("full yesterday", AT, wish("full", first_on=date(2028, 2, 28)), ["first_date_in_past"]),
    ("promise kept a day too late", AT, wish("promise", first_on=date(2028, 3, 21)), ["promise_too_late"]),
    ("promise for yesterday", AT, wish("promise", first_on=date(2028, 2, 28)), ["first_date_in_past"]),
    (
        "a number of payments past the last day of an offer",
        at(individual=HostSettlement(percent_bps=50_00, max_payments=6, max_days=30)),
        wish("parts", parts=3),
        ["last_date_too_late"],
    ),
    (
        "29 February is the limit, and not 1 March",
        offered(
            Facts(
                1_000_00, date(2028, 1, 31), individual=HostSettlement(percent_bps=50_00, max_payments=2, max_days=29)
            )
        ),
        wish("parts", lines=on(("2028-01-31", 250_00), ("2028-03-01", 250_00))),
        ["last_date_too_late"],
    ),
    # One's own lines
    ("a cent missing", AT, wish("plan", lines=on(("2028-02-29", 500_00), ("2028-03-29", 499_99))), ["sum_not_exact"]),
    ("a cent too much", AT, wish("settlement", lines=on(("2028-02-29", 750_01))), ["sum_not_exact"]),
    ("full in two payments", AT, wish("full", lines=HALVES), ["one_payment_only"]),
    ("full, not all of it", AT, wish("full", lines=on(("2028-02-29", 999_99))), ["sum_not_exact"]),
    (
        "settlement at once in two payments",
        AT,
        wish("settlement", lines=on(("2028-02-29", 375_00), ("2028-03-29", 375_00))),
        ["too_many_payments"],
    ),
    (
        "two on one day",
        AT,
        wish("plan", lines=on(("2028-02-29", 500_00), ("2028-02-29", 500_00))),
        ["dates_not_rising"],
    ),
    (
        "the later one first",
        AT,
        wish("plan", lines=on(("2028-03-10", 500_00), ("2028-03-01", 500_00))),
        ["dates_not_rising"],
    ),
    (
        "a payment of nothing and one of less",
        AT,
        wish("plan", lines=on(("2028-02-29", 1_010_00), ("2028-03-29", 0), ("2028-04-29", -10_00))),
        ["payment_not_positive", "payment_not_positive"],
    ),
    (
        "a first payment below the down payment",
        AT,
        wish("plan", lines=on(("2028-02-29", 59_99), ("2028-03-29", 940_01))),
        ["down_payment_too_small"],
    ),
    (
        "a middle payment below the minimum of its month",
        AT,
        wish("plan", lines=on(("2028-02-29", 500_00), ("2028-03-29", 49_99), ("2028-04-29", 450_01))),
        ["payment_below_minimum"],
    ),
    (
        "a remainder that no processor takes",
        AT,
        wish("plan", lines=on(("2028-02-29", 999_01), ("2028-03-29", 99))),
        ["payment_below_minimum"],
    ),
    (
        "past the last day",
        AT,
        wish("plan", lines=on(("2028-02-29", 500_00), ("2029-03-01", 500_00))),
        ["last_date_too_late"],
    ),
    (
        "at the end of time by bank",
        AT,
        wish("plan", "ach", lines=on(("2028-02-29", 500_00), ("9999-12-31", 500_00))),
        ["last_date_too_late"],
    ),
    (
        "yesterday, too late, too little and too much at once",
        AT,
        wish("parts", lines=on(("2028-02-28", 10_00), ("2028-09-01", HUGE))),
        ["sum_not_exact", "first_date_in_past", "down_payment_too_small", "last_date_too_late"],
    ),
    (
        "more lines than there are days",
        AT,
        wish("plan", lines=on(("2028-02-29", 1)) * 10_000),
        ["too_many_payments"],
    ),
    (
        "a chosen day that was never rolled to this date",
        AT,
        wish("plan", "ach", lines=(Line(date(2028, 3, 18), 1_000_00, planned_on=TODAY),)),
        ["first_date_too_late"],
    ),
    # What is not open
    ("nothing owed", at(owed=0), wish("full"), ["nothing_owed"]),
    ("less than nothing owed", at(owed=-5_00), wish("promise"), ["nothing_owed"]),
    ("more owed than any band has", at(owed=HIGHEST_CENTS + 1), wish("plan"), ["no_band"]),
    ("in the gap between the bands", at(owed=2_500_01), wish("settlement"), ["no_band"]),
    ("within a reversed band", at(owed=7_000_00), wish("settlement"), ["no_band"]),
    ("a band without settlements", at(owed=10_000_00), wish("parts"), ["settlement_off_in_band"]),
    ("no rules and no default", at(rules=None), wish("settlement"), ["no_settlement"]),
    ("a plan without rules", at(rules=None), wish("plan"), ["no_plan"]),
    (
        "parts of an offer of one payment",
        at(rules=None, global_offer=GlobalOffer(75_00, 1, 180)),
        wish("parts"),
        ["parts_not_possible"],
    ),
    ("a plan where schedules are banned", at(allowed=NO_SCHEDULES), wish("plan"), ["no_plan"]),
    (
        "a method that is banned",
        at(allowed=payment_options(PaymentOptions(single_ach=False, recurring_ach=False))),
        wish("plan", "ach"),
        ["method_not_allowed"],
    ),
    (
        "an account that cannot pay",
        at(allowed=payment_options(PaymentOptions(can_pay=False))),
        wish("amount", amount_cents=1_00),
        ["cannot_pay_here"],
    ),
    (
        "closed and not understood at once",
        at(owed=0),
        wish("full", "cash"),
        ["method_unknown", "nothing_owed"],
    ),
    (
        "promises switched off",
        offered(Facts(1_000_00, TODAY, rules=compile_rules(None, RuleSet("agency", 1, promise_days=0)))),
        wish("promise"),
        ["no_promises"],
    ),
]


@pytest.mark.parametrize(("offer", "bad", "codes"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_a_bad_wish_is_refused_with_every_code(offer, bad, codes):
    found = answer(offer, bad)
    assert [refusal.code for refusal in found.refusals] == codes
    assert (found.lines, found.total_cents, found.saving_cents) == ((), 0, 0)
    assert all(refusal.sentence and "%(" not in refusal.sentence for refusal in found.refusals)


def test_the_table_is_long_and_no_row_stands_twice():
    assert len(TABLE) == len({row[0] for row in TABLE}) >= 60


@pytest.mark.parametrize(
    ("sound", "count"),
    [
        (wish("plan", parts=12), 12),
        (wish("plan", amount_cents=HUGE), 1),
        (wish("plan", first_on=date(2028, 3, 14)), 12),
        (wish("promise", first_on=date(2028, 3, 20)), 1),
        (wish("plan", lines=on(("2028-02-29", 999_00), ("2028-03-29", 1_00))), 2),
        (wish("plan", lines=on(("2028-02-29", 500_00), ("2029-02-28", 500_00))), 2),
        (wish("plan", "ach", lines=(Line(date(2028, 3, 6), 1_000_00, planned_on=date(2028, 3, 4)),)), 1),
    ],
)
def test_the_wish_beside_the_limit_is_granted(sound, count):
    found = answer(AT, sound)
    assert found.refusals == ()
    assert len(found.lines) == count


def test_the_number_that_is_refused_comes_with_the_limit():
    refusal = answer(AT, wish("plan", parts=13)).refusals[0]
    assert (refusal.code, refusal.field, refusal.params) == ("too_many_payments", "parts", {"count": 13, "limit": 12})
