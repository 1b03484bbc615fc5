"""Links by which somebody pays: made by the consumer for a helper, opened by whoever holds one, prepared by an agent.

What a helper sees says nothing of a debt: an amount, whom it goes to where that name is harmless, nobody else's name
(RF-11). Looking never uses a link up: only the confirmation does.
"""

import functools
from collections.abc import Callable
from typing import Any
from uuid import UUID

from django import forms
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from accounts.access import confirmed, identified, own_account, step_up_required
from accounts.known import known
from accounts.models import Visit
from accounts.money import InvalidAmount, from_cents
from accounts.refusals import Refusal
from accounts.sight import shown
from payments.forms import AgreeForm, RefusableForm, read_cents
from payments.models import Checkout, PayLink, Payment
from payments.services import ask, by_link, gate, methods, papers, pay, pay_links
from payments.services.means import card_policy
from payments.services.sign import Refused
from payments.sight import language, problems, say
from payments.views.outcome import pdf, state_of
from payments.views.own import of_own
from payments.views.paying import with_processor
from payments.views.way import to_age_notice

CARD_REFUSED = ("visa_credit_not_accepted", "card_funding_unknown", "visa_not_accepted", "card_brand_not_accepted")
"""Their own sentences speak of a debt: a helper reads that another card is needed."""
SAID_AS_IT_IS = ("card_not_readable", "processor_unreachable", "text_changed", "too_many_declines", "too_many_cards")


class HelperForm(RefusableForm):
    """How much somebody else shall pay."""

    amount = forms.CharField(label=gettext_lazy("Amount in dollars"), max_length=20)
    where = {"amount_cents": "amount"}

    def clean_amount(self) -> int:
        try:
            return read_cents(self.cleaned_data["amount"])
        except InvalidAmount:
            raise forms.ValidationError(_("Enter an amount, for example 50.00."), "amount_unreadable") from None


class PayerForm(RefusableForm):
    """Who pays: the name stands in what they sign."""

    payer = forms.CharField(
        label=gettext_lazy("Your name"),
        max_length=80,
        error_messages={"required": gettext_lazy("Enter your name, as on the card.")},
    )


@require_http_methods(["GET", "POST"])
@confirmed
def helper(request: HttpRequest, account_id: UUID) -> HttpResponse:
    """Make a link for somebody else, see what became of the others, take one back."""
    account = own_account(request, account_id)
    at = gate.standing(account, now=request.now)
    if notice := to_age_notice(request, at):
        return notice
    if request.method == "POST" and request.POST.get("action") == "revoke":
        return _taken_back(request, account_id)
    form = HelperForm(request.POST or None, initial={"amount": f"{from_cents(at.owed.single_most_cents)}"})
    address, status = "", 200
    if request.method == "POST" and form.is_valid():
        made = pay_links.make_helper(
            account=account, visit=request.visit, amount_cents=form.cleaned_data["amount"], now=request.now
        )
        if isinstance(made, tuple):
            # Shown this once: only its hash is kept.
            address = request.build_absolute_uri(_path(made[1]))
            form = HelperForm(initial={"amount": form.data["amount"]})
        else:
            form.refuse(made)
    if form.errors:
        status = 422
    context = {
        "account": shown(account, level=request.visit.level) | {"balance_cents": at.owed.cents},
        "form": form,
        "address": address,
        "links": [_line(link, request) for link in _links(account_id)],
        "days": pay_links.HELPER_LIFE.days,
    }
    return render(request, "payments/helper.html", context, status=status)


def _path(token: str) -> str:
    return reverse("payments:link", args=[token])


def _links(account_id: UUID) -> list[PayLink]:
    mine = PayLink.objects.filter(account=account_id, kind=PayLink.Kind.HELPER).select_related("payment")
    return list(mine.order_by("-made_at")[:20])


def _line(link: PayLink, request: HttpRequest) -> dict[str, Any]:
    return {
        "id": link.pk,
        "amount_cents": link.amount_cents,
        "made_at": link.made_at,
        "expires_at": link.expires_at,
        "state": pay_links.state(link, now=request.now),
        "revoked": link.revoked_at is not None,
        "reference": link.payment.reference if link.payment else "",
    }


def _taken_back(request: HttpRequest, account_id: UUID) -> HttpResponse:
    try:
        key = UUID(request.POST.get("link", ""))
    except ValueError:
        raise Http404 from None
    link = PayLink.objects.filter(pk=key, account=account_id, kind=PayLink.Kind.HELPER).first()
    if link is None:
        raise Http404
    pay_links.revoke(link=link, by=f"consumer:{request.visit.consumer_id}", now=request.now)
    return redirect("payments:helper", account_id)


