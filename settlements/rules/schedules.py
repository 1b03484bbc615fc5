"""Schedules of payments: propose one that fits, or say all that is wrong with the consumer's own.

All dates are the consumer's local dates, all amounts are cents; rules "Amounts and dates".
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import count, islice

from accounts.calendars import Calendar, add_months, fed, is_business_day, roll_forward
from accounts.money import split_evenly
from accounts.refusals import Refusal, gettext_noop, refuse
from settlements.rules.offers import LATEST_DATE, MOST_PAYMENTS, PERIODS, SMALLEST_CENTS, Allowed, Terms

FREQUENCIES = ("once", "weekly", "biweekly", "semimonthly", "monthly", "custom")
# The two days of a semi-monthly plan where nobody chose others.
SEMIMONTHLY_DAYS = (1, 15)
# A first payment today is not followed by the next anchor day within the same week.
_SEMIMONTHLY_GAP = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Line:
    """Plan one payment: `due_on` is when it is taken, `planned_on` the chosen day where rolling moved it."""

    due_on: date
    amount_cents: int
    planned_on: date | None = None


def as_json(lines: Sequence[Line]) -> list[list[str | int]]:
    """Give payments as they are kept: day and cents, and behind them the chosen day where rolling moved it."""
    return [
        [line.due_on.isoformat(), line.amount_cents, *([line.planned_on.isoformat()] if line.planned_on else [])]
        for line in lines
    ]


def from_json(kept: Sequence[Sequence[str | int]]) -> tuple[Line, ...]:
    """Read payments that were kept."""
    return tuple(Line(date.fromisoformat(on), cents, *map(date.fromisoformat, chosen)) for on, cents, *chosen in kept)


def payment_dates(
    first_date: date,
    frequency: str,
    *,
    anchor_day: int | None = None,
    days: tuple[int, int] = SEMIMONTHLY_DAYS,
) -> Iterator[date]:
    """Run through the dates of a frequency without end, the first date included, before any rolling.

    Monthly dates keep the anchor day, by default the first date's own (CAL-04). Semi-monthly dates follow
    the two anchor days, the first of them at least a week after the first date. Once has one date.

    :raises ValueError: the frequency has no dates of its own (custom) or does not exist.
    """
    if frequency not in FREQUENCIES or frequency == "custom":
        raise ValueError(f"The frequency {frequency!r} does not make dates.")
    return _dates(first_date, frequency, anchor_day, sorted(days))


def _dates(first_date: date, frequency: str, anchor_day: int | None, days: Sequence[int]) -> Iterator[date]:
    yield first_date
    last = first_date + _SEMIMONTHLY_GAP - timedelta(days=1)
    for n in count(0 if frequency == "semimonthly" else 1):
        match frequency:
            case "once":
                return
            case "weekly":
                yield first_date + timedelta(weeks=n)
            case "biweekly":
                yield first_date + timedelta(weeks=2 * n)
            case "monthly":
                yield add_months(first_date, n, anchor_day)
            case "semimonthly":
                for day in days:
                    # Both anchors are the same day in a February that has neither 30 nor 31.
                    if (candidate := add_months(first_date, n, day)) > last:
                        yield (last := candidate)


def roll(lines: Sequence[Line], method: str, calendar: Calendar = fed) -> tuple[Line, ...]:
    """Move bank debits forward to a banking day, never back (CAL-02); cards are taken on any day (CAL-03)."""
    return tuple(_rolled(line, method, calendar) for line in lines)


def _rolled(line: Line, method: str, calendar: Calendar) -> Line:
    if method != "ach" or line.due_on > LATEST_DATE or is_business_day(line.due_on, calendar):
        return line
    return Line(roll_forward(line.due_on, calendar), line.amount_cents, line.planned_on or line.due_on)


def propose(
    terms: Terms,
    first_date: date,
    frequency: str = "monthly",
    parts: int | None = None,
    method: str = "card",
    calendar: Calendar = fed,
    *,
    anchor_day: int | None = None,
    days: tuple[int, int] = SEMIMONTHLY_DAYS,
    dates: Sequence[date] = (),
) -> tuple[Line, ...]:
    """Propose equal payments, as many as wanted and allowed, fewer until all of it fits the terms.

    Without `parts` as many as the terms allow. `dates` are those of a custom frequency. Bank debits are
    rolled before the last date is tested (CAL-07). Empty when not even one payment fits: the method is not
    allowed, or its first possible day lies past the limit.
    """
    limit = terms.most_for(frequency)
    most = min(parts or limit, limit)
    if frequency == "custom":
        return _propose_dates(terms, first_date, dates[:most], method, calendar)
    endless = payment_dates(first_date, frequency, anchor_day=anchor_day, days=days)
    planned = _days_that_fit(terms, first_date, frequency, endless, most, method, calendar)
    return _share_out(terms, planned, method, calendar) if planned else ()


def most_that_fit(
    terms: Terms,
    first_date: date,
    frequency: str,
    method: str,
    calendar: Calendar = fed,
    *,
    anchor_day: int | None = None,
    days: tuple[int, int] = SEMIMONTHLY_DAYS,
    at_most: int = MOST_PAYMENTS,
) -> int:
    """Count the equal payments that `propose` would plan, without planning them; 0 when not even one fits."""
    most = min(terms.most_for(frequency), at_most)
    endless = payment_dates(first_date, frequency, anchor_day=anchor_day, days=days)
    return len(_days_that_fit(terms, first_date, frequency, endless, most, method, calendar))


def most_by_amount(amount_cents: int, minimum_cents: int, down_cents: int = 0) -> int:
    """Count into how many payments an amount can be split while each reaches the minimum; one is always possible."""
    if down_cents > minimum_cents:
        return 1 + max(amount_cents - down_cents, 0) // minimum_cents
    return max(amount_cents // minimum_cents, 1)


def _days_that_fit(
    terms: Terms, first_date: date, frequency: str, days: Iterator[date], most: int, method: str, calendar: Calendar
) -> list[date]:
    """Take the planned days whose equal payments keep the terms; as all have one minimum, no schedule is tried."""
    if terms.latest_first_on and first_date > terms.latest_first_on:
        return []
    several = most > 1 and method in terms.allowed.recurring_methods
    most = min(most, most_by_amount(terms.amount_cents, terms.minimum_for(frequency), terms.down_payment_cents))
    last_date = terms.last_for(first_date)
    found: list[date] = []
    before = date.min
    for day in islice(days, most if several else 1):
        due_on = roll_forward(day, calendar) if method == "ach" and day <= last_date else day
        if not before < due_on <= last_date:
            break
        found.append(day)
        before = due_on
    return [] if len(found) == 1 and method not in terms.allowed.single_methods else found


def _propose_dates(
    terms: Terms, first_date: date, dates: Sequence[date], method: str, calendar: Calendar
) -> tuple[Line, ...]:
    """Share the amount among days of one's own; each has a minimum of its own, so fewer are tried one by one."""
    for wanted in range(len(dates), 0, -1):
        lines = _share_out(terms, dates[:wanted], method, calendar)
        if not check(lines, terms, today=first_date, method=method, calendar=calendar):
            return lines
    return ()


