"""Dates that the law and the banks count: named calendars, months with an anchor day, consumer-local time.

A legal period is never a bare timedelta (CAL-05); a day is a `date` in the consumer's own zone, an instant
is an aware `datetime`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo

from accounts.zips import look_up

ZIP_ZONES = Path(__file__).with_name("zip_zones.txt")  # written by tests/accounts/zip_tables.py
_ONE_DAY = timedelta(days=1)
_MONTHS = {
    "en": "January February March April May June July August September October November December",
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
}


@dataclass(frozen=True, slots=True)
class Calendar:
    """Name a set of business days; which days are closed is looked up per year."""

    name: str


# Days on which the Federal Reserve settles: a Saturday holiday leaves its Friday open (CAL-01).
fed = Calendar("fed")
# The consumer's reading of an undefined "business day": Fed, nominal and observed holidays (PDC-04).
strict = Calendar("strict")
# Regulation F's validation days: Saturdays, Sundays and the nominal days of 5 USC 6103(a) (RF-30).
valid_5d = Calendar("valid_5d")


@lru_cache(maxsize=256)
def _closed(calendar: Calendar, year: int) -> frozenset[date]:
    # Imported here: the package is large and most processes never count a banking day.
    import holidays

    if calendar == fed:
        return frozenset(holidays.FederalReserve(years=year))
    nominal = frozenset(holidays.UnitedStates(years=(year, year + 1), observed=False))
    if calendar == valid_5d:
        return frozenset(day for day in nominal if day.year == year)
    if calendar == strict:
        fridays = {day - _ONE_DAY for day in nominal if day.weekday() == 5}
        mondays = {day + _ONE_DAY for day in nominal if day.weekday() == 6}
        closed = nominal | fridays | mondays | frozenset(holidays.FederalReserve(years=year))
        return frozenset(day for day in closed if day.year == year)
    raise ValueError(f"No calendar is called {calendar.name!r}.")


def is_business_day(day: date, calendar: Calendar) -> bool:
    """Tell whether the calendar counts this day."""
    return day.weekday() < 5 and day not in _closed(calendar, day.year)


def roll_forward(day: date, calendar: Calendar) -> date:
    """Give the day itself or the next business day, never an earlier one (CAL-02)."""
    while not is_business_day(day, calendar):
        day += _ONE_DAY
    return day


def roll_back(day: date, calendar: Calendar) -> date:
    """Give the day itself or the business day before it."""
    while not is_business_day(day, calendar):
        day -= _ONE_DAY
    return day


def add_business_days(day: date, count: int, calendar: Calendar) -> date:
    """Give the count-th business day after the day, before it when the count is negative, the day at zero."""
    step = _ONE_DAY if count > 0 else -_ONE_DAY
    for _ in range(abs(count)):
        day += step
        while not is_business_day(day, calendar):
            day += step
    return day


def business_days_between(start: date, end: date, calendar: Calendar) -> int:
    """Count business days after `start`, up to and with `end`; negative when `end` is earlier.

    The way courts count a period: the first day is out, the last one is in.
    """
    if end < start:
        return -business_days_between(end, start, calendar)
    days = (start + timedelta(days=n) for n in range(1, (end - start).days + 1))
    return sum(is_business_day(day, calendar) for day in days)


@lru_cache(maxsize=4096)
def validation_ends_on(sent_on: date) -> date:
    """Give the last day of the validation period: 5 days of `valid_5d` to arrive, then 30 days (RF-30)."""
    return add_business_days(sent_on, 5, valid_5d) + timedelta(days=30)


def add_months(day: date, months: int, anchor_day: int | None = None) -> date:
    """Move by whole months, on the anchor day or the last day of a shorter month (CAL-04).

    Without an anchor day the day's own number is the anchor, so a chain of dates must always start from
    the first one or pass the anchor on: 31 Jan, 28 Feb, 31 Mar.
    """
    anchor_day = anchor_day or day.day
    assert 1 <= anchor_day <= 31
    year, month0 = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month0 + 1, min(anchor_day, _days_in_month(year, month0 + 1)))


def _days_in_month(year: int, month: int) -> int:
    return (date(year + month // 12, month % 12 + 1, 1) - _ONE_DAY).day


@lru_cache(maxsize=65_536)
def zone_of_zip(zip_code: str) -> str | None:
    """Look up the IANA zone of a ZIP or ZIP+4 code; None when it is unknown or military.

    The state is never a substitute: many states have two zones (RF-03).
    """
    return look_up(ZIP_ZONES, zip_code)


def consumer_zone(zip_code: str, *, fallback: str) -> str:
    """Give the consumer's zone by ZIP, or the fallback (the agency's zone) where nothing better is known."""
    return zone_of_zip(zip_code) or fallback


@cache
def zone_of(name: str) -> ZoneInfo:
    """Give a zone by its name, and keep it.

    Python keeps the last eight by itself, and the United States alone have more: each turn of a sweep over consumers
    everywhere would read a file. What is kept here is found by `ZoneInfo(name)` too.
    """
    return ZoneInfo(name)


@lru_cache(maxsize=4096)
def local_date(now: datetime, zone: str) -> date:
    """Give the consumer's own date at an instant: 2026-12-01T00:05Z is 30 November in New York (PDC-02).

    A batch asks several times about each consumer, at one instant and in few zones.
    """
    return _local(now, zone).date()


def local_time(now: datetime, zone: str) -> time:
    """Give the consumer's wall-clock time at an instant, without a zone."""
    return _local(now, zone).time()


def _local(now: datetime, zone: str) -> datetime:
    assert now.tzinfo is not None, "an instant knows its zone"
    return now.astimezone(zone_of(zone))


def utc_of_local(day: date, at: time, zone: str) -> datetime:
    """Give the instant of a wall-clock time in UTC (CAL-06).

    A time that the clocks skip in spring becomes the same distance after the gap; a time that happens
    twice in autumn is its first occurrence.
    """
    assert at.tzinfo is None, "the zone is given beside the time"
    return datetime.combine(day, at.replace(fold=0), zone_of(zone)).astimezone(UTC)


def shared_window(
    day: date, zones: Iterable[str], opens: time = time(8), closes: time = time(21)
) -> tuple[datetime, datetime] | None:
    """Give the UTC window that lies inside local hours of every zone on the day, or None (RF-01, RF-03)."""
    zones = tuple(zones)
    assert zones, "hours need a place"
    start = max(utc_of_local(day, opens, zone) for zone in zones)
    end = min(utc_of_local(day, closes, zone) for zone in zones)
    return (start, end) if start < end else None


def format_time(at: datetime, language: str = "en") -> str:
    """Say a moment's time of day where it stands: 3:05 PM; in Spanish 15:05."""
    return f"{at:%H:%M}" if language.startswith("es") else f"{at:%I:%M %p}".lstrip("0")


def format_date(day: date, language: str = "en") -> str:
    """Say a date in full: June 30, 2023; in Spanish 30 de junio de 2023.

    :raises ValueError: no format is known for the language.
    """
    language = language.split("-")[0]
    if language not in _MONTHS:
        raise ValueError(f"No date format for {language!r}.")
    month = _MONTHS[language].split()[day.month - 1]
    if language == "es":
        return f"{day.day} de {month} de {day.year}"
    return f"{month} {day.day}, {day.year}"
