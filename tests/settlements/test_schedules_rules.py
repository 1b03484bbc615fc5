from datetime import date, timedelta
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.calendars import fed, is_business_day
from settlements.rules.offers import GlobalOffer, HostSettlement, PaymentOptions, payment_options, terms
from settlements.rules.schedules import Line, check, check_single, payment_dates, propose, roll

NEW_YEAR = date(2023, 1, 1)


def on(text):
    return date.fromisoformat(text)


def offer(amount=750_00, payments=6, days=180, minimum=0, today=NEW_YEAR, allowed=None, balance=1_000_00):
    host = HostSettlement(amount_cents=amount, max_payments=payments, max_days=days)
    allowed = allowed or payment_options(PaymentOptions(minimum_recurring_cents=minimum))
    return terms(balance, today, host, allowed=allowed)


def lines(*pairs):
    return [Line(on(day), cents) for day, cents in pairs]


def codes(refusals):
    return [refusal.code for refusal in refusals]


def dates(first, frequency, count, **options):
    return [day.isoformat() for day in islice(payment_dates(on(first), frequency, **options), count)]


def test_the_scollect_example_is_six_payments_of_125_dollars_set_1():
    settlement = terms(1_000_00, NEW_YEAR, global_offer=GlobalOffer(75_00, 6, 180))
    assert propose(settlement, NEW_YEAR) == (
        Line(on("2023-01-01"), 125_00),
        Line(on("2023-02-01"), 125_00),
        Line(on("2023-03-01"), 125_00),
        Line(on("2023-04-01"), 125_00),
        Line(on("2023-05-01"), 125_00),
        Line(on("2023-06-01"), 125_00),
    )


def test_the_last_payment_carries_the_odd_cent_set_2():
    settlement = terms(1_000_01, NEW_YEAR, global_offer=GlobalOffer(75_00, 6, 180))
    assert [line.amount_cents for line in propose(settlement, NEW_YEAR)] == [125_00] * 5 + [125_01]


def test_a_month_end_keeps_its_anchor_day_cal_04():
    assert dates("2027-01-31", "monthly", 4) == ["2027-01-31", "2027-02-28", "2027-03-31", "2027-04-30"]
    assert dates("2027-02-28", "monthly", 3, anchor_day=31) == ["2027-02-28", "2027-03-31", "2027-04-30"]


def test_weekly_and_biweekly_dates_keep_the_weekday():
    assert dates("2026-12-25", "weekly", 3) == ["2026-12-25", "2027-01-01", "2027-01-08"]
    assert dates("2026-12-25", "biweekly", 3) == ["2026-12-25", "2027-01-08", "2027-01-22"]


def test_semimonthly_dates_follow_two_anchor_days_but_leave_a_week_after_the_first():
    assert dates("2026-12-01", "semimonthly", 4) == ["2026-12-01", "2026-12-15", "2027-01-01", "2027-01-15"]
    assert dates("2026-12-14", "semimonthly", 3) == ["2026-12-14", "2027-01-01", "2027-01-15"]
    assert dates("2026-12-08", "semimonthly", 2) == ["2026-12-08", "2026-12-15"]
    assert dates("2027-01-31", "semimonthly", 4, days=(31, 15)) == [
        "2027-01-31",
        "2027-02-15",
        "2027-02-28",
        "2027-03-15",
    ]
    assert dates("2027-01-31", "semimonthly", 3, days=(30, 31)) == ["2027-01-31", "2027-02-28", "2027-03-30"]


def test_once_is_one_date_and_custom_has_none_of_its_own():
    assert dates("2026-12-01", "once", 5) == ["2026-12-01"]
    for frequency in ("custom", "fortnightly"):
        with pytest.raises(ValueError, match=frequency):
            payment_dates(NEW_YEAR, frequency)


def test_a_proposal_is_shortened_until_the_last_date_fits():
    assert len(propose(offer(days=180), NEW_YEAR)) == 6
    assert len(propose(offer(days=150), NEW_YEAR)) == 5
    assert [line.amount_cents for line in propose(offer(days=31), NEW_YEAR)] == [375_00, 375_00]
    assert len(propose(offer(days=0), NEW_YEAR)) == 1


def test_a_proposal_is_shortened_until_each_payment_reaches_the_minimum():
    assert [line.amount_cents for line in propose(offer(minimum=200_00), NEW_YEAR)] == [250_00] * 3
    assert [line.amount_cents for line in propose(offer(minimum=800_00), NEW_YEAR)] == [750_00]