@known
def _prepared(consumer_id: UUID, link_id: UUID) -> QuerySet[PayLink]:
    joined = PayLink.objects.select_related("account__consumer", "account__client", "account__agency")
    return of_own(joined.filter(pk=link_id, kind=PayLink.Kind.AGENT), consumer_id)


@require_http_methods(["GET", "POST"])
@identified
def prepared(request: HttpRequest, link_id: UUID) -> HttpResponse:
    """Show what an agent prepared for this consumer, and lead on to the same pages as any other payment."""
    link = _prepared.first(request.visit.consumer_id, link_id)
    if link is None:
        raise Http404
    found: list[Refusal] = []
    state = pay_links.state(link, now=request.now)
    needs_code = link.choice in gate.SCHEDULED and request.visit.level < Visit.Level.CONFIRMED
    if request.method == "POST" and state == pay_links.OPEN:
        if needs_code:
            return step_up_required(request)
        at = gate.standing(link.account, now=request.now)
        if notice := to_age_notice(request, at):
            return notice
        begun = by_link.begin_prepared(link=link, visit=request.visit, now=request.now)
        if isinstance(begun, Checkout):
            return redirect("payments:schedule" if link.choice in gate.SCHEDULED else "payments:method", begun.pk)
        found = begun
    context = {
        "account": shown(link.account, level=request.visit.level),
        "link": link,
        "state": state,
        "needs_code": needs_code,
        "refusals": problems(found),
    }
    return render(request, "payments/prepared.html", context, status=422 if found else 200)


