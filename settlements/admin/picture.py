"""The picture of a rule set as SVG shapes: `settlements.rules.coverage` lays it out, here it gets size and words."""

from typing import NamedTuple

from django.utils.translation import gettext as _

from accounts.money import format_cents
from settlements.admin.words import said, span
from settlements.rules import coverage
from settlements.rules.bands import HIGHEST_CENTS, Governing, RuleSet, compile_rules

WIDTH, HEIGHT = 1000, 300
LEFT, RIGHT, TOP, BOTTOM = 64, 12, 26, 42
ACROSS, DOWN = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
_TONES = {"gap": "gap", "plan": "plan", "settlement": "settle"}
_WIDE = 44  # a percent is written only where it fits
_TALL = 18


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
    """Write a value at a place of an axis."""

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


def draw(own: RuleSet, above: RuleSet | None) -> Picture | None:
    """Draw what is open under a version; None when it is not enabled.

    :param above: the agency's rules, which a client inherits; None for the agency's own.
    """
    rules = compile_rules(own, above) if own.level == "client" else compile_rules(None, own)
    if rules is None:
        return None
    layout = coverage.picture(own, above)
    overlaps = coverage.coverage(bands=own.bands).overlaps
    words = {
        (one.from_cents, one.to_cents): f"{span(one.from_cents, one.to_cents)}: {_words(rules.at(one.from_cents))}"
        for one in layout.rectangles
    }
    return Picture(
        boxes=tuple(_box(one, words[one.from_cents, one.to_cents]) for one in layout.rectangles),
        overlaps=tuple(_strip(one) for one in overlaps),
        balances=tuple(Tick(_n(LEFT + ACROSS * tick.at), _short(tick.value)) for tick in layout.balances),
        months=tuple(Tick(_n(TOP + DOWN * (1 - tick.at)), str(tick.value)) for tick in layout.ages),
        lines=tuple(words.values()),
        frame=Box(_n(LEFT), _n(TOP), _n(ACROSS), _n(DOWN), "frame", ""),
    )


def _box(one: coverage.Rectangle, title: str) -> Box:
    width, height = max(ACROSS * (one.right - one.left), 1.5), DOWN * (one.top - one.bottom)
    text = said("offered_settlement_bps", one.settlement_bps) if one.settlement_bps else ""
    fits = width > _WIDE and height > _TALL
    x, y = LEFT + ACROSS * one.left, TOP + DOWN * (1 - one.top)
    return Box(_n(x), _n(y), _n(width), _n(height), _TONES[one.kind], title, text if fits else "")


def _strip(one: coverage.Overlap) -> Box:
    left, right = coverage.place(one.from_cents), coverage.place(one.to_cents + 1)
    width = max(ACROSS * (right - left), 3)
    return Box(_n(LEFT + ACROSS * left), _n(TOP - 11), _n(width), "8", "overlap", one.sentence.sentence)


def _words(rules: Governing) -> str:
    """Say what is open in a range of balances."""
    if not rules.covered:
        return _("no band, so neither a plan nor a settlement: only payment in full, single amounts and promises")
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
    if rules["minimum_cents"]:
        parts.append(_("at least %(amount)s a month") % {"amount": format_cents(rules["minimum_cents"])})
    if rules["minimum_bps"]:
        parts.append(_("at least %(percent)s a month") % {"percent": said("minimum_bps", rules["minimum_bps"])})
    if rules["card_disabled"]:
        parts.append(_("no cards"))
    if rules["ach_disabled"]:
        parts.append(_("no bank accounts"))
    return ", ".join(parts)


def _n(value: float) -> str:
    """Write a coordinate: SVG wants a point, whatever the reader's language."""
    return f"{value:.1f}"


def _short(cents: int) -> str:
    if cents >= HIGHEST_CENTS:
        return ""  # the axis ends there
    dollars = cents // 100
    for size, letter in ((1_000_000, "M"), (1_000, "k")):
        if dollars >= size:
            return f"${dollars // size}{letter}"
    return f"${dollars}"
