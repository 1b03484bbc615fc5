"""Your details: how the consumer is reached, a new address, and electronic documents taken back."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.access import confirmed
from accounts.forms import CodeForm, EmailForm
from accounts.models import Code, ContactPoint
from accounts.services import codes, consent, contacts
from accounts.views import code_error, wait

HELD = "details_contact"
"""In the session: the typed address whose code we wait for."""


@require_http_methods(["GET", "POST"])
@confirmed
def details(request: HttpRequest) -> HttpResponse:
    """Show how we reach the consumer; add or remove an address, withdraw from electronic documents."""
    match request.POST.get("action", "") if request.method == "POST" else "":
        case "add":
            return _add(request)
        case "resend" if (held := _held(request)) is not None:
            return _send(request, held.value, _code_form())
        case "verify":
            return _verify(request)
        case "restart":
            request.session.pop(HELD, None)
        case "remove":
            return _remove(request)
        case "withdraw":
            if consent.esign_live(request.visit.consumer) is not None:
                consent.withdraw_esign(consumer=request.visit.consumer, source="page", ip=request.ip, now=request.now)
            return _done("withdrawn")
        case _:
            return _page(request)
    return redirect("accounts:details")


def _add(request: HttpRequest) -> HttpResponse:
    form = _email_form(request, request.POST)
    return _send(request, form.cleaned_data["email"], form) if form.is_valid() else _page(request, form)


def _send(request: HttpRequest, address: str, form: EmailForm | CodeForm) -> HttpResponse:
    """Send a code to a typed address; a refusal stands in the form the consumer sees."""
    try:
        code = contacts.propose(visit=request.visit, address=address, now=request.now)
    except contacts.Known:
        form.add_error(None, _("We already have this address."))
    except codes.TooSoon as early:
        form.add_error(None, wait(early.seconds))
    else:
        request.session[HELD] = str(code.contact_point_id)
        return redirect("accounts:details")
    return _page(request, form)


def _verify(request: HttpRequest) -> HttpResponse:
    form = CodeForm(request.POST)
    if not form.is_valid():
        return _page(request, form)
    if request.POST.get("version") != contacts.EMAIL_VERSION:
        form.add_error(None, _("Please read the text beside the address and try again."))
        return _page(request, form)

    def check() -> None:
        contacts.confirm(
            visit=request.visit,
            text=form.cleaned_data["code"],
            agency=request.agency,
            language=(get_language() or "en")[:2],
            ip=request.ip,
            now=request.now,
        )

    if error := code_error(check):
        form.add_error("code", error)
        return _page(request, form)
    request.session.pop(HELD, None)
    return _done("added")


def _remove(request: HttpRequest) -> HttpResponse:
    consumer = request.visit.consumer
    point = next((one for one in contacts.emails(consumer) if str(one.pk) == request.POST.get("contact")), None)
    if point is None:
        return redirect("accounts:details")
    try:
        contacts.remove(consumer=consumer, contact_point=point, now=request.now)
    except contacts.Needed:
        form = _email_form(request, {})
        form.errors.clear()
        form.add_error(None, _("This address must stay for now: add another first, or choose letters below."))
        return _page(request, form)
    return _done("removed")


def _done(what: str) -> HttpResponse:
    response = redirect("accounts:details")
    response["Location"] += f"?done={what}"
    return response


def _held(request: HttpRequest) -> ContactPoint | None:
    """Find the typed address whose code we wait for, of this consumer only."""
    try:
        key = UUID(request.session.get(HELD, ""))
    except ValueError:
        return None
    asked = Code.objects.filter(visit=request.visit, contact_point=key, purpose=Code.Purpose.CONTACT)
    return asked.first().contact_point if asked.exists() else None


def _email_form(request: HttpRequest, data: Any = None) -> EmailForm:
    return EmailForm(data, wording=contacts.wording(request.agency), version=contacts.EMAIL_VERSION)


def _code_form() -> CodeForm:
    """Make an empty form that can bear a refusal."""
    form = CodeForm({})
    form.errors.clear()
    return form


def _page(request: HttpRequest, form: EmailForm | CodeForm | None = None) -> HttpResponse:
    consumer, held = request.visit.consumer, _held(request)
    if form is None:
        form = CodeForm() if held else _email_form(request)
    agreed = consent.esign_live(consumer)
    phone = contacts.phone(consumer)
    context = {
        "addresses": _addresses(request),
        "phone": {"shown": phone.masked, "opted_out": phone.opted_out_at, "bad": phone.bad_at} if phone else None,
        "form": form,
        "sent_to": held.value if held and isinstance(form, CodeForm) else "",
        "wording": contacts.wording(request.agency),
        "version": contacts.EMAIL_VERSION,
        "resend_seconds": settings.CODE_RESEND_SECONDS,
        "agreed_at": agreed.at if agreed else None,
        "done": request.GET.get("done", "") if not form.errors else "",
    }
    return render(request, "accounts/details.html", context, status=422 if form.errors else 200)


def _addresses(request: HttpRequest) -> list[dict[str, Any]]:
    consumer, now = request.visit.consumer, request.now
    for_codes = codes.contacts_for_codes(consumer, now=now)
    papers = contacts.address_for(consumer)
    removable = contacts.removable(consumer, now=now)
    return [
        {
            "id": point.pk,
            "shown": point.value if point.source == ContactPoint.TYPED else point.masked,
            "codes": point in for_codes,
            "codes_from": point.code_usable_from if point.code_usable_from and point.code_usable_from > now else None,
            "notices": point == papers and not contacts.blocked(point),
            "opted_out": point.opted_out_at,
            "bad": point.bad_at,
            "removable": point in removable,
        }
        for point in contacts.emails(consumer)
    ]
