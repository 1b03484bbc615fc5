"""Income and outgoings to a month, what is left, whose share of it is whose, and what that comes to as a plan.

Pure; rules "Affordability", UK-09 to UK-11. A month is a week x 52/12, a fortnight x 26/12, four weeks x 13/12, a
year / 12; income is rounded down and outgoings up to the cent, so that rounding never finds money that is not there.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from accounts.money import pro_rata
from accounts.refusals import Refusal, gettext_noop, refuse
from settlements.rules import quotes
from settlements.rules.budget_forms import Answers, Form
from settlements.rules.offers import SMALLEST_CENTS
from settlements.rules.quotes import Answer, Offered, Wish

PER_MONTH = {"week": (52, 12), "fortnight": (26, 12), "four_weeks": (13, 12), "month": (1, 1), "year": (1, 12)}
PLAN, REFERRAL, HARDSHIP = "plan", "referral", "hardship"
OUTCOMES = (PLAN, REFERRAL, HARDSHIP)
"""A plan that the rules allow; a person decides; nothing is left, so a pause and free advice, never a payment."""


def monthly(cents: int, frequency: str, *, income: bool) -> int:
    """Give an amount per month: income rounded down to the cent, outgoings up."""
    times, over = PER_MONTH[frequency]
    return cents * times // over if income else -(-cents * times // over)


@dataclass(frozen=True, slots=True)
class BudgetLine:
    """Hold one answered amount and what it is a month; `cap_cents` is what is usual, None where nothing is said."""

    code: str
    group: str
    cents: int
    frequency: str
    monthly_cents: int
    cap_cents: int | None = None

    @property
    def over(self) -> bool:
        """Tell whether it is above what is usual: flagged with the form's note, never refused."""
        return self.cap_cents is not None and self.monthly_cents > self.cap_cents


@dataclass(frozen=True, slots=True)
class Budget:
    """Hold a month: what comes in, what goes out, what is left, and what is owed elsewhere."""

    lines: tuple[BudgetLine, ...]
    dependants: int
    income_cents: int
    essential_cents: int
    other_cents: int
    debts: tuple[tuple[str, int], ...]

    @property
    def outgoings_cents(self) -> int:
        return self.essential_cents + self.other_cents

    @property
    def surplus_cents(self) -> int:
        """What is left of a month; negative when more goes out than comes in."""
        return self.income_cents - self.outgoings_cents

    @property
    def over(self) -> tuple[BudgetLine, ...]:
        return tuple(line for line in self.lines if line.over)


def budget(form: Form, answers: Answers) -> Budget:
    """Add up the answers of a form as far as there are any; those must be free of refusals."""
    dependants = sum(answers[one.code]["number"] for one in form.questions if one.dependants and one.code in answers)
    lines: list[BudgetLine] = []
    debts: list[tuple[str, int]] = []
    for question in form.questions:
        answer = answers.get(question.code)
        if answer is None or question.kind != "amount":
            continue
        if question.group == "debt":
            debts += [(question.code, answer["cents"])] if answer["cents"] else []
        elif question.group != "none":
            per_month = monthly(answer["cents"], answer["frequency"], income=question.group == "income")
            cap = question.cap.limit(dependants) if question.cap else None
            lines.append(
                BudgetLine(question.code, question.group, answer["cents"], answer["frequency"], per_month, cap)
            )
    sums = {
        group: sum(line.monthly_cents for line in lines if line.group == group)
        for group in ("income", "essential", "other")
    }
    return Budget(
        lines=tuple(lines),
        dependants=dependants,
        income_cents=sums["income"],
        essential_cents=sums["essential"],
        other_cents=sums["other"],
        debts=tuple(debts),
    )


@dataclass(frozen=True, slots=True)
class Share:
    """Say how what is left is shared: this account first, then the others with the agency, then debts elsewhere."""

    available_cents: int
    balances_cents: tuple[int, ...]
    shares_cents: tuple[int, ...]

    @property
    def cents(self) -> int:
        """The share of this account."""
        return self.shares_cents[0]


def share(available_cents: int, owed_cents: int, others_cents: Sequence[int] = ()) -> Share:
    """Share what is left of a month by balance, each rounded down; the cents that are left stay (UK-11)."""
    available = max(available_cents, 0)
    balances = (owed_cents, *others_cents)
    return Share(available, balances, pro_rata(available, balances))


@dataclass(frozen=True, slots=True)
class Decision:
    """Say what follows from a budget; with a plan its payments, with a referral why the rules allow none."""

    outcome: str
    share: Share
    choice: str = ""
    answer: Answer | None = None
    refusals: tuple[Refusal, ...] = ()


_SENTENCES = {
    "above_share": gettext_noop("One payment would be %(highest_cents)s, more than the share of %(share_cents)s."),
    "share_is_nothing": gettext_noop("The share for this account is less than a cent."),
}


def decide(
    *,
    surplus_cents: int,
    offered: Offered,
    others_cents: Sequence[int] = (),
    against: Sequence[Refusal] = (),
    currency: str = "USD",
) -> Decision:
    """Work out the plan that the share pays for; what the rules do not allow goes to staff with all reasons.

    The whole balance in parts comes first, then a settlement in parts. A share that would pay everything at once still
    proposes two payments: nobody is asked to pay everything at once (UK-02). `against` is what speaks against any plan.
    """
    shared = share(surplus_cents, offered.facts.owed_cents, others_cents)
    if surplus_cents <= 0:
        return Decision(HARDSHIP, shared)
    if against:
        return Decision(REFERRAL, shared, refusals=tuple(against))
    if not shared.cents:
        nothing = refuse(_SENTENCES["share_is_nothing"], "share_is_nothing")
        return Decision(REFERRAL, shared, refusals=(nothing,))
    refusals: list[Refusal] = []
    for choice in ("plan", "parts"):
        limits = offered.terms_of(choice)
        amount = _payment(limits.amount_cents, shared.cents) if limits else shared.cents
        answer = quotes.answer(offered, Wish(choice, amount_cents=amount), currency=currency)
        refusals += answer.refusals
        if answer.refusals:
            continue
        if (highest := max(line.amount_cents for line in answer.lines)) <= shared.cents:
            return Decision(PLAN, shared, choice, answer)
        # A down payment: more than this consumer has in a month.
        refusals.append(
            refuse(
                _SENTENCES["above_share"],
                "above_share",
                currency=currency,
                highest_cents=highest,
                share_cents=shared.cents,
            )
        )
    return Decision(REFERRAL, shared, refusals=tuple(_once(refusals)))


def _payment(total_cents: int, share_cents: int) -> int:
    """Choose a payment of at most the share, and half of all, that leaves no remainder too small for a processor.

    Such a remainder would join the last payment and lift it above the share.
    """
    most = min(share_cents, -(-total_cents // 2))
    for cents in range(most, max(most - SMALLEST_CENTS, 0), -1):
        rest = total_cents % cents
        if not rest or rest >= SMALLEST_CENTS:
            return cents
    return most


def _once(found: Sequence[Refusal]) -> list[Refusal]:
    """Name each reason once: twenty payments below the minimum are one reason."""
    return list({one.code: one for one in reversed(found)}.values())[::-1]