def test_fewer_payments_may_be_wanted_and_more_are_not_given():
    assert len(propose(offer(), NEW_YEAR, parts=2)) == 2
    assert len(propose(offer(), NEW_YEAR, parts=12)) == 6
    assert propose(offer(), NEW_YEAR, "once") == (Line(NEW_YEAR, 750_00),)


def test_bank_debits_roll_forward_and_remember_the_chosen_day_cal_02():
    proposal = propose(offer(today=on("2026-12-25"), payments=2), on("2026-12-25"), method="ach")
    assert proposal == (
        Line(on("2026-12-28"), 375_00, planned_on=on("2026-12-25")),
        Line(on("2027-01-25"), 375_00),
    )


def test_a_proposal_by_bank_debit_is_shortened_when_rolling_passes_the_limit_cal_07():
    # The second payment and the limit are Christmas: a card may be taken, a bank debit would be late.
    settlement = offer(today=on("2026-11-25"), payments=2, days=30)
    assert settlement.last_date == on("2026-12-25")
    assert len(propose(settlement, on("2026-11-25"), method="card")) == 2
    assert propose(settlement, on("2026-11-25"), method="ach") == (Line(on("2026-11-25"), 750_00),)


def test_nothing_is_proposed_when_not_even_one_payment_fits():
    saturday = on("2026-12-05")
    assert propose(offer(today=saturday, days=0), saturday, method="ach") == ()
    allowed = payment_options(PaymentOptions(single_ach=False, recurring_ach=False))
    assert propose(offer(allowed=allowed), NEW_YEAR, method="ach") == ()


def test_a_method_banned_for_schedules_is_proposed_as_one_payment():
    allowed = payment_options(PaymentOptions(recurring_ach=False))
    assert len(propose(offer(allowed=allowed), on("2023-01-03"), method="ach")) == 1
    assert len(propose(offer(allowed=allowed), on("2023-01-03"), method="card")) == 6


def test_custom_dates_share_the_amount():
    custom = [on("2023-01-01"), on("2023-01-20"), on("2023-03-05")]
    assert propose(offer(), NEW_YEAR, "custom", dates=custom) == tuple(Line(day, 250_00) for day in custom)


def test_the_consumers_own_dates_and_amounts_are_accepted_within_the_limits():
    mine = lines(("2023-01-01", 50_00), ("2023-02-14", 300_00), ("2023-06-30", 400_00))
    assert check(mine, offer(minimum=50_00), NEW_YEAR, "card") == []


def test_all_refusals_come_back_at_once_each_with_its_code_field_and_sentence():
    settlement = offer(amount=300_00, payments=2, days=30, minimum=50_00, today=on("2026-12-01"))
    mine = lines(("2026-11-30", 40_00), ("2026-11-30", 0), ("2027-01-02", 100_00))
    refusals = check(mine, settlement, on("2026-12-01"), "ach")
    assert [(refusal.code, refusal.field) for refusal in refusals] == [
        ("sum_not_exact", "lines"),
        ("too_many_payments", "lines"),
        ("first_date_in_past", "lines.0.due_on"),
        ("payment_below_minimum", "lines.0.amount_cents"),
        ("payment_not_positive", "lines.1.amount_cents"),
        ("dates_not_rising", "lines.1.due_on"),
        ("last_date_too_late", "lines.2.due_on"),
        ("ach_not_banking_day", "lines.2.due_on"),
    ]
    assert [refusal.sentence for refusal in refusals] == [
        "The payments add up to $140.00. They must add up to $300.00.",
        "There are 3 payments. The most for this offer is 2.",
        "The first payment must be on or after December 1, 2026.",
        "Payment 1 must be at least $50.00.",
        "Payment 2 must be more than zero.",
        "Payment 2 must be on a later day than the payment before it.",
        "Payment 3 must be on or before December 31, 2026.",
        "Payment 3 is on January 2, 2027, when banks are closed. The next banking day is January 4, 2027.",
    ]


def test_an_empty_schedule_is_refused_by_itself():
    assert codes(check([], offer(), NEW_YEAR, "card")) == ["empty"]


def test_a_typed_bank_debit_that_rolling_moves_past_the_limit_is_refused_with_the_reason_cal_07():
    settlement = offer(today=on("2026-11-25"), payments=2, days=30)
    typed = lines(("2026-11-25", 375_00), ("2026-12-25", 375_00))
    refusals = check(roll(typed, "ach"), settlement, on("2026-11-25"), "ach")
    assert codes(refusals) == ["rolled_past_limit"]
    assert refusals[0].sentence == (
        "Payment 2 is planned for December 25, 2026, when banks are closed. It would be taken on"
        " December 28, 2026, after the last day of this offer, December 25, 2026."
    )
    assert check(roll(typed, "card"), settlement, on("2026-11-25"), "card") == []


