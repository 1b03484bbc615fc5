"""What the pages show of money: plain values out of rows and standings, and refusals as problems of a form."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.utils.translation import get_language, gettext

from accounts.models import Account
from accounts.refusals import Refusal
from payments.models import Payment
from payments.rules.gates import PAYABLE_STATUSES
from payments.services.gate import Standing
from payments.services.means import means_of_method
from settlements.rules.schedules import Line, propose


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
    """Say why nothing can be paid: `disputed`, `paid`, `closed`, `arranged` or `stale`; empty when it can."""
    account = at.account
    if account.status == Account.Status.DISPUTED:
        return "disputed"
    if at.owed.cents <= 0:
        return "paid"
    if account.status not in PAYABLE_STATUSES or not at.allowed.single_methods:
        return "closed"
    # What a running settlement leaves over is forgiven at its end: nobody is asked to pay it as an extra.
    settling = at.arrangement is not None and at.arrangement.kind == "settlement"
    if settling or at.owed.single_most_cents <= 0:
        return "arranged"
    if now - account.as_of > timedelta(hours=account.agency.balance_fresh_hours):
        return "stale"
    return ""


def proposed_parts(at: Standing, parts: int | None = None) -> tuple[Line, ...]:
    """Propose equal monthly parts of the offer from today on; empty where only one payment is possible."""
    if at.terms is None or at.terms.max_payments < 2:
        return ()
    for method in at.allowed.methods(2):
        lines = propose(at.terms, at.today, "monthly", parts, method)
        if len(lines) > 1:
            return lines
    return ()


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
        "last_on": terms.last_date,
        "text": terms.text,
    }


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
    return means_of_method(payment.method).label(language()) if payment.method else ""
