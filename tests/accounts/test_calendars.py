import gc
import weakref
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
import zipcodes
from hypothesis import given
from hypothesis import strategies as st

from accounts import calendars, zips
from accounts.calendars import (
    add_business_days,
    add_months,
    business_days_between,
    fed,
    is_business_day,
    local_date,
    local_time,
    roll_back,
    roll_forward,
    shared_window,
    strict,
    utc_of_local,
    valid_5d,
    zone_of_zip,
)
from accounts.licensing import STATES
from accounts.zips import residence, state_of_zip
from tests.accounts import zip_tables

FED_CLOSED = {
    2026: "01-01 01-19 02-16 05-25 06-19 09-07 10-12 11-11 11-26 12-25",
    2027: "01-01 01-18 02-15 05-31 07-05 09-06 10-11 11-11 11-25",
    2028: "01-17 02-21 05-29 06-19 07-04 09-04 10-09 11-23 12-25",
}
STRICT_EXTRA = "2026-07-03 2027-06-18 2027-12-24 2027-12-31 2028-11-10"

days = st.dates(date(2026, 1, 1), date(2028, 12, 31))


def on(text):
    return date.fromisoformat(text)


def closed_weekdays(year, calendar):
    day, closed = date(year, 1, 1), set()
    while day.year == year:
        if day.weekday() < 5 and not is_business_day(day, calendar):
            closed.add(day)
        day += timedelta(days=1)
    return closed


@pytest.mark.parametrize("year", FED_CLOSED)
def test_the_federal_reserve_closes_on_exactly_these_weekdays_cal_01(year):
    assert closed_weekdays(year, fed) == {on(f"{year}-{day}") for day in FED_CLOSED[year].split()}


@pytest.mark.parametrize("year", FED_CLOSED)
def test_the_strict_calendar_adds_the_observed_fridays_pdc_04(year):
    extra = {on(day) for day in STRICT_EXTRA.split() if day.startswith(str(year))}
    assert closed_weekdays(year, strict) == closed_weekdays(year, fed) | extra


@pytest.mark.parametrize("day", ["2026-07-03", "2027-06-18"])
def test_a_friday_before_a_saturday_holiday_is_a_banking_day_only_pdc_04(day):
    assert is_business_day(on(day), fed)
    assert not is_business_day(on(day), strict)


def test_validation_days_leave_out_nominal_holidays_only_rf_30():
    assert not is_business_day(on("2026-11-26"), valid_5d)
    assert is_business_day(on("2026-07-03"), valid_5d)
    assert is_business_day(on("2027-07-05"), valid_5d)


@pytest.mark.parametrize(
    ("day", "rolled"),
    [
        ("2026-07-04", "2026-07-06"),
        ("2026-11-26", "2026-11-27"),
        ("2026-12-25", "2026-12-28"),
        ("2027-07-03", "2027-07-06"),
        ("2028-01-01", "2028-01-03"),
        ("2026-07-03", "2026-07-03"),
        ("2027-12-24", "2027-12-24"),
        ("2027-06-18", "2027-06-18"),
    ],
)
def test_a_bank_debit_rolls_forward_to_a_banking_day_cal_02_ach_1_ach_2(day, rolled):
    assert roll_forward(on(day), fed) == on(rolled)


def test_rolling_back_finds_the_business_day_before():
    assert roll_back(on("2026-07-05"), strict) == on("2026-07-02")
    assert roll_back(on("2026-07-02"), strict) == on("2026-07-02")


def test_ten_business_days_after_a_stop_tcpa_1():
    assert add_business_days(on("2026-12-21"), 10, strict) == on("2027-01-06")


def test_the_validation_period_ends_thirty_days_after_assumed_receipt_val_1():
    assert add_business_days(on("2026-12-21"), 5, valid_5d) == on("2026-12-29")
    assert calendars.validation_ends_on(on("2026-12-21")) == on("2027-01-28")


def test_a_period_leaves_out_its_first_day_and_counts_its_last_pd_2():
    assert business_days_between(on("2010-07-01"), on("2010-07-06"), strict) == 2
    assert business_days_between(on("2010-07-06"), on("2010-07-01"), strict) == -2
    assert business_days_between(on("2026-11-25"), on("2026-11-25"), strict) == 0


