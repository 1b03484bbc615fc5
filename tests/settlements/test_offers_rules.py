from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from settlements.rules.offers import (
    Allowed,
    GlobalOffer,
    HostSettlement,
    Origin,
    PaymentOptions,
    check_settlement,
    payment_options,
    terms,
)

NEW_YEAR = date(2023, 1, 1)
GLOBAL = GlobalOffer(percent_bps=75_00, max_payments=6, max_days=180, version=3)


def codes(refusals):
    return [refusal.code for refusal in refusals]


def test_the_global_default_of_the_scollect_document_set_1():
    offer = terms(1_000_00, NEW_YEAR, global_offer=GLOBAL)
    assert offer.amount_cents == 750_00
    assert offer.saving_cents == 250_00
    assert offer.max_payments == 6
    assert offer.last_date == date(2023, 6, 30)
    assert offer.minimum_payment_cents == 0
    assert offer.methods == ("card", "ach")
    assert (offer.level, offer.version) == ("global", 3)
    assert offer.trace == (
        Origin("amount_cents", "global", 3, "percent_bps", 75_00),
        Origin("max_payments", "global", 3, "max_payments", 6),
        Origin("last_date", "global", 3, "max_days", 180),
    )


def test_the_amount_is_rounded_half_up_once_set_2():
    assert terms(1_000_01, NEW_YEAR, global_offer=GLOBAL).amount_cents == 750_01


def test_the_hosts_values_replace_the_global_offer_as_a_whole():
    host = HostSettlement(percent_bps=60_00, max_payments=3, max_days=90, text="Call us any time.", version=12)
    offer = terms(1_000_00, NEW_YEAR, individual=host, global_offer=GLOBAL)
    assert (offer.amount_cents, offer.max_payments, offer.last_date) == (600_00, 3, date(2023, 4, 1))
    assert offer.text == "Call us any time."
    assert {origin.level for origin in offer.trace} == {"host"}
    assert {origin.version for origin in offer.trace} == {12}


def test_what_the_host_left_out_is_once_and_at_once_and_nothing_is_borrowed():
    generous = GlobalOffer(percent_bps=10_00, max_payments=6, max_days=180, minimum_payment_cents=25_00)
    offer = terms(1_000_00, NEW_YEAR, HostSettlement(amount_cents=400_00), generous)
    assert (offer.amount_cents, offer.max_payments, offer.last_date) == (400_00, 1, NEW_YEAR)
    assert offer.minimum_payment_cents == 0
    assert offer.trace == (
        Origin("amount_cents", "host", None, "amount_cents", 400_00),
        Origin("max_payments", "host", None, "max_payments", None),
        Origin("last_date", "host", None, "max_days", None),
    )


def test_a_host_settlement_without_amount_or_percent_is_an_error_and_hides_the_global_offer():
    host = HostSettlement(max_payments=6, max_days=180)
    assert codes(check_settlement(host)) == ["settlement_without_amount"]
    assert terms(1_000_00, NEW_YEAR, host, GLOBAL) is None


def test_every_fault_of_a_host_settlement_is_reported_at_once():
    host = HostSettlement(amount_cents=0, percent_bps=100_01, max_payments=0, max_days=-1)
    assert [(refusal.code, refusal.field) for refusal in check_settlement(host)] == [
        ("settlement_amount_not_positive", "Amount"),
        ("settlement_percent_out_of_range", "Percent"),
        ("settlement_payments_out_of_range", "MaxPayments"),
        ("settlement_days_out_of_range", "MaxDays"),
    ]
    assert check_settlement(HostSettlement(percent_bps=100_00, max_days=0)) == []
    assert check_settlement(HostSettlement(percent_bps=100_00, max_payments=9_999, max_days=9_999)) == []
    assert check_settlement(HostSettlement(amount_cents=1, max_payments=1)) == []
    assert codes(check_settlement(HostSettlement(percent_bps=0))) == ["settlement_percent_out_of_range"]
    absurd = HostSettlement(percent_bps=75_00, max_payments=10**9, max_days=10**9)
    assert len(check_settlement(absurd)) == 2
    assert terms(1_000_00, NEW_YEAR, absurd) is None


def test_an_amount_counts_before_a_percent_and_the_earlier_limit_before_the_later():
    host = HostSettlement(amount_cents=500_00, percent_bps=75_00, max_days=30, max_date=date(2023, 1, 15))
    offer = terms(1_000_00, NEW_YEAR, host)
    assert (offer.amount_cents, offer.last_date) == (500_00, date(2023, 1, 15))
    assert offer.trace[0].field == "amount_cents"
    assert offer.trace[2] == Origin("last_date", "host", None, "max_date", date(2023, 1, 15))


def test_the_whole_balance_in_parts_is_the_hosts_own_offer_without_a_saving():
    offer = terms(1_000_00, NEW_YEAR, HostSettlement(amount_cents=1_000_00, max_payments=10, max_days=300))
    assert (offer.amount_cents, offer.saving_cents, offer.max_payments) == (1_000_00, 0, 10)
    assert offer.trace[0].level == "host"


