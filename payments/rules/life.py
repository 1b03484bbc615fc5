"""How far an arrangement is: performing, late, broken or completed, from what was due and what was paid.

Source: rules "Arrangements". An arrangement performs while paid to date covers due to date, after grace, on the last
payment too. Who paid, how, early or in part does not matter; what came back is not paid. Pure: values in, values out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from settlements.rules.offers import Breach

PERFORMING, LATE, BROKEN, PAUSED, REVIEW = "performing", "late", "broken", "paused", "review"
COMPLETED, CANCELLED = "completed", "cancelled"
AGREED = Breach()
"""What is agreed where the terms say nothing else."""


@dataclass(frozen=True, slots=True)
class Due:
    """Hold one payment of the schedule; `failed_on` is when its executor gave up on it, all retries exhausted."""

    due_on: date
    amount_cents: int
    failed_on: date | None = None

    def missed_from(self, grace_days: int) -> date:
        """Give the first day on which this payment is missed, if it is not paid by then."""
        after = self.due_on + timedelta(days=grace_days + 1)
        if self.failed_on is None:
            return after
        # A charge that failed is missed at once, after grace; nobody will try it again.
        return min(after, self.failed_on + timedelta(days=grace_days))


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Hold all that decides how far an arrangement is on a day.

    `counted_cents` is what was paid and what is on its way, `cleared_cents` only what arrived. `outcomes` are the
    planned payments that were decided, in order: True was taken, False failed. `planned` says that somebody will
    still take or expect a payment, `withdrawn` that the consumer cancelled what was planned.
    `late_since` is what was written down before.
    """

    today: date
    status: str
    total_cents: int
    due: tuple[Due, ...]
    counted_cents: int
    cleared_cents: int
    outcomes: tuple[bool, ...] = ()
    planned: bool = True
    withdrawn: bool = False
    breach: Breach = AGREED
    late_since: date | None = None
    ended: bool = False


@dataclass(frozen=True, slots=True)
class State:
    """Say how far it is: `missing_cents` is due and unpaid, to be made good by `make_good_by`.

    `failures` are the failed payments in a row. With `over` a broken arrangement can no longer be made good.
    """

    status: str
    due_cents: int
    missing_cents: int
    late_since: date | None = None
    make_good_by: date | None = None
    failures: int = 0
    over: bool = False


def decide(facts: Facts) -> State:
    """Say how far an arrangement is today.

    Late becomes broken after the agreed number of failed payments in a row, or when the days to make good are over;
    where none were agreed, when nothing is planned any more. Broken performs again when what is due is paid within
    those days.
    """
    due_cents = due_by(facts.due, facts.today, facts.breach.grace_days)
    missing = max(0, due_cents - facts.counted_cents)
    if facts.cleared_cents >= facts.total_cents and _may_complete(facts):
        return State(COMPLETED, due_cents, 0)
    if facts.status in (PAUSED, REVIEW, CANCELLED) or (facts.status == BROKEN and facts.ended):
        return State(facts.status, due_cents, missing, facts.late_since, over=facts.ended)
    if facts.withdrawn and not facts.planned and facts.counted_cents < facts.total_cents:
        return State(CANCELLED, due_cents, missing)
    if not missing:
        return _nothing_missing(facts, due_cents)
    since = _missed_since(facts)
    by = since + timedelta(days=facts.breach.cure_days)
    failures = _in_a_row(facts.outcomes)
    too_many = bool(facts.breach.failures) and failures >= (facts.breach.failures or 0)
    out_of_days = facts.today > by if facts.breach.cure_days else not facts.planned
    broken = too_many or out_of_days or facts.status == BROKEN
    over = broken and (facts.today > by or not facts.breach.cure_days)
    return State(BROKEN if broken else LATE, due_cents, missing, since, by, failures, over)


def _may_complete(facts: Facts) -> bool:
    """Tell whether paying all of it still completes it: not once a broken settlement brought the balance back."""
    gone = facts.status == BROKEN and facts.ended and facts.breach.reinstates == "balance"
    return facts.status != CANCELLED and not gone


def _nothing_missing(facts: Facts, due_cents: int) -> State:
    if facts.status != BROKEN or facts.late_since is None:
        return State(PERFORMING, due_cents, 0)
    by = facts.late_since + timedelta(days=facts.breach.cure_days)
    if facts.breach.cure_days and facts.today <= by:
        return State(PERFORMING, due_cents, 0)
    return State(BROKEN, due_cents, 0, facts.late_since, by, over=True)


def due_by(due: Sequence[Due], today: date, grace_days: int = 0) -> int:
    """Add up what had to be paid by now: everything up to the last payment that would be missed today.

    A charge that failed before its time counts with all that comes before it, because what was paid covers that first.
    """
    reached = [index for index, one in enumerate(due) if one.missed_from(grace_days) <= today]
    return sum(one.amount_cents for one in due[: reached[-1] + 1]) if reached else 0


def _missed_since(facts: Facts) -> date:
    """Give the first day on which something was missing and still is; payments cover the oldest first."""
    unpaid = facts.due[covered(facts.due, facts.counted_cents) :]
    days = [one.missed_from(facts.breach.grace_days) for one in unpaid]
    return min(day for day in days if day <= facts.today)


def _in_a_row(outcomes: Sequence[bool]) -> int:
    count = 0
    for taken in reversed(outcomes):
        if taken:
            break
        count += 1
    return count


def covered(due: Sequence[Due], counted_cents: int) -> int:
    """Count the payments of the schedule that what was paid covers in full, the oldest first."""
    count, left = 0, counted_cents
    for one in due:
        left -= one.amount_cents
        if left < 0:
            break
        count += 1
    return count


def owed_after_breach(*, breach: Breach, kind: str, owed_cents: int, total_cents: int, counted_cents: int) -> int:
    """Give what is owed once it is broken: the balance less all that was paid, or the rest of what was agreed."""
    if kind == "settlement" and breach.reinstates == "rest":
        return min(owed_cents, max(0, total_cents - counted_cents))
    return owed_cents
