"""Everything open to an account today, and why: in full, settled at once or in parts, a plan, one amount, a promise.

Pure: the facts come in as values, every number goes out with its origin. The same functions serve the page, the API,
the simulator and, years later, the question why a consumer was offered what they were offered.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from accounts.calendars import Calendar, add_months, fed
from accounts.money import share
from accounts.refusals import Refusal, gettext_noop, refuse
from settlements.rules.bands import Compiled, Governing
from settlements.rules.offers import (
    METHODS,
    MOST_DAYS,
    MOST_PAYMENTS,
    SMALLEST_CENTS,
    Allowed,
    Breach,
    GlobalOffer,
    HostSettlement,
    Origin,
    PaymentOptions,
    Terms,
    narrow,
    terms,
)
from settlements.rules.schedules import FREQUENCIES, Line, check, check_single, propose, roll

CHOICES = ("full", "settlement", "parts", "plan", "amount", "promise")
"""In full; a settlement at once; a settlement in parts; the whole balance in parts; one sum; a sum on a later day."""


@dataclass(frozen=True, slots=True)
class Facts:
    """Hold what an account's options are worked out from.

    `owed_cents` is the balance less what the consumer paid and the host does not show yet; `today` is the consumer's
    local date; `rules` is None where no enabled rule set exists, so that the default offer applies.
    """

    owed_cents: int
    today: date
    listed_on: date | None = None
    individual: HostSettlement | None = None
    rules: Compiled | None = None
    global_offer: GlobalOffer | None = None
    allowed: Allowed = field(default_factory=Allowed)


@dataclass(frozen=True, slots=True)
class Offered:
    """Hold what is open today. What is not, has its reasons by choice; `why` names the rule behind the settlement."""

    facts: Facts
    allowed: Allowed
    settlement: Terms | None
    plan: Terms | None
    governing: Governing | None
    promise_days: int
    closed: dict[str, tuple[Refusal, ...]]

    def terms_of(self, choice: str) -> Terms | None:
        """Give the limits of a choice that has some."""
        return {"settlement": self.settlement, "parts": self.settlement, "plan": self.plan}.get(choice)

    @property
    def open(self) -> tuple[str, ...]:
        """Name the choices that are open, in the order of CHOICES."""
        return tuple(choice for choice in CHOICES if choice not in self.closed)


@dataclass(frozen=True, slots=True)
class Wish:
    """Say what somebody would like: a choice and, where they care, how. What is left empty is worked out.

    `lines` are dates and amounts of one's own; without them `parts` payments, or payments of `amount_cents`.
    """

    choice: str
    method: str = ""
    frequency: str = "monthly"
    parts: int | None = None
    amount_cents: int | None = None
    first_on: date | None = None
    lines: tuple[Line, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """Give the payments of a wish, or all refusals at once."""

    lines: tuple[Line, ...]
    total_cents: int
    saving_cents: int
    terms: Terms | None
    refusals: tuple[Refusal, ...] = ()


_SENTENCES = {
    "nothing_owed": gettext_noop("Nothing is owed on this account."),
    "cannot_pay_here": gettext_noop("Payments for this account cannot be made here."),
    "no_settlement": gettext_noop("There is no settlement offer for this account now."),
    "settlement_not_yet": gettext_noop("A settlement can be offered from %(opens_on)s on."),
    "settlement_over": gettext_noop("A settlement was offered until %(closed_on)s."),
    "settlement_off_in_band": gettext_noop("No settlements are offered for a balance of %(balance_cents)s."),
    "no_band": gettext_noop("No rule covers a balance of %(balance_cents)s."),
    "listed_date_unknown": gettext_noop("The date of placement is not known, so no settlement can be offered."),
    "parts_not_possible": gettext_noop("This settlement is paid in one payment."),
    "no_plan": gettext_noop("A payment plan cannot be set up here for this account."),
    "no_promises": gettext_noop("A promise to pay cannot be made here for this account."),
    "choice_unknown": gettext_noop("Please choose what you would like to pay."),
    "frequency_unknown": gettext_noop("Please choose how often you would like to pay."),
    "method_unknown": gettext_noop("Please choose a card or a bank account."),
    "does_not_fit": gettext_noop("These payments do not fit within the limits. Try other dates or a higher amount."),
    "promise_too_late": gettext_noop("A promise must be kept by %(limit_on)s."),
    "first_date_in_past": gettext_noop("The first payment must be on or after %(today_on)s."),
}


def _no(code: str, field: str | None = None, **params: object) -> Refusal:
    return refuse(_SENTENCES[code], code, field=field, **params)


def offered(facts: Facts) -> Offered:
    """Work out everything that is open to an account today.

    An individual settlement stands before the rules, the rules before the default offer. Method bans of the band
    apply to all of them. Payment in full and single payments are always open unless nothing can be paid here.
    """
    governing = facts.rules.at(facts.owed_cents) if facts.rules else None
    allowed = _banned(facts.allowed, governing)
    closed: dict[str, tuple[Refusal, ...]] = {}
    if facts.owed_cents <= 0:
        everything = (_no("nothing_owed"),)
    elif not allowed.single_methods:
        everything = (_no("cannot_pay_here"),)
    else:
        everything = ()
    if everything:
        return Offered(facts, allowed, None, None, governing, 0, dict.fromkeys(CHOICES, everything))
    settlement, why_not = _settlement(facts, governing, allowed)
    plan = _plan(facts, governing, allowed)
    if settlement is None:
        closed["settlement"] = closed["parts"] = why_not
    elif settlement.max_payments < 2 or not _fits(settlement, facts.today):
        closed["parts"] = (_no("parts_not_possible"),)
    if plan is None:
        closed["plan"] = (_no("no_plan"),)
    promise_days = governing["promise_days"] if governing else _PROMISE_DAYS
    if not promise_days:
        closed["promise"] = (_no("no_promises"),)
    return Offered(facts, allowed, settlement, plan, governing, promise_days, closed)


_PROMISE_DAYS = 30


def _banned(allowed: Allowed, governing: Governing | None) -> Allowed:
    for method in METHODS if governing else ():
        said = governing.origins[f"{method}_disabled"]
        if said.value:
            ban = {f"single_{method}": False, f"recurring_{method}": False}
            allowed = narrow(allowed, PaymentOptions(**ban, level=said.level, version=said.version))
    return allowed


def _settlement(
    facts: Facts, governing: Governing | None, allowed: Allowed
) -> tuple[Terms | None, tuple[Refusal, ...]]:
    nothing = (_no("no_settlement"),)
    if facts.individual is not None or governing is None:
        found = terms(facts.owed_cents, facts.today, facts.individual, facts.global_offer, allowed)
        return found, () if found else nothing
    if not governing.covered:
        return None, (_no("no_band", balance_cents=facts.owed_cents),)
    if not governing.offered_bps:
        return None, (_no("settlement_off_in_band", balance_cents=facts.owed_cents),)
    if reason := _outside_window(facts, governing):
        return None, (reason,)
    amount = share(facts.owed_cents, governing.offered_bps)
    named = "offered_settlement_bps" if governing["offered_settlement_bps"] else "minimum_settlement_bps"
    if governing.offered_bps == governing["minimum_settlement_bps"]:
        named = "minimum_settlement_bps"
    found = _terms(facts, governing, allowed, amount, "settlement", governing.origins[named])
    return (found, ()) if amount else (None, nothing)


def _outside_window(facts: Facts, governing: Governing) -> Refusal | None:
    """Say why a settlement is not open by the age of the account: months count from the listed date."""
    before, until = governing["months_before_settlement"], governing["months_until_settlement"]
    if not before and not until:
        return None
    if facts.listed_on is None:
        return _no("listed_date_unknown")
    opens_on = add_months(facts.listed_on, before)
    if facts.today < opens_on:
        return _no("settlement_not_yet", opens_on=opens_on)
    if until and facts.today >= (closed_on := add_months(facts.listed_on, until)):
        return _no("settlement_over", closed_on=closed_on - timedelta(days=1))
    return None


def _plan(facts: Facts, governing: Governing | None, allowed: Allowed) -> Terms | None:
    """Give the limits of paying the whole balance in parts; only a band of an enabled rule set opens it."""
    if governing is None or not governing.covered or not allowed.recurring_methods:
        return None
    whole = Origin("amount_cents", "account", None, "balance_cents", facts.owed_cents)
    found = _terms(facts, governing, allowed, facts.owed_cents, "plan", whole)
    return found if found.max_payments > 1 and _fits(found, facts.today) else None


def _fits(limits: Terms, today: date) -> bool:
    """Tell whether at least two payments fit, at some frequency and by some method."""
    return any(
        len(propose(limits, today, frequency, 2, method)) > 1
        for method in limits.allowed.recurring_methods
        for frequency in ("weekly", "monthly")
    )


def _terms(facts: Facts, governing: Governing, allowed: Allowed, amount: int, kind: str, amount_from: Origin) -> Terms:
    settling = kind == "settlement"
    months = governing.origins["max_months_settled" if settling else "max_months_unsettled"]
    by_share = share(facts.owed_cents, governing["minimum_bps"])
    monthly = governing.origins["minimum_bps" if by_share > governing["minimum_cents"] else "minimum_cents"]
    down_share = share(amount, governing["down_payment_bps"])
    down = governing.origins[
        "down_payment_bps" if down_share > governing["down_payment_cents"] else "down_payment_cents"
    ]
    most = governing.origins["max_payments"]
    days = governing.origins["max_days"]
    ends_on = facts.today + timedelta(days=min(days.value, MOST_DAYS)) if days.value else None
    first = governing.origins["latest_first_days"]
    latest = facts.today + timedelta(days=first.value) if first.value is not None else None
    flat = next((one for one in allowed.trace if one.number == "minimum_recurring_cents"), None)
    numbers = [
        amount_from._replace(number="amount_cents"),
        months._replace(number="max_months"),
        most,
        days._replace(number="ends_on"),
        monthly._replace(number="monthly_minimum_cents"),
        down._replace(number="down_payment_cents"),
        first._replace(number="latest_first_on"),
        governing.origins["conversion"],
        governing.origins["breach_reinstates"],
        governing.origins["breach_cure_days"],
        governing.origins["grace_days"],
        governing.origins["failures_to_break"],
    ]
    numbers += [flat._replace(number="minimum_payment_cents")] if flat else []
    limit = min(most.value or MOST_PAYMENTS, MOST_PAYMENTS)
    if months.value:
        limit = min(limit, months.value * 52 // 12)
    if not allowed.recurring_methods:
        limit = 1
    far = facts.today + timedelta(days=MOST_DAYS)
    limits = [far, *([ends_on] if ends_on else []), *([add_months(facts.today, months.value)] if months.value else [])]
    return Terms(
        balance_cents=facts.owed_cents,
        amount_cents=amount,
        saving_cents=facts.owed_cents - amount,
        max_payments=limit,
        last_date=min(limits),
        minimum_payment_cents=max(allowed.minimum_recurring_cents, min(SMALLEST_CENTS, amount)),
        allowed=allowed,
        text="",
        level=amount_from.level if settling else monthly.level,
        version=amount_from.version if settling else monthly.version,
        trace=tuple(numbers),
        kind=kind,
        max_months=months.value,
        ends_on=ends_on,
        monthly_minimum_cents=max(governing["minimum_cents"], by_share),
        conversion=governing["conversion"],
        down_payment_cents=max(governing["down_payment_cents"], down_share),
        latest_first_on=latest,
        breach=Breach(
            reinstates=governing["breach_reinstates"] if settling else "rest",
            cure_days=governing["breach_cure_days"],
            grace_days=governing["grace_days"],
            failures=governing["failures_to_break"],
        ),
    )


def answer(at: Offered, wish: Wish, *, calendar: Calendar = fed, currency: str = "USD") -> Answer:
    """Work out the payments of a wish, with every cent and date, or list everything that is against it.

    What it gives without refusals is accepted as it is while the facts stay the same.
    """
    limits = at.terms_of(wish.choice)
    nothing = Answer((), 0, 0, limits)

    def refused(*found: Refusal) -> Answer:
        return Answer(nothing.lines, 0, 0, limits, found)

    found: list[Refusal] = []
    if wish.choice not in CHOICES:
        found.append(_no("choice_unknown", "choice"))
    if wish.frequency not in FREQUENCIES:
        found.append(_no("frequency_unknown", "frequency"))
    if wish.method not in ("", *METHODS):
        found.append(_no("method_unknown", "method"))
    if found:
        return refused(*found)
    if wish.choice in at.closed:
        return refused(*at.closed[wish.choice])
    if wish.choice in ("parts", "plan"):
        return _in_parts(at, wish, limits, calendar=calendar, currency=currency)
    return _single(at, wish, limits, calendar=calendar, currency=currency)


def _single(at: Offered, wish: Wish, limits: Terms | None, *, calendar: Calendar, currency: str) -> Answer:
    """Work out one payment: all of it, the settlement, an amount, or a promise on a later day."""
    today, owed = at.facts.today, at.facts.owed_cents
    amount = {"full": owed, "settlement": limits.amount_cents if limits else 0}.get(wish.choice)
    amount = (wish.amount_cents or owed) if amount is None else amount
    given = wish.lines or (Line(wish.first_on or today, amount),)
    method = wish.method or next(iter(at.allowed.single_methods))
    found: list[Refusal] = []
    if limits is not None:
        found += check(
            roll(given, method, calendar), limits, today, method, frequency="once", calendar=calendar, currency=currency
        )
    else:
        total = sum(line.amount_cents for line in given)
        found += check_single(total, owed, at.allowed, method, currency=currency)
        if len(given) != 1 or (wish.choice == "full" and total != owed):
            found.append(_no("does_not_fit", "lines"))
        if given[0].due_on < today:
            found.append(_no("first_date_in_past", "lines.0.due_on", today_on=today))
    if wish.choice == "promise" and given[0].due_on > (limit := today + timedelta(days=at.promise_days)):
        found.append(_no("promise_too_late", "lines.0.due_on", limit_on=limit))
    if found:
        return Answer((), 0, 0, limits, tuple(found))
    return Answer(given, given[0].amount_cents, limits.saving_cents if limits else 0, limits)


def _in_parts(at: Offered, wish: Wish, limits: Terms, *, calendar: Calendar, currency: str) -> Answer:
    today = at.facts.today
    method = wish.method or next(iter(limits.allowed.recurring_methods))
    by_amount = wish.amount_cents is not None
    if wish.lines:
        lines: Sequence[Line] = roll(wish.lines, method, calendar)
    elif by_amount:
        lines = by_payments_of(limits, wish.amount_cents or 0, wish.first_on or today, wish.frequency, method, calendar)
    else:
        lines = propose(limits, wish.first_on or today, wish.frequency, wish.parts, method, calendar)
        if wish.parts and len(lines) not in (0, wish.parts):
            limit = limits.most_for(wish.frequency)
            code = "too_many_payments" if wish.parts > limit else "does_not_fit"
            del code
            return Answer((), 0, 0, limits, (_no("does_not_fit", "parts"),))
    if not lines:
        return Answer((), 0, 0, limits, (_no("does_not_fit", "lines"),))
    found = check(
        lines,
        limits,
        today,
        method,
        frequency=wish.frequency if not wish.lines else "custom",
        consumer_chose_amount=by_amount or bool(wish.lines),
        calendar=calendar,
        currency=currency,
    )
    if found:
        return Answer((), 0, 0, limits, tuple(found))
    return Answer(tuple(lines), limits.amount_cents, limits.saving_cents, limits)


def by_payments_of(
    limits: Terms, amount_cents: int, first_on: date, frequency: str, method: str, calendar: Calendar = fed
) -> tuple[Line, ...]:
    """Plan payments of an amount that the consumer chose; the last one is what remains and may be smaller."""
    if amount_cents <= 0:
        return ()
    whole, rest = divmod(limits.amount_cents, amount_cents)
    count = whole + (rest > 0)
    if count > MOST_PAYMENTS:
        return ()
    from itertools import islice

    from settlements.rules.schedules import payment_dates

    amounts = [amount_cents] * whole + ([rest] if rest else [])
    dates = islice(payment_dates(first_on, frequency), count)
    return roll([Line(*pair) for pair in zip(dates, amounts, strict=False)], method, calendar)
