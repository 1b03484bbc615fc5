"""The movable clock of a sandbox host, and the banking days it counts in."""

import time
from datetime import UTC, date, datetime, timedelta

from .store import Store


class Clock:
    """Real time plus an offset that is kept in the store; it ticks on between two moves."""

    def __init__(self, store: Store):
        self.store = store

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.store.setting("clock_offset", 0.0))

    def move_to(self, moment: datetime) -> None:
        self.store.set(clock_offset=moment.timestamp() - time.time())


def stamp(moment: datetime) -> str:
    """Write a moment as UTC ISO with Z and six decimals, so that text order is time order."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def moment(text: str) -> datetime:
    """Read an ISO moment; a missing zone is UTC.

    :raises ValueError: not an ISO moment.
    """
    read = datetime.fromisoformat(text)
    return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)


def add_banking_days(start: date, days: int) -> date:
    """Step over weekends and Federal Reserve holidays; a start on a closed day first rolls forward."""
    day = start
    while is_closed(day):
        day += timedelta(days=1)
    for _ in range(days):
        day += timedelta(days=1)
        while is_closed(day):
            day += timedelta(days=1)
    return day


def is_closed(day: date) -> bool:
    return day.weekday() >= 5 or day in fed_holidays(day.year)


def fed_holidays(year: int) -> set[date]:
    """List the days the Federal Reserve is closed; one that falls on a Sunday is kept on the Monday."""
    fixed = [date(year, 1, 1), date(year, 6, 19), date(year, 7, 4), date(year, 11, 11), date(year, 12, 25)]
    kept = {day + timedelta(days=1) if day.weekday() == 6 else day for day in fixed}
    last_of_may = date(year, 5, 31)
    return kept | {
        nth_weekday(year=year, month=1, weekday=0, nth=3),
        nth_weekday(year=year, month=2, weekday=0, nth=3),
        last_of_may - timedelta(days=last_of_may.weekday()),
        nth_weekday(year=year, month=9, weekday=0, nth=1),
        nth_weekday(year=year, month=10, weekday=0, nth=2),
        nth_weekday(year=year, month=11, weekday=3, nth=4),
    }


def nth_weekday(*, year: int, month: int, weekday: int, nth: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (nth - 1))


def add_months(day: date, months: int) -> date:
    """Keep the day of the month, or take the last one of a shorter month."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    month += 1
    following = date(year + month // 12, month % 12 + 1, 1)
    return date(year, month, min(day.day, (following - timedelta(days=1)).day))
