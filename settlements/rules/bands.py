"""Rule sets: which band governs a balance, and which level's field gives each number.

Source: Collect!'s Debtor Portal Payment Plan Rules (six bands, eleven fields) with fields of our own; rules "Levels"
and "Bands". Pure: values in, values out.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple

from settlements.rules.offers import CURE_DAYS, Origin

LOWEST_CENTS, HIGHEST_CENTS = 0, 999_999_999_00
_WHOLE_BPS = 100_00
CONVERSIONS = ("annual", "half_month")
PROMISE_DAYS = 30
"""Days to keep a promise where no level says anything."""


@dataclass(frozen=True, slots=True)
class Band:
    """Hold one balance band as a level wrote it, bounds inclusive; None says nothing.

    A field that no level says: no minimum, no limit, no settlement, methods allowed. Months of 0 are no limit, a
    minimum settlement percent of 0 is no settlement in this band. Amounts are cents, percents are basis points.
    """

    owing_from_cents: int
    owing_to_cents: int
    minimum_cents: int | None = None
    minimum_bps: int | None = None
    max_months_unsettled: int | None = None
    max_months_settled: int | None = None
    months_before_settlement: int | None = None
    months_until_settlement: int | None = None
    minimum_settlement_bps: int | None = None
    card_disabled: bool | None = None
    ach_disabled: bool | None = None
    offered_settlement_bps: int | None = None
    max_payments: int | None = None
    max_days: int | None = None
    down_payment_cents: int | None = None
    down_payment_bps: int | None = None
    latest_first_days: int | None = None
    grace_days: int | None = None
    failures_to_break: int | None = None


BAND_FIELDS = tuple(one.name for one in fields(Band))[2:]
FORM_FIELDS = (
    "conversion",
    "sif_plan_arrangement",
    "sif_plan_final",
    "promise_days",
    "breach_reinstates",
    "breach_cure_days",
    "max_changes",
)
_SILENT: dict[str, Any] = dict.fromkeys(BAND_FIELDS, 0) | {
    "card_disabled": False,
    "ach_disabled": False,
    "offered_settlement_bps": None,
    "max_payments": None,
    "max_days": None,
    "latest_first_days": None,
    "failures_to_break": None,
    "conversion": "annual",
    "sif_plan_arrangement": "",
    "sif_plan_final": "",
    "promise_days": PROMISE_DAYS,
    "breach_reinstates": "balance",
    "breach_cure_days": CURE_DAYS,
    "max_changes": None,
}
"""What a field means when no level says it."""


@dataclass(frozen=True, slots=True)
class RuleSet:
    """Hold one level's rules; None (or an empty text) in a field of the form says nothing."""

    level: str
    version: int | str | None
    bands: tuple[Band, ...] = ()
    enabled: bool = True
    is_master: bool = False
    replace_all: bool = False
    conversion: str | None = None
    sif_plan_arrangement: str | None = None
    sif_plan_final: str | None = None
    promise_days: int | None = None
    breach_reinstates: str | None = None
    breach_cure_days: int | None = None
    max_changes: int | None = None


@dataclass(frozen=True)
class Governing:
    """Hold every field that governs one range of balances, each with its origin.

    `covered` is False in a gap: no band of any level has this balance, so no plan and no settlement is offered.
    `level` and `version` are those of the band, the client's before the agency's; `bounds` says by level which
    balances, both ends inclusive, its band decides about.
    """

    covered: bool
    origins: dict[str, Origin]
    level: str = "product"
    version: int | str | None = None
    bounds: dict[str, tuple[int, int]] = field(default_factory=dict)

    def __getitem__(self, field: str) -> Any:
        return self.origins[field].value

    @cached_property
    def offered_bps(self) -> int:
        """The percent a settlement is offered at: the offered one, never below the minimum; 0 is none."""
        minimum = self["minimum_settlement_bps"]
        return min(max(self["offered_settlement_bps"] or minimum, minimum), _WHOLE_BPS) if minimum else 0

    @cached_property
    def offered_from(self) -> Origin:
        """The field that gives `offered_bps`: the minimum, where the offered percent is not above it."""
        minimum = self.origins["minimum_settlement_bps"]
        above = (self["offered_settlement_bps"] or 0) > minimum.value
        return self.origins["offered_settlement_bps"] if above else minimum


