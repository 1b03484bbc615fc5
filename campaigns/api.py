"""The door for providers' webhooks."""

from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from accounts import clock, events
from accounts.known import known
from accounts.tenancy import ALL_AGENCIES, acting_for
from campaigns import channels, tasks
from campaigns.channels import texts
from campaigns.channels.texts import Reply
from campaigns.models import MailProvider, Message, TextProvider
from campaigns.services import carriers, hear, hear_mail, track

WEBHOOK_BYTES = 1024 * 1024
"""Far above what a provider says about a hundred messages."""


@csrf_exempt  # signed by the provider instead
@require_POST
def mail_webhook(request: HttpRequest, provider_id) -> HttpResponse:
    """Check, store, answer; what it means is found out by the worker. Unproven webhooks are refused and not stored."""
    now = clock.now()
    provider = _mail_provider(request, provider_id)
    if isinstance(provider, HttpResponse):
        return provider
    try:
        channel = channels.provider(provider.backend)
        # How old a signature is says the machine's own clock, whatever day the product is made to believe.
        told = channel.check(request=request, signing_key=provider.signing_key, now=timezone.now())
    except (channels.NotGenuine, LookupError):
        return _problem(403, "invalid_signature")
    with acting_for(provider.agency_id):
        new = track.store(provider=provider, told=told, now=now)
    if new:
        tasks.wake()
    return HttpResponse(status=200)


@csrf_exempt  # signed by the provider instead
@require_POST
def mail_reply(request: HttpRequest, provider_id: UUID) -> HttpResponse:
    """Take a mail that a consumer wrote back; it is understood and obeyed before the answer, as a text is (SMS-01)."""
    now = clock.now()
    provider = _mail_provider(request, provider_id)
    if isinstance(provider, HttpResponse):
        return provider
    try:
        told = channels.provider(provider.backend).reply(
            request=request, signing_key=provider.signing_key, now=timezone.now()
        )
    except (channels.NotGenuine, LookupError):
        return _problem(403, "invalid_signature")
    with acting_for(provider.agency_id), events.context(actor="provider"):
        if hear_mail.hear(said=told, now=now):
            tasks.wake()
    return HttpResponse(status=200)


@known
def _mailer(key: UUID) -> QuerySet[MailProvider]:
    return MailProvider.objects.filter(pk=key)


def _mail_provider(request: HttpRequest, provider_id: UUID) -> MailProvider | HttpResponse:
    """Find whose webhook it is, or say why it is not read any further."""
    with acting_for(ALL_AGENCIES):
        provider = _mailer.first(provider_id)
    if provider is None:
        return _problem(404, "unknown_provider")
    if int(request.headers.get("Content-Length") or 0) > WEBHOOK_BYTES:
        return _problem(413, "too_large")
    return provider


@known
def _carrier(key: UUID) -> QuerySet[TextProvider]:
    return TextProvider.objects.filter(pk=key)


@csrf_exempt  # signed by the carrier instead
@require_POST
def text_webhook(request: HttpRequest, provider_id: UUID, message_id: UUID | None = None) -> HttpResponse:
    """Take a carrier's report on a text of ours, or a text that came in; what is not proven is not stored.

    A text that comes in is understood and obeyed before the answer: when the carrier has our 200, a STOP holds.
    """
    now = clock.now()
    with acting_for(ALL_AGENCIES):
        provider = _carrier.first(provider_id)
    if provider is None:
        return _problem(404, "unknown_provider")
    if int(request.headers.get("Content-Length") or 0) > WEBHOOK_BYTES:
        return _problem(413, "too_large")
    try:
        carrier = texts.carrier(provider.backend)
        told = carriers.hook_url(provider, Message(pk=message_id) if message_id else None)
        carrier.check(request=request, url=told, token=provider.signing_key)
    except (channels.NotGenuine, LookupError):
        return _problem(403, "invalid_signature")
    text = ""
    form = {name: value.replace("\x00", "") for name, value in request.POST.dict().items()}
    with acting_for(provider.agency_id), events.context(actor="carrier"):
        if message_id is not None:
            key = carrier.external_id(form)
            new = track.store_report(provider=provider, external_id=key, message=message_id, form=form, now=now)
        else:
            try:
                said = carrier.read(form=form, message="", at=now)
            except ValueError:
                return _problem(400, "unreadable")
            # A report without our message's id in its address is about nothing of ours.
            new = isinstance(said, Reply) and hear.hear(provider=provider, said=said, now=now)
            text = hear.at_once(provider=provider, said=said) if new else ""
    if new:
        tasks.wake()
    body, kind = carrier.answer(text)
    return HttpResponse(body, content_type=kind)


def _problem(status: int, code: str) -> JsonResponse:
    body = {"type": "about:blank", "status": status, "code": code}
    return JsonResponse(body, status=status, content_type="application/problem+json")
