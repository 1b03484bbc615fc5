"""A card that is stored for later payments: what became of it, when nothing is charged today."""

from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.access import confirmed
from accounts.known import known
from accounts.sight import shown
from payments.models import Checkout
from payments.rules import cards
from payments.services import checkout as services
from payments.services import gate, later
from payments.services.means import means_of
from payments.sight import language
from payments.views.own import of_own
from payments.views.paying import with_processor
from payments.views.way import to_payment_of

Setup = Checkout.Setup


@known
def _own(consumer_id: UUID, checkout_id: UUID) -> QuerySet[Checkout]:
    mine = Checkout.objects.select_related("account__consumer", "account__client", "account__agency", "method")
    mine = mine.select_related("authorization__method__processor_account")
    return of_own(mine, consumer_id).filter(pk=checkout_id)


@require_http_methods(["GET", "POST"])
@confirmed
def card(request: HttpRequest, checkout_id: UUID) -> HttpResponse:
    """Ask the bank's own question, wait for an answer, or say that the card was not kept and nothing is planned."""
    checkout = _own.first(request.visit.consumer_id, checkout_id)
    if checkout is None or checkout.confirmed_at is None:
        raise Http404
    if request.method == "POST" and request.POST.get("action") == "again":
        return _again(request, checkout)
    if request.method == "POST":
        later.look_setup(checkout_id=checkout.pk, now=request.now)
        return redirect("payments:card", checkout_id)
    if checkout.setup_status in (Setup.NONE, Setup.SUCCEEDED):
        return to_payment_of(checkout)
    merchant = checkout.authorization.method.processor_account
    means = means_of(checkout)
    context = {
        "state": _state(checkout),
        "account": shown(checkout.account, level=request.visit.level),
        "checkout": checkout,
        "method": means.label(language()) if means else "",
        "first": gate.lines_of(checkout)[0],
        "decline_sentence": "",
    }
    if context["state"] == "declined":
        context["decline_sentence"] = _(cards.decline(checkout.setup_reason).sentence)
    if context["state"] == "action_required" and merchant is not None:
        context["next_action"] = {
            "script_url": merchant.script_url,
            "publishable_key": merchant.publishable_key,
            "client_secret": checkout.setup_secret,
            "locale": language(),
        }
        return with_processor(render(request, "payments/card.html", context), merchant)
    return render(request, "payments/card.html", context)


def _state(checkout: Checkout) -> str:
    if checkout.setup_status == Setup.INTENDED:
        return "action_required" if checkout.setup_secret else "undecided"
    return "declined" if checkout.setup_status == Setup.DECLINED else "voided"


def _again(request: HttpRequest, checkout: Checkout) -> HttpResponse:
    """Begin anew with the same payments; only the way to pay is asked again."""
    if checkout.setup_status not in (Setup.DECLINED, Setup.VOIDED):
        return redirect("payments:card", checkout.pk)
    if checkout.visit_id != request.visit.pk:
        return redirect("payments:choose", checkout.account_id)
    checkout.visit = request.visit
    fresh = services.again(checkout=checkout, now=request.now)
    return redirect("payments:method", fresh.pk)
