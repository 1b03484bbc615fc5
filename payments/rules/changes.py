"""Changes of an arrangement in mid-life: what the remaining payments become, or every reason against it.

Pure: the planned payments and the limits that were agreed come in, the payments that would be planned go out.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import islice, takewhile

from accounts.calendars import Calendar, fed
from accounts.refusals import Refusal, gettext_noop, refuse
from settlements.rules.offers import Terms
from settlements.rules.schedules import FREQUENCIES, Line, payment_dates, propose, roll

NEAR_DAYS = 1
"""A payment of today or tomorrow is on its way already and stays."""
_REGULAR = ("weekly", "biweekly", "semimonthly", "monthly")


@dataclass(frozen=True, slots=True)
class Planned:
    """Hold one payment that is still planned; `key` names it, `movable` is False while somebody decides about it.

    `stopped` says that nobody takes it on its day any more, so that it is never too near to be moved by itself.
    """

    key: str
    due_on: date
    amount_cents: int
    movable: bool = True
    stopped: bool = False


@dataclass(frozen=True, slots=True)
class Changed:
    """Give what goes (keys) and what comes in its place, or all refusals at once."""

    gone: tuple[str, ...] = ()
    lines: tuple[Line, ...] = ()
    refusals: tuple[Refusal, ...] = ()


_SENTENCES = {
    "payment_unknown": gettext_noop("Please choose one of the planned payments."),
    "payment_not_movable": gettext_noop("This payment cannot be changed now."),
    "payment_too_near": gettext_noop("The payment of %(due_on)s is too near to be changed."),
    "date_not_later": gettext_noop("Choose a day after %(today_on)s."),
    "date_taken": gettext_noop("There is a payment on %(due_on)s already."),
    "date_too_late": gettext_noop("The last payment must be on or before %(limit_on)s."),
    "nothing_changes": gettext_noop("This is how it is planned already."),
    "frequency_unknown": gettext_noop("Please choose how often you would like to pay."),
    "does_not_fit": gettext_noop("These payments do not fit within the limits. Try other dates or a higher amount."),
    "nothing_planned": gettext_noop("There are no planned payments to change."),
}


def _no(code: str, field: str | None = None, **params: object) -> Changed:
    return Changed(refusals=(refuse(_SENTENCES[code], code, field=field, **params),))


def move(
    planned: Sequence[Planned],
    key: str,
    to_on: date,
    *,
    today: date,
    limit_on: date,
    method: str,
    calendar: Calendar = fed,
) -> Changed:
    """Move one payment to another day."""
    one = next((item for item in planned if item.key == key), None)
    if refused := _unmovable(one, today):
        return refused
    assert one is not None
    (line,) = roll([Line(to_on, one.amount_cents)], method, calendar)
    if line.due_on == one.due_on:
        return _no("nothing_changes", "to_on")
    if line.due_on <= today:
        return _no("date_not_later", "to_on", today_on=today)
    if line.due_on > limit_on:
        return _no("date_too_late", "to_on", limit_on=limit_on)
    if any(item.due_on == line.due_on for item in planned if item.key != key):
        return _no("date_taken", "to_on", due_on=line.due_on)
    return Changed((key,), (line,))


def skip(
    planned: Sequence[Planned],
    key: str,
    *,
    frequency: str,
    today: date,
    limit_on: date,
    method: str,
    calendar: Calendar = fed,
) -> Changed:
    """Move one payment behind the last one, by the rhythm of the schedule."""
    if not planned:
        return _no("nothing_planned")
    last = max(item.due_on for item in planned)
    rhythm = frequency if frequency in _REGULAR else "monthly"
    after = next(day for day in payment_dates(last, rhythm) if day > max(last, today))
    return move(planned, key, after, today=today, limit_on=limit_on, method=method, calendar=calendar)


def advance(
    planned: Sequence[Planned], days: int, *, today: date, limit_on: date, method: str, calendar: Calendar = fed
) -> Changed:
    """Charge every payment that still can be moved so many days earlier, or later when the number is negative."""
    moving = [item for item in planned if item.movable and item.due_on > today + timedelta(days=NEAR_DAYS)]
    if not moving:
        return _no("nothing_planned")
    if not days:
        return _no("nothing_changes", "days_in_advance")
    lines = roll([Line(item.due_on - timedelta(days=days), item.amount_cents) for item in moving], method, calendar)
    if lines[0].due_on <= today:
        return _no("date_not_later", "days_in_advance", today_on=today)
    if lines[-1].due_on > limit_on:
        return _no("date_too_late", "days_in_advance", limit_on=limit_on)
    stay = {item.due_on for item in planned} - {item.due_on for item in moving}
    if clash := [line.due_on for line in lines if line.due_on in stay]:
        return _no("date_taken", "days_in_advance", due_on=clash[0])
    return Changed(tuple(item.key for item in moving), tuple(lines))


def _unmovable(one: Planned | None, today: date) -> Changed | None:
    if one is None:
        return _no("payment_unknown", "payment")
    if not one.movable:
        return _no("payment_not_movable", "payment")
    if one.due_on <= today + timedelta(days=NEAR_DAYS) and not one.stopped:
        return _no("payment_too_near", "payment", due_on=one.due_on)
    return None


def reschedule(
    planned: Sequence[Planned],
    frequency: str,
    *,
    terms: Terms,
    today: date,
    limit_on: date,
    method: str,
    calendar: Calendar = fed,
) -> Changed:
    """Spread what is still planned over another rhythm, from its next date to its last one, within the limits.

    :param terms: the limits that were agreed; their amount is replaced by what is still planned.
    """
    if frequency not in FREQUENCIES or frequency in ("once", "custom"):
        return _no("frequency_unknown", "frequency")
    moving = [item for item in planned if item.movable and item.due_on > today + timedelta(days=NEAR_DAYS)]
    if not moving:
        return _no("nothing_planned")
    total = sum(item.amount_cents for item in moving)
    first, last = min(item.due_on for item in moving), max(item.due_on for item in moving)
    until = max(last, first)
    count = sum(1 for _ in takewhile(lambda day: day <= until, islice(payment_dates(first, frequency), 1_000)))
    limits = replace(
        terms, amount_cents=total, ends_on=limit_on, max_months=0, down_payment_cents=0, latest_first_on=None
    )
    lines = propose(limits, first, frequency, count, method, calendar)
    if not lines or sum(line.amount_cents for line in lines) != total:
        return _no("does_not_fit", "frequency")
    if [(line.due_on, line.amount_cents) for line in lines] == [(one.due_on, one.amount_cents) for one in moving]:
        return _no("nothing_changes", "frequency")
    stay = {item.due_on for item in planned} - {item.due_on for item in moving}
    if clash := [line.due_on for line in lines if line.due_on in stay]:
        return _no("date_taken", "frequency", due_on=clash[0])
    return Changed(tuple(item.key for item in moving), lines)


def after_payment(planned: Sequence[Planned], too_much_cents: int) -> tuple[Planned, ...]:
    """Give what stays planned when so much more is paid: the last payments go first, one may become smaller."""
    left, rest = [], too_much_cents
    for item in sorted(planned, key=lambda one: one.due_on, reverse=True):
        off = min(item.amount_cents, max(0, rest))
        rest -= off
        if item.amount_cents > off:
            left.append(replace(item, amount_cents=item.amount_cents - off))
    return tuple(reversed(left))
