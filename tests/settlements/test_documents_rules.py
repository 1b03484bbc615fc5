"""Every field of the two documents, by its own name, with what it says and what the engine does with it.

SCollect: "Integration with SMAX Technologies (SCollect)", section "Settlement Offers in SCollect".
Collect!: "Debtor Portal Payment Plan Rules" of Comtech's Collect! help.
"""

from collections.abc import Callable
from datetime import date, timedelta

import pytest

from settlements.rules.bands import HIGHEST_CENTS, Band, RuleSet, compile_rules
from settlements.rules.coverage import coverage
from settlements.rules.offers import GlobalOffer, HostSettlement, PaymentOptions, payment_options
from settlements.rules.quotes import Facts, Offered, Wish, answer, offered
from settlements.rules.schedules import Line

NEW_YEAR = date(2023, 1, 1)
SCOLLECT = GlobalOffer(percent_bps=75_00, max_payments=6, max_days=180, version=1)


def default(owed: int = 1_000_00, individual: HostSettlement | None = None, today: date = NEW_YEAR) -> Offered:
    return offered(Facts(owed, today, individual=individual, global_offer=SCOLLECT))


def ruled(
    owed: int = 1_000_00, *bands: Band, listed_on: date | None = NEW_YEAR, today: date = NEW_YEAR, **form
) -> Offered:
    rules = compile_rules(None, RuleSet("agency", 1, bands, **form))
    return offered(Facts(owed, today, listed_on, rules=rules, global_offer=SCOLLECT))


def everywhere(**said) -> Band:
    return Band(0, HIGHEST_CENTS, **said)


def codes(at: Offered, wish: Wish) -> list[str]:
    return [refusal.code for refusal in answer(at, wish).refusals]


def monthly(at: Offered, choice: str, amount: int) -> list[str]:
    return codes(at, Wish(choice, "card", "monthly", amount_cents=amount))


# SCollect ---------------------------------------------------------------------------------------------------------


def settlement_percent():
    at = default()
    assert at.settlement.amount_cents == 750_00
    assert at.settlement.saving_cents == 250_00


def max_number_of_payments():
    assert default().settlement.max_payments == 6
    assert codes(default(), Wish("parts", parts=6)) == []
    assert "too_many_payments" in codes(default(), Wish("parts", parts=7))


def max_number_of_days():
    at = default()
    assert at.settlement.last_date == date(2023, 6, 30)
    last = (Line(NEW_YEAR, 375_00), Line(date(2023, 6, 30), 375_00))
    late = (Line(NEW_YEAR, 375_00), Line(date(2023, 7, 1), 375_00))
    assert codes(at, Wish("parts", lines=last)) == []
    assert codes(at, Wish("parts", lines=late)) == ["last_date_too_late"]


def six_payments_of_125():
    found = answer(default(), Wish("parts"))
    assert [line.amount_cents for line in found.lines] == [125_00] * 6
    assert [line.due_on for line in found.lines] == [date(2023, month, 1) for month in range(1, 7)]
    assert (found.total_cents, found.saving_cents) == (750_00, 250_00)


def nothing_set_uses_the_default():
    assert default(individual=None).settlement.level == "global"


def values_override_the_default():
    at = default(individual=HostSettlement(percent_bps=50_00, max_payments=2, max_days=60))
    assert (at.settlement.amount_cents, at.settlement.max_payments) == (500_00, 2)
    assert at.settlement.last_date == date(2023, 3, 2)
    assert at.settlement.level == "host"


def values_override_as_a_whole():
    at = default(individual=HostSettlement(percent_bps=50_00))
    assert (at.settlement.max_payments, at.settlement.last_date) == (1, NEW_YEAR)


def applied_to_all_accounts():
    for owed in (4, 1_000_00, HIGHEST_CENTS):
        assert default(owed).settlement.level == "global"


SCOLLECT_FIELDS: list[tuple[str, str, Callable[[], None]]] = [
    ("Settlement Percent", "He would be offered a settlement of $750.", settlement_percent),
    ("Max Number of Payments", "specify the settlement amount, max number of payments", max_number_of_payments),
    ("Max Number of Days", "the total number of days to pay the settlement", max_number_of_days),
    ("the example", "6 payments of $125 spaced out over the next 180 days (6 months)", six_payments_of_125),
    ("Default Global Offer", "If nothing is set in SCollect for the account it uses the", nothing_set_uses_the_default),
    ("override", "If there are values in SCollect it overrides the Default", values_override_the_default),
    ("override as a whole", "uses the settings specified from SCollect", values_override_as_a_whole),
    ("all accounts", "This will globally offer the settlement to all consumers.", applied_to_all_accounts),
]


