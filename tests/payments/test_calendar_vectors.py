"""The date vectors of compliance sections 17 and 21, as they apply to payments: each by its id."""

import datetime as dt
from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest

from accounts.calendars import (
    add_months,
    business_days_between,
    fed,
    is_business_day,
    local_date,
    local_time,
    roll_forward,
    strict,
    utc_of_local,
    valid_5d,
    validation_ends_on,
)
from payments.rules.gates import charge_gates
from payments.rules.notices import check_notice, letter_send_by, notice_needed, predebit_window
from payments.rules.retries import run_on
from settlements.rules.offers import GlobalOffer, terms
from settlements.rules.schedules import propose
from tests.payments.test_rules_gates import BY_SCHEDULE

NEW_YORK = "America/New_York"
D = dt.date.fromisoformat
FED_CLOSED = """
2026-01-01 2026-01-19 2026-02-16 2026-05-25 2026-06-19 2026-09-07 2026-10-12 2026-11-11 2026-11-26 2026-12-25
2027-01-01 2027-01-18 2027-02-15 2027-05-31 2027-07-05 2027-09-06 2027-10-11 2027-11-11 2027-11-25
2028-01-17 2028-02-21 2028-05-29 2028-06-19 2028-07-04 2028-09-04 2028-10-09 2028-11-23 2028-12-25
"""
STRICT_ONLY = "2026-07-03 2027-06-18 2027-12-24 2027-12-31 2028-11-10"


def days(first="2026-01-01", last="2028-12-31"):
    day = D(first)
    while day <= D(last):
        yield day
        day += dt.timedelta(days=1)


def test_the_federal_reserve_is_closed_on_weekdays_exactly_on_the_golden_list_cal_01():
    closed = [day.isoformat() for day in days() if day.weekday() < 5 and not is_business_day(day, fed)]
    assert closed == FED_CLOSED.split()


def test_strict_has_five_more_days_in_three_years_pdc_04():
    more = [day.isoformat() for day in days() if is_business_day(day, fed) and not is_business_day(day, strict)]
    assert more == STRICT_ONLY.split()


@pytest.mark.parametrize(
    ("day", "rolled"),
    [
        ("2026-07-04", "2026-07-06"),
        ("2026-11-26", "2026-11-27"),
        ("2027-07-03", "2027-07-06"),
        ("2026-12-25", "2026-12-28"),
        ("2026-07-03", "2026-07-03"),
        ("2028-01-01", "2028-01-03"),
        ("2027-12-24", "2027-12-24"),
        ("2027-06-18", "2027-06-18"),
    ],
)
def test_a_bank_debit_waits_for_the_next_banking_day_cal_02_ach_1_ach_2(day, rolled):
    assert run_on(D(day), "ach") == D(rolled) == roll_forward(D(day), fed)


def test_no_bank_debit_is_ever_sent_before_its_date_cal_02_pdc_02():
    assert all(run_on(day, "ach") >= day and is_business_day(run_on(day, "ach"), fed) for day in days())


@pytest.mark.parametrize("day", ["2026-07-04", "2026-12-25", "2027-07-03", "2026-11-29"])
def test_a_card_runs_on_its_own_day_cal_03(day):
    assert run_on(D(day), "card") == D(day)


@pytest.mark.parametrize(
    ("first", "months"),
    [
        ("2027-01-31", ["2027-02-28", "2027-03-31", "2027-04-30", "2027-05-31"]),
        ("2028-01-31", ["2028-02-29", "2028-03-31"]),
        ("2026-08-29", ["2026-09-29", "2026-10-29", "2026-11-29", "2026-12-29", "2027-01-29", "2027-02-28"]),
        ("2027-10-30", ["2027-11-30", "2027-12-30", "2028-01-30", "2028-02-29", "2028-03-30"]),
    ],
)
def test_the_last_days_of_a_month_keep_their_anchor_cal_04(first, months):
    start = D(first)
    assert [add_months(start, number).isoformat() for number in range(1, len(months) + 1)] == months


def test_three_calendars_are_never_one_cal_05():
    third_of_july = D("2026-07-03")
    assert [is_business_day(third_of_july, calendar) for calendar in (fed, strict, valid_5d)] == [True, False, True]
    nominal_saturday = D("2026-07-04")
    assert not any(is_business_day(nominal_saturday, calendar) for calendar in (fed, strict, valid_5d))


@pytest.mark.parametrize(
    ("day", "at", "utc"),
    [
        ("2027-03-13", "08:00", "2027-03-13T13:00:00+00:00"),
        ("2027-03-14", "08:00", "2027-03-14T12:00:00+00:00"),
        ("2027-03-14", "02:30", "2027-03-14T07:30:00+00:00"),
        ("2027-11-06", "08:00", "2027-11-06T12:00:00+00:00"),
        ("2027-11-07", "08:00", "2027-11-07T13:00:00+00:00"),
        ("2027-11-07", "01:30", "2027-11-07T05:30:00+00:00"),
    ],
)
def test_eight_in_the_morning_on_the_days_the_clocks_change_cal_06(day, at, utc):
    assert utc_of_local(D(day), dt.time.fromisoformat(at), NEW_YORK).isoformat() == utc


def codes(moment, **values):
    now = dt.datetime.fromisoformat(moment)
    facts = replace(BY_SCHEDULE, now=now, balance_as_of=now, **values)
    return [one.code for one in charge_gates(facts)]