def _share_out(terms: Terms, planned: Sequence[date], method: str, calendar: Calendar) -> tuple[Line, ...]:
    amounts = spread(terms, len(planned))
    return roll([Line(*pair) for pair in zip(planned, amounts, strict=True)], method, calendar)


def spread(terms: Terms, parts: int) -> tuple[int, ...]:
    """Split the amount of the terms: the down payment first where it is more than an equal part, then equal parts."""
    equal = split_evenly(terms.amount_cents, parts)
    down = min(terms.down_payment_cents, terms.amount_cents)
    if parts == 1 or down <= equal[0]:
        return equal
    return (down, *split_evenly(terms.amount_cents - down, parts - 1))


_SENTENCES = {
    "empty": gettext_noop("There are no payments in this schedule."),
    "sum_not_exact": gettext_noop("The payments add up to %(sum_cents)s. They must add up to %(amount_cents)s."),
    "payment_not_positive": gettext_noop("Payment %(number)s must be more than zero."),
    "payment_below_minimum": gettext_noop("Payment %(number)s must be at least %(minimum_cents)s."),
    "too_many_payments": gettext_noop("There are %(count)s payments. The most for this offer is %(limit)s."),
    "last_date_too_late": gettext_noop("Payment %(number)s must be on or before %(limit_on)s."),
    "rolled_past_limit": gettext_noop(
        "Payment %(number)s is planned for %(planned_on)s, when banks are closed. It would be taken on"
        " %(due_on)s, after the last day of this offer, %(limit_on)s."
    ),
    "ach_not_banking_day": gettext_noop(
        "Payment %(number)s is on %(due_on)s, when banks are closed. The next banking day is %(next_on)s."
    ),
    "first_date_in_past": gettext_noop("The first payment must be on or after %(today_on)s."),
    "first_date_too_late": gettext_noop("The first payment must be on or before %(latest_on)s."),
    "down_payment_too_small": gettext_noop("The first payment must be at least %(minimum_cents)s."),
    "dates_not_rising": gettext_noop("Payment %(number)s must be on a later day than the payment before it."),
    "method_not_allowed": gettext_noop("This way to pay cannot be used here."),
    "more_than_owed": gettext_noop("The payment must not be more than what is owed, %(owed_cents)s."),
}


