"""Everything open to an account today, and why: in full, settled at once or in parts, a plan, one amount, a promise.

Pure: the facts come in as values, every number goes out with its origin. The same functions serve the page, the API,
the simulator and, years later, the question why a consumer was offered what they were offered.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

from accounts.calendars import Calendar, fed
from accounts.refusals import Refusal, gettext_noop, refuse
from settlements.rules import limits as limits_of
from settlements.rules.bands import PROMISE_DAYS, Compiled, Governing
from settlements.rules.offers import Allowed, GlobalOffer, HostSettlement, Terms, terms
from settlements.rules.schedules import Line, check, check_single, most_that_fit, roll
from settlements.rules.wishes import CHOICES, Parts, Wish, of_wish, own_lines, unreadable

__all__ = ["CHOICES", "Answer", "Facts", "Offered", "Wish", "answer", "frequencies_of", "offered"]


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
    too_old_for_parts: bool = False


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
    "parts_not_possible": gettext_noop("This settlement is paid in one payment."),
    "no_plan": gettext_noop("A payment plan cannot be set up here for this account."),
    "no_promises": gettext_noop("A promise to pay cannot be made here for this account."),
    "too_old_for_parts": gettext_noop("Payments in parts and promises are not offered for a debt of this age."),
    "amount_missing": gettext_noop("Please say how much you would like to pay."),
    "one_payment_only": gettext_noop("This is paid in one payment."),
    "promise_too_late": gettext_noop("A promise must be kept by %(limit_on)s."),
    "first_date_in_past": gettext_noop("The first payment must be on or after %(today_on)s."),
    "first_date_too_late": gettext_noop("The first payment must be on or before %(latest_on)s."),
    "sum_not_exact": gettext_noop("The payments add up to %(sum_cents)s. They must add up to %(amount_cents)s."),
}


def _no(code: str, field: str | None = None, **params: object) -> Refusal:
    return refuse(_SENTENCES[code], code, field=field, **params)


def offered(facts: Facts) -> Offered:
    """Work out everything that is open to an account today.

    An individual settlement stands before the rules, the rules before the default offer. Method bans of the band
    apply to all of them. Payment in full and single payments are always open unless nothing can be paid here.
    """
    governing = facts.rules.at(facts.owed_cents) if facts.rules else None
    allowed = limits_of.banned(facts.allowed, governing)
    if code := shut(facts.owed_cents, allowed):
        return Offered(facts, allowed, None, None, governing, 0, dict.fromkeys(CHOICES, (_no(code),)))
    closed: dict[str, tuple[Refusal, ...]] = {}
    if not allowed.single_methods:
        closed |= dict.fromkeys(("full", "amount"), (_no("cannot_pay_here"),))
    settlement: Terms | Refusal | None = _settlement(facts, governing, allowed)
    if isinstance(settlement, Refusal):
        closed["settlement"] = closed["parts"] = (settlement,)
        settlement = None
    else:
        if reasons := _not_at_once(settlement, facts.today):
            closed["settlement"] = reasons
        if not several_fit(settlement, facts.today):
            closed["parts"] = (_no("parts_not_possible"),)
        if "settlement" in closed and "parts" in closed:
            settlement = None
    plan: Terms | Refusal | None = limits_of.plan(governing, facts.owed_cents, facts.today, allowed)
    if isinstance(plan, Refusal):
        closed["plan"], plan = (plan,), None
    elif not several_fit(plan, facts.today):
        closed["plan"], plan = (_no("no_plan"),), None
    promise_days = governing["promise_days"] if governing else PROMISE_DAYS
    if not promise_days:
        closed["promise"] = (_no("no_promises"),)
    if facts.too_old_for_parts:
        closed |= dict.fromkeys(("parts", "plan", "promise"), (_no("too_old_for_parts"),))
        plan = None
        if "settlement" in closed:
            settlement = None
    return Offered(facts, allowed, settlement, plan, governing, promise_days, closed)


def shut(owed_cents: int, allowed: Allowed) -> str:
    """Give the code why nothing at all is open; empty when something is."""
    if owed_cents <= 0:
        return "nothing_owed"
    open_somehow = allowed.can_pay and (allowed.single_methods or allowed.recurring_methods)
    return "" if open_somehow else "cannot_pay_here"


def _settlement(facts: Facts, governing: Governing | None, allowed: Allowed) -> Terms | Refusal:
    individual = facts.individual
    if individual is not None and individual.expires_on is not None and individual.expires_on < facts.today:
        individual = None
    if individual is None and governing is not None:
        return limits_of.settlement(governing, facts.owed_cents, facts.today, facts.listed_on, allowed)
    found = terms(facts.owed_cents, facts.today, individual, facts.global_offer, allowed)
    if found is None:
        return _no("no_settlement")
    if governing is None:
        return found
    # The offer replaces the numbers; what happens when it breaks, and which contact plans run, the rules still say.
    return replace(
        found,
        breach=limits_of.breach(governing, "settlement"),
        trace=found.trace + limits_of.said_of(governing, "settlement"),
        **{name: governing[name] for name in limits_of.FORM_NUMBERS},
    )


def _not_at_once(settlement: Terms, today: date) -> tuple[Refusal, ...]:
    """Say why the settlement cannot be paid in one payment today: no method, or banks are closed until it is over."""
    methods = settlement.allowed.single_methods
    if not methods:
        return (_no("cannot_pay_here"),)
    if "card" in methods:
        return ()
    line = roll([Line(today, settlement.amount_cents)], methods[0])
    return tuple(check(line, settlement, today, methods[0], frequency="once"))


def several_fit(limits: Terms, today: date) -> bool:
    """Tell whether two payments fit: a week apart by some method, as nothing fits where that does not."""
    if limits.max_payments < 2:
        return False
    return any(most_that_fit(limits, today, "weekly", one, at_most=2) > 1 for one in limits.allowed.recurring_methods)


def frequencies_of(at: Offered, choice: str, method: str = "", calendar: Calendar = fed) -> tuple[str, ...]:
    """Name the frequencies at which a settlement or plan can be paid in several payments from today on."""
    limits = at.terms_of(choice)
    if choice not in ("parts", "plan") or choice in at.closed or limits is None:
        return ()
    methods = (method,) if method else limits.allowed.recurring_methods
    return tuple(
        frequency
        for frequency in ("weekly", "biweekly", "semimonthly", "monthly")
        if any(most_that_fit(limits, at.facts.today, frequency, one, calendar, at_most=2) > 1 for one in methods)
    )


def answer(at: Offered, wish: Wish, *, calendar: Calendar = fed, currency: str = "USD") -> Answer:
    """Work out the payments of a wish, with every cent and date, or list everything that is against it.

    What it gives without refusals is accepted as it is while the facts stay the same.
    """
    limits = at.terms_of(wish.choice)
    found = [*unreadable(wish), *at.closed.get(wish.choice, ())]
    lines: tuple[Line, ...] = ()
    if not found and limits is not None and wish.choice in ("parts", "plan"):
        lines, found = Parts(wish, limits, at.facts.today, calendar, currency).work_out()
    elif not found:
        lines, found = _single(at, wish, limits, calendar, currency)
    if found:
        return Answer((), 0, 0, limits, tuple(found))
    return Answer(lines, sum(line.amount_cents for line in lines), limits.saving_cents if limits else 0, limits)


def _single(
    at: Offered, wish: Wish, limits: Terms | None, calendar: Calendar, currency: str
) -> tuple[tuple[Line, ...], list[Refusal]]:
    """Work out one payment: all of it, the settlement, an amount, or a promise on a later day."""
    today, owed, promise = at.facts.today, at.facts.owed_cents, wish.choice == "promise"
    found: list[Refusal] = []
    amount = limits.amount_cents if limits else owed
    if wish.choice in ("amount", "promise") and wish.amount_cents is not None:
        amount = wish.amount_cents
    elif wish.choice == "amount" and not wish.lines:
        found.append(_no("amount_missing", "amount_cents"))
    method = "" if promise else wish.method or (limits.allowed if limits else at.allowed).single_methods[0]
    given = own_lines(wish.lines or (Line(wish.first_on or today, amount),), method, today, calendar)
    if limits is not None:
        against = check(given, limits, today, method, frequency="once", calendar=calendar, currency=currency)
        found += against if wish.lines else of_wish(against, "first_on")
    else:
        total = sum(line.amount_cents for line in given)
        if len(given) > 1:
            found.append(_no("one_payment_only", "lines"))
        if wish.choice == "full" and total != owed:
            found.append(_no("sum_not_exact", "lines", sum_cents=total, amount_cents=owed))
        found += check_single(total, owed, at.allowed, None if promise else method, currency=currency)
        found += _against_day(at, wish, given[0].planned_on or given[0].due_on)
    # What is paid today is handed over today; only a later bank debit waits for a banking day.
    return tuple(Line(today, one.amount_cents) if one.planned_on == today else one for one in given), found


def _against_day(at: Offered, wish: Wish, day: date) -> Iterator[Refusal]:
    """Say what is against the day of a payment that no offer limits: at the latest it is as late as a promise."""
    field, today = "lines.0.due_on" if wish.lines else "first_on", at.facts.today
    if day < today:
        yield _no("first_date_in_past", field, today_on=today)
    if wish.choice == "promise":
        if day > (limit := today + timedelta(days=at.promise_days)):
            yield _no("promise_too_late", field, limit_on=limit)
        return
    said = at.governing["latest_first_days"] if at.governing else None
    latest = today + timedelta(days=max(at.promise_days, PROMISE_DAYS) if said is None else said)
    if day > latest:
        yield _no("first_date_too_late", field, latest_on=latest)