@pytest.mark.parametrize("calendar", [fed, strict, valid_5d], ids=lambda c: c.name)
@given(day=days, count=st.integers(-30, 30))
def test_adding_and_counting_business_days_agree(calendar, day, count):
    start = roll_forward(day, calendar)
    end = add_business_days(start, count, calendar)
    assert is_business_day(end, calendar)
    assert business_days_between(start, end, calendar) == count


@given(day=days)
def test_a_strict_business_day_is_always_a_banking_day_too(day):
    assert is_business_day(day, fed) or not is_business_day(day, strict)


def test_an_unknown_calendar_is_refused():
    with pytest.raises(ValueError, match="moon"):
        is_business_day(on("2026-07-01"), calendars.Calendar("moon"))


def test_the_anchor_day_survives_short_months_cal_04():
    january = on("2027-01-31")
    assert [add_months(january, n).isoformat() for n in range(4)] == [
        "2027-01-31",
        "2027-02-28",
        "2027-03-31",
        "2027-04-30",
    ]
    assert add_months(on("2027-02-28"), 1, anchor_day=31) == on("2027-03-31")


def test_a_leap_day_is_the_last_day_of_its_february_cal_04():
    assert add_months(on("2028-01-31"), 1) == on("2028-02-29")
    assert add_months(on("2028-02-29"), 12) == on("2029-02-28")


def test_months_count_over_the_end_of_a_year_in_both_directions():
    assert add_months(on("2026-11-15"), 2) == on("2027-01-15")
    assert add_months(on("2027-01-15"), -1) == on("2026-12-15")
    assert add_months(on("2026-12-31"), 0) == on("2026-12-31")


@pytest.mark.parametrize(
    ("zip_code", "zone"),
    [
        ("10001", "America/New_York"),
        ("10001-1234", "America/New_York"),
        ("32401", "America/Chicago"),
        ("79901", "America/Denver"),
        ("85001", "America/Phoenix"),
        ("00901", "America/Puerto_Rico"),
        ("96910", "Pacific/Guam"),
    ],
)
def test_the_zip_code_names_the_zone_and_not_the_state_rf_03(zip_code, zone):
    assert zone_of_zip(zip_code) == zone


def test_the_table_of_zip_codes_says_what_the_zipcodes_package_says():
    assert calendars.ZIP_ZONES.read_text() == zip_tables.zones()
    known = {row["zip_code"]: row["timezone"] for row in reversed(zipcodes.list_all())}
    assert [code for code, zone in known.items() if zone_of_zip(code) != (zone or None)] == []
    assert zone_of_zip("99999") is None


def test_the_table_of_states_says_what_the_zipcodes_package_says_and_nothing_of_soldiers():
    assert zips.ZIP_STATES.read_text() == zip_tables.states()
    known = {row["zip_code"]: row["state"] for row in reversed(zipcodes.list_all())}
    wrong = [code for code, state in known.items() if state_of_zip(code) != (state if state in STATES else "")]
    assert wrong == []


@pytest.mark.parametrize(
    ("zip_code", "state"),
    [
        ("12207-1234", "NY"),
        ("06390", "NY"),
        ("06385", "CT"),
        ("00501", "NY"),
        ("20001", "DC"),
        ("00901", "PR"),
        ("09012", ""),
        ("34004", ""),
        ("00000", ""),
        ("99999", ""),
        ("", ""),
        ("M5V 2T6", ""),
    ],
)
def test_the_zip_code_names_the_state_st_02(zip_code, state):
    assert state_of_zip(zip_code) == state


@pytest.mark.parametrize(
    ("said", "zip_code", "state"),
    [("", "12207", "NY"), ("NJ", "12207", "NJ"), ("ny", "", "NY"), ("--", "12207", "NY"), ("ON", "M5V 2T6", "ON")],
)
def test_the_hosts_word_for_a_state_comes_first_then_the_zip_code(said, zip_code, state):
    assert residence(said, zip_code) == state


