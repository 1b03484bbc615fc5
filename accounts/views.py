"""Who are you, and how do we reach you: the pages before and around the money."""

import math
from collections.abc import Callable

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils import translation
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST

from accounts import events
from accounts.access import identified, list_accounts
from accounts.calendars import local_date
from accounts.forms import CodeForm, ContactForm, IdentifyForm
from accounts.models import Code
from accounts.services import codes, consent, fresh, streams, visits
from accounts.services.identify import LockedOut, identify
from accounts.sight import shown

HELD_CODE = "code_contact"


def local_path(request: HttpRequest, fallback: str = "/home/") -> str:
    """Return the page to go on to, never another site."""
    path = request.POST.get("next") or request.GET.get("next") or fallback
    safe = url_has_allowed_host_and_scheme(path, {request.get_host()}, require_https=request.is_secure())
    return path if safe and path.startswith("/") else fallback


@require_http_methods(["GET", "POST"])
def start(request: HttpRequest) -> HttpResponse:
    """Ask for three facts; say nothing about any debt (AUTH-05)."""
    form = IdentifyForm(request.POST or None, factor=request.agency.factor)
    if request.method == "POST" and form.is_valid():
        facts = form.cleaned_data
        try:
            account = identify(
                agency=request.agency,
                reference=facts["reference"],
                last_name=facts["last_name"],
                factor_value=facts["factor"],
                ip=request.ip,
                now=request.now,
            )
        except LockedOut as locked:
            minutes = max(1, math.ceil((locked.until - request.now).total_seconds() / 60))
            return render(request, "accounts/locked.html", {"wait_minutes": minutes}, status=429)
        if account is not None:
            visits.begin(request, account=account, now=request.now)
            fresh.refresh(account, now=request.now)
            response = redirect("portal:home")
            if settings.LANGUAGE_COOKIE_NAME not in request.COOKIES:
                _remember_language(response, account.consumer.language)
            return response
        form.add_error(
            None,
            _("These details do not match our records. Check them against our letter, or call us."),
        )
    elif request.method == "GET" and request.visit is not None:
        return redirect("portal:home")
    return render(request, "accounts/start.html", {"form": form}, status=422 if form.errors else 200)


@identified
@require_http_methods(["GET", "POST"])
def code(request: HttpRequest) -> HttpResponse:
    """Send a code to a known address and take it back: the step from level 1 to level 2."""
    contacts = codes.places(request.visit.consumer, now=request.now)
    onward = local_path(request)
    action = request.POST.get("action", "")
    held = next((contact for contact in contacts if str(contact.pk) == request.session.get(HELD_CODE)), None)
    if action == "restart":
        request.session.pop(HELD_CODE, None)
        held = None
    if action in ("send", "resend"):
        form = ContactForm(request.POST if action == "send" else {"contact": str(held and held.pk)}, contacts=contacts)
        if form.is_valid():
            held = next(contact for contact in contacts if str(contact.pk) == form.cleaned_data["contact"])
            request.session[HELD_CODE] = str(held.pk)
            try:
                codes.send(visit=request.visit, contact_point=held, purpose=Code.Purpose.STEP_UP, now=request.now)
            except codes.TooSoon as early:
                return _code_page(request, contacts, held, CodeForm(), onward, error=wait(early.seconds))
            return redirect(f"{request.path}?next={onward}")
        return _code_page(request, contacts, None, form, onward)
    if action == "verify":
        form = CodeForm(request.POST)
        if form.is_valid() and (error := _verify(request, form.cleaned_data["code"])) is None:
            request.session.pop(HELD_CODE, None)
            request.session.cycle_key()
            return redirect(onward)
        if form.is_valid():
            form.add_error("code", error)
        return _code_page(request, contacts, held or (contacts[0] if contacts else None), form, onward)
    form = CodeForm() if held else ContactForm(contacts=contacts)
    return _code_page(request, contacts, held, form, onward)


def _verify(request: HttpRequest, text: str) -> str | None:
    visit, now = request.visit, request.now
    return code_error(
        lambda: codes.check(
            visit=visit,
            purpose=Code.Purpose.STEP_UP,
            text=text,
            now=now,
            then=lambda _code: visits.step_up(visit=visit, now=now),
        )
    )


def code_error(check: Callable[[], object]) -> str | None:
    """Check a code and give the sentence that refuses it; None when it is right."""
    try:
        check()
    except codes.WrongCode as wrong:
        return ngettext(
            "This is not the code we sent. You have %(count)d more try.",
            "This is not the code we sent. You have %(count)d more tries.",
            wrong.tries_left,
        ) % {"count": wrong.tries_left}
    except codes.TooManyTries:
        return _("Too many tries. Ask for a new code; this one no longer works.")
    except codes.CodeExpired:
        return _("This code no longer works. Ask for a new one.")
    return None


