"""When a scheduled payment that failed is tried again: every class, code and limit of compliance sections 4 and 5."""

from datetime import UTC, date, datetime, timedelta

import pytest

from payments.rules.attempts import FailedAttempt
from payments.rules.cards import decline
from payments.rules.retries import NextTry, from_eight, next_try, run_on

NEW_YORK, LOS_ANGELES = "America/New_York", "America/Los_Angeles"
TEN = datetime(2026, 12, 1, 15, 0, tzinfo=UTC)
"""Tuesday, ten in the morning in New York."""
CENTS = 125_00


def declined(code="insufficient_funds", *, at=TEN, cents=CENTS, same_item=True, brand="visa", **advice):
    said = decline(code, brand=brand, **advice)
    return FailedAttempt(
        at,
        cents,
        grade=said.grade,
        wait=said.wait,
        automatic_retries=said.automatic_retries,
        same_item=same_item,
        next_step=said.next_step,
    )


def returned(code="R01", *, at=TEN, cents=CENTS, sent_at=None):
    return FailedAttempt(at, cents, return_code=code, same_item=True, sent_at=sent_at)


def card(*failed, brand="visa", zone=NEW_YORK):
    return next_try(kind="card", amount_cents=CENTS, zone=zone, failed=failed, brand=brand)


def bank(*failed, cents=CENTS, zone=NEW_YORK):
    return next_try(kind="ach", amount_cents=cents, zone=zone, failed=failed)


NEVER = [
    "lost_card",
    "stolen_card",
    "pickup_card",
    "restricted_card",
    "fraudulent",
    "invalid_account",
    "card_not_supported",
    "transaction_not_allowed",
    "stop_payment_order",
    "revocation_of_authorization",
    "revocation_of_all_authorizations",
]
FIX = ["expired_card", "incorrect_cvc", "incorrect_zip", "invalid_expiry"]
LATER = [
    "insufficient_funds",
    "try_again_later",
    "issuer_not_available",
    "processing_error",
    "card_velocity_exceeded",
    "withdrawal_count_limit_exceeded",
]
UNKNOWN = ["do_not_honor", "generic_decline", "a_code_of_next_year"]


@pytest.mark.parametrize("code", NEVER)
def test_class_a_is_never_tried_again_card_07(code):
    assert card(declined(code)) == NextTry(None, "card_never_again")


@pytest.mark.parametrize("code", FIX)
def test_class_b_waits_for_the_consumer_card_07(code):
    assert card(declined(code)) == NextTry(None, "card_needs_consumer")


@pytest.mark.parametrize("code", LATER)
def test_class_c_is_tried_twice_more_72_hours_apart_card_07(code):
    first = declined(code)
    second = declined(code, at=TEN + timedelta(hours=72))
    third = declined(code, at=TEN + timedelta(hours=144))
    assert card(first) == NextTry(datetime(2026, 12, 4, 15, 0, tzinfo=UTC))
    assert card(first, second) == NextTry(datetime(2026, 12, 7, 15, 0, tzinfo=UTC))
    assert card(first, second, third) == NextTry(None, "retries_used_up")


@pytest.mark.parametrize("code", UNKNOWN)
def test_class_d_is_tried_once_more_card_07(code):
    assert card(declined(code)) == NextTry(TEN + timedelta(hours=72))
    assert card(declined(code), declined(code, at=TEN + timedelta(hours=72))) == NextTry(None, "retries_used_up")


def test_the_class_of_the_last_decline_counts_card_07():
    after = TEN + timedelta(hours=72)
    assert card(declined(), declined("do_not_honor", at=after)) == NextTry(None, "retries_used_up")
    assert card(declined("do_not_honor"), declined(at=after)) == NextTry(after + timedelta(hours=72))
    assert card(declined(), declined("lost_card", at=after)) == NextTry(None, "card_never_again")


@pytest.mark.parametrize("code", ["04", "07", "12", "14", "15", "41", "43", "46", "57", "R0", "R1", "R3"])
def test_visas_first_category_is_never_tried_again_card_07(code):
    assert card(declined("generic_decline", network_decline_code=code)) == NextTry(None, "card_never_again")


@pytest.mark.parametrize("advice", ["03", "21"])
def test_mastercards_advice_never_is_never_card_08(advice):
    said = declined(brand="mastercard", network_advice_code=advice)
    assert card(said, brand="mastercard") == NextTry(None, "card_never_again")


@pytest.mark.parametrize(
    ("advice", "hours"), [("24", 1), ("25", 24), ("26", 48), ("27", 96), ("28", 144), ("29", 192), ("30", 240)]
)
def test_mastercards_advice_says_when_card_08(advice, hours):
    said = declined(brand="mastercard", network_advice_code=advice)
    assert card(said, brand="mastercard") == NextTry(TEN + timedelta(hours=hours))


def test_a_try_that_would_begin_at_night_begins_at_eight_where_the_consumer_lives_pdc_02():
    night = datetime(2026, 12, 2, 4, 30, tzinfo=UTC)
    said = declined(brand="mastercard", network_advice_code="24", at=night)
    assert card(said, brand="mastercard") == NextTry(datetime(2026, 12, 2, 13, 0, tzinfo=UTC))
    assert card(said, brand="mastercard", zone=LOS_ANGELES) == NextTry(datetime(2026, 12, 2, 5, 30, tzinfo=UTC))
    assert from_eight(TEN, NEW_YORK) == TEN