@pytest.mark.parametrize("zip_code", ["", "0", "00000", "ABCDE", "09012", "١٢٣٤٥"])
def test_an_unknown_or_military_zip_code_has_no_zone(zip_code):
    assert zone_of_zip(zip_code) is None
    assert calendars.consumer_zone(zip_code, fallback="America/Chicago") == "America/Chicago"


def test_just_after_midnight_utc_is_still_the_day_before_in_new_york_utc_1():
    now = datetime(2026, 12, 1, 0, 5, tzinfo=UTC)
    assert local_date(now, "America/New_York") == on("2026-11-30")
    assert local_time(now, "America/New_York") == time(19, 5)


def test_eight_in_the_morning_moves_with_the_clocks_cal_06():
    eight = time(8)
    zone = "America/New_York"
    assert utc_of_local(on("2027-03-13"), eight, zone) == datetime(2027, 3, 13, 13, tzinfo=UTC)
    assert utc_of_local(on("2027-03-14"), eight, zone) == datetime(2027, 3, 14, 12, tzinfo=UTC)
    assert utc_of_local(on("2027-11-06"), eight, zone) == datetime(2027, 11, 6, 12, tzinfo=UTC)
    assert utc_of_local(on("2027-11-07"), eight, zone) == datetime(2027, 11, 7, 13, tzinfo=UTC)


def test_a_time_that_the_clocks_skip_moves_forward_and_one_that_repeats_is_the_first_cal_06():
    zone = "America/New_York"
    assert utc_of_local(on("2027-03-14"), time(2, 30), zone) == datetime(2027, 3, 14, 7, 30, tzinfo=UTC)
    assert local_time(datetime(2027, 3, 14, 7, 30, tzinfo=UTC), zone) == time(3, 30)
    assert utc_of_local(on("2027-11-07"), time(1, 30), zone) == datetime(2027, 11, 7, 5, 30, tzinfo=UTC)
    assert utc_of_local(on("2027-11-07"), time(1, 30, fold=1), zone) == datetime(2027, 11, 7, 5, 30, tzinfo=UTC)


def test_an_instant_without_a_zone_is_a_programmer_error():
    with pytest.raises(AssertionError):
        local_date(datetime(2026, 12, 1, tzinfo=UTC).replace(tzinfo=None), "America/New_York")


@pytest.mark.parametrize(
    ("zones", "day", "seen_from", "opens", "closes"),
    [
        ("America/New_York America/Los_Angeles", "2026-05-05", "America/New_York", 11, 21),  # TZ-1
        ("America/New_York Pacific/Honolulu", "2026-01-15", "America/New_York", 13, 21),  # TZ-2
        ("America/New_York Pacific/Honolulu", "2026-07-15", "America/New_York", 14, 21),  # TZ-2
        ("America/Phoenix America/Denver", "2026-07-15", "America/Phoenix", 8, 20),  # TZ-4
        ("America/Indiana/Indianapolis America/Chicago", "2026-07-15", "America/Chicago", 8, 20),  # TZ-5
    ],
)
def test_a_contact_hour_must_suit_every_zone_rf_03_tz(zones, day, seen_from, opens, closes):
    start, end = shared_window(on(day), zones.split())
    assert (local_time(start, seen_from), local_time(end, seen_from)) == (time(opens), time(closes))


def test_zones_without_a_common_hour_have_no_window_tz_3():
    assert shared_window(on("2026-07-15"), ["America/New_York", "Pacific/Guam"]) is None


def test_a_date_reads_in_full_in_both_languages():
    assert calendars.format_date(on("2023-06-30")) == "June 30, 2023"
    assert calendars.format_date(on("2023-06-30"), "es-us") == "30 de junio de 2023"
    with pytest.raises(ValueError, match="fr"):
        calendars.format_date(on("2023-06-30"), "fr")


def test_a_zone_is_read_from_its_file_once_however_many_others_are_asked_for():
    # Without a sweep through more zones than Python keeps by itself, this would hold anyway.
    local_date(datetime(2026, 12, 1, tzinfo=UTC), "America/Boise")
    kept = weakref.ref(ZoneInfo("America/Boise"))
    for zone in sorted(available_timezones())[:50]:
        ZoneInfo(zone)
    gc.collect()
    assert kept() is not None
    assert ZoneInfo("America/Boise") is kept()