def wait(seconds: int) -> str:
    """Say how long to wait for another code."""
    return ngettext(
        "Please wait %(count)d second before you ask for another code.",
        "Please wait %(count)d seconds before you ask for another code.",
        seconds,
    ) % {"count": seconds}


def _code_page(request, contacts, held, form, onward, *, error: str = "") -> HttpResponse:
    if error:
        form = CodeForm({})
        form.errors.clear()
        form.add_error(None, error)
    context = {
        "contacts": [
            {
                "id": contact.pk,
                "kind": "email" if contact.kind == "email" else "text",
                "masked": contact.masked,
            }
            for contact in contacts
        ],
        "sent_to": held.masked if held else "",
        "form": form,
        "resend_seconds": settings.CODE_RESEND_SECONDS,
        "next": onward,
    }
    return render(request, "accounts/code.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET"])
def help_page(request: HttpRequest) -> HttpResponse:
    """Say how to reach the agency; after login also how to dispute and until when (RF-30, RF-31)."""
    accounts = []
    if request.visit is not None:
        accounts = [shown(account, level=request.visit.level) for account in list_accounts(request)]
        today = local_date(request.now, request.visit.consumer.time_zone)
        for account in accounts:
            if (ends := account["validation_ends_on"]) is not None and ends < today:
                account["validation_ends_on"] = None
    return render(request, "accounts/help.html", {"accounts": accounts})


@require_POST
def language(request: HttpRequest) -> HttpResponse:
    """Change the language of every page, and tell the host when we know who asks (LANG-02)."""
    wanted = request.POST.get("language", "")
    if wanted not in dict(settings.LANGUAGES):
        raise Http404
    if request.visit is not None:
        visits.speak(visit=request.visit, language=wanted, now=request.now)
    response = redirect(local_path(request, fallback="/"))
    _remember_language(response, wanted)
    return response


def _remember_language(response: HttpResponse, wanted: str) -> None:
    wanted = wanted if wanted in dict(settings.LANGUAGES) else settings.LANGUAGE_CODE
    translation.activate(wanted)
    response.set_cookie(
        settings.LANGUAGE_COOKIE_NAME,
        wanted,
        max_age=365 * 86400,
        samesite="Lax",
        secure=settings.TLS,
        httponly=True,
    )


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """End the visit on the server and in the browser."""
    if request.visit is not None:
        visits.end(visit=request.visit, reason="signed_out", now=request.now)
    request.session.flush()
    return redirect("/session-ended/?reason=signed_out")


@require_http_methods(["GET"])
def session_ended(request: HttpRequest) -> HttpResponse:
    """Say why the consumer is out; arriving here by the idle timer ends the visit too."""
    reason = "signed_out" if request.GET.get("reason") == "signed_out" else "idle"
    if request.visit is not None:
        return redirect("portal:home")
    request.session.flush()
    return render(request, "accounts/session_ended.html", {"reason": reason})


@require_POST
def extend(request: HttpRequest) -> JsonResponse:
    """Keep the visit alive: the middleware has just seen it (A11Y-08)."""
    if request.visit is None:
        return JsonResponse({"code": "session_ended"}, status=401)
    return JsonResponse({"idle_seconds": settings.IDLE_SECONDS})


@csrf_exempt  # RFC 8058: mailbox providers post here without a cookie; it can only stop messages (EML-02)
@require_http_methods(["GET", "POST"])
def opt_out(request: HttpRequest, token: str) -> HttpResponse:
    """Stop messages to one address without a login; looking changes nothing, so scanners may look (RF-17)."""
    contact = consent.contact_of_stop_token(token, agency_id=request.agency.pk)
    if contact is None:
        return render(request, "404.html", status=404)
    done = contact.opted_out_at is not None
    # One click of a mailbox provider is about this address (EML-02, RF-17); the page offers the whole medium too
    # (RF-07), and less: only what we send because we want something (EML-06).
    scope = request.POST.get("scope") if request.POST.get("scope") in ("medium", "campaigns") else "address"
    if request.method == "POST":
        with events.context(actor="consumer:link", request_id=request.id):
            if scope == "campaigns":
                streams.stop(contact_point=contact, stream=scope, source="link", now=request.now)
            else:
                consent.opt_out(contact_point=contact, scope=scope, source="link", ip=request.ip, now=request.now)
        done = True
    kind = "email" if contact.kind == contact.Kind.EMAIL else "text"
    context = {"address": contact.masked, "kind": kind, "done": done, "scope": scope}
    return render(request, "accounts/opt_out.html", context)
