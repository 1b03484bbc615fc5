"""The page of an arrangement: how far it is, what comes next, every date with its state."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from accounts.access import confirmed
from accounts.calendars import local_date
from accounts.known import known
from accounts.money import from_cents
from accounts.sight import shown
from payments.models import Arrangement, Payment, Postdate
from payments.rules.life import Due, covered
from payments.services import gate, life
from payments.services.gate import Standing
from payments.services.means import means_of_method
from payments.services.received import Received, received
from payments.sight import breach, cannot_pay_next, language, progress, shut
from payments.views import changing
from payments.views.own import own_arrangement

PAID = {
    Payment.Status.SUCCEEDED: "paid",
    Payment.Status.PENDING: "on_its_way",
    Payment.Status.INTENDED: "undecided",
}
"""What a payment without a post-date of its own shows; one that took nothing is not part of the plan."""
PLANNED = {
    Postdate.Status.SCHEDULED: "planned",
    Postdate.Status.HELD: "held",
    Postdate.Status.CANCEL_REQUESTED: "cancelling",
    Postdate.Status.CANCELLED: "cancelled",
    Postdate.Status.TAKEN: "paid",
    Postdate.Status.FAILED: "failed",
}


@known
def _postdates(arrangement_id: UUID) -> QuerySet[Postdate]:
    return Postdate.objects.filter(arrangement=arrangement_id).order_by("due_on", "number")


@require_safe
@confirmed
def plan(request: HttpRequest, arrangement_id: UUID) -> HttpResponse:
    """Show an arrangement of one's own; anybody else's does not exist."""
    row = own_arrangement(request, arrangement_id)
    today = local_date(request.now, row.account.consumer.time_zone)
    at = gate.standing(row.account, now=request.now) if row.status in life.WATCHED else None
    planned, got = _postdates(row.pk), received([row])[row.pk]
    context = {
        "account": shown(row.account, level=request.visit.level),
        "plan": _about(row, today, paid_cents=got.counted_cents + got.under_way_cents(planned), at=at, now=request.now)
        | {
            "method": means_of_method(row.method).label(language()) if row.method else "",
            "authorization_id": row.authorization_id,
            "paused_until": row.paused_until,
        },
        "items": _items(row, planned, got, today),
        "asked": _asked(planned),
        "changes": changing.possible(row, today=today),
        "done": done if (done := request.GET.get("done", "")) in (*changing.KINDS, "payment") else "",
        "breach": breach(row.terms | {"kind": row.kind}),
    }
    return render(request, "payments/plan.html", context)


def summary(at: Standing, *, now: datetime) -> dict[str, Any] | None:
    """Give what the account page shows of the arrangement that runs, if one does."""
    row = at.arrangement
    if row is None:
        return None
    row.account = at.account
    return _about(row, at.today, paid_cents=_paid_cents(at, row), at=at, now=now)


def _paid_cents(at: Standing, row: Arrangement) -> int:
    return received([row])[row.pk].counted_cents if at.paid_cents is None else at.paid_cents


def is_late(at: Standing) -> bool:
    """Tell whether the arrangement that runs is late, as its own page says it; one paid by hand after its grace."""
    row = at.arrangement
    if row is None or row.authorization_id is None:
        return row is not None and row.status == Arrangement.Status.LATE
    row.account = at.account
    return _late(row, _left(row, _paid_cents(at, row))[0], at.today)


def _left(row: Arrangement, paid_cents: int) -> tuple[list[Due], int]:
    """Find what of the schedule is not covered by what was paid and is on its way, and the first payment's rest."""
    due = [Due(date.fromisoformat(on), cents) for on, cents in row.due or row.schedule]
    paid = covered(due, paid_cents)
    return due[paid:], sum(one.amount_cents for one in due[: paid + 1]) - paid_cents


def _late(row: Arrangement, left: Sequence[Due], today: date) -> bool:
    """Tell whether a payment should have been made; nothing is late while the arrangement rests."""
    if row.status in (Arrangement.Status.PAUSED, Arrangement.Status.REVIEW):
        return False
    return row.status == Arrangement.Status.LATE or (bool(left) and left[0].due_on < today)