def test_72_hours_over_the_end_of_summer_time_are_hours_not_days_cal_06():
    eight = datetime(2026, 10, 30, 12, 0, tzinfo=UTC)  # 08:00 EDT; on 1 November clocks go back
    assert card(declined(at=eight)) == NextTry(datetime(2026, 11, 2, 13, 0, tzinfo=UTC))
    spring = datetime(2027, 3, 12, 13, 0, tzinfo=UTC)  # 08:00 EST; on 14 March clocks go forward
    assert card(declined(at=spring)) == NextTry(datetime(2027, 3, 15, 13, 0, tzinfo=UTC))


def test_what_the_bank_wants_to_confirm_with_the_consumer_gets_a_link_and_no_retry_card_12():
    assert card(declined("authentication_required")) == NextTry(None, "authentication_required")


def test_the_sixteenth_try_of_an_amount_with_a_card_in_30_days_is_not_made_card_07():
    own = [declined(at=TEN - timedelta(days=day), same_item=False) for day in range(1, 15)]
    assert card(*own[:13], declined()) == NextTry(TEN + timedelta(hours=72))
    assert card(*own, declined()) == NextTry(None, "too_many_tries_month")
    other = [declined(at=one.at, cents=CENTS + 1, same_item=False) for one in own]
    assert card(*other, declined()) == NextTry(TEN + timedelta(hours=72))


def test_mastercards_tenth_decline_of_a_day_moves_the_retry_behind_that_day_card_08():
    own = [
        declined(at=TEN - timedelta(minutes=minute), cents=minute, same_item=False, brand="mastercard")
        for minute in range(1, 10)
    ]
    said = declined(brand="mastercard", network_advice_code="24")
    assert card(*own[:8], said, brand="mastercard") == NextTry(TEN + timedelta(hours=1))
    assert card(*own, said, brand="mastercard") == NextTry(TEN - timedelta(minutes=9) + timedelta(hours=24))


@pytest.mark.parametrize("code", ["R01", "R09"])
def test_a_bank_debit_without_funds_is_sent_twice_more_three_banking_days_apart_ach_09(code):
    first = returned(code)
    second = returned(code, at=datetime(2026, 12, 10, 15, 0, tzinfo=UTC))
    third = returned(code, at=datetime(2026, 12, 21, 15, 0, tzinfo=UTC))
    assert bank(first) == NextTry(datetime(2026, 12, 4, 13, 0, tzinfo=UTC))
    assert bank(first, second) == NextTry(datetime(2026, 12, 15, 13, 0, tzinfo=UTC))
    assert bank(first, second, third) == NextTry(None, "retries_used_up")


OTHERS = [
    "R02",
    "R03",
    "R04",
    "R05",
    "R06",
    "R07",
    "R08",
    "R10",
    "R11",
    "R12",
    "R13",
    "R14",
    "R15",
    "R16",
    "R17",
    "R20",
    "R21",
    "R22",
    "R23",
    "R24",
    "R25",
    "R26",
    "R27",
    "R28",
    "R29",
    "R31",
    "R51",
    "R61",
]


@pytest.mark.parametrize("code", [*OTHERS, ""])
def test_no_other_return_is_sent_again_ach_09(code):
    assert bank(returned(code)) == NextTry(None, "return_not_retryable")


def test_banking_days_leave_out_weekends_and_holidays_ach_09():
    thanksgiving = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)  # Tuesday; Thursday 26 is a holiday
    assert bank(returned(at=thanksgiving)) == NextTry(datetime(2026, 11, 30, 13, 0, tzinfo=UTC))
    evening = datetime(2026, 12, 5, 2, 0, tzinfo=UTC)  # Friday, 21:00 in New York
    assert bank(returned(at=evening)) == NextTry(datetime(2026, 12, 9, 13, 0, tzinfo=UTC))


def test_a_debit_is_not_sent_again_180_days_after_the_first_one_ach_09():
    again_at = datetime(2026, 12, 4, 13, 0, tzinfo=UTC)
    in_time, too_late = again_at - timedelta(days=180), again_at - timedelta(days=180, minutes=1)
    assert bank(returned(sent_at=in_time)) == NextTry(again_at)
    assert bank(returned(sent_at=too_late)) == NextTry(None, "retry_too_late")


def test_only_the_same_amount_is_a_retry_ach_09():
    assert bank(returned(cents=100_00), cents=50_00) == NextTry(None, "retry_other_amount")


def test_a_retry_follows_a_try():
    with pytest.raises(AssertionError):
        card(declined(same_item=False))


@pytest.mark.parametrize(
    ("kind", "due_on", "runs_on"),
    [
        ("ach", date(2026, 7, 4), date(2026, 7, 6)),
        ("ach", date(2026, 11, 26), date(2026, 11, 27)),
        ("ach", date(2026, 12, 25), date(2026, 12, 28)),
        ("ach", date(2027, 7, 3), date(2027, 7, 6)),
        ("ach", date(2028, 1, 1), date(2028, 1, 3)),
        ("ach", date(2027, 12, 24), date(2027, 12, 24)),
        ("ach", date(2027, 6, 18), date(2027, 6, 18)),
        ("ach", date(2026, 7, 3), date(2026, 7, 3)),
        ("card", date(2026, 7, 4), date(2026, 7, 4)),
        ("card", date(2026, 12, 25), date(2026, 12, 25)),
    ],
)
def test_bank_debits_roll_forward_and_cards_run_any_day_cal_02_cal_03(kind, due_on, runs_on):
    assert run_on(due_on, kind) == runs_on
