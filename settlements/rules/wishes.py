"""What somebody would like to pay, in their own words, and the several payments that it comes to.

What somebody typed is refused with all its reasons; only what is left to us is shortened until it fits.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import chain, islice, repeat

from accounts.calendars import Calendar, fed
from accounts.refusals import Refusal, gettext_noop, refuse
from settlements.rules.offers import LATEST_DATE, METHODS, MOST_PAYMENTS, SMALLEST_CENTS, Terms
from settlements.rules.schedules import (
    FREQUENCIES,
    SEMIMONTHLY_DAYS,
    Line,
    check,
    payment_dates,
    propose,
    roll,
    spread,
)

CHOICES = ("full", "settlement", "parts", "plan", "amount", "promise")
"""In full; a settlement at once; a settlement in parts; the whole balance in parts; one sum; a sum on a later day."""

_SENTENCES = {
    "choice_unknown": gettext_noop("Please choose what you would like to pay."),
    "frequency_unknown": gettext_noop("Please choose how often you would like to pay."),
    "method_unknown": gettext_noop("Please choose a card or a bank account."),
    "anchor_days_invalid": gettext_noop("Please choose days of the month from 1 to 31, two different ones."),
    "lines_missing": gettext_noop("Please give the date and the amount of each payment."),
    "parts_not_positive": gettext_noop("The number of payments must be at least 1."),
    "payment_not_positive": gettext_noop("Payment %(number)s must be more than zero."),
    "too_many_payments": gettext_noop("There are %(count)s payments. The most for this offer is %(limit)s."),
    "does_not_fit": gettext_noop("These payments do not fit within the limits. Try other dates or a higher amount."),
}
_COUNTED = ("sum_not_exact", "too_many_payments")


@dataclass(frozen=True, slots=True)
class Wish:
    """Say what somebody would like: a choice and, where they care, how. What is left empty is worked out.

    `lines` are dates and amounts of one's own; without them payments of `amount_cents`, else `parts` payments.
    `days` are the two anchors of a semi-monthly plan, `anchor_day` is that of a monthly one.
    """

    choice: str
    method: str = ""
    frequency: str = "monthly"
    parts: int | None = None
    amount_cents: int | None = None
    first_on: date | None = None
    lines: tuple[Line, ...] = ()
    days: tuple[int, int] = SEMIMONTHLY_DAYS
    anchor_day: int | None = None


def _no(code: str, field: str | None = None, **params: object) -> Refusal:
    return refuse(_SENTENCES[code], code, field=field, **params)


def unreadable(wish: Wish) -> Iterator[Refusal]:
    """Run through what cannot be understood, whatever is offered."""
    if wish.choice not in CHOICES:
        yield _no("choice_unknown", "choice")
    if wish.frequency not in FREQUENCIES:
        yield _no("frequency_unknown", "frequency")
    if wish.method not in ("", *METHODS):
        yield _no("method_unknown", "method")
    if len(set(wish.days)) != 2 or not all(1 <= day <= 31 for day in wish.days):
        yield _no("anchor_days_invalid", "days")
    if wish.anchor_day is not None and not 1 <= wish.anchor_day <= 31:
        yield _no("anchor_days_invalid", "anchor_day")


def own_lines(lines: Sequence[Line], method: str, today: date, calendar: Calendar = fed) -> tuple[Line, ...]:
    """Roll lines of somebody's own, or lines that were kept.

    A chosen day that they state counts only where rolling it gives their date, and until it is over: the payment itself
    is still to come.
    """
    days = [one.planned_on if one.planned_on and one.planned_on >= today else one.due_on for one in lines]
    chosen = roll([Line(day, line.amount_cents) for day, line in zip(days, lines, strict=True)], method, calendar)
    stated = roll([Line(line.due_on, line.amount_cents) for line in lines], method, calendar)
    return tuple(
        one if one.due_on == mine.due_on else other for one, mine, other in zip(chosen, lines, stated, strict=True)
    )


def of_wish(found: Iterable[Refusal], field: str) -> list[Refusal]:
    """Name the fields of the wish instead of the lines that were worked out from it; each reason once."""
    named: dict[str, Refusal] = {}
    for one in found:
        mine = "method" if one.field == "method" else "first_on" if one.code.startswith("first_date") else field
        named.setdefault(one.code, refuse(one.template, one.code, field=mine, currency=one.currency, **one.params))
    return list(named.values())


def payments_of(limits: Terms, amount_cents: int) -> tuple[int, Iterator[int]]:
    """Count the payments of an amount that the consumer chose, and run through them; the last one is what remains.

    The first one is the down payment where that is more. A remainder too small for a processor joins the last one.
    """
    assert amount_cents > 0, "a payment has an amount"
    first = min(max(amount_cents, limits.down_payment_cents), limits.amount_cents)
    whole, rest = divmod(limits.amount_cents - first, amount_cents)
    if not rest:
        return 1 + whole, chain([first], repeat(amount_cents, whole))
    if rest >= SMALLEST_CENTS:
        return 2 + whole, chain([first], repeat(amount_cents, whole), [rest])
    if not whole:
        return 1, iter([first + rest])
    return 1 + whole, chain([first], repeat(amount_cents, whole - 1), [amount_cents + rest])


@dataclass(frozen=True, slots=True)
class Parts:
    """Work out a wish for several payments within limits."""

    wish: Wish
    limits: Terms
    today: date
    calendar: Calendar
    currency: str

    @property
    def method(self) -> str:
        return self.wish.method or self.limits.allowed.recurring_methods[0]

    @property
    def first_on(self) -> date:
        return self.wish.first_on or self.today

    def work_out(self) -> tuple[tuple[Line, ...], list[Refusal]]:
        """Give the payments, or every reason against them."""
        wish, limits = self.wish, self.limits
        if len(wish.lines) > MOST_PAYMENTS:
            most = limits.most_for("custom")
            return (), [_no("too_many_payments", "lines", count=len(wish.lines), limit=most)]
        if wish.lines:
            lines = own_lines(wish.lines, self.method, self.today, self.calendar)
            return lines, self._check(lines, "custom", chose_amount=True)
        if wish.frequency == "custom":
            return (), [_no("lines_missing", "lines")]
        if (cents := wish.amount_cents) is not None:
            if cents <= 0:
                return (), [_no("payment_not_positive", "amount_cents", number=1), *self._of_the_day()]
            return self._typed(*payments_of(limits, cents), field="amount_cents")
        if (parts := wish.parts) is not None:
            if parts < 1:
                return (), [_no("parts_not_positive", "parts"), *self._of_the_day()]
            few = parts <= MOST_PAYMENTS
            return self._typed(parts, spread(limits, parts) if few else repeat(limits.amount_cents // parts), "parts")
        return self._ours()

    def _ours(self) -> tuple[tuple[Line, ...], list[Refusal]]:
        wish = self.wish
        lines = propose(
            self.limits,
            self.first_on,
            wish.frequency,
            method=self.method,
            calendar=self.calendar,
            anchor_day=wish.anchor_day,
            days=wish.days,
        )
        if not lines:
            return (), self._of_the_day() or [_no("does_not_fit", "lines")]
        return lines, of_wish(self._check(lines, wish.frequency), "lines")

    def _of_the_day(self) -> list[Refusal]:
        """Say what is against one payment of everything on the first day: the day, or the method."""
        lines = self._dated([self.limits.amount_cents], 1)
        return of_wish(self._check(lines, "once"), "first_on")

    def _typed(self, count: int, amounts: Iterable[int], field: str) -> tuple[tuple[Line, ...], list[Refusal]]:
        """Take payments that somebody asked for as they are, or say everything that is against them."""
        limit = self.limits.most_for(self.wish.frequency if count > 1 else "once")
        wrong = [_no("too_many_payments", field, count=count, limit=limit)] if count > limit else []
        lines = self._dated(amounts, count)
        found = self._check(lines, self.wish.frequency, chose_amount=field == "amount_cents")
        if wrong or len(lines) < count:
            found = wrong + [one for one in found if one.code not in _COUNTED]
        if not found and len(lines) < count:
            found = [_no("does_not_fit", field)]
        return lines, of_wish(found, field)

    def _dated(self, amounts: Iterable[int], count: int) -> tuple[Line, ...]:
        """Give dates to amounts, up to the first date that is too late: what follows it has the same reasons."""
        wish, first_on = self.wish, self.first_on
        days = payment_dates(first_on, wish.frequency, anchor_day=wish.anchor_day, days=wish.days)
        last_date = self.limits.last_for(first_on)
        planned: list[Line] = []
        for day, cents in zip(days, islice(amounts, min(count, MOST_PAYMENTS)), strict=False):
            planned.append(Line(day, cents))
            if (day > last_date and len(planned) > 1) or day > LATEST_DATE:
                break
        return roll(planned, self.method, self.calendar)

    def _check(self, lines: Sequence[Line], frequency: str, *, chose_amount: bool = False) -> list[Refusal]:
        return check(
            lines,
            self.limits,
            self.today,
            self.method,
            frequency=frequency,
            consumer_chose_amount=chose_amount,
            calendar=self.calendar,
            currency=self.currency,
        )
