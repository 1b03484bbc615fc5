"""Hear what became of our messages: signed webhooks go to the inbox at once, a worker applies each exactly once."""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache
from itertools import groupby
from operator import itemgetter
from typing import Any
from uuid import UUID

from django.db import DatabaseError, transaction
from django.db.models import QuerySet

from accounts import clock
from accounts.bulk import blank, write_rows
from accounts.known import Known, known
from accounts.models import Account, ContactPoint
from accounts.services import consent
from accounts.tenancy import ALL_AGENCIES, acting_for
from campaigns import channels
from campaigns.channels import News, texts
from campaigns.models import MailEvent, MailProvider, Message, TextEvent, TextProvider
from campaigns.services import launch, notices, outbox, plain_news
from campaigns.services.plain_news import OUR_TOKEN, shown

log = logging.getLogger("quittance.messages")

LIMIT = 1_000
LONGEST = timedelta(seconds=1)
"""So long news are applied one by one before the worker looks whether a code waits to be sent."""
Status = Message.Status


def store(*, provider: MailProvider, told: Sequence[tuple[str, dict]], now: datetime) -> int:
    """Put checked events into the inbox, without the secrets of followed links; return how many were not there."""
    rows = [
        blank(
            MailEvent,
            agency_id=provider.agency_id,
            provider_id=provider.pk,
            external_id=external_id[:120],
            body=_scrubbed(body),
            received_at=now,
        )
        for external_id, body in told
    ]
    return write_rows(MailEvent, rows, skip_known=True)


def store_report(*, provider: TextProvider, external_id: str, message: UUID, form: dict, now: datetime) -> bool:
    """Put a checked report on a text into the inbox; False when it was there."""
    _row, made = TextEvent.objects.get_or_create(
        provider=provider,
        external_id=f"{message}:{external_id}",
        defaults={"message": str(message), "body": form, "received_at": now},
    )
    return made


