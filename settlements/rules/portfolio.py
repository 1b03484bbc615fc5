"""The numbers of an account's offers that a whole portfolio is compared by: nothing more, so that it is fast.

`headline_of` reads them from what `settlements.rules.quotes.offered` gives; `headline` works them out some ten times
faster, because what depends on the rules, the day and the account's options alone is worked out once. A property test
holds the two equal.
"""

from bisect import bisect_right
from datetime import date, timedelta
from typing import Any, NamedTuple

from accounts.calendars import fed, roll_forward
from accounts.money import share
from settlements.rules import limits
from settlements.rules.bands import HIGHEST_CENTS, Compiled, Governing
from settlements.rules.offers import (
    SMALLEST_CENTS,
    Allowed,
    GlobalOffer,
    HostSettlement,
    check_settlement,
    per_period,
    said_by_global,
)
from settlements.rules.quotes import Facts, Offered, offered, shut
from settlements.rules.schedules import most_by_amount


class Headline(NamedTuple):
    """Give what is open to one account today; two of them are equal when a consumer would be offered the same.

    A settlement of 0 cents is none, and `reason` is the code why; its payments are 1 where it is paid at once only.
    Plan payments of 0 are no plan. Minimums are what each of several monthly payments must reach, months of 0 are no
    limit, `methods` are those of a single payment, `level` is whose settlement it is. Amounts are cents.
    """

    settlement_cents: int = 0
    settlement_payments: int = 0
    settlement_last_on: date | None = None
    settlement_minimum_cents: int = 0
    plan_payments: int = 0
    plan_minimum_cents: int = 0
    plan_months: int = 0
    methods: tuple[str, ...] = ()
    level: str = ""
    reason: str = ""


EVERYTHING = Allowed()
_WHOLE, _HALF = 100_00, 50_00
"""`accounts.money.share` without its call and its checks: a tenth of the time of an account."""


def headline_of(at: Offered) -> Headline:
    """Read the numbers from everything that is open."""
    settlement, plan = at.settlement, at.plan
    return Headline(
        settlement_cents=settlement.amount_cents if settlement else 0,
        settlement_payments=(settlement.max_payments if "parts" not in at.closed else 1) if settlement else 0,
        settlement_last_on=settlement.last_date if settlement else None,
        settlement_minimum_cents=settlement.minimum_for("monthly") if settlement else 0,
        plan_payments=plan.max_payments if plan else 0,
        plan_minimum_cents=plan.minimum_for("monthly") if plan else 0,
        plan_months=plan.max_months if plan else 0,
        methods=at.allowed.single_methods,
        level=settlement.level if settlement else "",
        reason="" if settlement else at.closed["settlement"][0].code,
    )


def headline(
    rules: Compiled | None,
    owed_cents: int,
    listed_on: date | None,
    today: date,
    individual: HostSettlement | None = None,
    global_offer: GlobalOffer | None = None,
    allowed: Allowed = EVERYTHING,
    parts: bool = True,
) -> Headline:
    """Work out the numbers of `settlements.rules.quotes.offered` for one account of many.

    `parts` is False for a debt that is too old for payments in parts (SOL-04).

    Pass the same `rules`, `global_offer` and `allowed` objects for all accounts that share them: what depends on them
    alone is worked out once.
    """
    if rules is None:
        sheet = _sheets_of(_DEFAULTS, today, allowed, global_offer, 1)[0] or _sheet(
            _DEFAULTS, None, 0, today, allowed, global_offer
        )
    else:
        segments = rules.segments
        place = bisect_right(rules.starts, owed_cents) - 1 if 0 <= owed_cents <= HIGHEST_CENTS else len(segments)
        sheets = _sheets_of(rules.memo, today, allowed, None, len(segments) + 1)
        sheet = sheets[place] or _sheet(rules.memo, rules, place, today, allowed, None)
    if owed_cents <= 0 or sheet.shut:
        return sheet.nothing_owed if owed_cents <= 0 else sheet.cannot_pay
    monthly = sheet.minimum_cents
    if sheet.minimum_bps:
        by_share = (owed_cents * sheet.minimum_bps + _HALF) // _WHOLE
        monthly = by_share if by_share > monthly else monthly
    if individual is not None and (individual.expires_on is None or individual.expires_on >= today):
        if individual.methods:
            facts = Facts(owed_cents, today, listed_on, individual, rules, global_offer, allowed, not parts)
            return headline_of(offered(facts))
        settled = _said(sheet, owed_cents, individual, sheet.flat_cents, parts)
    elif rules is None:
        settled = _said(sheet, owed_cents, sheet.default, sheet.default_flat, parts)
    else:
        settled = _ruled(sheet, owed_cents, monthly, listed_on, parts)
    return _with_plan(sheet, owed_cents, monthly, settled, parts)