class Segment(NamedTuple):
    """Give a range of balances, both ends inclusive, and what governs it."""

    from_cents: int
    to_cents: int
    governing: Governing


class Compiled:
    """The rules of a client within its agency, ready to answer for any balance in a few microseconds."""

    def __init__(self, client: RuleSet | None, agency: RuleSet | None) -> None:
        self.segments = tuple(_segments(client, agency))
        self.starts = [segment.from_cents for segment in self.segments]
        self._outside = _govern(client, agency, None)
        self.memo: dict[Any, Any] = {}
        """What callers worked out from these rules alone and want to keep as long as the rules."""

    def at(self, balance_cents: int) -> Governing:
        """Give what governs a balance; outside the bounds no band does, only the fields of the form."""
        if not LOWEST_CENTS <= balance_cents <= HIGHEST_CENTS:
            return self._outside
        return self.segments[bisect_right(self.starts, balance_cents) - 1].governing


def compile_rules(client: RuleSet | None, agency: RuleSet | None) -> Compiled | None:
    """Join a client's rules with its agency's; None when no enabled rule set is left and the default offer applies.

    Not enabled is as if it did not exist. While an agency's rule set is the master switch and not enabled, the
    client's is not read either (Collect!).
    """
    if agency is not None and not agency.enabled:
        client, agency = (None if agency.is_master else client), None
    if client is not None and not client.enabled:
        client = None
    return Compiled(client, agency) if client or agency else None


def _segments(client: RuleSet | None, agency: RuleSet | None) -> list[Segment]:
    edges = {LOWEST_CENTS, HIGHEST_CENTS + 1}
    for rules in (client, agency):
        for band in rules.bands if rules else ():
            edges |= {band.owing_from_cents, band.owing_to_cents + 1}
    inside = sorted(edge for edge in edges if LOWEST_CENTS <= edge <= HIGHEST_CENTS + 1)
    return [Segment(start, end - 1, _govern(client, agency, start)) for start, end in pairwise(inside)]


def band_at(bands: Sequence[Band], balance_cents: int | None) -> Band | None:
    """Find the band of a balance; of overlapping ones the lower wins: the one that begins lower, then ends lower."""
    if balance_cents is None:
        return None
    hits = [band for band in bands if band.owing_from_cents <= balance_cents <= band.owing_to_cents]
    return min(hits, key=lambda band: (band.owing_from_cents, band.owing_to_cents), default=None)


def reach(bands: Sequence[Band], band: Band) -> tuple[int, int]:
    """Give the balances that a band decides about once the lower ones that overlap it took theirs."""
    mine = (band.owing_from_cents, band.owing_to_cents)
    lower = [one.owing_to_cents + 1 for one in bands if (one.owing_from_cents, one.owing_to_cents) < mine]
    return max([mine[0], *lower]), mine[1]


def _govern(client: RuleSet | None, agency: RuleSet | None, balance_cents: int | None) -> Governing:
    if client is not None and client.replace_all:
        levels = [client]
    else:
        levels = [level for level in (client, agency) if level is not None]
    bands = [(level, band_at(level.bands, balance_cents)) for level in levels]
    origins = {}
    for name in BAND_FIELDS:
        said = [(level, band) for level, band in bands if band is not None and getattr(band, name) is not None]
        origins[name] = _origin(name, said[0][0], getattr(said[0][1], name)) if said else _silent(name)
    for name in FORM_FIELDS:
        said = [level for level in levels if getattr(level, name) not in (None, "")]
        origins[name] = _origin(name, said[0], getattr(said[0], name)) if said else _silent(name)
    bounds = {level.level: reach(level.bands, band) for level, band in bands if band is not None}
    for level in levels:
        if level.level in bounds:
            return Governing(True, origins, level.level, level.version, bounds)
    return Governing(False, origins)


def _origin(name: str, level: RuleSet, value: Any) -> Origin:
    return Origin(name, level.level, level.version, name, value)


def _silent(name: str) -> Origin:
    return Origin(name, "product", None, name, _SILENT[name])
