"""Read the agency's events and write the messages they ask for: once each, in order, at the reader's own pace."""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cache
from uuid import UUID

from django.db import DatabaseError, transaction
from django.db.models import QuerySet

from accounts import events
from accounts.known import Known, known
from accounts.models import Agency, Event, ReaderPosition
from accounts.tenancy import ALL_AGENCIES, acting_for
from campaigns.services import answers, joining, statements

log = logging.getLogger("quittance.messages")

READER = "campaigns"
LIMIT = 200
"""Events of one agency in one go, then the next agency has its turn."""


@known
def _positions() -> QuerySet:
    return ReaderPosition.objects.filter(reader=READER).values_list("agency_id", "sequence")


@known
def _agencies() -> QuerySet:
    return Agency.objects.filter(last_sequence__gt=0).values_list("pk", "last_sequence")


def read(*, now: datetime, limit: int = LIMIT) -> int:
    """Serve every agency's new events; return how many were."""
    with acting_for(ALL_AGENCIES):
        events.assign_sequences()
        reached = dict(_positions())
    behind = [(key, last) for key, last in _agencies() if last > reached.get(key, 0)]
    count = 0
    for agency_id, last in behind:
        with acting_for(agency_id):
            count += _read_agency(last, now=now, limit=limit)
    return count


@known
def _position() -> QuerySet[ReaderPosition]:
    return ReaderPosition.objects.filter(reader=READER)


@cache
def _asking(limit: int) -> Known[[int, int], UUID]:
    """Make the query for so many events that ask for a message; a limit stands in the SQL itself."""
    return known(
        lambda after, last: (
            Event.objects.filter(kind__in=HANDLERS, sequence__gt=after, sequence__lte=last)
            .order_by("sequence")
            .values_list("pk", flat=True)[:limit]
        )
    )


@known
def _joined(keys: Sequence[UUID]) -> QuerySet[Event]:
    joined = Event.objects.select_related("account__consumer", "account__client", "account__agency", "consumer")
    return joined.filter(pk__in=keys).order_by("sequence")


def _read_agency(last: int, *, now: datetime, limit: int) -> int:
    """Serve one agency's events up to `last`, each in a transaction with the position it moves."""
    position = _position.first() or ReaderPosition.objects.get_or_create(reader=READER)[0]
    # Most events ask for no message: what belongs to those that do is joined once some are found.
    found = _asking(limit)(position.sequence, last)
    waiting = _joined(found) if found else []
    for event in waiting:
        if not _serve(event, at=position.sequence, now=now):
            return 0  # another worker reads this agency
        position.sequence = event.sequence
    if len(waiting) < limit:
        ReaderPosition.objects.filter(pk=position.pk, sequence=position.sequence).update(sequence=last)
    return len(waiting)


def _serve(event: Event, *, at: int, now: datetime) -> bool:
    """Serve one event if the reader still stands at `at`; an event that cannot be served is told, not retried."""
    try:
        with transaction.atomic():
            if not _step(event, at=at):
                return False
            HANDLERS[event.kind](event, now)
    except DatabaseError:
        raise
    except Exception as error:
        log.exception("event %s (%s) brought no message", event.pk, event.kind)
        with transaction.atomic():
            if not _step(event, at=at):
                return False
            about = {"event": str(event.pk), "kind": event.kind, "error": type(error).__name__, "where": READER}
            events.record("incident.opened", account=event.account, consumer=event.consumer_id, now=now, data=about)
    return True


@known
def _standing(at: int) -> QuerySet[ReaderPosition]:
    return ReaderPosition.objects.select_for_update(skip_locked=True).filter(reader=READER, sequence=at)


def _step(event: Event, *, at: int) -> bool:
    if (mine := _standing.first(at)) is None:
        return False
    ReaderPosition.objects.filter(pk=mine.pk).update(sequence=event.sequence)
    return True


HANDLERS: dict[str, Callable[[Event, datetime], None]] = {
    "payment.succeeded": answers.receipt,
    "payment.posted": answers.receipt,
    "payment.pending": answers.handed_over,
    "authorization.created": answers.copy,
    "pay_link.made": answers.prepared,
    "payment.declined": answers.failed,
    "payment.voided": answers.failed,
    "payment.returned": answers.failed,
    "payment.charged_back": answers.failed,
    "payment.refund_failed": answers.refund_failed,
    "message.requested": joining.requested,
    "statement.due": statements.write_due,
    "method.updated": answers.method_updated,
    "optout.address": answers.no_more_email,
    "optout.medium": answers.no_more_email,
    "esign.withdrawn": answers.no_more_email,
    "consumer.contact_changed": answers.contact_changed,
}
