"""Hear what became of our messages: signed webhooks go to the inbox at once, a worker applies each exactly once."""

import logging
import re
from datetime import datetime
from uuid import UUID

from django.db import DatabaseError, transaction

from accounts.models import ContactPoint
from accounts.services import consent
from accounts.tenancy import ALL_AGENCIES, acting_for
from campaigns import channels
from campaigns.channels import News
from campaigns.models import MailEvent, MailProvider, Message
from campaigns.services import notices, outbox

log = logging.getLogger("quittance.messages")

LIMIT = 100
STOP_TOKEN = re.compile(r"(/stop/)[^/]+")
Status = Message.Status


def store(*, provider: MailProvider, external_id: str, body: dict, now: datetime) -> bool:
    """Put a checked webhook into the inbox; False when it was there."""
    _row, made = MailEvent.objects.get_or_create(
        provider=provider, external_id=external_id, defaults={"body": body, "received_at": now}
    )
    return made


def apply(*, now: datetime, limit: int = LIMIT) -> int:
    """Apply what waits in the inbox, of all agencies, in the order it came; return how much it was."""
    with acting_for(ALL_AGENCIES):
        waiting = list(MailEvent.objects.filter(applied_at=None).order_by("pk").values_list("agency_id", "pk")[:limit])
    count = 0
    for agency_id, key in waiting:
        with acting_for(agency_id):
            count += _apply_once(key, now=now)
    return count


def _apply_once(key: UUID, *, now: datetime) -> bool:
    """Apply one webhook under its lock; what cannot be read is kept with the reason and not tried for ever."""
    try:
        with transaction.atomic():
            if (row := _open(key)) is None:
                return False
            row.outcome = _apply(row, now=now)[:200]
            row.applied_at = now
            row.save(update_fields=["outcome", "applied_at"])
    except DatabaseError:
        raise
    except Exception as error:
        log.exception("mail event %s was not applied", key)
        MailEvent.objects.filter(pk=key, applied_at=None).update(
            applied_at=now, outcome=f"failed: {type(error).__name__}: {error}"[:200]
        )
    return True


def _open(key: UUID) -> MailEvent | None:
    waiting = MailEvent.objects.select_related("provider").select_for_update(skip_locked=True, of=("self",))
    return waiting.filter(pk=key, applied_at=None).first()


def _apply(row: MailEvent, *, now: datetime) -> str:
    try:
        news = channels.provider(row.provider.backend).read(body=row.body, signing_key=row.provider.signing_key)
    except ValueError as error:
        return f"unreadable: {error}"
    if (message_id := _find(news)) is None:
        return f"{news.kind}: no message of ours"
    # The provider's word for when; a clock ahead of ours must not date a fact into the future.
    at = min(news.at, now)
    outbox.sent(message_id=message_id, provider_id=news.provider_id, at=at, now=at)
    message = outbox.locked(message_id)
    if news.lost:
        _lost(message, news, at=at, now=now)
    match news.kind:
        case "delivered" if message.status == Status.SENT:
            _move(message, Status.DELIVERED, at=at)
        case "opened" if message.opened_at is None:
            _first(message, "opened", at=at)
        case "clicked" if message.clicked_at is None:
            _first(message, "clicked", at=at, url=STOP_TOKEN.sub(r"\1", news.url.partition("?")[0]))
        case "complained" if message.status != Status.COMPLAINED:
            _move(message, Status.COMPLAINED, at=at, reason=news.reason)
            _bad(message.contact_point, reason="complained", at=at, now=now)
        case "unsubscribed":
            if consent.opt_out(contact_point=message.contact_point, scope="address", source="provider", now=at):
                outbox.tell("message.unsubscribed", message, now=at)
        case "accepted" | "bounced" | "deferred" | "unknown":
            pass
        case _:
            return f"{news.kind}: known"
    return news.kind


def _find(news: News) -> UUID | None:
    """Find the message among the acting agency's own, by our id or by the provider's."""
    try:
        found = Message.objects.filter(pk=UUID(news.message))
    except ValueError:
        found = Message.objects.filter(provider_id=news.provider_id) if news.provider_id else Message.objects.none()
    return found.values_list("pk", flat=True).first()


def _lost(message: Message, news: News, *, at: datetime, now: datetime) -> None:
    """Record that a message did not arrive: a bad address is given up, and the law's papers go by letter."""
    if message.status not in (Status.SENT, Status.DELIVERED):
        return
    _move(message, Status.BOUNCED, at=at, reason=news.reason)
    if news.bad_address:
        _bad(message.contact_point, reason="bounced", at=at, now=now)
    outbox.undelivered(message, reason="bounced", now=now)


def _move(message: Message, status: str, *, at: datetime, reason: str = "") -> None:
    message.status = status
    message.reason = reason[:300]
    message.save(update_fields=["status", "reason"])
    outbox.tell(f"message.{status}", message, now=at, **({"reason": message.reason} if reason else {}))


def _first(message: Message, what: str, *, at: datetime, **more: str) -> None:
    """Tell the first opening or click; the same person looking again is no news."""
    setattr(message, f"{what}_at", at)
    message.save(update_fields=[f"{what}_at"])
    outbox.tell(f"message.{what}", message, now=at, **more)


def _bad(point: ContactPoint, *, reason: str, at: datetime, now: datetime) -> None:
    """Stop using an address (EML-05); what is still due by e-mail to a consumer without another becomes letters."""
    ContactPoint.objects.filter(pk=point.pk, bad_at=None).update(bad_at=at)
    point.refresh_from_db()
    if consent.esign_live(point.consumer) is None:
        notices.letters_instead(consumer_id=point.consumer_id, reason=reason, now=now)
