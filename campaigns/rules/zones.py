"""Every time zone a consumer may be in: what we know of the address, the state, the telephone numbers (RF-03)."""

from collections.abc import Iterable
from datetime import datetime, time, timedelta
from functools import lru_cache

import phonenumbers
from phonenumbers import PhoneNumberType
from phonenumbers import timezone as number_zones

from accounts.calendars import local_date, shared_window, zone_of_zip

OPENS, CLOSES = time(8), time(21)
"""RF-01: not before eight, not from nine in the evening on. An agency may only narrow it."""

DAYS_AHEAD = 8
"""So far a next opening is looked for: zones without a common hour in a week have none at all."""

_PLACELESS = {
    PhoneNumberType.TOLL_FREE,
    PhoneNumberType.PREMIUM_RATE,
    PhoneNumberType.SHARED_COST,
    PhoneNumberType.VOIP,
    PhoneNumberType.UNKNOWN,
}

_EASTERN, _CENTRAL, _MOUNTAIN, _PACIFIC = (
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Los_Angeles",
)
STATES = {
    **dict.fromkeys(
        ["CT", "DE", "DC", "GA", "ME", "MD", "MA", "NH", "NJ", "NY", "NC", "OH", "PA", "RI", "SC", "VT", "VA", "WV"],
        (_EASTERN,),
    ),
    **dict.fromkeys(["AL", "AR", "IL", "IA", "LA", "MN", "MS", "MO", "OK", "WI"], (_CENTRAL,)),
    **dict.fromkeys(["CO", "MT", "NM", "UT", "WY"], (_MOUNTAIN,)),
    **dict.fromkeys(["CA", "WA"], (_PACIFIC,)),
    **dict.fromkeys(["FL", "IN", "KY", "MI", "TN"], (_EASTERN, _CENTRAL)),
    **dict.fromkeys(["KS", "NE", "ND", "SD", "TX"], (_CENTRAL, _MOUNTAIN)),
    "ID": (_MOUNTAIN, _PACIFIC),
    "OR": (_MOUNTAIN, _PACIFIC),
    "NV": (_PACIFIC, _MOUNTAIN),
    "AZ": ("America/Phoenix", _MOUNTAIN),
    "AK": ("America/Anchorage", "America/Adak"),
    "HI": ("Pacific/Honolulu",),
    "PR": ("America/Puerto_Rico",),
    "VI": ("America/St_Thomas",),
    "GU": ("Pacific/Guam",),
    "MP": ("Pacific/Saipan",),
    "AS": ("Pacific/Pago_Pago",),
}
"""Zones of each state and territory; Arizona has the Navajo Nation's summer time too."""


def may_be_in(*, zip_code: str, state: str, phones: Iterable[str], known: str) -> tuple[str, ...]:
    """List every zone the consumer may be in, each once, the best known first.

    A state says nothing new beside a ZIP in it; without one, or against it, all its zones count.

    :param known: the zone that stands in the consumer's row.
    """
    by_zip = zone_of_zip(zip_code) if zip_code else None
    by_state = STATES.get(state.upper(), ())
    found = [known, by_zip]
    if by_zip is None or not _same_hours(by_zip, by_state):
        found += by_state
    for number in phones:
        found += zones_of_number(number)
    return tuple(dict.fromkeys(zone for zone in found if zone))


def _same_hours(zone: str, others: Iterable[str]) -> bool:
    """Tell whether a zone keeps the hours of one of the others, by its offsets in January and July."""
    return zone in others or _offsets(zone) in {_offsets(other) for other in others}


@lru_cache(maxsize=256)
def _offsets(zone: str) -> tuple[timedelta | None, ...]:
    from zoneinfo import ZoneInfo

    return tuple(datetime(2026, month, 15, 12, tzinfo=ZoneInfo(zone)).utcoffset() for month in (1, 7))


@lru_cache(maxsize=65_536)
def zones_of_number(number: str) -> tuple[str, ...]:
    """Give the zones of a number's area code; none for what belongs to no place, or is no number."""
    try:
        parsed = phonenumbers.parse(number, "US")
    except phonenumbers.NumberParseException:
        return ()
    if not phonenumbers.is_possible_number(parsed) or phonenumbers.number_type(parsed) in _PLACELESS:
        return ()
    return tuple(zone for zone in number_zones.time_zones_for_geographical_number(parsed) if zone != "Etc/Unknown")


def in_hours(now: datetime, zones: Iterable[str], *, opens: time = OPENS, closes: time = CLOSES) -> bool:
    """Tell whether the moment lies in the hours of every zone on one and the same day."""
    return closing(now, zones, opens=opens, closes=closes) is not None


def closing(now: datetime, zones: Iterable[str], *, opens: time = OPENS, closes: time = CLOSES) -> datetime | None:
    """Give the end of the hours, of every zone, that the moment lies in; None outside of them."""
    zones = tuple(zones)
    for day in {local_date(now, zone) for zone in zones}:
        window = shared_window(day, zones, opens, closes)
        if window is not None and window[0] <= now < window[1]:
            return window[1]
    return None


def next_opening(now: datetime, zones: Iterable[str], *, opens: time = OPENS, closes: time = CLOSES) -> datetime | None:
    """Give the present or the next moment inside the hours of every zone; None where the zones share no hour."""
    zones = tuple(zones)
    first = min(local_date(now, zone) for zone in zones)
    for ahead in range(DAYS_AHEAD):
        window = shared_window(first + timedelta(days=ahead), zones, opens, closes)
        if window is None or window[1] <= now:
            continue
        return max(now, window[0])
    return None
