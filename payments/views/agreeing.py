"""Agree without a way to pay: a promise for a later day, or payments that the consumer makes by themselves."""

from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from accounts.access import confirmed, own_account
from accounts.known import known
from accounts.money import from_cents
from accounts.refusals import Refusal
from accounts.sight import shown
from payments.forms import PromiseForm
from payments.models import Arrangement, Checkout
from payments.services import agree as services
from payments.services import gate
from payments.sight import breach, language, may_promise, planned, problems, promise_until
from payments.views.own import of_own
from payments.views.way import on_the_way
from settlements.models import Quote
from settlements.rules.quotes import Wish
from settlements.services import quotes


@require_http_methods(["GET", "POST"])
@confirmed
def promise(request: HttpRequest, account_id: UUID) -> HttpResponse:
    """Ask how much will be paid and when; nothing is promised before the next page."""
    account = own_account(request, account_id)
    at = gate.standing(account, now=request.now)
    if not may_promise(at, now=request.now):
        return redirect("payments:choose", account_id)
    form = PromiseForm(request.POST or None, initial={"amount": f"{from_cents(at.owed.single_most_cents)}"})
    if request.method == "POST" and form.is_valid():
        found = services.quote(account=account, wish=form.wish(), by=_by(request), now=request.now)
        if isinstance(found, Quote):
            return redirect("payments:agree", found.pk)
        form.refuse(found)
    last_on = promise_until(at)
    form.fields["first_on"].widget.attrs |= {"min": at.today.isoformat(), "max": last_on.isoformat()}
    context = {
        "account": shown(account, level=request.visit.level) | {"balance_cents": at.owed.cents},
        "form": form,
        "last_on": last_on,
    }
    return render(request, "payments/promise.html", context, status=422 if form.errors else 200)


@confirmed
@require_POST
@on_the_way
def by_hand(request: HttpRequest, checkout: Checkout) -> HttpResponse:
    """Agree to the same payments without a way to pay: nobody has to let us take them by ourselves (EFT-06)."""
    wish = Wish(checkout.choice, frequency=checkout.frequency, lines=gate.lines_of(checkout))
    found = services.quote(account=checkout.account, wish=wish, by=_by(request), now=request.now)
    if isinstance(found, Quote):
        return redirect("payments:agree", found.pk)
    return redirect("payments:dates", checkout.pk)


def _by(request: HttpRequest) -> str:
    return f"consumer:{request.visit.consumer_id}"


@known
def _quote(consumer_id: UUID, quote_id: UUID) -> QuerySet[Quote]:
    joined = Quote.objects.select_related("account__consumer", "account__client", "account__agency")
    return of_own(joined, consumer_id).filter(pk=quote_id)


@require_http_methods(["GET", "POST"])
@confirmed
def agree(request: HttpRequest, quote_id: UUID) -> HttpResponse:
    """Show once more what is agreed, and what happens if it is not kept; agreeing twice is agreeing once."""
    quote = _quote.first(request.visit.consumer_id, quote_id)
    if quote is None:
        raise Http404
    if quote.status == Quote.Status.ACCEPTED:
        return _to(Arrangement.objects.get(pk=quote.result_id))
    found: list[Refusal] = []
    if request.method == "POST":
        try:
            made = services.accept(quote=quote, by=_by(request), now=request.now, ip=request.ip, language=language())
        except services.Refused as refused:
            found = refused.refusals
        else:
            return _to(made)
    lines = quotes.lines_of(quote)
    context = {
        "account": shown(quote.account, level=request.visit.level),
        "quote": {
            "id": quote.pk,
            "choice": quote.choice,
            "lines": planned(lines),
            "total_cents": quote.total_cents,
            "saving_cents": quote.terms.get("saving_cents", 0) if quote.choice == "parts" else 0,
        },
        "breach": breach(quote.terms) if quote.choice != "promise" else None,
        "refusals": problems(found),
    }
    return render(request, "payments/agree.html", context, status=422 if found else 200)


def _to(made: Arrangement) -> HttpResponse:
    """Lead to the plan; a promise stands on the account page."""
    if made.kind == Arrangement.Kind.PROMISE:
        return redirect("portal:account", made.account_id)
    return redirect("payments:plan", made.pk)