_Settlement = tuple[int, int, date | None, int, str, str]
"""Cents, payments, last day, smallest monthly payment, level, and the reason why there is none."""


def _none(reason: str) -> _Settlement:
    return (0, 0, None, 0, "", reason)


_NO_SETTLEMENT = _none("no_settlement")


class _Sheet:
    """Hold what is the same for every account of a segment, a day and the same options."""

    __slots__ = (
        "bps",
        "cannot_pay",
        "conversion",
        "default",
        "default_flat",
        "down_bps",
        "down_cents",
        "first_on",
        "flat_cents",
        "governing",
        "last_on",
        "level",
        "listed",
        "minimum_bps",
        "minimum_cents",
        "most",
        "nothing_owed",
        "plan_months",
        "plan_most",
        "reason",
        "second_on",
        "shut",
        "today",
    )

    def __init__(
        self, governing: Governing | None, today: date, allowed: Allowed, global_offer: GlobalOffer | None
    ) -> None:
        allowed = limits.banned(allowed, governing)
        methods = allowed.single_methods
        self.governing, self.today = governing, today
        self.shut = bool(shut(1, allowed))
        self.nothing_owed = Headline(methods=methods, reason="nothing_owed")
        self.cannot_pay = Headline(methods=methods, reason="cannot_pay_here")
        on_a_bank_day = roll_forward(today, fed)
        self.first_on: date | None = today if "card" in methods else on_a_bank_day if methods else None
        week = today + timedelta(days=7)
        several = allowed.recurring_methods
        self.second_on: date | None = week if "card" in several else roll_forward(week, fed) if several else None
        self.flat_cents = max(limits.flat_minimum(allowed).value, SMALLEST_CENTS)
        self.default = said_by_global(global_offer) if global_offer else None
        self.default_flat = max(self.flat_cents, global_offer.minimum_payment_cents if global_offer else 0)
        self.listed: dict[date | None, _Settlement | None] = {}
        self.plan_most = self.plan_months = self.minimum_cents = self.minimum_bps = 0
        self.reason: _Settlement | None = _NO_SETTLEMENT
        if governing is not None:
            self._rules(governing, allowed)

    def _rules(self, governing: Governing, allowed: Allowed) -> None:
        several = bool(allowed.recurring_methods)
        self.conversion = governing["conversion"]
        self.minimum_cents, self.minimum_bps = governing["minimum_cents"], governing["minimum_bps"]
        self.down_cents, self.down_bps = governing["down_payment_cents"], governing["down_payment_bps"]
        self.bps, self.level = governing.offered_bps, governing.offered_from.level
        self.most = limits.most_payments(governing, "settlement") if several else 1
        self.last_on = limits.ends(governing, self.today, "settlement")[1]
        self.listed = _window(governing, self.today)
        self.reason = None
        if not governing.covered:
            self.reason = _none("no_band")
        elif not self.bps:
            self.reason = _none("settlement_off_in_band")
        if governing.covered and several and self.second_on:
            self.plan_months = min(governing["max_months_unsettled"], limits.MOST_MONTHS)
            fits = self.second_on <= limits.ends(governing, self.today, "plan")[1]
            self.plan_most = limits.most_payments(governing, "plan") if fits else 0


_WINDOWS: dict[Any, dict[date | None, _Settlement | None]] = {}


def _window(governing: Governing, today: date) -> dict[date | None, _Settlement | None]:
    """Find what is known of listed dates; every sheet with the same months and day shares it."""
    months = (governing["months_before_settlement"], governing["months_until_settlement"])
    if (*months, today) not in _WINDOWS and len(_WINDOWS) >= _MOST_WINDOWS:
        _WINDOWS.clear()
    return _WINDOWS.setdefault((*months, today), {})


_MOST_WINDOWS = 256
_DEFAULTS: dict[Any, Any] = {}
_MOST_KEPT = 4_096


def _sheets_of(
    memo: dict[Any, Any], today: date, allowed: Allowed, global_offer: GlobalOffer | None, count: int
) -> list[_Sheet | None]:
    """Find the sheets of a day and options; the objects are kept with them, so that an id stays theirs."""
    kept = memo.get((today, id(allowed), id(global_offer)))
    if kept is None:
        if len(memo) >= _MOST_KEPT:
            memo.clear()
        kept = memo[today, id(allowed), id(global_offer)] = ([None] * count, allowed, global_offer)
    return kept[0]


