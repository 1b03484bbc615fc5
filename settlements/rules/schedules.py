"""Schedules of payments: propose one that fits, or say all that is wrong with the consumer's own.

All dates are the consumer's local dates, all amounts are cents; rules "Amounts and dates".
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import count, islice, takewhile

from accounts.calendars import Calendar, add_months, fed, is_business_day, roll_forward
from accounts.money import split_evenly
from accounts.refusals import Refusal, gettext_noop, refuse
from settlements.rules.offers import Allowed, Terms

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
    if method != "ach" or is_business_day(line.due_on, calendar):
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
    if minimum := terms.minimum_for(frequency):
        most = min(most, max(terms.amount_cents // minimum, 1))
    last_date = terms.last_for(first_date)
    endless = (
        iter(dates) if frequency == "custom" else payment_dates(first_date, frequency, anchor_day=anchor_day, days=days)
    )
    planned = tuple(takewhile(lambda day: day <= last_date, islice(endless, most)))
    for wanted in range(len(planned), 0, -1):
        amounts = spread(terms, wanted)
        lines = roll([Line(*pair) for pair in zip(planned[:wanted], amounts, strict=True)], method, calendar)
        if not check(lines, terms, today=first_date, method=method, frequency=frequency, calendar=calendar):
            return lines
    return ()


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
    if min(line.planned_on or line.due_on for line in lines) < today:
        no("first_date_in_past", "lines.0.due_on", today_on=today)
    if terms.latest_first_on and lines[0].due_on > terms.latest_first_on:
        no("first_date_too_late", "lines.0.due_on", latest_on=terms.latest_first_on)
    _check_amounts(lines, terms, frequency, consumer_chose_amount, no)
    _check_dates(lines, terms, method, calendar, no)
    return found


def _check_amounts(
    lines: Sequence[Line], terms: Terms, frequency: str, consumer_chose_amount: bool, no: Callable[..., None]
) -> None:
    several = len(lines) > 1
    down = min(terms.down_payment_cents, terms.amount_cents)
    for index, line in enumerate(lines):
        field = f"lines.{index}.amount_cents"
        minimum = terms.minimum_for(_pace(lines, index, frequency)) if several else terms.allowed.minimum_single_cents
        # The whole sum at once is always possible, however small.
        minimum = min(minimum, terms.amount_cents)
        may_be_small = several and consumer_chose_amount and index == len(lines) - 1
        if line.amount_cents <= 0:
            no("payment_not_positive", field, number=index + 1)
        elif line.amount_cents < minimum and not may_be_small:
            no("payment_below_minimum", field, number=index + 1, minimum_cents=minimum)
        elif several and index == 0 and line.amount_cents < down:
            no("down_payment_too_small", field, minimum_cents=down)


def _pace(lines: Sequence[Line], index: int, frequency: str) -> str:
    """Name the frequency whose minimum a payment has to reach; of free dates the one that its own gap comes to."""
    if frequency != "custom":
        return frequency
    before = max(index - 1, 0)
    first, second = (line.planned_on or line.due_on for line in lines[before : before + 2])
    days = (second - first).days
    return "monthly" if days >= 28 else "biweekly" if days >= 14 else "weekly"


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
        if method == "ach" and not is_business_day(due_on, calendar):
            no(
                "ach_not_banking_day",
                field,
                number=number,
                due_on=due_on,
                next_on=roll_forward(due_on, calendar),
            )


def check_single(
    amount_cents: int, owed_cents: int, allowed: Allowed, method: str, *, currency: str = "USD"
) -> list[Refusal]:
    """List every reason why one payment of a chosen amount cannot be made; the whole debt always can."""
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
    if method not in allowed.methods(1):
        no("method_not_allowed", "method", method=method)
    return found
