"""What the steps of a checkout share: which checkout, which step of how many, what is read first, where to go on."""

import functools
from collections.abc import Callable
from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.http import urlencode

from accounts.access import own_account
from accounts.known import known
from accounts.services import consent
from payments.models import Arrangement, Checkout, Payment
from payments.services import age_notice, gate, pay
from payments.services.gate import Standing

IN_PARTS = ("parts", "plan")


@known
def _of_key(checkout_id: UUID) -> QuerySet[Checkout]:
    return Checkout.objects.select_related("method").filter(pk=checkout_id)


def on_the_way(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Open a checkout of this visit; a confirmed one leads to its payment, one of another visit to a new choice."""

    @functools.wraps(view)
    def inner(request: HttpRequest, checkout_id: UUID) -> HttpResponse:
        if (checkout := _of_key.first(checkout_id)) is None:
            raise Http404
        # Mostly the account that the visit began with, which was read with the visit.
        checkout.account = own_account(request, checkout.account_id)
        if checkout.group:
            # One of several that are confirmed together is never confirmed by itself.
            return redirect("payments:together_review", checkout.group)
        if checkout.confirmed_at is not None:
            if request.method == "POST":
                pay.resume(checkout=checkout, now=request.now)
            return to_payment_of(checkout)
        if checkout.visit_id != request.visit.pk or not checkout.lines:
            return redirect("payments:choose", checkout.account_id)
        checkout.visit, checkout.consumer = request.visit, checkout.account.consumer
        return view(request, checkout)

    return inner


@known
def _payment(key: UUID) -> QuerySet:
    return Payment.objects.filter(idempotency_key=key).values_list("pk", flat=True)


@known
def _arrangement(key: UUID) -> QuerySet:
    return Arrangement.objects.filter(key=key).values_list("pk", flat=True)


def to_payment_of(checkout: Checkout) -> HttpResponse:
    """Lead to what a confirmed checkout became: its one payment, its arrangement, or the card that is being stored."""
    if (payment_id := _payment.first(checkout.pk)) is not None:
        return redirect("payments:result", payment_id)
    if (arrangement_id := _arrangement.first(checkout.pk)) is not None:
        return redirect("payments:plan", arrangement_id)
    return redirect("payments:card", checkout.pk)


def to_age_notice(request: HttpRequest, at: Standing) -> HttpResponse | None:
    """Lead to the notice about the age of the debt where it must be read first, and from there back here (SOL-02)."""
    if not gate.sol_needed(at) or age_notice.was_read(request.visit.pk, at.account):
        return None
    back = urlencode({"next": request.get_full_path()})
    return redirect(reverse("payments:age_notice", args=[at.account.pk]) + f"?{back}")


def asks_for_paper(checkout: Checkout, at: Standing) -> bool:
    """Tell whether the consumer must still say e-mail or letters (ES-01)."""
    if checkout.paper or not gate.needs_notice(gate.lines_of(checkout), at.today):
        return False
    return consent.esign_live(checkout.consumer) is None


def steps(checkout: Checkout | None, page: str) -> dict[str, int]:
    """Count the pages: choose, (schedule,) method, review; e-mail or letters is still part of the schedule."""
    pages = ["choose", "method", "review"]
    if checkout is not None and checkout.choice in IN_PARTS:
        pages.insert(1, "schedule")
    place = "schedule" if page == "documents" else page
    return {"step": pages.index(place) + 1, "steps": len(pages)}