@pytest.mark.parametrize(("field", "says", "holds"), SCOLLECT_FIELDS, ids=[field for field, _, _ in SCOLLECT_FIELDS])
def test_the_scollect_document(field, says, holds):
    assert says
    holds()


# Collect! ---------------------------------------------------------------------------------------------------------


def enable_rules():
    assert ruled(1_000_00, everywhere(minimum_settlement_bps=80_00)).settlement.level == "agency"
    off = ruled(1_000_00, everywhere(minimum_settlement_bps=80_00), enabled=False)
    assert off.settlement.level == "global", "not enabled: as if it did not exist"
    blank = RuleSet("agency", 1)
    client = RuleSet("client", 1, (everywhere(minimum_settlement_bps=60_00),))
    for agency, level in ((blank, "client"), (RuleSet("agency", 1, enabled=False, is_master=True), "global")):
        at = offered(Facts(1_000_00, NEW_YEAR, rules=compile_rules(client, agency), global_offer=SCOLLECT))
        assert at.settlement.level == level


def sif_plan_arrangement():
    at = ruled(1_000_00, everywhere(minimum_settlement_bps=80_00), sif_plan_arrangement="SIFA")
    assert (at.settlement.sif_plan_arrangement, at.plan.sif_plan_arrangement) == ("SIFA", "SIFA")
    offer = HostSettlement(percent_bps=50_00)
    rules = compile_rules(None, RuleSet("agency", 1, (everywhere(),), sif_plan_arrangement="SIFA"))
    assert offered(Facts(1_000_00, NEW_YEAR, individual=offer, rules=rules)).settlement.sif_plan_arrangement == "SIFA"


def sif_plan_full_or_final():
    at = ruled(1_000_00, everywhere(minimum_settlement_bps=80_00), sif_plan_final="SIFF")
    assert (at.settlement.sif_plan_final, at.settlement.sif_plan_arrangement) == ("SIFF", "")
    assert [one.value for one in at.settlement.trace if one.number == "sif_plan_final"] == ["SIFF"]


def owing_from():
    band = Band(1_000_00, HIGHEST_CENTS, minimum_settlement_bps=80_00)
    assert ruled(1_000_00, band).settlement.amount_cents == 800_00
    assert ruled(999_99, band).closed["settlement"][0].code == "no_band"


def owing_to():
    band = Band(0, 1_000_00, minimum_settlement_bps=80_00)
    assert ruled(1_000_00, band).settlement.amount_cents == 800_00
    assert ruled(1_000_01, band).closed["settlement"][0].code == "no_band"
    assert ruled(1_000_01, band).closed["plan"][0].code == "no_band"
    assert ruled(1_000_01, band).open == ("full", "amount", "promise")


def cover_everything():
    assert coverage(bands=[Band(0, HIGHEST_CENTS)]).complete
    gap = coverage(bands=[Band(0, 999_99), Band(1_000_01, HIGHEST_CENTS)]).gaps[0]
    assert (gap.from_cents, gap.to_cents) == (1_000_00, 1_000_00)


def overlap_warning():
    low, high = Band(0, 1_000_00, minimum_settlement_bps=80_00), Band(1_000_00, 2_500_00, minimum_settlement_bps=60_00)
    for bands in ((low, high), (high, low)):
        assert ruled(1_000_00, *bands).settlement.amount_cents == 800_00, "the lower rules will be used"
        assert ruled(1_000_01, *bands).settlement.amount_cents == 600_01
    assert [one.winner for one in coverage(bands=[low, high]).overlaps] == [0]
    assert [one.winner for one in coverage(bands=[high, low]).overlaps] == [1]
    for less_a_penny in ((Band(0, 999_99), Band(1_000_00, 2_499_99)), (Band(0, 1_000_00), Band(1_000_01, 2_500_00))):
        assert coverage(bands=less_a_penny).overlaps == ()


def minimum_payment_dollar():
    at = ruled(1_000_00, everywhere(minimum_cents=100_00))
    assert at.plan.minimum_for("monthly") == 100_00
    assert monthly(at, "plan", 100_00) == []
    assert "payment_below_minimum" in monthly(at, "plan", 99_99)


