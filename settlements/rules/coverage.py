"""What a rule set covers, before it is published: gaps, overlaps and slips with their consequence, and a picture.

Source: Collect!'s Debtor Portal Payment Plan Rules, "Owing From and Owing To values should cover 0.00 to
999,999,999.00" and its warning of overlapping boundaries; rules "Bands". Pure: values in, plain data out.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import log10

from accounts.refusals import Refusal, refuse
from settlements.rules.bands import HIGHEST_CENTS, LOWEST_CENTS, Band, Governing, RuleSet, band_at
from settlements.rules.bands import compile_rules as compiled

_SENTENCES = {
    "gap": (
        "No band covers %(from_cents)s to %(to_cents)s. Consumers there can arrange neither a plan nor a settlement"
        " by themselves; they can pay in full or a single amount."
    ),
    "gap_inherited": (
        "No band of this client covers %(from_cents)s to %(to_cents)s. The rules of the agency count there."
    ),
    "nothing_covered": "No balance is covered. Consumers can arrange neither a plan nor a settlement by themselves.",
    "overlap": (
        "Bands %(winner)s and %(loser)s both cover %(from_cents)s to %(to_cents)s. The lower one counts there: band"
        " %(winner)s, which begins at %(begins_cents)s."
    ),
    "overlap_of_a_cent": (
        "Bands %(winner)s and %(loser)s both cover a balance of %(from_cents)s. The lower one counts there: band"
        " %(winner)s, which begins at %(begins_cents)s."
    ),
    "band_never_used": "Band %(band)s is never used: lower bands cover all of its balances.",
    "band_reversed": (
        "Band %(band)s ends at %(to_cents)s, below its beginning at %(from_cents)s, so it covers nothing."
    ),
    "band_outside": (
        "Band %(band)s reaches beyond %(lowest_cents)s to %(highest_cents)s. What lies outside never counts."
    ),
    "window_never_opens": (
        "Band %(band)s offers no settlement at any time: it would close %(until)s months after listing, before it"
        " opens after %(before)s."
    ),
    "offered_below_minimum": (
        "Band %(band)s offers a lower percent than its minimum. The minimum of %(minimum)s %% is offered."
    ),
    "no_way_to_pay": "Band %(band)s allows neither cards nor bank accounts, so nothing can be paid here at all.",
    "one_payment_plan": (
        "Band %(band)s allows one payment at most, so there are no plans and settlements are paid at once."
    ),
}


@dataclass(frozen=True, slots=True)
class Gap:
    """Give balances that no band has, both ends inclusive."""

    from_cents: int
    to_cents: int
    sentence: Refusal


@dataclass(frozen=True, slots=True)
class Overlap:
    """Give balances that two bands have, both ends inclusive; bands are indexes, and the winner governs."""

    from_cents: int
    to_cents: int
    winner: int
    loser: int
    sentence: Refusal


@dataclass(frozen=True, slots=True)
class Coverage:
    """Hold what staff should know before they publish; nothing here forbids it."""

    gaps: tuple[Gap, ...]
    overlaps: tuple[Overlap, ...]
    warnings: tuple[Refusal, ...]

    @property
    def complete(self) -> bool:
        """Tell whether every balance is covered once and nothing is odd."""
        return not (self.gaps or self.overlaps or self.warnings)

    @property
    def sentences(self) -> tuple[Refusal, ...]:
        """Give everything there is to say, gaps first."""
        said = [one.sentence for one in (*self.gaps, *self.overlaps)]
        return (*said, *self.warnings)


def coverage(*, bands: Sequence[Band], inherited: Sequence[Band] = ()) -> Coverage:
    """Look through bands from 0.00 to 999,999,999.00.

    :param inherited: the agency's bands, which count where a client that does not replace them says nothing.
    """
    return Coverage(
        gaps=tuple(_gaps(bands, inherited)),
        overlaps=tuple(_overlaps(bands)),
        warnings=tuple(warning for index, band in enumerate(bands) for warning in _odd(bands, index, band)),
    )


def _no(code: str, field: str | None = None, **params: object) -> Refusal:
    return refuse(_SENTENCES[code], code, field=field, **params)


def _edges(bands: Sequence[Band]) -> list[tuple[int, int]]:
    edges = {LOWEST_CENTS, HIGHEST_CENTS + 1}
    for band in bands:
        edges |= {band.owing_from_cents, band.owing_to_cents + 1}
    return list(pairwise(sorted(edge for edge in edges if LOWEST_CENTS <= edge <= HIGHEST_CENTS + 1)))


def _gaps(bands: Sequence[Band], inherited: Sequence[Band]) -> Iterator[Gap]:
    open_from: int | None = None
    helped = False
    ranges = [*_edges([*bands, *inherited]), (HIGHEST_CENTS + 1, HIGHEST_CENTS + 1)]
    for start, _end in ranges:
        bare = start <= HIGHEST_CENTS and band_at(bands, start) is None
        helps = bare and band_at(inherited, start) is not None
        if open_from is not None and (not bare or helps != helped):
            yield _gap(open_from, start - 1, helped)
            open_from = None
        if bare and open_from is None:
            open_from, helped = start, helps


def _gap(from_cents: int, to_cents: int, helped: bool) -> Gap:
    if (from_cents, to_cents) == (LOWEST_CENTS, HIGHEST_CENTS) and not helped:
        return Gap(from_cents, to_cents, _no("nothing_covered"))
    code = "gap_inherited" if helped else "gap"
    return Gap(from_cents, to_cents, _no(code, from_cents=from_cents, to_cents=to_cents))


def _overlaps(bands: Sequence[Band]) -> Iterator[Overlap]:
    """Run through the balances of two bands, by loser: of three bands the lowest wins against both others."""
    ranges: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for start, end in _edges(bands):
        hits = [index for index, band in enumerate(bands) if band.owing_from_cents <= start <= band.owing_to_cents]
        if len(hits) < 2:
            continue
        winner = min(hits, key=lambda index: (bands[index].owing_from_cents, bands[index].owing_to_cents))
        for loser in hits:
            if loser == winner:
                continue
            known = ranges.setdefault((winner, loser), [])
            if known and known[-1][1] == start - 1:
                known[-1] = (known[-1][0], end - 1)
            else:
                known.append((start, end - 1))
    for (winner, loser), both in sorted(ranges.items()):
        for from_cents, to_cents in both:
            yield Overlap(
                from_cents, to_cents, winner, loser, _says_overlap(bands, winner, loser, from_cents, to_cents)
            )


def _says_overlap(bands: Sequence[Band], winner: int, loser: int, from_cents: int, to_cents: int) -> Refusal:
    begins = bands[winner].owing_from_cents
    params = {"winner": winner + 1, "loser": loser + 1, "from_cents": from_cents, "begins_cents": begins}
    field = f"/bands/{loser}/owing_from_cents"
    if from_cents == to_cents:
        return _no("overlap_of_a_cent", field, **params)
    return _no("overlap", field, to_cents=to_cents, **params)


def _odd(bands: Sequence[Band], index: int, band: Band) -> Iterator[Refusal]:
    number, at = index + 1, f"/bands/{index}"
    if band.owing_from_cents > band.owing_to_cents:
        bounds = {"from_cents": band.owing_from_cents, "to_cents": band.owing_to_cents}
        yield _no("band_reversed", f"{at}/owing_to_cents", band=number, **bounds)
        return
    if band.owing_from_cents < LOWEST_CENTS or band.owing_to_cents > HIGHEST_CENTS:
        yield _no("band_outside", at, band=number, lowest_cents=LOWEST_CENTS, highest_cents=HIGHEST_CENTS)
    if not any(band_at(bands, start) is band for start, _end in _edges(bands)):
        yield _no("band_never_used", at, band=number)
    before, until = band.months_before_settlement or 0, band.months_until_settlement or 0
    if 0 < until <= before:
        yield _no("window_never_opens", f"{at}/months_until_settlement", band=number, before=before, until=until)
    minimum = band.minimum_settlement_bps or 0
    if 0 < (band.offered_settlement_bps or 0) < minimum:
        field = f"{at}/offered_settlement_bps"
        yield _no("offered_below_minimum", field, band=number, minimum=percent(minimum))
    if band.card_disabled and band.ach_disabled:
        yield _no("no_way_to_pay", f"{at}/ach_disabled", band=number)
    if band.max_payments == 1:
        yield _no("one_payment_plan", f"{at}/max_payments", band=number)


def percent(bps: int) -> str:
    """Say basis points as a percent: 7500 is 75, 6250 is 62.5."""
    return f"{bps / 100:g}"


@dataclass(frozen=True, slots=True)
class Rectangle:
    """Draw one field of the picture: `left` to `right` by balance, `bottom` to `top` by age, each from 0 to 1.

    `kind` is gap, plan (no settlement at this age) or settlement; `band` is the index that governs, None in a gap
    and where only the agency's band counts. `to_months` of None never ends.
    """

    kind: str
    band: int | None
    left: float
    right: float
    bottom: float
    top: float
    from_cents: int
    to_cents: int
    from_months: int
    to_months: int | None
    settlement_bps: int = 0


@dataclass(frozen=True, slots=True)
class Tick:
    """Mark a value on an axis at a place from 0 to 1."""

    at: float
    value: int


@dataclass(frozen=True, slots=True)
class Picture:
    """Show a rule set by balance (logarithmic, cents) and account age (months)."""

    rectangles: tuple[Rectangle, ...]
    balances: tuple[Tick, ...]
    ages: tuple[Tick, ...]


_FIRST_DECADE, _LAST_DECADE = 10_00, HIGHEST_CENTS


def place(balance_cents: int) -> float:
    """Give the place of a balance from 0 to 1: what is below $10.00 shares the first tenth, then by logarithm."""
    if balance_cents <= _FIRST_DECADE:
        return 0.1 * max(balance_cents, 0) / _FIRST_DECADE
    return min(0.1 + 0.9 * log10(balance_cents / _FIRST_DECADE) / log10(_LAST_DECADE / _FIRST_DECADE), 1.0)


def picture(client_or_agency: RuleSet, agency: RuleSet | None = None) -> Picture:
    """Lay out what governs where; `agency` gives what a client inherits."""
    own = client_or_agency.bands
    found = compiled(client_or_agency, agency)
    segments = found.segments if found else ()
    shown: list[tuple[int, int, Governing]] = []
    for one in segments:
        if shown and shown[-1][2] == one.governing:
            shown[-1] = (shown[-1][0], one.to_cents, one.governing)
        else:
            shown.append((one.from_cents, one.to_cents, one.governing))
    highest = max([_ages(governing)[1] or _ages(governing)[0] for _from, _to, governing in shown], default=0)
    top = max(12, -(-(highest + 6) // 12) * 12)
    rectangles = [
        rectangle
        for from_cents, to_cents, governing in shown
        for rectangle in _column(own, from_cents, to_cents, governing, top)
    ]
    step = 12 if top <= 72 else 12 * -(-top // 72)
    return Picture(
        rectangles=tuple(rectangles),
        balances=tuple(Tick(place(cents), cents) for cents in (0, *(10**n for n in range(3, 11)), HIGHEST_CENTS)),
        ages=tuple(Tick(months / top, months) for months in range(0, top + 1, step)),
    )


def _ages(governing: Governing) -> tuple[int, int]:
    return governing["months_before_settlement"], governing["months_until_settlement"]


def _column(own: Sequence[Band], from_cents: int, to_cents: int, governing: Governing, top: int) -> Iterator[Rectangle]:
    band = band_at(own, from_cents)
    index = None if band is None else next(number for number, one in enumerate(own) if one is band)
    before, until = _ages(governing)
    bps = governing.offered_bps if governing.covered else 0
    if not governing.covered:
        ages: list[tuple[str, int, int | None]] = [("gap", 0, None)]
    elif not bps or 0 < until <= before:
        ages, bps = [("plan", 0, None)], 0
    else:
        ages = [("plan", 0, before)] if before else []
        ages += [("settlement", before, until or None)]
        ages += [("plan", until, None)] if until else []
    for kind, start, end in ages:
        yield Rectangle(
            kind=kind,
            band=index,
            left=place(from_cents),
            right=place(to_cents + 1),
            bottom=min(start / top, 1.0),
            top=1.0 if end is None else min(end / top, 1.0),
            from_cents=from_cents,
            to_cents=to_cents,
            from_months=start,
            to_months=end,
            settlement_bps=bps if kind == "settlement" else 0,
        )