def with_link(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Open a helper's link; one that is unknown, taken back, too old or used looks the same to a stranger."""

    @functools.wraps(view)
    def inner(request: HttpRequest, token: str, **rest: Any) -> HttpResponse:
        link = pay_links.find(token)
        with timezone.override(request.agency.time_zone):
            response = _closed(request) if link is None else view(request, link=link, token=token, **rest)
        # The address is the key: no other site learns it. Not `no-referrer`: a form would then be posted from nowhere.
        response["Referrer-Policy"] = "same-origin"
        response["Cache-Control"] = "no-store"
        return response

    return inner


def _closed(request: HttpRequest) -> HttpResponse:
    return render(request, "payments/link_closed.html", status=404)


@require_http_methods(["GET", "POST"])
@with_link
def pay_by_link(request: HttpRequest, link: PayLink, token: str) -> HttpResponse:
    """Ask a helper for a name and a card; nothing is charged here."""
    if pay_links.state(link, now=request.now) != pay_links.OPEN or _against(link, request):
        return _closed(request)
    merchant = methods.active_processor(link.account)
    form = PayerForm(request.POST or None)
    found: list[Refusal] = []
    if request.method == "POST" and form.is_valid():
        card = request.POST.get("confirmation_token", "")[:80]
        if not card:
            form.add_error(None, _("The card form needs JavaScript."))
        else:
            said = {"channel": by_link.HELPER, "payer": " ".join(form.cleaned_data["payer"].split())}
            made = by_link.begin(link=link, said=said, now=request.now)
            if isinstance(made, Checkout):
                found = by_link.take_card(checkout=made, confirmation_token=card, now=request.now)
                if not found:
                    return redirect("payments:link_review", token, made.pk)
            else:
                found = made
    context = {
        "amount_cents": link.amount_cents,
        "currency": link.account.currency,
        "payee": by_link.payee_of(link, language()),
        "phone": link.account.agency.phone,
        "form": form,
        "refusals": _harmless(found),
        "visa_credit_refused": not card_policy(link.account).visa_credit,
        "card": {
            "script_url": merchant.script_url,
            "publishable_key": merchant.publishable_key,
            "locale": language(),
        },
    }
    status = 422 if found or form.errors else 200
    return with_processor(render(request, "payments/link.html", context, status=status), merchant)


def _against(link: PayLink, request: HttpRequest) -> bool:
    """Tell whether the amount cannot be paid now; a helper is not told why."""
    at = gate.standing(link.account, now=request.now)
    return bool(pay_links.against_helper(at, link.amount_cents, visit=None, link=link, now=request.now))


def _harmless(found: list[Refusal]) -> list[dict[str, str]]:
    """Say refusals without a word about a debt, each with a code of its own kind."""
    lines = []
    for one in found:
        if one.code in SAID_AS_IT_IS:
            lines.append({"message": say(one), "code": one.code, "target": ""})
        elif one.code in CARD_REFUSED:
            said = _("This card cannot be used here. Please use a debit card, or a credit card that is not a Visa.")
            lines.append({"message": said, "code": "card_not_accepted", "target": ""})
        else:
            said = _("This payment cannot be made now. Nothing was charged. Please ask whoever sent you the link.")
            lines.append({"message": said, "code": "not_now", "target": ""})
    return list({line["code"]: line for line in lines}.values())


@known
def _by_link(link_id: UUID, checkout_id: UUID) -> QuerySet[Checkout]:
    joined = ("account__consumer", "account__client", "account__agency", "method", "link")
    return Checkout.objects.filter(pk=checkout_id, link=link_id).select_related(*joined)


def _own_checkout(link: PayLink, checkout_id: UUID) -> Checkout | None:
    made = _by_link.first(link.pk, checkout_id)
    return made if made is not None and made.said.get("channel") == by_link.HELPER else None


@require_http_methods(["GET", "POST"])
@with_link
def link_review(request: HttpRequest, link: PayLink, token: str, checkout_id: UUID) -> HttpResponse:
    """Show a helper what they agree to, take the one confirmation, and afterwards say what became of it."""
    made = _own_checkout(link, checkout_id)
    if made is None:
        return _closed(request)
    if made.confirmed_at is not None:
        return _outcome(request, made, token)
    if not made.confirmation_token:
        return redirect("payments:link", token)
    form = AgreeForm(request.POST or None)
    found: list[Refusal] = []
    if request.method == "POST" and form.is_valid():
        try:
            by_link.confirm(
                made=made,
                text_sha256=request.POST.get("authorization_sha256", ""),
                ip=request.ip,
                user_agent=request.headers.get("User-Agent", "")[:300],
                language=language(),
                now=request.now,
            )
        except Refused as refused:
            found = refused.refusals
        else:
            return redirect("payments:link_review", token, checkout_id)
    seen = by_link.review(made=made, language=language(), now=request.now)
    if pay_links.state(link, now=request.now) != pay_links.OPEN:
        return _closed(request)
    title, *paragraphs = seen.text.split("\n\n")
    context = {
        "checkout": made,
        "back": _path(token),
        "amount_cents": seen.amount_now_cents,
        "method": seen.means.label(language()),
        "authorization": {"title": title, "paragraphs": paragraphs, "sha256": seen.text_sha256},
        "form": form,
        "refusals": _harmless([*found, *seen.refusals]),
    }
    return render(request, "payments/link_review.html", context, status=422 if found or form.errors else 200)


@known
def _payment(key: UUID) -> QuerySet[Payment]:
    return Payment.objects.select_related("processor_account", "method", "authorization").filter(idempotency_key=key)


def _outcome(request: HttpRequest, made: Checkout, token: str) -> HttpResponse:
    payment = _payment.get(made.pk)
    if request.method == "POST":
        if payment.next_action_secret:
            ask.look(payment_id=payment.pk, now=request.now)
        else:
            pay.resume(checkout=made, now=request.now)
        return redirect("payments:link_review", token, made.pk)
    state = state_of(payment)
    context = {
        "state": state,
        "back": _path(token),
        "amount_cents": payment.amount_cents,
        "reference": payment.reference,
        "at": payment.decided_at or payment.intended_at,
        "payee": by_link.payee_of(made, language()),
        "phone": made.account.agency.phone,
        "sentence": _(gate.explain(payment).sentence) if state == "declined" else "",
        "receipt": f"{request.path}receipt.pdf",
    }
    if state == "action_required":
        merchant = payment.processor_account
        context["next_action"] = {
            "script_url": merchant.script_url,
            "publishable_key": merchant.publishable_key,
            "client_secret": payment.next_action_secret,
            "locale": language(),
        }
        return with_processor(render(request, "payments/link_result.html", context), merchant)
    return render(request, "payments/link_result.html", context)


@known
def _received(key: UUID) -> QuerySet[Payment]:
    joined = Payment.objects.select_related("method", "authorization", "account__agency", "consumer")
    return joined.filter(idempotency_key=key)


@require_safe
@with_link
def link_receipt(request: HttpRequest, link: PayLink, token: str, checkout_id: UUID) -> HttpResponse:
    """Give a helper the receipt, with what they agreed to and nothing of the debt."""
    made = _own_checkout(link, checkout_id)
    payment = _received.first(checkout_id) if made is not None else None
    if payment is None or state_of(payment) not in ("succeeded", "given_back"):
        return _closed(request)
    return pdf(
        papers.helper_receipt(payment, payee=by_link.payee_of(made, language()), language=language()), "receipt.pdf"
    )
