"""Where an agency is licensed to collect, by state and day (ST-09). No framework here."""

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

# fmt: off
STATES = (
    "AL", "AK", "AZ", "AR", "CA", "CO", "CT", "DE", "DC", "FL", "GA", "HI", "ID", "IL", "IN", "IA", "KS", "KY", "LA",
    "ME", "MD", "MA", "MI", "MN", "MS", "MO", "MT", "NE", "NV", "NH", "NJ", "NM", "NY", "NC", "ND", "OH", "OK", "OR",
    "PA", "RI", "SC", "SD", "TN", "TX", "UT", "VT", "VA", "WA", "WV", "WI", "WY", "AS", "GU", "MP", "PR", "VI",
)
# fmt: on
"""The states, the district and the territories, as the post writes them."""


class Licensed(NamedTuple):
    """Hold one licence: its state, its first and its last day, and the line that is printed."""

    state: str
    starts_on: date
    ends_on: date | None = None
    line: str = ""


def live(licences: Sequence[Licensed], state: str, today: date) -> list[Licensed]:
    """List the licences that hold in a state on a day; the first and the last day count."""
    here = state.strip().upper()
    return [one for one in licences if one.state == here and one.starts_on <= today <= (one.ends_on or today)]


def missing(licences: Sequence[Licensed], state: str, today: date) -> bool:
    """Tell whether nothing may be collected from who lives there; a state that nobody knows is none we know of (ST-09).

    An agency that wrote down no licence at all is not asked for one.
    """
    return bool(licences) and not live(licences, state, today)


def lines(licences: Sequence[Licensed], state: str, today: date) -> list[str]:
    """List what is printed for who lives in a state."""
    return [one.line for one in live(licences, state, today) if one.line]
