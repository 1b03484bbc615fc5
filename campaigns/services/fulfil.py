"""Read the agency's events and write the messages they ask for: once each, in order, at the reader's own pace."""

import logging
from collections.abc import Callable
from datetime import datetime

from django.db import DatabaseError, transaction

from accounts import events
from accounts.models import Agency, Event, ReaderPosition
from accounts.tenancy import ALL_AGENCIES, acting_for
from campaigns.services import answers, joining, statements

log = logging.getLogger("quittance.messages")

READER = "campaigns"
LIMIT = 200
"""Events of one agency in one go, then the next agency has its turn."""


def read(*, now: datetime, limit: int = LIMIT) -> int:
    """Serve every agency's new events; return how many were."""
    with acting_for(ALL_AGENCIES):
        events.assign_sequences()
        reached = dict(ReaderPosition.objects.filter(reader=READER).values_list("agency_id", "sequence"))
    known = Agency.objects.filter(last_sequence__gt=0).values_list("pk", "last_sequence")
    behind = [(key, last) for key, last in known if last > reached.get(key, 0)]
    count = 0
    for agency_id, last in behind:
        with acting_for(agency_id):
            count += _read_agency(last, now=now, limit=limit)
    return count


def _read_agency(last: int, *, now: datetime, limit: int) -> int:
    """Serve one agency's events up to `last`, each in a transaction with the position it moves."""
    position, _made = ReaderPosition.objects.get_or_create(reader=READER)
    mine = Event.objects.filter(kind__in=HANDLERS, sequence__gt=position.sequence, sequence__lte=last)
    # Most events ask for no message: what belongs to those that do is joined once some are found.
    found = list(mine.order_by("sequence").values_list("pk", flat=True)[:limit])
    joined = Event.objects.select_related("account__consumer", "account__client", "account__agency", "consumer")
    waiting = list(joined.filter(pk__in=found).order_by("sequence")) if found else []
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


def _step(event: Event, *, at: int) -> bool:
    mine = ReaderPosition.objects.select_for_update(skip_locked=True).filter(reader=READER, sequence=at).first()
    if mine is None:
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