@pytest.mark.parametrize(
    ("moment", "zone", "found"),
    [
        ("2026-12-01T00:05+00:00", NEW_YORK, ["not_due_yet"]),
        ("2026-12-01T04:59+00:00", NEW_YORK, ["not_due_yet"]),
        ("2026-12-01T05:00+00:00", NEW_YORK, ["too_early_in_the_day"]),
        ("2026-12-01T12:59:59+00:00", NEW_YORK, ["too_early_in_the_day"]),
        ("2026-12-01T13:00+00:00", NEW_YORK, []),
        ("2026-12-01T13:00+00:00", "America/Los_Angeles", ["too_early_in_the_day"]),
        ("2026-12-01T16:00+00:00", "America/Los_Angeles", []),
        ("2026-12-01T13:00+00:00", "Pacific/Honolulu", ["too_early_in_the_day"]),
        ("2026-12-01T09:59+00:00", "Pacific/Honolulu", ["not_due_yet"]),
        ("2026-12-01T18:00+00:00", "Pacific/Honolulu", []),
        ("2026-11-30T22:00+00:00", "Pacific/Guam", []),
    ],
)
def test_no_scheduled_charge_before_eight_where_the_consumer_lives_pdc_02_utc_1(moment, zone, found):
    assert codes(moment, zone=zone) == found


def test_five_past_midnight_utc_is_the_evening_before_in_new_york_utc_1():
    moment = dt.datetime(2026, 12, 1, 0, 5, tzinfo=dt.UTC)
    assert (local_date(moment, NEW_YORK), local_time(moment, NEW_YORK)) == (D("2026-11-30"), dt.time(19, 5))
    assert moment.astimezone(ZoneInfo(NEW_YORK)).isoformat() == "2026-11-30T19:05:00-05:00"


@pytest.mark.parametrize(
    ("due", "earliest", "target", "latest"),
    [
        pytest.param("2027-07-06", "2027-06-26", "2027-06-28", "2027-06-30", id="PD-1"),
        pytest.param("2026-12-01", "2026-11-21", "2026-11-23", "2026-11-25", id="PD-3"),
        pytest.param("2027-01-04", "2026-12-25", "2026-12-28", "2026-12-29", id="PD-4"),
    ],
)
def test_the_window_of_the_notice_pdc_01(due, earliest, target, latest):
    window = predebit_window(D(due))
    assert (window.earliest, window.target, window.latest) == (D(earliest), D(target), D(latest))


def test_the_notice_of_winter_against_messerli_is_two_business_days_pd_2():
    sent, due = D("2010-07-01"), D("2010-07-06")
    assert business_days_between(sent, due, strict) == 2
    (refusal,) = check_notice(sent - dt.timedelta(days=30), due, sent)
    assert refusal.code == "notice_too_late"


@pytest.mark.parametrize(("ahead", "needed"), [(0, False), (1, False), (5, False), (6, True), (60, True)])
def test_five_days_ahead_need_no_notice_and_six_do_pd_5(ahead, needed):
    created = D("2026-12-01")
    assert notice_needed(created, created + dt.timedelta(days=ahead)) is needed


def test_ten_calendar_days_are_three_to_ten_business_days_before_any_banking_day_pd_6():
    for due in days():
        if is_business_day(due, fed) and is_business_day(due, strict):
            assert 3 <= business_days_between(due - dt.timedelta(days=10), due, strict) <= 10, due


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ("2027-06-25", "notice_too_early"),
        ("2027-06-26", ""),
        ("2027-06-30", ""),
        ("2027-07-01", "notice_too_late"),
        (None, "notice_not_proven"),
    ],
)
def test_without_proof_in_its_window_nothing_is_charged_pdc_01(sent, code):
    found = check_notice(D("2027-05-01"), D("2027-07-06"), D(sent) if sent else None)
    assert [one.code for one in found] == ([code] if code else [])


@pytest.mark.parametrize(("due", "leaves"), [("2026-12-01", "2026-11-18"), ("2027-01-04", "2026-12-21")])
def test_a_letter_leaves_eight_business_days_before_pdc_05(due, leaves):
    assert letter_send_by(D(due)) == D(leaves)
    assert business_days_between(D(leaves), D(due), strict) == 8


def test_a_validation_notice_mailed_before_christmas_val_1():
    assert validation_ends_on(D("2026-12-21")) == D("2027-01-28")


SCOLLECT = GlobalOffer(percent_bps=75_00, max_payments=6, max_days=180)


def test_a_thousand_dollars_at_75_percent_in_six_payments_with_five_notices_set_1():
    today = D("2026-12-01")
    lines = propose(terms(1_000_00, today, global_offer=SCOLLECT), today)
    assert [line.amount_cents for line in lines] == [125_00] * 6
    assert lines[-1].due_on == D("2027-05-01")
    assert sum(notice_needed(today, line.due_on) for line in lines) == 5


def test_the_odd_cent_is_rounded_once_and_stands_in_the_last_payment_set_2():
    today = D("2026-12-01")
    offered = terms(1_000_01, today, global_offer=SCOLLECT)
    amounts = [line.amount_cents for line in propose(offered, today)]
    assert offered.amount_cents == 750_01 == sum(amounts)
    assert amounts == [125_00] * 5 + [125_01]


def test_no_payment_rolls_behind_the_last_day_of_the_offer_cal_07():
    for today in days("2026-12-01", "2027-11-30"):
        lines = propose(terms(1_000_00, today, global_offer=SCOLLECT), today, "monthly", 6, "ach")
        assert lines[-1].due_on <= today + dt.timedelta(days=180), today
        assert all(is_business_day(line.due_on, fed) for line in lines[1:]), today