def minimum_payment_dollar_weekly():
    annual = ruled(1_000_00, everywhere(minimum_cents=100_00)).plan
    assert [annual.minimum_for(one) for one in ("weekly", "biweekly", "semimonthly")] == [23_08, 46_16, 50_00]
    named = ruled(1_000_00, everywhere(minimum_cents=100_00), conversion="half_month").plan
    assert [named.minimum_for(one) for one in ("weekly", "biweekly", "semimonthly", "monthly")] == [
        50_00,
        50_00,
        50_00,
        100_00,
    ]


def minimum_payment_percentage():
    at = ruled(3_000_00, everywhere(minimum_cents=100_00, minimum_bps=5_00))
    assert at.plan.monthly_minimum_cents == 150_00, "the higher of the 2 values"
    assert ruled(1_000_00, everywhere(minimum_cents=100_00, minimum_bps=5_00)).plan.monthly_minimum_cents == 100_00
    assert [one.field for one in at.plan.trace if one.number == "monthly_minimum_cents"] == ["minimum_bps"]


def maximum_months_unsettled():
    at = ruled(1_000_00, everywhere(max_months_unsettled=12, minimum_settlement_bps=80_00))
    counts = {"weekly": 52, "biweekly": 26, "semimonthly": 24, "monthly": 12}
    assert {one: at.plan.most_for(one) for one in counts} == counts
    assert {one: len(answer(at, Wish("plan", frequency=one)).lines) for one in counts} == counts
    assert at.plan.last_for(NEW_YEAR) == date(2024, 1, 1)
    assert (at.settlement.max_months, at.settlement.open_ended) == (0, True), "not part of a settlement"


def minimum_months_before():
    band = everywhere(minimum_settlement_bps=80_00, months_before_settlement=6)
    early, opened = ruled(1_000_00, band, today=date(2023, 6, 30)), ruled(1_000_00, band, today=date(2023, 7, 1))
    refusal = early.closed["settlement"][0]
    assert (refusal.code, refusal.params["opens_on"]) == ("settlement_not_yet", date(2023, 7, 1))
    assert opened.settlement.amount_cents == 800_00
    at_once = everywhere(minimum_settlement_bps=80_00, months_before_settlement=0)
    assert ruled(1_000_00, at_once).settlement.amount_cents == 800_00
    assert ruled(1_000_00, band, listed_on=None).closed["settlement"][0].code == "listed_date_unknown"


def maximum_months_to_offer():
    band = everywhere(minimum_settlement_bps=80_00, months_until_settlement=6)
    last, over = ruled(1_000_00, band, today=date(2023, 6, 30)), ruled(1_000_00, band, today=date(2023, 7, 1))
    assert last.settlement.amount_cents == 800_00
    refusal = over.closed["settlement"][0]
    assert (refusal.code, refusal.params["closed_on"]) == ("settlement_over", date(2023, 6, 30))
    ever = everywhere(minimum_settlement_bps=80_00, months_until_settlement=0)
    assert ruled(1_000_00, ever, today=date(2043, 1, 1)).settlement.amount_cents == 800_00


def minimum_settlement_percentage():
    at = ruled(1_000_01, everywhere(minimum_settlement_bps=80_00))
    assert at.settlement.amount_cents == 800_01
    assert codes(at, Wish("settlement", lines=(Line(NEW_YEAR, 800_00),))) == ["sum_not_exact"]
    lower = ruled(1_000_00, everywhere(minimum_settlement_bps=80_00, offered_settlement_bps=70_00))
    assert lower.settlement.amount_cents == 800_00, "cannot be settled for less than 80%"
    off = ruled(1_000_00, everywhere(minimum_settlement_bps=0, offered_settlement_bps=70_00))
    assert off.closed["settlement"][0].code == "settlement_off_in_band"
    assert "plan" in off.open


def maximum_months_settled():
    band = everywhere(minimum_settlement_bps=75_00, max_months_settled=6, max_months_unsettled=12)
    at = ruled(1_000_00, band)
    found = answer(at, Wish("parts"))
    assert [line.amount_cents for line in found.lines] == [125_00] * 6
    assert len(answer(at, Wish("parts", frequency="weekly")).lines) == 26
    assert at.settlement.last_for(NEW_YEAR) == date(2023, 7, 1)
    assert at.plan.max_months == 12


