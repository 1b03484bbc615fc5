"""The picture of a rule set: what is open by balance (logarithmic) and by the age of the account, as SVG shapes."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from django.utils.translation import gettext as _

from accounts.money import format_cents
from settlements.admin.words import said, span
from settlements.rules.bands import HIGHEST_CENTS, Band, Compiled, Segment

WIDTH, HEIGHT = 1000, 300
LEFT, RIGHT, TOP, BOTTOM = 64, 12, 26, 42
LEAST_MONTHS, MOST_MONTHS = 24, 120
_DECADES = (0, 10_00, 100_00, 1_000_00, 10_000_00, 100_000_00, 1_000_000_00, 10_000_000_00, 100_000_000_00)
_NARROW = 26  # no number is written into a shape that is narrower


class Box(NamedTuple):
    """Draw a rectangle; `tone` is its class, `text` is written in it, `title` is read by who points at it."""

    x: str
    y: str
    width: str
    height: str
    tone: str
    title: str
    text: str = ""

    @property
    def middle(self) -> str:
        return _n(float(self.x) + float(self.width) / 2)

    @property
    def centre(self) -> str:
        return _n(float(self.y) + float(self.height) / 2)


class Tick(NamedTuple):
    at: str
    text: str


class Picture(NamedTuple):
    """Give everything that the template draws, and the same in sentences for those who do not see it."""

    boxes: tuple[Box, ...]
    overlaps: tuple[Box, ...]
    balances: tuple[Tick, ...]
    months: tuple[Tick, ...]
    lines: tuple[str, ...]
    frame: Box


def draw(rules: Compiled | None, bands: Sequence[Band] = ()) -> Picture:
    """Draw what is open under compiled rules; `bands` are those of the version itself, for its overlaps."""
    segments = merged(rules.segments if rules else ())
    most = _most_months(segments)
    boxes: list[Box] = []
    lines: list[str] = []
    for segment in segments:
        words = f"{span(segment.from_cents, segment.to_cents)}: {_words(segment)}"
        lines.append(words)
        boxes += _boxes(segment, words, most)
    strips = [_box(one.from_cents, one.to_cents, TOP - 12, 8, "overlap", one.title) for one in overlaps(bands)]
    step = 6 if most <= 36 else 12 if most <= 72 else 24
    return Picture(
        tuple(boxes),
        tuple(strips),
        tuple(Tick(_n(_x(cents)), _short(cents)) for cents in _DECADES),
        tuple(Tick(_n(_y(month, most)), str(month)) for month in range(0, most + 1, step)),
        tuple(lines),
        Box(_n(LEFT), _n(TOP), _n(WIDTH - LEFT - RIGHT), _n(HEIGHT - TOP - BOTTOM), "frame", ""),
    )


def _boxes(segment: Segment, words: str, most: int) -> list[Box]:
    low, high, rules = segment
    full = (TOP, HEIGHT - TOP - BOTTOM)
    if not rules.covered:
        return [_box(low, high, *full, "gap", words)]
    if rules["card_disabled"] and rules["ach_disabled"]:
        return [_box(low, high, *full, "shut", words)]
    found = [_box(low, high, *full, "plan", words)]
    if rules.offered_bps:
        until = min(rules["months_until_settlement"] or most, most)
        before = min(rules["months_before_settlement"], most)
        top = _y(until, most)
        text = said("offered_settlement_bps", rules.offered_bps)
        found.append(_box(low, high, top, _y(before, most) - top, "settle", words, text))
    return found


def _words(segment: Segment) -> str:
    """Say what is open in a range of balances."""
    rules = segment.governing
    if not rules.covered:
        return _("no rule, so no plan and no settlement: only payment in full, single amounts and promises")
    if rules["card_disabled"] and rules["ach_disabled"]:
        return _("nothing can be paid here: cards and bank accounts are both off")
    parts = []
    if rules.offered_bps:
        parts.append(_("settlement at %(percent)s") % {"percent": said("offered_settlement_bps", rules.offered_bps)})
        before, until = rules["months_before_settlement"], rules["months_until_settlement"]
        if before:
            parts.append(_("from month %(n)s after listing") % {"n": before})
        if until:
            parts.append(_("until month %(n)s") % {"n": until})
    else:
        parts.append(_("no settlement"))
    months = rules["max_months_unsettled"]
    parts.append(_("plans up to %(n)s months") % {"n": months} if months else _("plans of any length"))
    least = max(rules["minimum_cents"], 0)
    if least:
        parts.append(_("at least %(amount)s a month") % {"amount": format_cents(least)})
    if rules["minimum_bps"]:
        parts.append(_("at least %(percent)s a month") % {"percent": said("minimum_bps", rules["minimum_bps"])})
    if rules["card_disabled"]:
        parts.append(_("no cards"))
    if rules["ach_disabled"]:
        parts.append(_("no bank accounts"))
    return ", ".join(parts)


class Overlap(NamedTuple):
    """Give balances that two bands claim, and say it."""

    from_cents: int
    to_cents: int
    title: str


def overlaps(bands: Sequence[Band]) -> list[Overlap]:
    """Find where two bands claim the same balances."""
    order = sorted(bands, key=lambda band: (band.owing_from_cents, band.owing_to_cents))
    found = []
    for index, lower in enumerate(order):
        for upper in order[index + 1 :]:
            if upper.owing_from_cents > lower.owing_to_cents:
                break
            low, high = upper.owing_from_cents, min(lower.owing_to_cents, upper.owing_to_cents)
            title = _("%(span)s is in two bands: the lower one counts.") % {"span": span(low, high)}
            found.append(Overlap(low, high, title))
    return found


def merged(segments: Sequence[Segment]) -> list[Segment]:
    """Join neighbours that say the same, so that the picture shows decisions and not edges."""
    found: list[Segment] = []
    for segment in segments:
        if found and _same(found[-1], segment):
            found[-1] = found[-1]._replace(to_cents=segment.to_cents)
        else:
            found.append(segment)
    return found


def _same(one: Segment, other: Segment) -> bool:
    values = [{name: origin.value for name, origin in each.governing.origins.items()} for each in (one, other)]
    return one.governing.covered == other.governing.covered and values[0] == values[1]


def _most_months(segments: Sequence[Segment]) -> int:
    said_months = [
        max(one.governing["months_before_settlement"], one.governing["months_until_settlement"]) for one in segments
    ]
    most = max([LEAST_MONTHS, *(months + 6 for months in said_months if months)])
    return min(-(-most // 12) * 12, MOST_MONTHS)


def _box(low: int, high: int, y: float, height: float, tone: str, title: str, text: str = "") -> Box:
    x, end = _x(low), _x(high)
    width = max(end - x, 1.5)
    return Box(
        _n(x), _n(y), _n(width), _n(max(height, 0)), tone, title, text if width > _NARROW + 8 * len(text) / 2 else ""
    )


def _x(cents: int) -> float:
    whole = math.log10(1 + HIGHEST_CENTS / 100)
    return LEFT + (WIDTH - LEFT - RIGHT) * math.log10(1 + cents / 100) / whole


def _y(month: int, most: int) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * month / most


def _n(value: float) -> str:
    """Write a coordinate: SVG wants a point, whatever the reader's language."""
    return f"{value:.1f}"


def _short(cents: int) -> str:
    dollars = cents // 100
    for size, letter in ((1_000_000, "M"), (1_000, "k")):
        if dollars >= size:
            return f"${dollars // size}{letter}"
    return f"${dollars}"
