"""The second half of the way to a payment: how to pay, and the review that every charge goes through (A11Y-01)."""

from collections.abc import Sequence
from datetime import date
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.access import identified, step_up_required
from accounts.calendars import local_date
from accounts.known import known
from accounts.models import Visit
from accounts.refusals import Refusal
from accounts.sight import shown
from payments.forms import AgreeForm, BankForm, RefusableForm, StoredForm
from payments.models import Checkout, Method, Payment, ProcessorAccount
from payments.services import checkout as services
from payments.services import gate, methods, pay
from payments.services.means import card_policy, means_of_method
from payments.sight import breach, language, planned, problems, say
from payments.views.way import IN_PARTS, on_the_way, steps, to_payment_of
from settlements.rules.schedules import Line

REFUSED_CARDS = {
    "visa_credit_not_accepted": "visa_credit",
    "card_funding_unknown": "blocked",
    "visa_not_accepted": "blocked",
    "card_brand_not_accepted": "blocked",
}
CONFIRMED_WAYS = ("ach", "stored")
"""A bank account, and anything kept from before, opens with a code (AUTH-02)."""

STRIPE_FRAMES = "https://hooks.stripe.com"
"""Where the real processor shows a bank's own check; its script and API have hosts of their own."""


@known
def _kept(consumer_id: UUID, merchant_id: UUID, kinds: Sequence[str]) -> QuerySet[Method]:
    return methods.stored_of(consumer_id).filter(processor_account=merchant_id, kind__in=kinds)[:10]


@require_http_methods(["GET", "POST"])
@identified
@on_the_way
def method(request: HttpRequest, checkout: Checkout) -> HttpResponse:
    """Take a card (by the processor's own field, PCI-01), a bank account, or a way to pay used before."""
    sure = request.visit.level >= Visit.Level.CONFIRMED
    merchant = _merchant(checkout)
    ways = _ways(checkout, request)
    works = [way["code"] for way in ways if way["available"]]
    stored = _kept(checkout.consumer_id, merchant.pk, works) if sure and merchant else []
    ways += [{"code": "stored", "available": True}] if stored else []
    offered = [way["code"] for way in ways if way["available"]]
    selected = request.POST.get("way") or request.GET.get("way") or (offered[0] if offered else "")
    if selected in CONFIRMED_WAYS and not sure:
        return step_up_required(request, onward=f"{request.path}?way={selected}")
    if selected not in offered:
        selected = offered[0] if offered else ""
    form: RefusableForm = {"ach": BankForm, "stored": StoredForm}.get(selected, RefusableForm)()
    found: list[Refusal] = []
    if request.method == "POST" and selected:
        form, found = _taken(request, checkout, selected)
        if not found and not form.errors:
            return redirect("payments:review", checkout.pk)
        if (cause := next((REFUSED_CARDS[one.code] for one in found if one.code in REFUSED_CARDS), "")) != "":
            return _card_refused(request, checkout, cause, found)
    merchant = merchant if selected == "card" else None
    today = local_date(request.now, checkout.account.consumer.time_zone)
    now, later = _parted(checkout, today)
    context = {
        "account": shown(checkout.account, level=request.visit.level),
        "checkout": checkout,
        "today_cents": now[0].amount_cents if now else 0,
        "later": planned(later),
        "methods": ways,
        "several_ways": len(offered) > 1,
        "in_parts": checkout.choice in IN_PARTS,
        "selected": selected,
        "form": form,
        "refusals": problems([one for one in found if form.where.get(one.field or "") is None]),
        "stored": [{"id": one.pk, "label": means_of_method(one).label(language())} for one in stored],
        "card": _card(merchant, checkout, ahead=bool(later), later_only=not now) if merchant else None,
        **steps(checkout, "method"),
    }
    status = 422 if found or form.errors else 200
    response = render(request, "payments/method.html", context, status=status)
    return with_processor(response, merchant) if merchant else response


def _merchant(checkout: Checkout) -> ProcessorAccount | None:
    try:
        return methods.active_processor(checkout.account)
    except methods.NoProcessor:
        return None


def with_processor(response: HttpResponse, merchant: ProcessorAccount) -> HttpResponse:
    """Let this one page load the processor's script, frames and API (PCI-04)."""
    script = "{0.scheme}://{0.netloc}".format(urlsplit(merchant.script_url))
    api = "{0.scheme}://{0.netloc}".format(urlsplit(merchant.api_base or "https://api.stripe.com"))
    frames = [script] if merchant.api_base else [script, STRIPE_FRAMES]
    response._csp_update = {"script-src": [script], "frame-src": frames, "connect-src": sorted({script, api})}
    return response


def _ways(checkout: Checkout, request: HttpRequest) -> list[dict[str, Any]]:
    """List the ways to pay; what level 1 cannot use yet says so instead of being hidden."""
    sure = request.visit.level >= Visit.Level.CONFIRMED
    found = []
    for way in services.ways(checkout=checkout, now=request.now):
        line: dict[str, Any] = {"code": way.code, "available": way.available}
        if way.refusal is not None:
            line["reason"] = say(way.refusal)
        elif way.code in CONFIRMED_WAYS and not sure:
            line |= {"available": False, "needs_code": True}
        found.append(line)
    return found