def test_two_days_that_roll_to_the_same_banking_day_are_refused():
    typed = lines(("2026-12-05", 375_00), ("2026-12-06", 375_00))
    settlement = offer(today=on("2026-12-01"))
    assert codes(check(roll(typed, "ach"), settlement, on("2026-12-01"), "ach")) == ["dates_not_rising"]


def test_rolling_does_not_hide_a_date_in_the_past():
    typed = lines(("2026-12-05", 750_00))
    settlement = offer(today=on("2026-12-06"))
    assert codes(check(roll(typed, "ach"), settlement, on("2026-12-06"), "ach")) == ["first_date_in_past"]


def test_a_small_last_payment_is_allowed_only_when_the_consumer_chose_the_amount():
    mine = lines(("2023-01-01", 300_00), ("2023-02-01", 300_00), ("2023-03-01", 150_00))
    settlement = offer(minimum=200_00)
    assert codes(check(mine, settlement, NEW_YEAR, "card")) == ["payment_below_minimum"]
    assert check(mine, settlement, NEW_YEAR, "card", consumer_chose_amount=True) == []
    first_small = lines(("2023-01-01", 150_00), ("2023-02-01", 600_00))
    assert codes(check(first_small, settlement, NEW_YEAR, "card", consumer_chose_amount=True)) == [
        "payment_below_minimum"
    ]


def test_the_limits_themselves_are_allowed():
    settlement = offer(payments=2, days=180, minimum=100_00)
    assert check(lines(("2023-01-01", 100_00), ("2023-06-30", 650_00)), settlement, NEW_YEAR, "card") == []
    late = lines(("2023-01-01", 100_00), ("2023-07-01", 650_00))
    assert codes(check(late, settlement, NEW_YEAR, "card")) == ["last_date_too_late"]
    low = lines(("2023-01-01", 99_99), ("2023-06-30", 650_01))
    assert codes(check(low, settlement, NEW_YEAR, "card")) == ["payment_below_minimum"]


def test_a_method_that_may_not_recur_is_refused_for_a_schedule():
    settlement = offer(allowed=payment_options(PaymentOptions(recurring_ach=False)))
    two = lines(("2023-01-03", 375_00), ("2023-02-01", 375_00))
    assert codes(check(two, settlement, NEW_YEAR, "ach")) == ["method_not_allowed"]
    assert check(lines(("2023-01-03", 750_00)), settlement, NEW_YEAR, "ach") == []


def test_one_payment_of_any_amount_keeps_the_minimum_and_the_debt():
    allowed = payment_options(PaymentOptions(minimum_single_cents=20_00, single_ach=False))
    assert check_single(20_00, 100_00, allowed, "card") == []
    assert codes(check_single(19_99, 100_00, allowed, "card")) == ["payment_below_minimum"]
    assert codes(check_single(100_01, 100_00, allowed, "ach")) == ["more_than_owed", "method_not_allowed"]
    assert codes(check_single(0, 100_00, allowed, "card")) == ["payment_not_positive"]


def test_a_debt_below_the_minimum_can_still_be_paid_in_full():
    allowed = payment_options(PaymentOptions(minimum_single_cents=20_00))
    assert check_single(7_50, 7_50, allowed, "card") == []
    assert codes(check_single(7_49, 7_50, allowed, "card")) == ["payment_below_minimum"]


@given(
    amount=st.integers(1, 10_000_00),
    payments=st.integers(1, 30),
    days=st.integers(0, 400),
    minimum=st.integers(0, 500_00),
    start=st.dates(date(2026, 1, 1), date(2028, 12, 31)),
    frequency=st.sampled_from(["once", "weekly", "biweekly", "semimonthly", "monthly"]),
    method=st.sampled_from(["card", "ach"]),
)
def test_whatever_the_engine_proposes_it_also_accepts(amount, payments, days, minimum, start, frequency, method):
    settlement = offer(amount, payments, days, minimum, start, balance=amount)
    proposal = propose(settlement, start, frequency, method=method)
    if not proposal:
        assert method == "ach"
        assert not is_business_day(start, fed)
        return
    assert check(proposal, settlement, start, method) == []
    assert sum(line.amount_cents for line in proposal) == amount
    assert proposal[-1].due_on <= start + timedelta(days=days)
    assert method == "card" or all(is_business_day(line.due_on, fed) for line in proposal)
