"""The tabs of an account: what the host shows, and nothing else; and cancelling a post-date."""

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from accounts.access import confirmed, own_account
from accounts.known import known
from accounts.sight import shown
from payments.models import HostItem, Notice, Payment, Postdate
from payments.services import postdates as services
from payments.services import visible
from payments.services.means import means_of_method
from payments.services.sign import Refused
from payments.sight import language, problems
from payments.views.own import of_own

ROWS = 200
"""Lines of a tab: years of weekly payments."""


@known
def _payments_at_host(account_id: UUID, statuses: Sequence[str]) -> QuerySet[HostItem]:
    items = HostItem.objects.filter(account=account_id, kind=HostItem.Kind.PAYMENT, status__in=statuses)
    return items.order_by("-on", "-updated_at")[:ROWS]


@known
def _payments(keys: Sequence[UUID]) -> QuerySet[Payment]:
    return Payment.objects.select_related("method").filter(pk__in=keys)


@require_safe
@confirmed
def history(request: HttpRequest, account_id: UUID) -> HttpResponse:
    """Show the Payments tab: the host's payments with a status that its connection makes visible."""
    account = own_account(request, account_id)
    rows = _payments_at_host(account.pk, visible.statuses(account).payments)
    own = _own(_payments, rows)
    context = {
        "account": shown(account, level=request.visit.level),
        "payments": [_payment(item, own.get(item.portal_id)) for item in rows],
    }
    return render(request, "payments/history.html", context)


def _own(read: Callable[[list[UUID]], list], items: Sequence[HostItem]) -> dict[UUID, Any]:
    """Find the rows of ours that the host's items name, their methods joined."""
    keys = [item.portal_id for item in items if item.portal_id]
    return {row.pk: row for row in read(keys)} if keys else {}


def _payment(item: HostItem, own: Payment | None) -> dict[str, Any]:
    return {
        "on": item.on,
        "amount_cents": item.amount_cents,
        "status": item.status,
        "method": _method(item, own),
        "reference": own.reference if own else item.host_id,
        "result": own.pk if own else None,
    }


def _method(item: HostItem, own: Payment | Postdate | None) -> str:
    """Name the way to pay: ours by its row, one born in the host by what the host says of it."""
    if own is not None and own.method is not None:
        return means_of_method(own.method).label(language())
    kind = "ach" if item.method.upper() in ("ACH", "CHECK", "BANK") else "card"
    if not item.last4:
        return _("Bank account") if kind == "ach" else _("Card")
    if kind == "ach":
        return _("Bank account ending %(last4)s") % {"last4": item.last4}
    return _("Card ending %(last4)s") % {"last4": item.last4}


@known
def _postdates_at_host(account_id: UUID, statuses: Sequence[str]) -> QuerySet[HostItem]:
    items = HostItem.objects.filter(account=account_id, kind=HostItem.Kind.POSTDATE, status__in=statuses)
    return items.order_by("on", "updated_at")[:ROWS]


@known
def _postdates(keys: Sequence[UUID]) -> QuerySet[Postdate]:
    return Postdate.objects.select_related("method").filter(pk__in=keys)


@known
def _notices(postdates: Sequence[UUID]) -> QuerySet:
    return Notice.objects.filter(postdate__in=postdates).values_list("postdate_id", "channel")


@require_safe
@confirmed
def postdates(request: HttpRequest, account_id: UUID) -> HttpResponse:
    """Show the Post Dates tab: the host's planned payments with a visible status."""
    account = own_account(request, account_id)
    rows = _postdates_at_host(account.pk, visible.statuses(account).postdates)
    own = _own(_postdates, rows)
    by_mail = dict(_notices(list(own))) if own else {}
    context = {
        "account": shown(account, level=request.visit.level),
        "postdates": [_postdate(item, own.get(item.portal_id), by_mail) for item in rows],
        "total_cents": sum(item.amount_cents for item in rows),
    }
    return render(request, "payments/postdates.html", context)


def _postdate(item: HostItem, own: Postdate | None, by_mail: dict[UUID, str]) -> dict[str, Any]:
    line: dict[str, Any] = {"on": item.on, "amount_cents": item.amount_cents, "method": _method(item, own)}
    if own is None:
        return line | {"id": None, "can_cancel": False}
    return line | {
        "id": own.pk,
        "number": own.number,
        "of": own.of,
        "notice": by_mail.get(own.pk, ""),
        "can_cancel": own.status in (Postdate.Status.SCHEDULED, Postdate.Status.HELD),
        "cancel_requested": own.status == Postdate.Status.CANCEL_REQUESTED,
    }


@known
def _postdate_of(consumer_id: UUID, postdate_id: UUID) -> QuerySet[Postdate]:
    joined = ("account__client", "account__consumer", "method", "arrangement")
    return of_own(Postdate.objects.select_related(*joined), consumer_id).filter(pk=postdate_id)


@require_http_methods(["GET", "POST"])
@confirmed
def cancel_postdate(request: HttpRequest, postdate_id: UUID) -> HttpResponse:
    """Ask once more, then hold the post-date here and ask its host to cancel it (PDC-07); or say why it cannot be."""
    row = _postdate_of.first(request.visit.consumer_id, postdate_id)
    if row is None:
        raise Http404
    found = services.against_cancel(row)
    if request.method == "POST":
        try:
            services.request_cancel(postdate=row, now=request.now)
        except Refused as refused:
            found = refused.refusals
        else:
            return redirect(_listed(row) + ("" if row.executor == "host" else "?done=payment"))
    elif row.status == Postdate.Status.CANCEL_REQUESTED and not found:
        return redirect(_listed(row))
    context = {
        "account": shown(row.account, level=request.visit.level),
        "back": _listed(row),
        "refusals": problems(found),
        "postdate": {
            "id": row.pk,
            "plan": row.arrangement_id,
            "on": row.due_on,
            "amount_cents": row.amount_cents,
            # What its consumer pays by themselves has none.
            "method": means_of_method(row.method).label(language()) if row.method else "",
            "number": row.number,
            "of": row.of,
        },
        "breaks_settlement": row.arrangement.kind == "settlement",
        "cure_days": None,
    }
    return render(request, "payments/cancel_postdate.html", context, status=422 if found else 200)


def _listed(row: Postdate) -> str:
    """Give the page on which a post-date is seen: the host's list, or its plan where no host executes it."""
    if row.executor == "host":
        return reverse("payments:postdates", args=[row.account_id])
    return reverse("payments:plan", args=[row.arrangement_id])