def _parted(checkout: Checkout, today: date) -> tuple[tuple[Line, ...], tuple[Line, ...]]:
    """Part a checkout's payments into what is paid now and what is planned."""
    lines = gate.lines_of(checkout)
    return ((), lines) if gate.starts_later(lines, today) else (lines[:1], lines[1:])


def _card(merchant: ProcessorAccount, checkout: Checkout, *, ahead: bool, later_only: bool) -> dict[str, Any]:
    return {
        "script_url": merchant.script_url,
        "publishable_key": merchant.publishable_key,
        "currency": checkout.account.currency,
        "locale": language(),
        "mode": "setup" if later_only else "payment",
        "setup_future_usage": "off_session" if ahead else "",
        "visa_credit_refused": not card_policy(checkout.account).visa_credit,
    }


def _taken(request: HttpRequest, checkout: Checkout, way: str) -> tuple[RefusableForm, list[Refusal]]:
    """Give what was typed to the service; the form comes back with every refusal beside its field."""
    form: RefusableForm
    if way == "card":
        form, token = RefusableForm(request.POST), request.POST.get("confirmation_token", "")[:80]
        if not token:
            form.add_error(
                None, _("The card form needs JavaScript. Without it you can pay from a bank account or call us.")
            )
            return form, []
        found = services.take_card(checkout=checkout, confirmation_token=token, now=request.now)
        return form, found
    if way == "stored":
        form = StoredForm(request.POST)
        if not form.is_valid():
            return form, []
        key = form.cleaned_data["method_id"]
        found = services.take_stored(checkout=checkout, method_id=key, now=request.now)
    else:
        form = BankForm(request.POST)
        if not form.is_valid():
            return form, []
        typed = form.cleaned_data
        found = services.take_bank(
            checkout=checkout,
            routing=typed["routing_number"],
            number=typed["account_number"],
            account_type=typed["account_type"],
            holder=typed["holder"],
            now=request.now,
        )
    form.refuse([one for one in found if form.where.get(one.field or "") is not None])
    return form, found


def _card_refused(request: HttpRequest, checkout: Checkout, cause: str, found: list[Refusal]) -> HttpResponse:
    """Name what can be used instead; nothing was charged and the choice stands."""
    refusal = next(one for one in found if one.code in REFUSED_CARDS)
    context = {
        "account": shown(checkout.account, level=request.visit.level),
        "checkout": checkout,
        "cause": cause,
        "code": refusal.code,
        "sentence": say(refusal),
        "alternatives": [_(phrase) for phrase in refusal.params.get("alternatives", ())],
    }
    return render(request, "payments/refused.html", context, status=422)


@require_http_methods(["GET", "POST"])
@identified
@on_the_way
def review(request: HttpRequest, checkout: Checkout) -> HttpResponse:
    """Show everything once more, with the text to agree to; only from here is anything charged."""
    if checkout.method_id is None and not checkout.confirmation_token:
        return redirect("payments:method", checkout.pk)
    form = AgreeForm(request.POST or None)
    refusals: list[Refusal] = []
    if request.method == "POST" and form.is_valid():
        try:
            made = pay.confirm(
                checkout=checkout,
                text_sha256=request.POST.get("authorization_sha256", ""),
                ip=request.ip,
                user_agent=request.headers.get("User-Agent", "")[:300],
                language=language(),
                now=request.now,
            )
        except pay.Refused as refused:
            refusals = refused.refusals
        else:
            return redirect("payments:result", made.pk) if isinstance(made, Payment) else to_payment_of(checkout)
    seen = services.review(checkout, language=language(), now=request.now, loaded=not refusals)
    account = checkout.account
    title, *paragraphs = seen.text.split("\n\n")
    everything = _once([*refusals, *seen.refusals])
    context = {
        # CARD-02 wants all of this before a charge, at any level.
        "account": shown(account, level=Visit.Level.CONFIRMED),
        "checkout": checkout,
        "today_cents": seen.amount_now_cents,
        "later": [
            {"number": line.number, "on": line.on, "amount_cents": line.amount_cents, "notice": line.notice}
            for line in seen.later
        ],
        "in_parts": checkout.choice in IN_PARTS,
        "breach": breach(checkout.terms) if seen.breach else None,
        "undecided": any(one.code == "attempt_undecided" for one in everything),
        "notice": next((line.notice for line in seen.later if line.notice), ""),
        "total_cents": seen.total_cents,
        "saving_cents": seen.saving_cents,
        "method": {"label": seen.means.label(language()), "kind": seen.means.kind},
        "bank_can_return": seen.means.kind == Method.Kind.ACH,
        "authorization": {
            "title": title,
            "paragraphs": [text.split("\n") for text in paragraphs],
            "sha256": seen.text_sha256,
        },
        "form": form,
        "refusals": problems(everything),
        "must_choose_again": any(one.field and one.field.startswith(("lines", "choice")) for one in everything),
        "idempotency_key": checkout.pk,
        **steps(checkout, "review"),
    }
    status = 422 if refusals or form.errors else 200
    return render(request, "payments/review.html", context, status=status)


def _once(found: list[Refusal]) -> list[Refusal]:
    return list({(one.code, one.field): one for one in reversed(found)}.values())[::-1]
