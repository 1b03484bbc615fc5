"""The door for providers' webhooks."""

import json

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from accounts import clock
from accounts.tenancy import ALL_AGENCIES, acting_for
from campaigns import channels, tasks
from campaigns.models import MailProvider
from campaigns.services import track

WEBHOOK_BYTES = 256 * 1024
"""Far above what a provider says about one message."""


@csrf_exempt  # signed by the provider instead
@require_POST
def mail_webhook(request: HttpRequest, provider_id) -> HttpResponse:
    """Check, store, answer; what it means is found out by the worker. Unproven webhooks are refused and not stored."""
    now = clock.now()
    with acting_for(ALL_AGENCIES):
        provider = MailProvider.objects.filter(pk=provider_id).first()
    if provider is None:
        return _problem(404, "unknown_provider")
    if int(request.headers.get("Content-Length") or 0) > WEBHOOK_BYTES:
        return _problem(413, "too_large")
    try:
        channel = channels.provider(provider.backend)
        token = channel.check(request=request, signing_key=provider.signing_key, now=now)
    except (channels.NotGenuine, LookupError):
        return _problem(403, "invalid_signature")
    with acting_for(provider.agency_id):
        # PostgreSQL holds no NUL in text, and nobody's webhook needs one.
        body = json.loads(request.body.replace(rb"\u0000", b""))
        new = track.store(provider=provider, external_id=token[:120], body=body, now=now)
    if new:
        tasks.wake()
    return HttpResponse(status=200)


def _problem(status: int, code: str) -> JsonResponse:
    body = {"type": "about:blank", "status": status, "code": code}
    return JsonResponse(body, status=status, content_type="application/problem+json")