def _about(row: Arrangement, today: date, *, paid_cents: int, at: Standing | None, now: datetime) -> dict[str, Any]:
    """Say how far an arrangement is, what comes next, and where that is paid by hand or why it cannot be.

    :param at: where the account stands; without it nothing is paid any more.
    """
    left, rest_cents = _left(row, paid_cents)
    settling = row.kind == Arrangement.Kind.SETTLEMENT
    linked, late = row.authorization_id is not None, _late(row, left, today)
    about = progress(row, paid_cents) | {
        "saving_cents": row.saving_cents if settling else 0,
        "linked": linked,
        "next": {"on": left[0].due_on, "amount_cents": rest_cents} if left else None,
        "late": late,
    }
    if at is None:
        return about | {"pay": "", "cannot_pay": ""}
    by_hand = late or (row.status == Arrangement.Status.PERFORMING and not linked)
    cause = (cannot_pay_next if by_hand else shut)(at, now=now)
    return about | {"pay": _pay(row, rest_cents) if left and by_hand and not cause else "", "cannot_pay": cause}


def _pay(row: Arrangement, cents: int) -> str:
    """Give the address where what comes next is paid; what a card or bank account should have paid is made up there."""
    if row.authorization_id is not None:
        return reverse("payments:plan_pay", args=[row.pk])
    return reverse("payments:choose", args=[row.account_id]) + f"?choice=any&amount={from_cents(cents)}"


@known
def _payments(arrangement_id: UUID) -> QuerySet[Payment]:
    own = Q(arrangement=arrangement_id) | Q(postdate__arrangement=arrangement_id)
    return Payment.objects.filter(own, status__in=PAID).order_by("intended_at")


def _items(row: Arrangement, planned: Sequence[Postdate], got: Received, today: date) -> list[dict[str, Any]]:
    """List the payments of an arrangement by date, each with its state."""
    # What was planned anew stays as a cancelled row with its reason; its place is taken by the new one.
    postdates = [one for one in planned if not (one.held_for and one.status == Postdate.Status.CANCELLED)]
    payments = _payments(row.pk)
    by_postdate = {payment.postdate_id: payment for payment in payments}
    items = [_paid(payment, row) for payment in payments if payment.postdate_id is None]
    items += [_planned(postdate, by_postdate.get(postdate.pk), got, today) for postdate in postdates]
    return sorted(items, key=lambda item: item["on"])


def _asked(planned: Sequence[Postdate]) -> list[dict[str, Any]]:
    """List what will be planned once the host lets go of what a change replaces."""
    waiting = [one for one in planned if one.status == Postdate.Status.CANCEL_REQUESTED and one.replacement is not None]
    batches = {item.replacement["batch"]: item.replacement["lines"] for item in waiting}
    lines = sorted((date.fromisoformat(on), cents) for lines in batches.values() for on, cents in lines)
    return [{"on": on, "amount_cents": cents} for on, cents in lines]


def _paid(payment: Payment, row: Arrangement) -> dict[str, Any]:
    return {
        "id": None,
        "on": local_date(payment.intended_at, row.account.consumer.time_zone),
        "amount_cents": payment.amount_cents,
        "state": PAID[payment.status],
        "can_cancel": False,
    }


def _planned(postdate: Postdate, payment: Payment | None, got: Received, today: date) -> dict[str, Any]:
    state = PLANNED[postdate.status]
    if state == "cancelling" and postdate.replacement:
        state = "changing"
    if payment is not None and state in ("planned", "held"):
        state = PAID[payment.status]
    elif state == "planned" and postdate.pk in got.at_host:
        state = "on_its_way"
    if postdate.method_id is None and state == "planned" and postdate.due_on < today:
        state = "late"
    return {
        "id": postdate.pk,
        "on": postdate.due_on,
        "amount_cents": postdate.amount_cents,
        "state": state,
        "can_cancel": postdate.method_id is not None and state in ("planned", "held"),
    }