def check(
    lines: Sequence[Line],
    terms: Terms,
    today: date,
    method: str,
    *,
    frequency: str = "custom",
    consumer_chose_amount: bool = False,
    calendar: Calendar = fed,
    currency: str = "USD",
) -> list[Refusal]:
    """List every reason why these payments do not keep the terms; an empty list accepts them.

    Pass bank debits through `roll` first: one that is not on a banking day is refused here, one that
    rolling moved past the limit says so. A single payment of the whole amount has no minimum. The last
    payment may be smaller than the minimum only when the consumer chose the amount, not the number.
    With dates of the consumer's own (`custom`) each payment's minimum is that of the time since the one before.
    `field` is `lines.<index>.due_on` or `.amount_cents`, or `lines`.
    """
    found: list[Refusal] = []

    def no(code: str, field: str = "lines", **params: object) -> None:
        found.append(refuse(_SENTENCES[code], code, field=field, currency=currency, **params))

    if not lines:
        no("empty")
        return found
    total = sum(line.amount_cents for line in lines)
    if total != terms.amount_cents:
        no("sum_not_exact", sum_cents=total, amount_cents=terms.amount_cents)
    if len(lines) > (limit := terms.most_for(frequency if len(lines) > 1 else "once")):
        no("too_many_payments", count=len(lines), limit=limit)
    if method not in terms.allowed.methods(len(lines)):
        no("method_not_allowed", field="method", method=method)
    planned = [line.planned_on or line.due_on for line in lines]
    if (earliest := min(planned)) < today:
        no("first_date_in_past", f"lines.{planned.index(earliest)}.due_on", today_on=today)
    if terms.latest_first_on and planned[0] > terms.latest_first_on:
        no("first_date_too_late", "lines.0.due_on", latest_on=terms.latest_first_on)
    _check_amounts(lines, planned, terms, frequency, consumer_chose_amount, no)
    _check_dates(lines, terms, method, calendar, no)
    return found


def _check_amounts(
    lines: Sequence[Line],
    planned: Sequence[date],
    terms: Terms,
    frequency: str,
    consumer_chose_amount: bool,
    no: Callable[..., None],
) -> None:
    several = len(lines) > 1
    minimums = {pace: terms.minimum_for(pace) for pace in PERIODS}
    for index, line in enumerate(lines):
        field, number = f"lines.{index}.amount_cents", index + 1
        minimum = minimums[pace_of(planned, index, frequency)] if several else terms.allowed.minimum_single_cents
        if several and consumer_chose_amount and index == len(lines) - 1:
            # The remainder; a processor must still be able to take it.
            minimum = min(minimum, SMALLEST_CENTS)
        # The whole sum at once is always possible, however small.
        minimum = min(minimum, terms.amount_cents)
        down = min(terms.down_payment_cents, terms.amount_cents) if several and index == 0 else 0
        if line.amount_cents <= 0:
            no("payment_not_positive", field, number=number)
        elif line.amount_cents < down and down > minimum:
            no("down_payment_too_small", field, minimum_cents=down)
        elif line.amount_cents < minimum:
            no("payment_below_minimum", field, number=number, minimum_cents=minimum)


