"""What is open to an account today, as the choose page shows it: the gentlest first, each with its numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from accounts.models import Visit
from payments.forms import SMALLEST_CENTS
from payments.services import gate
from payments.services.gate import Standing
from payments.sight import promise_until, proposed_parts, say, time_barred, why
from settlements.rules.schedules import Line

WORTH_SAYING = ("settlement_not_yet",)
"""A closed settlement is shown with its reason only where waiting opens it; nobody is shown what is gone."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Hold the payments of one choice that the consumer was shown before, instead of our proposal."""

    choice: str
    frequency: str
    lines: tuple[Line, ...]


def options_of(at: Standing, *, level: int, asked: Asked | None = None) -> list[dict[str, Any]]:
    """List everything that can be chosen, and what cannot where its reason helps."""
    needs_code = {"needs_code": level < Visit.Level.CONFIRMED}
    found = [*_settlements(at, needs_code), *_plan(at, needs_code)]
    found = [one | _named(asked.lines) if asked and asked.choice == one["code"] else one for one in found]
    found = [*found, *_amount(at), *_promise(at, needs_code)]
    return [*found, *_full(at)]


def _named(lines: Sequence[Line]) -> dict[str, Any]:
    return {
        "named": True,
        "parts": len(lines),
        "part_cents": lines[0].amount_cents,
        "last_cents": lines[-1].amount_cents,
        "last_on": lines[-1].due_on,
    }


def _settlements(at: Standing, needs_code: dict[str, bool]) -> list[dict[str, Any]]:
    terms = at.terms
    if terms is None:
        closed = () if at.arrangement else at.offered.closed.get("settlement", ())
        helpful = next((one for one in closed if one.code in WORTH_SAYING), None)
        return [{"code": "settlement", "available": False, "reason": say(helpful)}] if helpful else []
    found = []
    sums = {"available": True, "amount_cents": terms.amount_cents, "saving_cents": terms.saving_cents}
    if lines := () if time_barred(at) else proposed_parts(at):
        about = {
            "parts": len(lines),
            "part_cents": lines[0].amount_cents,
            "last_on": None if terms.open_ended else terms.last_date,
            "why": why(at, "parts"),
        }
        found.append({"code": "settlement_parts"} | sums | about | needs_code)
    if terms.saving_cents:
        found.append({"code": "settlement", "why": why(at, "settlement")} | sums)
    return found


def _plan(at: Standing, needs_code: dict[str, bool]) -> list[dict[str, Any]]:
    terms = at.plan
    lines = () if terms is None or time_barred(at) else proposed_parts(at, choice="plan")
    if terms is None or not lines:
        return []
    about = {
        "amount_cents": terms.amount_cents,
        "parts": len(lines),
        "part_cents": lines[0].amount_cents,
        "last_on": lines[-1].due_on,
        "why": why(at, "plan"),
    }
    return [{"code": "plan", "available": True} | about | needs_code]


def _amount(at: Standing) -> list[dict[str, Any]]:
    low = min(max(at.allowed.minimum_single_cents, SMALLEST_CENTS), at.owed.single_most_cents)
    if low >= at.owed.single_most_cents and not at.owed.scheduled_cents:
        # Then it is the full balance; beside what is planned that is closed, and this is all there is.
        return []
    limits = {"minimum_cents": low, "maximum_cents": at.owed.single_most_cents, "why": why(at, "amount")}
    return [{"code": "any", "available": True} | limits]


def _promise(at: Standing, needs_code: dict[str, bool]) -> list[dict[str, Any]]:
    if at.arrangement is not None or "promise" in at.offered.closed or time_barred(at):
        return []
    about = {"last_on": promise_until(at), "why": why(at, "promise")}
    return [{"code": "promise", "available": True} | about | needs_code]


def _full(at: Standing) -> list[dict[str, Any]]:
    full = {"code": "full", "available": True, "amount_cents": at.owed.cents, "why": why(at, "full")}
    if at.owed.scheduled_cents:
        full |= {"available": False, "reason": say(gate.no("arrangement_active"))}
    return [full]