def _scrubbed(value: Any) -> Any:
    """Leave the tokens of our own links out: whoever reads the inbox must not be able to follow them (AUTH-06)."""
    if isinstance(value, dict):
        return {key: _scrubbed(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_scrubbed(inner) for inner in value]
    return OUR_TOKEN.sub(r"\1", value) if isinstance(value, str) else value


@cache
def _waiting(inbox: type[MailEvent | TextEvent], limit: int) -> Known[[], tuple[UUID, UUID]]:
    """Make the query for so many of an inbox; a limit stands in the SQL itself."""
    return known(lambda: inbox.objects.filter(applied_at=None).order_by("pk").values_list("agency_id", "pk")[:limit])


def apply(*, now: datetime, limit: int = LIMIT) -> int:
    """Apply what waits in the inboxes, each agency's in the order it came; return how much it was by now."""
    count, others, present = 0, [], clock.going_on(now)
    for inbox in (MailEvent, TextEvent):
        with acting_for(ALL_AGENCIES):
            waiting = _waiting(inbox, limit)()
        for agency_id, group in groupby(sorted(waiting), key=itemgetter(0)):
            keys = [key for _agency, key in group]
            with acting_for(agency_id):
                done = plain_news.apply(keys, now=now) if inbox is MailEvent else set()
            count += len(done)
            others += enumerate((agency_id, inbox, key) for key in keys if key not in done)
    # One of each agency in turn: what moves an address waits for the host that lists addresses of the same agency.
    for _turn, (agency_id, inbox, key) in sorted(others, key=itemgetter(0)):
        with acting_for(agency_id):
            count += _apply_once(inbox, key, now=now)
        if present() - now >= LONGEST:
            break
    return count


def _apply_once(inbox: type[MailEvent | TextEvent], key: UUID, *, now: datetime) -> bool:
    """Apply one webhook under its lock; what cannot be read is kept with the reason and not tried for ever."""
    try:
        with transaction.atomic():
            if (row := _open(inbox, key)) is None:
                return False
            row.outcome = _apply(row, now=now)[:200]
            row.applied_at = now
            row.save(update_fields=["outcome", "applied_at"])
        if row.outcome == "complained":
            # Outside: whoever stops a campaign waits for its hand-overs, and holds nothing that they need.
            launch.watch_complaints(_find(_news(row)), now=now)
    except DatabaseError:
        raise
    except Exception as error:
        log.exception("report %s was not applied", key)
        inbox.objects.filter(pk=key, applied_at=None).update(
            applied_at=now, outcome=f"failed: {type(error).__name__}: {error}"[:200]
        )
    return True


@known
def _to_apply(of_text: bool, key: UUID) -> QuerySet[MailEvent | TextEvent]:
    inbox = TextEvent if of_text else MailEvent
    waiting = inbox.objects.select_related("provider").select_for_update(skip_locked=True, of=("self",))
    return waiting.filter(pk=key, applied_at=None)


def _open(inbox: type[MailEvent | TextEvent], key: UUID) -> MailEvent | TextEvent | None:
    return _to_apply.first(inbox is TextEvent, key)


def _news(row: MailEvent | TextEvent) -> News:
    if isinstance(row, TextEvent):
        return texts.carrier(row.provider.backend).read(form=row.body, message=row.message, at=row.received_at)
    return channels.provider(row.provider.backend).read(body=row.body, signing_key=row.provider.signing_key)


def _apply(row: MailEvent | TextEvent, *, now: datetime) -> str:
    try:
        news = _news(row)
    except ValueError as error:
        return f"unreadable: {error}"
    if (message_id := _find(news)) is None:
        return f"{news.kind}: no message of ours"
    # The provider's word for when; a clock ahead of ours must not date a fact into the future.
    at = min(news.at, now)
    if news.kind in ("complained", "unsubscribed") or (news.lost and news.bad_address):
        # It moves an address: everyone's accounts first, this message's among them.
        _hold_accounts(Message.objects.select_related("contact_point").get(pk=message_id).contact_point)
    message = outbox.locked(message_id)
    outbox.taken(message, provider_id=news.provider_id, at=at, now=at)
    if news.lost:
        _lost(message, news, at=at, now=now)
    match news.kind:
        case "opened" | "clicked" if news.machine:
            pass  # kept in the inbox, where staff see it; the consumer did not look
        case "delivered" if message.status == Status.SENT:
            _move(message, Status.DELIVERED, at=at)
        case "opened" if message.opened_at is None:
            _first(message, "opened", at=at)
        case "clicked" if message.clicked_at is None:
            _first(message, "clicked", at=at, url=shown(news.url))
        case "complained" if news.lost:
            # It was not delivered because of an earlier one: the reader did not complain about this.
            given_up(message.contact_point, reason="complained", at=at, now=now)
        case "complained" if message.status != Status.COMPLAINED:
            _move(message, Status.COMPLAINED, at=at, reason=news.reason)
            given_up(message.contact_point, reason="complained", at=at, now=now)
        case "unsubscribed":
            if consent.opt_out(contact_point=message.contact_point, scope="address", source="provider", now=at):
                outbox.tell("message.unsubscribed", message, now=at)
        case "accepted" | "bounced" | "deferred" | "unknown":
            pass
        case _:
            return f"{news.kind}: known"
    return news.outcome


@known
def _message(key: UUID | None, provider_id: str) -> QuerySet:
    found = Message.objects.filter(pk=key) if key else Message.objects.filter(provider_id=provider_id)
    return found.values_list("pk", flat=True)


def _find(news: News) -> UUID | None:
    """Find the message among the acting agency's own, by our id or by the provider's."""
    try:
        return _message.first(UUID(news.message), "")
    except ValueError:
        return _message.first(None, news.provider_id) if news.provider_id else None


def _lost(message: Message, news: News, *, at: datetime, now: datetime) -> None:
    """Record that a message did not arrive: a bad address is given up, and the law's papers go by letter."""
    if message.status not in (Status.SENT, Status.DELIVERED):
        return
    _move(message, Status.BOUNCED, at=at, reason=news.reason)
    if news.bad_address:
        given_up(message.contact_point, reason="bounced", at=at, now=now)
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


def _listed(point: ContactPoint) -> QuerySet[ContactPoint]:
    return ContactPoint.objects.filter(agency_id=point.agency_id, kind=point.kind, value_key=point.value_key)


def _hold_accounts(point: ContactPoint) -> None:
    """Lock the accounts of everyone for whom an address is listed, in the order of their ids as everybody does."""
    consent.addresses_alone(point.agency_id)
    theirs = Account.objects.filter(consumer__in=_listed(point).values("consumer")).order_by("pk")
    list(theirs.select_for_update(no_key=True).values_list("pk"))


@transaction.atomic
def given_up(point: ContactPoint, *, reason: str, at: datetime, now: datetime) -> None:
    """Stop using an address (EML-05), for everyone of the agency for whom it is listed.

    What is still due by e-mail to a consumer without another becomes letters.
    """
    _hold_accounts(point)
    same = _listed(point)
    same.filter(bad_at=None).update(bad_at=at)
    point.refresh_from_db()
    for row in same.select_related("consumer").order_by("consumer_id"):
        if consent.esign_live(row.consumer) is None:
            notices.letters_instead(consumer_id=row.consumer_id, reason=reason, now=now)
