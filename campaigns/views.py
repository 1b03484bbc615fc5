"""Pages behind a message: the personal link, and the page that says whether a message is really ours."""

import math

from django import forms
from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import translation
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods

from accounts.calendars import format_date, local_date
from accounts.forms import FactorForm
from accounts.models import Account
from accounts.services import fresh, visits
from accounts.services.identify import LockedOut, confirm, line_of
from campaigns.models import Recipient
from campaigns.services import links

PROOFS_PER_HOUR = 30
"""Codes that may be asked about from one line; there are more codes than it could try in a thousand years."""


class CheckForm(forms.Form):
    """The code that stands in a message."""

    code = forms.CharField(
        label=_("Code from the message"),
        max_length=20,
        help_text=_("Eight letters and digits, for example QK7M-2RXD."),
        error_messages={"required": _("Enter the code.")},
        widget=forms.TextInput({"autocomplete": "off", "autocapitalize": "characters", "spellcheck": "false"}),
    )


@require_http_methods(["GET", "POST"])
def link(request: HttpRequest, token: str) -> HttpResponse:
    """Ask one fact of whoever follows a personal link, then lead to the page it is about.

    Looking spends nothing and says nothing about any debt, so mail scanners may look (AUTH-05, AUTH-06).
    """
    personal = links.follow(token, now=request.now)
    if personal is None:
        return render(request, "campaigns/link_gone.html", status=404)
    account = personal.account
    if request.visit is not None and request.visit.consumer_id == account.consumer_id:
        return redirect(_onward(account))
    form = FactorForm(request.POST or None, factor=request.agency.factor)
    if request.method == "POST" and form.is_valid():
        try:
            ok = confirm(
                agency=request.agency,
                account=account,
                factor_value=form.cleaned_data["factor"],
                ip=request.ip,
                now=request.now,
            )
        except LockedOut as locked:
            minutes = max(1, math.ceil((locked.until - request.now).total_seconds() / 60))
            return render(request, "accounts/locked.html", {"wait_minutes": minutes}, status=429)
        if ok:
            return _enter(request, personal)
        form.add_error(None, _("These details do not match our records. Check them against our letter, or call us."))
    context = {"form": form, "token": token}
    return render(request, "campaigns/link.html", context, status=422 if form.errors else 200)


def _enter(request: HttpRequest, personal: links.Personal) -> HttpResponse:
    account = Account.objects.select_related("consumer", "agency", "client").get(pk=personal.account.pk)
    visits.begin(request, account=account, now=request.now)
    if personal.recipient is not None:
        Recipient.objects.filter(pk=personal.recipient.pk, identified_at=None).update(identified_at=request.now)
    fresh.refresh(account, now=request.now)
    response = redirect(_onward(account))
    if settings.LANGUAGE_COOKIE_NAME not in request.COOKIES:
        translation.activate(personal.language)
        response.set_cookie(
            settings.LANGUAGE_COOKIE_NAME,
            personal.language,
            max_age=365 * 86400,
            samesite="Lax",
            secure=settings.TLS,
            httponly=True,
        )
    return response


def _onward(account: Account) -> str:
    return f"/accounts/{account.pk}/"


@require_http_methods(["GET", "POST"])
def verify(request: HttpRequest) -> HttpResponse:
    """Say whether a message is ours, by the code in it: when it went and to whom; nothing about any debt."""
    form = CheckForm(request.POST or None)
    genuine, asked, status = None, False, 200
    if request.method == "POST" and form.is_valid():
        if _too_many(request):
            form.add_error(None, _("Too many codes were tried from here. Please call us, or come back in an hour."))
            status = 429
        else:
            asked, genuine = True, links.prove(form.cleaned_data["code"])
    elif form.errors:
        status = 422
    context = {"form": form, "asked": asked, "genuine": genuine}
    if genuine is not None:
        day = local_date(genuine.sent_at, request.agency.time_zone)
        context["on"] = format_date(day, translation.get_language() or "en")
    return render(request, "campaigns/verify.html", context, status=status)


def _too_many(request: HttpRequest) -> bool:
    """Count tries per line and hour; without a cache none is counted."""
    name = f"message-check:{request.agency.pk}:{line_of(request.ip)}:{int(request.now.timestamp()) // 3600}"
    cache.add(name, 0, timeout=7200)
    try:
        return cache.incr(name) > PROOFS_PER_HOUR
    except ValueError:
        return False
