"""Webhook endpoints: made, changed, given a new secret, tested, taken up again after a suspension, removed."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from accounts import events
from accounts.refusals import Refusal
from integrations import http, webhooks
from integrations.models import Delivery, WebhookEndpoint
from integrations.services.receivers import endpoint_of

MOST_ENDPOINTS = 50
"""Of one agency: every event is a row for each."""
KEEP_OLD_MOST = timedelta(days=30)


class Tested(NamedTuple):
    """What an endpoint answered to a test: HTTP status (0: nothing), why not, milliseconds."""

    ok: bool
    status: int
    reason: str
    duration_ms: float


def make(
    *, name: str, url: str, kinds: Sequence[str], most: int, by: str, now: datetime
) -> tuple[WebhookEndpoint, str] | list[Refusal]:
    """Make an endpoint; return it with its secret, which nobody can be shown again. It hears what happens from now."""
    if found := wrong(url=url, kinds=kinds, most=most):
        return found
    if WebhookEndpoint.objects.filter(removed_at=None).count() >= MOST_ENDPOINTS:
        return [Refusal("too_many_endpoints", _("An agency has at most %(most)s.") % {"most": MOST_ENDPOINTS})]
    secret = webhooks.new_secret()
    row = WebhookEndpoint.objects.create(
        name=name, url=url, kinds=sorted(set(kinds)), most=most, secret=secret, made_at=now, made_by=by
    )
    return row, secret


def wrong(*, url: str, kinds: Sequence[str], most: int) -> list[Refusal]:
    """List everything that is wrong with what an endpoint should be."""
    found = []
    if code := webhooks.wrong_address(url, plain_http=settings.WEBHOOK_PLAIN_HTTP):
        said = {
            "url_invalid": _("Write a whole address: https://host/path, without spaces or #."),
            "url_not_ascii": _("Write the address in ASCII: a name with accents as xn--..., a path percent-encoded."),
            "url_has_password": _("Write no name and password into the address: the signature is the proof."),
            "url_not_https": _("The address must be https."),
        }
        found.append(Refusal(code, said[code], "url"))
    for kind in webhooks.unknown(kinds):
        found.append(Refusal("kind_unknown", _("There is no event %(kind)s.") % {"kind": kind[:60]}, "kinds"))
    if not 1 <= most <= webhooks.MOST_EVENTS:
        text = _("Write a number from 1 to %(most)s.") % {"most": webhooks.MOST_EVENTS}
        found.append(Refusal("most_out_of_range", text, "most"))
    return found


def change(
    *, endpoint: WebhookEndpoint, name: str, url: str, kinds: Sequence[str], most: int, is_active: bool
) -> list[Refusal]:
    """Change what an endpoint hears and where; what waits goes to the new address."""
    if endpoint.removed_at is not None:
        return [removed()]
    if found := wrong(url=url, kinds=kinds, most=most):
        return found
    endpoint.name, endpoint.url, endpoint.most, endpoint.is_active = name, url, most, is_active
    endpoint.kinds = sorted(set(kinds))
    with transaction.atomic():
        endpoint.save(update_fields=["name", "url", "kinds", "most", "is_active"])
        transaction.on_commit(events.nudge)
    return []


@transaction.atomic
def rotate(*, endpoint: WebhookEndpoint, keep_old: timedelta, now: datetime) -> str | list[Refusal]:
    """Give the endpoint a new secret and return it; the one it had signs beside it for `keep_old`, older ones end."""
    row = WebhookEndpoint.objects.select_for_update().get(pk=endpoint.pk)
    if row.removed_at is not None:
        return [removed()]
    row.old_secret, row.old_until = row.secret, now + min(keep_old, KEEP_OLD_MOST)
    row.secret = webhooks.new_secret()
    row.save(update_fields=["secret", "old_secret", "old_until"])
    return row.secret


def resume(*, endpoint: WebhookEndpoint, now: datetime) -> bool:
    """Tell a suspended or unreachable endpoint again, from where it stopped; false when it is neither."""
    with transaction.atomic():
        row = WebhookEndpoint.objects.select_for_update().get(pk=endpoint.pk)
        if row.removed_at is not None or (row.suspended_at is None and row.unreachable_since is None):
            return False
        was_suspended = row.suspended_at is not None
        row.suspended_at, row.suspended_why = None, ""
        row.unreachable_since, row.probe_at, row.failures = None, None, 0
        row.save(update_fields=["suspended_at", "suspended_why", "unreachable_since", "probe_at", "failures"])
        row.deliveries.filter(status=Delivery.Status.WAITING, next_at__gt=now).update(next_at=now)
        if was_suspended:
            events.record("webhook.resumed", now=now, data={"endpoint": str(row.pk), "name": row.name})
        transaction.on_commit(events.nudge)
    return True


def remove(*, endpoint: WebhookEndpoint, by: str, now: datetime) -> bool:
    """End an endpoint for good: its secrets are wiped, what waits for it is skipped; false when it was removed."""
    with transaction.atomic():
        row = WebhookEndpoint.objects.select_for_update().get(pk=endpoint.pk)
        if row.removed_at is not None:
            return False
        row.removed_at, row.is_active, row.secret, row.old_secret, row.old_until = now, False, "", "", None
        row.save(update_fields=["removed_at", "is_active", "secret", "old_secret", "old_until"])
        row.deliveries.filter(status__in=(Delivery.Status.WAITING, Delivery.Status.PARKED)).update(
            status=Delivery.Status.SKIPPED, reason=f"the endpoint was removed by {by}"[:300], decided_at=now
        )
    return True


def test(*, endpoint: WebhookEndpoint, now: datetime) -> Tested:
    """Send a signed `webhook.tested` that is no event, and say what came back."""
    speaker = endpoint_of(endpoint, lambda: now)
    request = speaker.request(f"test-{endpoint.pk}-{int(now.timestamp())}", [webhooks.tested(endpoint.pk, now)])
    heard = http.ask(request, timeout=settings.HOST_TIMEOUT, answer_limit=settings.WEBHOOK_ANSWER_LIMIT)
    return Tested(200 <= heard.status < 300, heard.status, heard.error, heard.duration_ms)


test.__test__ = False


def removed() -> Refusal:
    """Refuse what an endpoint that was removed cannot do any more."""
    return Refusal("endpoint_removed", _("This endpoint was removed: make another one."))