def disable_cc():
    at = ruled(1_000_00, everywhere(minimum_settlement_bps=75_00, card_disabled=True))
    assert at.allowed.single_methods == at.allowed.recurring_methods == ("ach",)
    for choice in ("full", "settlement", "parts", "plan"):
        assert codes(at, Wish(choice, "card", first_on=date(2023, 1, 3))) == ["method_not_allowed"]
        assert codes(at, Wish(choice, "ach", first_on=date(2023, 1, 3))) == []
    offer = HostSettlement(percent_bps=50_00, max_payments=2, max_days=60)
    rules = compile_rules(None, RuleSet("agency", 1, (everywhere(card_disabled=True),)))
    individual = offered(Facts(1_000_00, NEW_YEAR, individual=offer, rules=rules))
    assert individual.settlement.methods == ("ach",), "it applies to individual offers too"


def disable_ach():
    at = ruled(1_000_00, everywhere(minimum_settlement_bps=75_00, ach_disabled=True))
    assert at.allowed.single_methods == at.allowed.recurring_methods == ("card",)
    assert codes(at, Wish("plan", "ach")) == ["method_not_allowed"]
    assert ruled(1_000_00, everywhere(card_disabled=True, ach_disabled=True)).open == ()


def client_by_client():
    agency = RuleSet("agency", 1, (everywhere(minimum_cents=50_00, minimum_settlement_bps=80_00),))
    client = RuleSet("client", 7, (everywhere(minimum_cents=25_00),))
    at = offered(Facts(1_000_00, NEW_YEAR, rules=compile_rules(client, agency)))
    said = {one.number: (one.level, one.version) for one in at.settlement.trace}
    assert said["monthly_minimum_cents"] == ("client", 7)
    assert said["amount_cents"] == ("agency", 1)
    alone = RuleSet("client", 7, (everywhere(minimum_cents=25_00),), replace_all=True)
    at = offered(Facts(1_000_00, NEW_YEAR, rules=compile_rules(alone, agency)))
    assert at.closed["settlement"][0].code == "settlement_off_in_band", "zeros replace too"


COLLECT_FIELDS: list[tuple[str, str, Callable[[], None]]] = [
    ("Enable Rules", "Even if nothing else is defined here, this box must still be set.", enable_rules),
    ("SIF PLAN: ARRANGEMENT", "a Contact Plan to run when a payment arrangement is created", sif_plan_arrangement),
    ("SIF PLAN: FULL OR FINAL", "a Settle in Full occurs in a single payment, or when", sif_plan_full_or_final),
    ("Owing From", "Enter the lower boundary for this range.", owing_from),
    ("Owing To", "Enter the upper boundary for this range.", owing_to),
    ("6 possible ranges", "should cover 0.00 to 999,999,999.00", cover_everything),
    ("WARNING: overlap", "then the lower rules will be used", overlap_warning),
    ("Minimum Payment Dollar", "the minimum dollar value of a payment in a month", minimum_payment_dollar),
    ("Minimum Payment Dollar, weekly", "a minimum payment of $50 per week", minimum_payment_dollar_weekly),
    ("Minimum Payment Percentage", "the higher of the 2 values is used", minimum_payment_percentage),
    ("MAXIMUM MONTHS: UNSETTLED", "12 on a weekly payment plan would be a maximum of 52", maximum_months_unsettled),
    ("Minimum Months Before Offering Settlement", "months after the Debtor's Listed Date", minimum_months_before),
    ("Maximum Months To Offer Settlement", "If the value is 0, [...] indefinitely", maximum_months_to_offer),
    ("Minimum Settlement Percentage", "If the value is 0.00, then settlements", minimum_settlement_percentage),
    ("MAXIMUM MONTHS: SETTLED", "payment plans that are part of a settlement", maximum_months_settled),
    ("Disable CC", "disable credit/debit card payments", disable_cc),
    ("Disable ACH", "disable ACH/check payments", disable_ach),
    ("client-by-client", "enable overrides on a client-by-client basis", client_by_client),
]


@pytest.mark.parametrize(("field", "says", "holds"), COLLECT_FIELDS, ids=[field for field, _, _ in COLLECT_FIELDS])
def test_the_collect_document(field, says, holds):
    assert says
    holds()


# The exact examples of the rules that the two documents do not have ------------------------------------------------


def test_an_odd_cent_is_rounded_half_up_and_carried_by_the_last_payment():
    found = answer(default(1_000_01), Wish("parts"))
    assert [line.amount_cents for line in found.lines] == [125_00] * 5 + [125_01]
    assert found.total_cents == 750_01


def test_months_are_not_payments_and_end_on_or_before_the_first_payment_plus_months():
    limits = ruled(1_000_00, everywhere(max_months_unsettled=1)).plan
    assert limits.last_for(date(2023, 1, 31)) == date(2023, 2, 28)
    assert [limits.most_for(one) for one in ("weekly", "biweekly", "semimonthly", "monthly")] == [4, 2, 2, 1]
    seven = ruled(1_000_00, everywhere(max_months_unsettled=7)).plan
    assert seven.most_for("weekly") == 30, "floor(7 x 52 / 12)"


