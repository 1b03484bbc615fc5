"""How far a revocation by text reaches, as dated data (SMS-04): all texts of the agency to that number, later more.

From 31 January 2027 a consumer who says stop in answer to one kind of message is to hear no more robotexts and calls of
that sender on any matter (47 CFR 64.1200(a)(10); the FCC's order of 6 January 2026 moved the day). Should it be moved
again, its row is changed here, and the test that stands on either side of it.
"""

from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

TENANT, ALL = "tenant", "all"
"""`tenant`: all texts of the agency to the number. `all`: texts and calls, to every number of the consumer."""

WHERE_IT_BEGINS = ZoneInfo("Pacific/Guam")
"""The first place under the rule where a day begins."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Say how far a revocation reaches from a day on."""

    name: str
    from_on: date
    source: str


SCOPES = (
    Scope(TENANT, date.min, "47 CFR 64.1200(a)(10), 89 FR 15756"),
    Scope(ALL, date(2027, 1, 31), "FCC order of 6 January 2026"),
)


def at(now: datetime) -> str:
    """Give the scope in force at a moment."""
    today = now.astimezone(WHERE_IT_BEGINS).date()
    return next(one.name for one in reversed(SCOPES) if one.from_on <= today)
