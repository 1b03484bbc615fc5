"""Pages that show several floors, and the pages for when something is wrong."""

from collections import defaultdict
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.access import identified, list_accounts, own_account
from accounts.models import Account
from accounts.sight import shown
from payments.models import PayLink, Postdate
from payments.services import gate, pay_links
from payments.services.gate import Standing
from payments.sight import cannot_pay, cannot_pay_next, offer, received, resolves
from payments.views.plan import is_late, summary
from portal.branding import colours
from portal.problems import plain_problem
from settlements.services import offers

A_YEAR = 365 * 86400
MOST_ACCOUNTS = 50
"""Accounts on the home page, the oldest listed first; nobody was seen with more than a dozen."""


@require_safe
def brand(request: HttpRequest) -> HttpResponse:
    """Give the agency's colours as a style sheet; its address carries the version, so it may be kept for long."""
    response = render(request, "portal/brand.css", {"brand": colours(request.agency)}, content_type="text/css")
    current = request.GET.get("v") == str(request.agency.branding_version)
    response["Cache-Control"] = f"public, max-age={A_YEAR}, immutable" if current else "no-cache"
    return response


@require_safe
@identified
def home(request: HttpRequest) -> HttpResponse:
    """List the consumer's accounts, each with its next step; where we are not licensed, how to reach us (ST-09)."""
    standings = gate.standings(list_accounts(request)[:MOST_ACCOUNTS], now=request.now)
    if any(at.unlicensed for at in standings):
        lines = [shown(at.account, level=request.visit.level) for at in standings]
        return render(request, "portal/contact_us.html", {"accounts": lines})
    scheduled = [at.account for at in standings if at.owed.scheduled_cents]
    planned = _open_postdates(scheduled)
    context = {
        "first_name": request.visit.consumer.first_name,
        "accounts": [_line(at, _next(planned[at.account.pk], at), request) for at in standings],
    }
    payable = [line for line in context["accounts"] if line["next_step"] in ("settle", "pay")]
    context["several"] = len(payable) > 1
    return render(request, "portal/home.html", context)


def _open_postdates(accounts: list[Account]) -> dict[UUID, list[Postdate]]:
    """Find the planned payments of each account, earliest first; accounts without any are not asked about."""
    found: dict[UUID, list[Postdate]] = defaultdict(list)
    if accounts:
        for postdate in Postdate.objects.filter(account__in=accounts, status__in=Postdate.OPEN).order_by("due_on"):
            found[postdate.account_id].append(postdate)
    return found


def _next(planned: list[Postdate], at: Standing) -> Postdate | None:
    """Choose the payment that comes next: one that the host has under way or that is held only where no other is."""
    coming = [one for one in planned if one.status == Postdate.Status.SCHEDULED]
    free = [one for one in coming if one.pk not in at.at_host]
    return next(iter([*free, *coming, *planned]), None)


def _planned_step(planned: Postdate) -> str:
    """Say how it stands with what is planned: nobody whose payments rest, or end, is told that all is well."""
    if planned.status == Postdate.Status.CANCEL_REQUESTED:
        return "cancelling" if planned.replacement is None else "changing"
    return "postdate" if planned.status == Postdate.Status.SCHEDULED else "rests"


def _line(at: Standing, planned: Postdate | None, request: HttpRequest) -> dict[str, Any]:
    line = shown(at.account, level=request.visit.level) | {
        "balance_cents": at.owed.cents,
        "waiting_cents": at.owed.waiting_cents,
    }
    if is_late(at):
        return line | {"next_step": "hold" if cannot_pay_next(at, now=request.now) else "late"}
    if planned is not None:
        step = _planned_step(planned)
        return line | {"next_step": step, "next_on": planned.due_on, "next_cents": planned.amount_cents}
    if at.owed.waiting and at.owed.cents == 0:
        return line | {"next_step": "waiting"}
    if cause := cannot_pay(at, now=request.now):
        return line | {"next_step": "paid" if cause == "paid" else "hold"}
    if (offered := offer(at)) is not None and offered["saving_cents"]:
        return line | {
            "next_step": "settle",
            "offer_cents": offered["amount_cents"],
            "saving_cents": offered["saving_cents"],
        }
    return line | {"next_step": "pay"}


@require_safe
@identified
def account(request: HttpRequest, account_id: UUID) -> HttpResponse:
    """Show one account: what is owed, what was received, what is offered, what can be disputed."""
    row = own_account(request, account_id)
    at = gate.standing(row, now=request.now)
    cause = cannot_pay(at, now=request.now)
    offered = None if cause else offer(at)
    if offered is not None:
        offers.view(account=row, terms=at.terms, now=request.now)
    about = shown(row, level=request.visit.level)
    if (ends := about["validation_ends_on"]) is not None and ends < at.today:
        about["validation_ends_on"] = None
    context = {
        "account": about | {"balance_cents": at.owed.cents, "can_pay": not cause, "cannot_pay": cause},
        "itemization": _itemization(row),
        "offer": offered,
        "received": received(at),
        "plan": summary(at, now=request.now),
        "prepared": _prepared(row, request) if at.owed.prepared and not at.unlicensed else [],
        "budget_url": "" if at.unlicensed else resolves("settlements:budget", row.pk),
    }
    return render(request, "portal/account.html", context)


def _prepared(account: Account, request: HttpRequest) -> list[PayLink]:
    return [link for link in pay_links.open_of(account, now=request.now) if link.kind == PayLink.Kind.AGENT]


def _itemization(account: Account) -> dict[str, Any] | None:
    """Add up what the host itemized (RF-30); the sum is the host's balance when it was told, not what is owed now."""
    said = account.itemization
    if not said or account.itemization_on is None:
        return None
    names = ("balance_cents", "interest_cents", "fees_cents", "payments_cents", "credits_cents")
    cents = {name: int(said.get(name) or 0) for name in names}
    total = cents["balance_cents"] + cents["interest_cents"] + cents["fees_cents"]
    total -= cents["payments_cents"] + cents["credits_cents"]
    basis = "_".join(account.itemization_basis.lower().replace("-", " ").split())
    return cents | {
        "on": account.itemization_on,
        "basis": basis,
        "current_cents": total,
    }


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Say that there is nothing here, in the agency's own clothes when there is one."""
    if request.path.startswith("/api/"):
        return plain_problem(404, "not_found", "There is nothing here.")
    return render(request, "404.html", status=404)


def broken(request: HttpRequest) -> HttpResponse:
    """Say that something of ours broke; no context is asked of anything that may be broken too."""
    if request.path.startswith("/api/"):
        return plain_problem(500, "internal_error", "Something of ours broke; ask again.")
    return render(request, "500.html", status=500)