def test_a_method_for_schedules_only_cannot_pay_an_offer_of_one_payment():
    allowed = payment_options(PaymentOptions(single_ach=False))
    assert terms(1_000_00, NEW_YEAR, HostSettlement(percent_bps=50_00), allowed=allowed).methods == ("card",)
    assert terms(1_000_00, NEW_YEAR, global_offer=GLOBAL, allowed=allowed).methods == ("card", "ach")


def test_an_offer_ends_with_its_last_day():
    host = HostSettlement(percent_bps=50_00, max_date=date(2023, 1, 15))
    assert terms(1_000_00, date(2023, 1, 15), host, GLOBAL).last_date == date(2023, 1, 15)
    assert terms(1_000_00, date(2023, 1, 16), host, GLOBAL) is None


def test_a_settlement_never_asks_for_more_than_is_owed():
    offer = terms(300_00, NEW_YEAR, HostSettlement(amount_cents=400_00))
    assert (offer.amount_cents, offer.saving_cents) == (300_00, 0)
    assert offer.trace[0] == Origin("amount_cents", "account", None, "balance_cents", 300_00)


def test_nothing_owed_or_nothing_offered_makes_no_terms():
    assert terms(0, NEW_YEAR, global_offer=GLOBAL) is None
    assert terms(-5_00, NEW_YEAR, global_offer=GLOBAL) is None
    assert terms(1_000_00, NEW_YEAR) is None
    assert terms(1, NEW_YEAR, HostSettlement(percent_bps=1)) is None


def test_the_narrower_payment_option_wins_and_the_trace_names_it():
    allowed = payment_options(
        PaymentOptions(recurring_ach=False, minimum_recurring_cents=25_00, level="agency", version=2),
        PaymentOptions(can_pay=True, single_ach=True, recurring_ach=True, minimum_recurring_cents=50_00, version=9),
        None,
    )
    assert allowed == Allowed(
        single_methods=("card", "ach"),
        recurring_methods=("card",),
        minimum_recurring_cents=50_00,
        trace=(
            Origin("recurring_ach", "agency", 2, "recurring_ach", False),
            Origin("minimum_recurring_cents", "host", 9, "minimum_recurring_cents", 50_00),
        ),
    )
    assert allowed.methods(1) == ("card", "ach")
    assert allowed.methods(2) == ("card",)


def test_no_word_from_any_level_allows_everything():
    assert payment_options() == Allowed()
    assert payment_options(PaymentOptions()) == Allowed()


def test_an_account_that_cannot_pay_has_no_methods_and_no_offer():
    allowed = payment_options(PaymentOptions(can_pay=False))
    assert (allowed.single_methods, allowed.recurring_methods) == ((), ())
    assert allowed.trace == (Origin("can_pay", "host", None, "can_pay", False),)
    assert terms(1_000_00, NEW_YEAR, global_offer=GLOBAL, allowed=allowed) is None


def test_the_higher_minimum_wins_and_the_trace_says_whose():
    global_offer = GlobalOffer(75_00, 6, 180, minimum_payment_cents=25_00, version=1)
    host = payment_options(PaymentOptions(minimum_recurring_cents=100_00, version=7))
    offer = terms(1_000_00, NEW_YEAR, global_offer=global_offer, allowed=host)
    assert offer.minimum_payment_cents == 100_00
    assert offer.trace[-1] == Origin("minimum_payment_cents", "host", 7, "minimum_recurring_cents", 100_00)

    low = payment_options(PaymentOptions(minimum_recurring_cents=10_00, version=7))
    offer = terms(1_000_00, NEW_YEAR, global_offer=global_offer, allowed=low)
    assert offer.minimum_payment_cents == 25_00
    assert offer.trace[-1] == Origin("minimum_payment_cents", "global", 1, "minimum_payment_cents", 25_00)


def test_without_a_recurring_method_a_settlement_is_one_payment():
    allowed = payment_options(PaymentOptions(recurring_card=False, recurring_ach=False, version=4))
    offer = terms(1_000_00, NEW_YEAR, global_offer=GLOBAL, allowed=allowed)
    assert offer.max_payments == 1
    assert offer.trace[1] == Origin("max_payments", "host", 4, "recurring_card", False)
    assert offer.methods == ("card", "ach")


@pytest.mark.parametrize("level", ["campaign", "staff"])
def test_an_offer_of_a_campaign_or_of_staff_is_traced_to_its_maker(level):
    offer = terms(1_000_00, NEW_YEAR, HostSettlement(percent_bps=50_00, level=level), GLOBAL)
    assert offer.level == level
    assert {origin.level for origin in offer.trace} == {level}


@given(balance=st.integers(1, 10**11), bps=st.integers(1, 100_00), days=st.integers(0, 3650))
def test_amount_and_saving_always_make_up_the_balance(balance, bps, days):
    offer = terms(balance, NEW_YEAR, global_offer=GlobalOffer(bps, 6, days))
    if offer is None:
        assert balance * bps < 50_00
    else:
        assert offer.amount_cents + offer.saving_cents == balance
        assert 0 < offer.amount_cents <= balance


def test_who_owes_a_cent_more_is_never_offered_less():
    """How fast offers are made is measured by the benchmark, not here."""
    offered = [terms(1_000_00 + cents, NEW_YEAR, global_offer=GLOBAL).amount_cents for cents in range(10_000)]
    assert offered == sorted(offered)
