from datetime import UTC, datetime, timedelta

import pytest

from payments.rules.attempts import FailedAttempt, check_bank_tries, check_card_tries
from payments.rules.cards import decline

NOW = datetime(2026, 12, 31, 15, 0, tzinfo=UTC)


def failed(ago, cents=125_00, code="insufficient_funds", **facts):
    outcome = decline(code)
    return FailedAttempt(NOW - ago, cents, outcome.grade, outcome.wait, outcome.automatic_retries, **facts)


def returned(ago, code="R01", cents=125_00):
    return FailedAttempt(NOW - ago, cents, return_code=code, same_item=True)


def card(*attempts, cents=125_00, brand="visa", automatic=False):
    return [refusal.code for refusal in check_card_tries(NOW, cents, brand, attempts, automatic=automatic)]


def bank(*attempts, cents=125_00):
    return [refusal.code for refusal in check_bank_tries(NOW, cents, attempts)]


def test_the_sixteenth_try_of_an_amount_within_thirty_days_is_blocked_card_07():
    tries = [failed(timedelta(days=day)) for day in range(1, 16)]
    assert card(*tries[:14]) == []
    assert card(*tries) == ["too_many_tries_month"]
    assert card(*tries, cents=125_01) == []
    assert card(*tries[:14], failed(timedelta(days=30))) == []


def test_a_card_refused_for_good_is_never_tried_again_card_07():
    assert card(failed(timedelta(days=400), code="stolen_card")) == ["card_never_again"]
    assert card(failed(timedelta(days=400), code="stolen_card"), cents=1_00, automatic=True) == ["card_never_again"]


def test_the_eleventh_mastercard_decline_in_a_day_is_not_provoked_card_08():
    tries = [failed(timedelta(hours=hour), cents=hour + 1) for hour in range(10)]
    assert card(*tries, brand="mastercard") == ["too_many_tries_day"]
    assert card(*tries, brand="visa") == []
    assert card(*tries[:9], failed(timedelta(hours=24), cents=99), brand="mastercard") == []


def test_a_consumer_who_is_present_may_try_again_at_once():
    assert card(failed(timedelta(seconds=5), same_item=True)) == []
    assert card(failed(timedelta(seconds=5), code="expired_card", same_item=True)) == []


def test_a_machine_waits_three_days_and_tries_twice_card_07():
    days = timedelta(days=1)
    assert card(failed(2 * days, same_item=True), automatic=True) == ["retry_too_soon"]
    assert card(failed(3 * days, same_item=True), automatic=True) == []
    two = [failed(6 * days, same_item=True), failed(3 * days, same_item=True)]
    assert card(*two, automatic=True) == []
    assert card(failed(9 * days, same_item=True), *two, automatic=True) == ["retries_used_up"]


def test_a_machine_tries_an_unexplained_decline_once_and_bad_data_never_card_07():
    days = timedelta(days=1)
    once = failed(3 * days, code="do_not_honor", same_item=True)
    assert card(once, automatic=True) == []
    assert card(failed(6 * days, code="do_not_honor", same_item=True), once, automatic=True) == ["retries_used_up"]
    assert card(failed(9 * days, code="expired_card", same_item=True), automatic=True) == ["card_needs_consumer"]


def test_another_payments_decline_does_not_use_up_the_retries_of_this_one():
    assert card(*[failed(timedelta(days=day)) for day in (1, 2, 3)], automatic=True) == []


@pytest.mark.parametrize("code", ["R01", "R09"])
def test_a_bank_debit_without_funds_is_tried_twice_more_ach_09(code):
    days = timedelta(days=1)
    assert bank() == []
    assert bank(returned(6 * days, code)) == []
    assert bank(returned(9 * days, code), returned(6 * days, code)) == []
    assert bank(returned(12 * days, code), returned(9 * days, code), returned(6 * days, code)) == ["retries_used_up"]


def test_no_other_return_is_tried_again_ach_09():
    for code in ("R02", "R03", "R10", "R29", ""):
        assert bank(returned(timedelta(days=4), code)) == ["return_not_retryable"]


def test_a_bank_retry_is_for_the_same_amount_within_180_days_ach_09():
    assert bank(returned(timedelta(days=180))) == []
    assert bank(returned(timedelta(days=181))) == ["retry_too_late"]
    assert bank(returned(timedelta(days=5), cents=100_00), cents=50_00) == ["retry_other_amount"]
