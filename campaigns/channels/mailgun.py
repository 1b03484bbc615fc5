"""Mailgun, spoken by anymail: one account and domain per agency."""

import json
from datetime import UTC, datetime, timedelta

from anymail.webhooks.mailgun import MailgunTrackingWebhookView
from django.core.mail import get_connection
from django.http import HttpRequest

from campaigns.channels import TIMEOUT, News, NotGenuine

KINDS = {
    "queued": "accepted",
    "delivered": "delivered",
    "deferred": "deferred",
    "opened": "opened",
    "clicked": "clicked",
    "bounced": "bounced",
    "rejected": "bounced",
    "complained": "complained",
    "unsubscribed": "unsubscribed",
}
"""anymail's words in ours."""

SUPPRESSED = {"suppress-unsubscribe": "unsubscribed", "suppress-complaint": "complained"}
"""A permanent failure that only repeats what the person said before."""

LOST = ("bounced", "rejected")
BAD_ADDRESS = ("bounce", "suppress-bounce")
OLDEST = timedelta(hours=24)
"""Mailgun repeats a webhook for eight hours; an older signature is a replay."""


def transport(*, api_key: str, api_url: str, domain: str):
    """Make the connection of one agency's account.

    :param api_url: empty for Mailgun's own address.
    """
    address = {"api_url": api_url} if api_url else {}
    backend = "anymail.backends.mailgun.EmailBackend"
    return get_connection(backend, api_key=api_key, sender_domain=domain, timeout=TIMEOUT, **address)


def check(*, request: HttpRequest, signing_key: str, now: datetime) -> str:
    """Prove that a webhook is the account's own, and return its unique token.

    The signature covers timestamp and token only, so the caller must take each token once.

    :raises NotGenuine: it is not proven; a missing key proves nothing.
    """
    if not signing_key:
        raise NotGenuine("No signing key is configured.")
    if request.content_type != "application/json":
        raise NotGenuine("Only the signed JSON form is read.")
    try:
        MailgunTrackingWebhookView(webhook_signing_key=signing_key).run_validators(request)
        signature = json.loads(request.body)["signature"]
        at = datetime.fromtimestamp(int(signature["timestamp"]), tz=UTC)
        token = str(signature["token"])
    except Exception as error:
        # Whatever a stranger sends, only a proof lets it in.
        raise NotGenuine(str(error)[:200]) from error
    if not token or abs(now - at) > OLDEST:
        raise NotGenuine("The signature is too old.")
    return token


def read(*, body: dict, signing_key: str) -> News:
    """Read a checked webhook.

    :raises ValueError: it lacks what every event has.
    """
    try:
        event = MailgunTrackingWebhookView(webhook_signing_key=signing_key).esp_to_anymail_event(body)
        data = body["event-data"]
        reason = str(data.get("reason") or "")
        variables = event.metadata if isinstance(event.metadata, dict) else {}
        status = data.get("delivery-status") or {}
        why = " ".join(str(part) for part in (status.get("code"), status.get("message")) if part)
        return News(
            kind=SUPPRESSED.get(reason) or KINDS.get(event.event_type, "unknown"),
            at=event.timestamp,
            message=str(variables.get("message", "")),
            provider_id=event.message_id or "",
            reason=": ".join(part for part in (reason, why) if part)[:300],
            lost=event.event_type in LOST,
            bad_address=event.event_type in LOST and reason in BAD_ADDRESS,
            url=str(event.click_url or "")[:500],
        )
    except (KeyError, TypeError, AttributeError, OverflowError, OSError) as error:
        raise ValueError(f"Not a Mailgun event: {error!r}") from error