def test_a_schedule_of_ours_is_shortened_for_the_banks_and_a_typed_one_is_refused():
    at = default(individual=HostSettlement(percent_bps=75_00, max_payments=2, max_days=30), today=date(2026, 11, 25))
    ours = answer(at, Wish("parts", "ach"))
    assert [(line.due_on, line.amount_cents) for line in ours.lines] == [(date(2026, 11, 25), 750_00)]
    typed = (Line(date(2026, 11, 25), 375_00), Line(date(2026, 12, 25), 375_00))
    assert codes(at, Wish("parts", "ach", lines=typed)) == ["rolled_past_limit"]
    assert codes(at, Wish("parts", "ach", parts=2)) == ["rolled_past_limit"]
    assert codes(at, Wish("parts", "card", lines=typed)) == []


def test_a_small_remainder_is_permitted_when_the_amount_was_chosen_and_not_when_the_number_was():
    at = ruled(1_000_00, everywhere(minimum_cents=300_00))
    found = answer(at, Wish("plan", amount_cents=300_00))
    assert [line.amount_cents for line in found.lines] == [300_00, 300_00, 300_00, 100_00]
    assert codes(at, Wish("plan", parts=4)) == ["payment_below_minimum"]
    assert [line.amount_cents for line in answer(at, Wish("plan")).lines] == [333_33, 333_33, 333_34]


def test_a_remainder_that_no_processor_takes_joins_the_last_payment():
    found = answer(ruled(1_000_50, everywhere()), Wish("plan", amount_cents=250_00))
    assert [line.amount_cents for line in found.lines] == [250_00, 250_00, 250_00, 250_50]


def test_payment_in_full_and_single_payments_are_always_possible_unless_the_account_is_blocked():
    for at in (ruled(1_000_00), default(), offered(Facts(1_000_00, NEW_YEAR))):
        assert {"full", "amount"} <= set(at.open)
    blocked = offered(Facts(1_000_00, NEW_YEAR, allowed=payment_options(PaymentOptions(can_pay=False))))
    assert blocked.open == ()


def test_an_individual_offer_is_not_held_against_the_band_and_ends_with_its_last_day_to_accept():
    rules = compile_rules(None, RuleSet("agency", 1, (everywhere(minimum_settlement_bps=80_00, grace_days=4),)))
    offer = HostSettlement(percent_bps=40_00, max_payments=3, max_days=90, expires_on=date(2023, 1, 10))
    at = offered(Facts(1_000_00, date(2023, 1, 10), individual=offer, rules=rules))
    assert (at.settlement.amount_cents, at.settlement.level, at.settlement.breach.grace_days) == (400_00, "host", 4)
    after = offered(Facts(1_000_00, date(2023, 1, 11), individual=offer, rules=rules))
    assert (after.settlement.amount_cents, after.settlement.level) == (800_00, "agency")


def test_our_own_fields_limit_too():
    band = everywhere(
        max_payments=4, max_days=90, down_payment_cents=200_00, down_payment_bps=10_00, latest_first_days=14
    )
    at = ruled(1_000_00, band)
    found = answer(at, Wish("plan"))
    assert [line.amount_cents for line in found.lines] == [250_00] * 4
    assert [line.amount_cents for line in answer(at, Wish("plan", amount_cents=400_00)).lines] == [
        400_00,
        400_00,
        200_00,
    ]
    three = answer(at, Wish("plan", parts=3, first_on=NEW_YEAR + timedelta(days=14)))
    assert len(three.lines) == 3
    assert codes(at, Wish("plan", first_on=NEW_YEAR + timedelta(days=15))) == ["first_date_too_late"]
    low = (Line(NEW_YEAR, 199_99), Line(date(2023, 2, 1), 800_01))
    assert codes(at, Wish("plan", lines=low)) == ["down_payment_too_small"]
    first = answer(ruled(1_000_00, everywhere(down_payment_cents=400_00)), Wish("plan", amount_cents=200_00))
    assert [line.amount_cents for line in first.lines] == [400_00, 200_00, 200_00, 200_00], (
        "the first is the down payment"
    )
    most = ruled(1_000_00, everywhere(down_payment_bps=50_00))
    assert [line.amount_cents for line in answer(most, Wish("plan", parts=3)).lines] == [500_00, 250_00, 250_00]
