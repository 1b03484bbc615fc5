"""The wallet and the authorizations: what is kept, what it may be used for, and how to end it at once (PDC-07)."""

import datetime as dt
from html import unescape
from typing import Any
from uuid import UUID, uuid4

from django import forms
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.utils.html import strip_tags
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_safe

from accounts.access import confirmed, own_accounts
from accounts.models import Account
from accounts.refusals import Refusal
from payments.forms import BankForm, RefusableForm
from payments.models import Authorization, Method, Postdate, ProcessorAccount
from payments.rules.authorization import text_sha256
from payments.services import keep
from payments.services import wallet as services
from payments.services.means import means_of_method
from payments.services.methods import NoProcessor, active_processor
from payments.sight import language, problems
from payments.views.paying import with_processor


class KeepForm(RefusableForm):
    """The consent: its tick is never set in advance, its key makes sending twice adding once."""

    key = forms.UUIDField()
    text_sha256 = forms.CharField(max_length=64)
    agree = forms.BooleanField(
        label=_("I have read this and agree to it."),
        error_messages={"required": _("Tick the box if you agree. Without it nothing is kept.")},
    )


class KeepCardForm(KeepForm):
    """A card by the token of the processor's own field."""

    confirmation_token = forms.CharField(
        max_length=80,
        error_messages={
            "required": _("The card form needs JavaScript. Without it you can add a bank account or call us.")
        },
    )


class KeepBankForm(KeepForm, BankForm):
    """A bank account; its number is never sent back to the browser."""


MOST = 200
"""Authorizations listed: one a payment, for years."""


def _method(row: Method) -> dict[str, Any]:
    return {
        "id": row.pk,
        "label": means_of_method(row).label(language()),
        "expires": dt.date(row.exp_year, row.exp_month, 1) if row.exp_year and row.exp_month else None,
        "is_default": row.is_default,
        "blocked": row.blocked_at is not None,
    }


@require_http_methods(["GET", "POST"])
@confirmed
def wallet(request: HttpRequest) -> HttpResponse:
    """List cards and bank accounts; choose which is proposed first."""
    mine = services.methods_of(request.visit.consumer_id)
    if request.method == "POST":
        services.make_default(method=_own(mine, request.POST.get("default", "")), now=request.now)
        return redirect("payments:wallet")
    return render(request, "payments/wallet.html", {"methods": [_method(row) for row in mine]})


@require_http_methods(["GET", "POST"])
@confirmed
def add(request: HttpRequest) -> HttpResponse:
    """Add a card or a bank account without paying; the words of the consent are shown first (CARD-03)."""
    account = own_accounts(request).first()
    if account is None:
        raise Http404
    way = "ach" if request.GET.get("way") == "ach" else "card"
    text = _keep_text(account, way)
    found: list[Refusal] = []
    form = KeepBankForm(request.POST or None) if way == "ach" else KeepCardForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        found = _added(request, account, way, form, text)
        if not found:
            return redirect("payments:wallet")
        form.refuse([one for one in found if form.where.get(one.field or "") is not None])
    merchant = _merchant(account) if way == "card" else None
    context = {
        "way": way,
        "form": form,
        "refusals": problems([one for one in found if form.where.get(one.field or "") is None]),
        "text": {"paragraphs": text.split("\n\n"), "sha256": text_sha256(text)},
        "key": _key(form, found),
        "card": {
            "script_url": merchant.script_url,
            "publishable_key": merchant.publishable_key,
            "currency": account.currency,
            "locale": language(),
        }
        if merchant
        else None,
    }
    status = 422 if found or form.errors else 200
    response = render(request, "payments/wallet_add.html", context, status=status)
    return with_processor(response, merchant) if merchant else response


def _key(form: RefusableForm, found: list[Refusal]) -> str:
    """Keep the key of a form that is sent again; what a bank was asked under it is over, and needs another one."""
    over = any(one.code in keep.OVER for one in found)
    return str(uuid4()) if over else form.data.get("key") or str(uuid4())