def _sheet(
    memo: dict[Any, Any],
    rules: Compiled | None,
    place: int,
    today: date,
    allowed: Allowed,
    global_offer: GlobalOffer | None,
) -> _Sheet:
    governing = rules.at(rules.starts[place] if place < len(rules.segments) else -1) if rules else None
    made = _Sheet(governing, today, allowed, global_offer)
    memo[today, id(allowed), id(global_offer)][0][place] = made
    return made


def _with_plan(sheet: _Sheet, owed_cents: int, monthly_cents: int, settled: _Settlement, parts: bool) -> Headline:
    methods = sheet.nothing_owed.methods
    if parts and sheet.plan_most > 1 and _several(sheet, owed_cents, monthly_cents):
        least = sheet.flat_cents if sheet.flat_cents > monthly_cents else monthly_cents
        return _made(Headline, (*settled[:4], sheet.plan_most, least, sheet.plan_months, methods, *settled[4:]))
    return _made(Headline, (*settled[:4], 0, 0, 0, methods, *settled[4:]))


_made = tuple.__new__
"""Twice as fast as calling the class, which matters for a million accounts."""


def _several(sheet: _Sheet, amount_cents: int, monthly_cents: int) -> bool:
    """Tell whether two weekly payments reach the minimum; their days were tested for the whole sheet."""
    # A week's minimum is at most a month's: without a down payment most accounts are told by this alone.
    most = monthly_cents if monthly_cents > sheet.flat_cents else sheet.flat_cents
    if amount_cents >= 2 * most and not sheet.down_cents and not sheet.down_bps:
        return True
    least = max(sheet.flat_cents, per_period(monthly_cents, "weekly", sheet.conversion))
    down = min(max(sheet.down_cents, share(amount_cents, sheet.down_bps)), amount_cents)
    return most_by_amount(amount_cents, least, down) > 1


def _ruled(sheet: _Sheet, owed_cents: int, monthly_cents: int, listed_on: date | None, parts: bool) -> _Settlement:
    """Settle by the rules."""
    if sheet.reason is not None:
        return sheet.reason
    if listed_on not in sheet.listed:
        if len(sheet.listed) >= _MOST_KEPT:
            sheet.listed.clear()
        outside = limits.outside_window(sheet.governing, sheet.today, listed_on) if sheet.governing else None
        sheet.listed[listed_on] = _none(outside.code) if outside else None
    if outside_window := sheet.listed[listed_on]:
        return outside_window
    cents = (owed_cents * sheet.bps + _HALF) // _WHOLE
    if not cents:
        return _NO_SETTLEMENT
    last_on, payments = sheet.last_on, 1
    dated = parts and sheet.most > 1 and sheet.second_on is not None and sheet.second_on <= last_on
    if dated and _several(sheet, cents, monthly_cents):
        payments = sheet.most
    elif reason := _not_at_once(sheet, last_on):
        return reason
    return (cents, payments, last_on, max(sheet.flat_cents, monthly_cents), sheet.level, "")


def _said(sheet: _Sheet, owed_cents: int, said: HostSettlement | None, flat_cents: int, parts: bool) -> _Settlement:
    """Settle by what was said for one account, or by the default offer."""
    if said is None or check_settlement(said):
        return _NO_SETTLEMENT
    today = sheet.today
    cents = share(owed_cents, said.percent_bps or 0) if said.amount_cents is None else said.amount_cents
    cents = min(cents, owed_cents)
    last_on = today if said.max_days is None else today + timedelta(days=said.max_days)
    if said.max_date is not None:
        last_on = said.max_date if said.max_days is None else min(last_on, said.max_date)
    if not cents or last_on < today:
        return _NO_SETTLEMENT
    payments = (said.max_payments or 1) if parts and sheet.second_on else 1
    fits = sheet.second_on is not None and sheet.second_on <= last_on and cents >= 2 * flat_cents
    if payments < 2 or not fits:
        if reason := _not_at_once(sheet, last_on):
            return reason
        payments = 1
    return (cents, payments, last_on, flat_cents, said.level, "")


def _not_at_once(sheet: _Sheet, last_on: date) -> _Settlement | None:
    if sheet.first_on is None:
        return _none("cannot_pay_here")
    return _none("rolled_past_limit") if sheet.first_on > last_on else None
