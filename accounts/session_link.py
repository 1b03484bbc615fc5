"""The page behind a link that the agency's own system made: one fact, then straight to the account."""

import math

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.forms import FactorForm
from accounts.models import Account, SessionLink
from accounts.services import fresh, session_links, visits
from accounts.services.identify import LockedOut, confirm


@require_http_methods(["GET", "POST"])
def enter(request: HttpRequest, token: str) -> HttpResponse:
    """Ask one fact of whoever opens the link; the right one spends it and signs in at level 1 (AUTH-02).

    Looking spends nothing and says nothing about any debt (AUTH-05, AUTH-06).
    """
    link = session_links.find(token, now=request.now)
    if link is None:
        return render(request, "accounts/session_link_gone.html", status=404)
    form = FactorForm(request.POST or None, factor=request.agency.factor)
    if request.method == "POST" and form.is_valid():
        fact = form.cleaned_data["factor"]
        try:
            ok = confirm(agency=request.agency, account=link.account, factor_value=fact, ip=request.ip, now=request.now)
        except LockedOut as locked:
            minutes = max(1, math.ceil((locked.until - request.now).total_seconds() / 60))
            return render(request, "accounts/locked.html", {"wait_minutes": minutes}, status=429)
        if ok and session_links.use(link=link, now=request.now):
            account = Account.objects.select_related("consumer", "agency", "client").get(pk=link.account_id)
            visits.begin(request, account=account, now=request.now)
            fresh.refresh(account, now=request.now)
            return redirect(onward(link))
        form.add_error(None, _("These details do not match our records. Check them against our letter, or call us."))
    context = {"form": form, "token": token}
    return render(request, "accounts/session_link.html", context, status=422 if form.errors else 200)


def onward(link: SessionLink) -> str:
    """Say where a link leads."""
    match link.page:
        case SessionLink.Page.PAY:
            return f"/accounts/{link.account_id}/pay/"
        case SessionLink.Page.WALLET:
            return "/wallet/"
    return f"/accounts/{link.account_id}/"
