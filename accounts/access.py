"""Who may see which page: a visit for every page about a debt, level 2 for what AUTH-02 lists."""

import functools
from collections.abc import Callable
from uuid import UUID

from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from accounts.calendars import zone_of
from accounts.known import known
from accounts.models import Account, Visit
from accounts.services.identify import MAY_IDENTIFY


def identified(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Let only a live visit in, in the consumer's own time zone; anybody else starts again."""

    @functools.wraps(view)
    def inner(request: HttpRequest, *args, **kwargs) -> HttpResponse:
        if request.visit is None:
            return redirect("accounts:session_ended" if "visit" in request.session else "accounts:start")
        with timezone.override(zone_of(request.visit.consumer.time_zone)):
            response = view(request, *args, **kwargs)
        response["Cache-Control"] = "no-store"
        return response

    inner.access = "level 1"
    return inner


def confirmed(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Let only level 2 in; level 1 gets 403 `step_up_required` and the way to a code (AUTH-01, AUTH-02)."""

    @identified
    @functools.wraps(view)
    def inner(request: HttpRequest, *args, **kwargs) -> HttpResponse:
        if request.visit.level < Visit.Level.CONFIRMED:
            return step_up_required(request)
        return view(request, *args, **kwargs)

    inner.access = "level 2"
    return inner


def step_up_required(request: HttpRequest, *, onward: str = "") -> HttpResponse:
    """Answer 403 with the stable code, as JSON where JSON was asked for; after the code `onward` is shown."""
    here = onward or (request.get_full_path() if request.method == "GET" else request.path)
    if request.headers.get("Accept", "").startswith("application/json"):
        return JsonResponse({"code": "step_up_required"}, status=403)
    response = render(request, "403_step_up.html", {"next": here, "code": "step_up_required"}, status=403)
    response["X-Refusal"] = "step_up_required"
    return response


def own_accounts(request: HttpRequest) -> QuerySet[Account]:
    """Return the accounts of the signed-in consumer that may be shown, clients joined."""
    return accounts_of(request.visit.consumer_id)


def accounts_of(consumer_id: UUID) -> QuerySet[Account]:
    """Return the accounts of a consumer that may be shown to them, clients joined."""
    shown = Account.objects.filter(consumer_id=consumer_id, status__in=MAY_IDENTIFY)
    return shown.select_related("client", "consumer", "agency").order_by("listed_on", "id")


_listed = known(accounts_of)


@known
def _one_of(consumer_id: UUID, account_id: UUID) -> QuerySet[Account]:
    return accounts_of(consumer_id).filter(pk=account_id)


def list_accounts(request: HttpRequest) -> list[Account]:
    """List the same, read at once, the oldest first."""
    return _listed(request.visit.consumer_id)


def own_account(request: HttpRequest, account_id: UUID) -> Account:
    """Return one account of the signed-in consumer; anybody else's does not exist.

    The one that the visit began with was read with the visit.
    """
    visit = request.visit
    if visit.account_id == account_id and visit.account.consumer_id == visit.consumer_id:
        account = visit.account
        account.consumer = visit.consumer
    else:
        account = _one_of.first(visit.consumer_id, account_id)
    if account is None or account.status not in MAY_IDENTIFY:
        raise Http404
    return account