def pace_of(planned: Sequence[date], index: int, frequency: str = "custom") -> str:
    """Name the frequency whose minimum a payment has to reach: the one its own gap comes closest to.

    The gap is the one before a payment, for the first one the one behind it. A frequency that somebody states cannot
    make a gap shorter than it is: monthly payments called weekly have the monthly minimum. Semi-monthly anchors may
    lie close together, so there a month around the payment has to hold three of them.
    """
    before = max(index - 1, 0)
    days = (planned[before + 1] - planned[before]).days
    by_gap = "weekly" if days <= _LONGEST_WEEK else "biweekly" if days <= _LONGEST_FORTNIGHT else "monthly"
    if frequency == "semimonthly":
        around = max(min(before, len(planned) - 3), 0)
        days = (planned[min(around + 2, len(planned) - 1)] - planned[around]).days
        return "monthly" if days > _LONGEST_PAIR else "semimonthly"
    stated = PERIODS.get(frequency, max(PERIODS.values()))
    return by_gap if frequency == "custom" or PERIODS[by_gap] < stated else _PACES[stated]


# Up to these days a gap is still a week or a fortnight: bank holidays move a weekly debit by three days, and the first
# anchor of a semi-monthly plan is at most 23 days away.
_LONGEST_WEEK, _LONGEST_FORTNIGHT = 10, 23
# Two gaps of a semi-monthly plan are a month, and at its beginning six days more; rolling adds some.
_LONGEST_PAIR = 31 + 6 + 4
_PACES = {periods: frequency for frequency, periods in PERIODS.items()}


def _check_dates(lines: Sequence[Line], terms: Terms, method: str, calendar: Calendar, no: Callable[..., None]) -> None:
    limit = terms.last_for(lines[0].planned_on or lines[0].due_on)
    for index, line in enumerate(lines):
        field, number, due_on = f"lines.{index}.due_on", index + 1, line.due_on
        if index and due_on <= lines[index - 1].due_on:
            no("dates_not_rising", field, number=number)
        if due_on > limit:
            if line.planned_on is not None and line.planned_on <= limit:
                no(
                    "rolled_past_limit",
                    field,
                    number=number,
                    planned_on=line.planned_on,
                    due_on=due_on,
                    limit_on=limit,
                )
            else:
                no("last_date_too_late", field, number=number, limit_on=limit)
        if method == "ach" and due_on <= LATEST_DATE and not is_business_day(due_on, calendar):
            no(
                "ach_not_banking_day",
                field,
                number=number,
                due_on=due_on,
                next_on=roll_forward(due_on, calendar),
            )


def check_single(
    amount_cents: int, owed_cents: int, allowed: Allowed, method: str | None, *, currency: str = "USD"
) -> list[Refusal]:
    """List every reason why one payment of a chosen amount cannot be made; the whole debt always can.

    Without a method none is tested: a promise has none.
    """
    found: list[Refusal] = []

    def no(code: str, field: str, **params: object) -> None:
        found.append(refuse(_SENTENCES[code], code, field=field, currency=currency, **params))

    minimum = min(allowed.minimum_single_cents, owed_cents)
    if amount_cents <= 0:
        no("payment_not_positive", "amount_cents", number=1)
    elif amount_cents < minimum:
        no("payment_below_minimum", "amount_cents", number=1, minimum_cents=minimum)
    if amount_cents > owed_cents:
        no("more_than_owed", "amount_cents", owed_cents=owed_cents)
    if method is not None and method not in allowed.methods(1):
        no("method_not_allowed", "method", method=method)
    return found
