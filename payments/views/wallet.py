"""The wallet and the authorizations: what is kept, what it may be used for, and how to end it at once (PDC-07)."""

import datetime as dt
from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from accounts.access import confirmed, own_accounts
from payments.models import Authorization, Method, Postdate
from payments.services import wallet as services
from payments.services.means import means_of_method
from payments.sight import language

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
    return Authorization.objects.select_related(*joined).filter(account__in=own_accounts(request).order_by())


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