def _keep_text(account: Account, way: str) -> str:
    """Write what is agreed to, in the language of the page."""
    written = render_to_string("payments/_keep_terms.html", {"way": way, "agency": account.agency})
    # Unescaped: the page escapes it again, and what is signed are the words themselves.
    paragraphs = (" ".join(unescape(strip_tags(paragraph)).split()) for paragraph in written.split("</p>"))
    return "\n\n".join(paragraph for paragraph in paragraphs if paragraph)


def _merchant(account: Account) -> ProcessorAccount | None:
    try:
        return active_processor(account)
    except NoProcessor:
        return None


def _added(request: HttpRequest, account: Account, way: str, form: RefusableForm, text: str) -> list[Refusal]:
    typed = form.cleaned_data
    asked = keep.Asked(
        key=typed["key"],
        text=text,
        text_sha256=typed["text_sha256"],
        language=language(),
        visit=request.visit,
        ip=request.ip,
        user_agent=request.headers.get("User-Agent", "")[:300],
    )
    if way == "card":
        token = typed["confirmation_token"]
        return keep.add_card(account=account, confirmation_token=token, asked=asked, now=request.now)
    return keep.add_bank(
        account=account,
        routing=typed["routing_number"],
        number=typed["account_number"],
        account_type=typed["account_type"],
        holder=typed["holder"],
        asked=asked,
        now=request.now,
    )


def _own(rows, typed: str) -> Method:
    try:
        found = rows.filter(pk=UUID(typed)).first()
    except ValueError:
        found = None
    if found is None:
        raise Http404
    return found


@require_http_methods(["GET", "POST"])
@confirmed
def remove(request: HttpRequest, method_id: UUID) -> HttpResponse:
    """Say what ends with a card or bank account, then remove it."""
    row = Method.objects.filter(pk=method_id, consumer_id=request.visit.consumer_id).first()
    if row is None:
        raise Http404
    if request.method == "POST":
        services.remove(method=row, by=f"consumer:{request.visit.consumer_id}", now=request.now)
        return redirect("payments:wallet")
    if row.removed_at is not None:
        return redirect("payments:wallet")
    context = {"method": _method(row), "ends": services.consequences(method=row)}
    return render(request, "payments/wallet_remove.html", context)


@require_safe
@confirmed
def authorizations(request: HttpRequest) -> HttpResponse:
    """List everything that was signed, word for word, newest first."""
    rows = list(_mine(request).order_by("-accepted_at")[:MOST])
    used = Postdate.objects.filter(arrangement__authorization__in=rows, status__in=Postdate.OPEN).exclude(method=None)
    charging = set(used.values_list("arrangement__authorization_id", flat=True))
    context = {"authorizations": [_signed(row) | {"charging": row.pk in charging} for row in rows]}
    return render(request, "payments/authorizations.html", context)


def _mine(request: HttpRequest):
    joined = ("account__client", "method")
    return (
        Authorization.objects.select_related(*joined)
        .filter(account__in=own_accounts(request).order_by())
        .exclude(evidence__contains={"channel": "helper"})
    )


def _signed(row: Authorization) -> dict[str, Any]:
    return {
        "id": row.pk,
        "at": row.accepted_at,
        "creditor": row.account.client.name,
        "reference": row.account.reference,
        "account_id": row.account_id,
        "total_cents": row.total_cents,
        "count": len(row.lines),
        "method": means_of_method(row.method).label(language()),
        "paragraphs": row.text.split("\n\n"),
        "language": row.language,
        "revoked_at": row.revoked_at,
    }


@require_http_methods(["GET", "POST"])
@confirmed
def revoke(request: HttpRequest, authorization_id: UUID) -> HttpResponse:
    """Say what ends with an authorization, revoke it at once, and show that it is revoked."""
    row = _mine(request).filter(pk=authorization_id).first()
    if row is None:
        raise Http404
    if request.method == "POST":
        services.revoke(authorization=row, by=f"consumer:{request.visit.consumer_id}", now=request.now)
        return redirect("payments:revoke", authorization_id)
    context = {"authorization": _signed(row), "ends": services.consequences(authorization=row)}
    return render(request, "payments/revoke.html", context)
