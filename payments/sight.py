"""What the pages show of money: plain values out of rows and standings, and refusals as problems of a form."""

import dataclasses
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.urls import NoReverseMatch, reverse
from django.utils.translation import get_language, gettext

from accounts.models import Account
from accounts.refusals import Refusal
from payments.models import Arrangement, Payment
from payments.rules.gates import PAYABLE_STATUSES
from payments.services.gate import Standing
from payments.services.means import means_of_method
from settlements.rules import why as reasons
from settlements.rules.offers import Terms
from settlements.rules.schedules import Line, propose

MOST_PARTS = 120
"""Payments that a page shows and a form takes: more than two years of weekly ones; more is a talk with the agency."""
OPEN_ENDED_PARTS = 12
"""Payments proposed where nothing limits their number."""


def resolves(name: str, *args: object) -> str:
    """Give the address of a page that another part of the product may have, empty where it has none."""
    try:
        return reverse(name, args=args)
    except NoReverseMatch:
        return ""


def language() -> str:
    """Give the page's language as services and documents name it."""
    return (get_language() or "en")[:2]


def say(refusal: Refusal) -> str:
    """Say a refusal in the language of the page."""
    return refusal.say(gettext, language())


def problems(refusals: Sequence[Refusal], targets: dict[str, str] | None = None) -> list[dict[str, str]]:
    """Write refusals for the error summary: the sentence, the stable code, and the id of the input to mend."""
    found = targets or {}
    return [{"message": say(one), "code": one.code, "target": found.get(one.field or "", "")} for one in refusals]


def cannot_pay(at: Standing, *, now: datetime) -> str:
    """Say why nothing can be paid beside what is arranged: as `shut` does, or `arranged`; empty: it can."""
    cause = shut(at, now=now)
    return "arranged" if cause in ("", "stale") and _arranged(at) else cause


def _arranged(at: Standing) -> bool:
    # What a running settlement leaves over is forgiven at its end: nobody is asked to pay it as an extra.
    # One without a way to pay is paid by hand, and one that is late must be made good.
    running = at.arrangement
    settling = running is not None and running.kind == "settlement" and running.authorization_id is not None
    return (settling and running.status != Arrangement.Status.LATE) or at.owed.single_most_cents <= 0


def cannot_pay_next(at: Standing, *, now: datetime) -> str:
    """Say why what comes next on the arrangement cannot be paid by hand now, as `shut` does; empty: it can."""
    return shut(at, now=now) or ("" if at.owed.single_most_cents > 0 else "closed")


def shut(at: Standing, *, now: datetime) -> str:
    """Say why nothing at all can be paid: `unlicensed`, `disputed`, `paid`, `closed` or `stale`; empty: it can."""
    account = at.account
    if at.unlicensed:
        return "unlicensed"
    if at.owed.disputed or account.status == Account.Status.DISPUTED:
        return "disputed"
    if at.owed.cents <= 0:
        return "paid"
    if account.status not in PAYABLE_STATUSES or not at.allowed.single_methods:
        return "closed"
    if now - account.as_of > timedelta(hours=account.agency.balance_fresh_hours):
        return "stale"
    return ""


def proposed_parts(at: Standing, *, choice: str = "parts") -> tuple[Line, ...]:
    """Propose the gentlest equal monthly payments from today on; empty where only one payment is possible."""
    terms = at.terms_of(choice)
    if terms is None or choice in at.offered.closed:
        return ()
    parts = OPEN_ENDED_PARTS if terms.open_ended else MOST_PARTS
    for method in terms.allowed.methods(2):
        for frequency in ("monthly", "weekly"):
            lines = propose(terms, at.today, frequency, parts, method)
            if len(lines) > 1:
                return lines
    return ()


def possible_parts(at: Standing, terms: Terms, first_on: date, frequency: str) -> int:
    """Count the most equal payments there can be at a frequency from a day on; 0 when not even one fits."""
    method = next(iter(terms.allowed.recurring_methods), "card")
    return len(propose(terms, first_on, frequency, MOST_PARTS, method))


def offer(at: Standing) -> dict[str, Any] | None:
    """Give the settlement on offer as the pages show it; one that saves nothing and has no parts is none."""
    terms = at.terms
    lines = proposed_parts(at)
    if terms is None or not (terms.saving_cents or lines):
        return None
    return {
        "amount_cents": terms.amount_cents,
        "saving_cents": terms.saving_cents,
        "parts": len(lines) or 1,
        "part_cents": lines[0].amount_cents if lines else terms.amount_cents,
        "last_on": None if terms.open_ended else terms.last_date,
        "text": terms.text,
        "why": why(at, "parts" if lines else "settlement"),
    }


def time_barred(at: Standing) -> bool:
    """Tell whether no plan, no parts and no promise are asked of anybody, as the debt may be too old (SOL-04)."""
    return at.offered.facts.too_old_for_parts


def promise_until(at: Standing) -> date:
    """Give the last day that can be promised."""
    return at.today + timedelta(days=at.offered.promise_days)


def may_promise(at: Standing, *, now: datetime) -> bool:
    """Tell whether a sum can be promised for a later day."""
    return not (cannot_pay(at, now=now) or at.arrangement or "promise" in at.offered.closed or time_barred(at))


def progress(row: Arrangement, paid_cents: int) -> dict[str, Any]:
    """Say how far an arrangement is."""
    return {
        "id": row.pk,
        "kind": row.kind,
        "status": row.status,
        "total_cents": row.total_cents,
        "paid_cents": min(paid_cents, row.total_cents),
        "rest_cents": max(row.total_cents - paid_cents, 0),
    }


def breach(terms: Terms | dict[str, Any]) -> dict[str, Any] | None:
    """Give what happens when payments fail, out of terms or of what was frozen of them; None where nothing was said."""
    if isinstance(terms, dict):
        said = terms.get("breach")
        facts = terms if said else {}
    else:
        said = dataclasses.asdict(terms.breach)
        facts = {"kind": terms.kind, "saving_cents": terms.saving_cents, "balance_cents": terms.balance_cents}
    if not said:
        return None
    return said | {name: facts.get(name) for name in ("kind", "saving_cents", "balance_cents")}


def why(at: Standing, choice: str) -> str:
    """Say in one plain sentence why this is offered."""
    return say(reasons.sentence(at.offered, choice))


def local(at: datetime, account: Account) -> datetime:
    """Give an instant on the consumer's own clock."""
    return at.astimezone(ZoneInfo(account.consumer.time_zone))


def received(at: Standing) -> list[dict[str, Any]]:
    """List what was taken or is on its way and the host does not show yet; `state` says how sure it is."""
    states = {Payment.Status.PENDING: "on_its_way", Payment.Status.INTENDED: "undecided"}
    return [
        {
            "id": payment.pk,
            "amount_cents": payment.amount_cents,
            "on": local(payment.intended_at, at.account).date(),
            "reference": payment.reference,
            "state": states.get(payment.status, "received"),
        }
        for payment in at.owed.waiting
    ]


def planned(lines: Sequence[Line]) -> list[dict[str, date | int]]:
    """List payments by date and amount."""
    return [{"on": line.due_on, "amount_cents": line.amount_cents} for line in lines]


def method_label(payment: Payment) -> str:
    """Name what paid, in the language of the page: `Visa debit ending 4242`."""
    if payment.method is None:
        return str(payment.get_kind_display()) if payment.kind in Payment.BY_HAND else ""
    return means_of_method(payment.method).label(language())
