"""Tell again, or never: one delivery, a stretch of the sequence, everything that is parked."""

from datetime import datetime

from django.db import connection, transaction
from django.db.models import QuerySet

from accounts import events
from accounts.bulk import write_rows
from accounts.models import Agency, Event
from accounts.refusals import Refusal
from accounts.tenancy import acting_for
from integrations.models import Delivery, HostConnection, Redelivery, WebhookEndpoint
from integrations.services.route import deliveries_of

AT_ONCE = 2_000
"""Events that one look of the drain puts on their way, so that a long stretch holds nothing else up."""
OPEN = (Delivery.Status.PARKED, Delivery.Status.WAITING)


def replay(delivery: Delivery, *, now: datetime) -> None:
    """Send a delivery again, with the same event id; what was parked behind it follows."""
    replay_all(Delivery.objects.filter(pk=delivery.pk), now=now)


def replay_all(deliveries: QuerySet[Delivery], *, now: datetime) -> int:
    """Send these again, each with the same event id; those that wait already go on waiting."""
    with transaction.atomic():
        count = deliveries.exclude(status=Delivery.Status.WAITING).update(
            status=Delivery.Status.WAITING, next_at=now, decided_at=None, attempts=0, reason=""
        )
        transaction.on_commit(events.nudge)
    return count


def skip(delivery: Delivery, *, reason: str, actor: str, now: datetime) -> bool:
    """Give up on a delivery, so that its account's later events go on; the reason is a fact of the account.

    False when it is decided already.
    """
    with transaction.atomic():
        open_ones = Delivery.objects.filter(pk=delivery.pk, status__in=OPEN)
        if not open_ones.update(status=Delivery.Status.SKIPPED, reason=reason[:300], decided_at=now):
            return False
        about = {"delivery": str(delivery.pk), "event": str(delivery.event_id), "reason": reason}
        with events.context(actor=actor):
            events.record("delivery.abandoned", account=delivery.account, now=now, data=about)
    return True


def dead_letters(receiver: HostConnection | WebhookEndpoint) -> QuerySet[Delivery]:
    """List what a receiver refused or was given up on."""
    return receiver.deliveries.filter(status=Delivery.Status.PARKED)


def redeliver(
    *, to: HostConnection | WebhookEndpoint, first: int, last: int | None, by: str, now: datetime
) -> Redelivery | list[Refusal]:
    """Ask for a stretch of the agency's sequence again, from a position to a position or to the newest event.

    Events that the receiver was never told, because it was not there or did not hear this kind, are told too.
    """
    newest = Agency.objects.values_list("last_sequence", flat=True).get(pk=to.agency_id)
    upto = newest if last is None else last
    if not 1 <= first <= upto <= newest:
        said = f"Write a stretch from 1 to {newest}, the newest event."
        return [Refusal("stretch_out_of_range", said, "first" if not 1 <= first <= newest else "last")]
    with transaction.atomic():
        made = Redelivery.objects.create(
            connection=to if isinstance(to, HostConnection) else None,
            endpoint=to if isinstance(to, WebhookEndpoint) else None,
            first=first,
            last=upto,
            position=first - 1,
            asked_at=now,
            asked_by=by,
        )
        transaction.on_commit(events.nudge)
    return made


def advance(*, now: datetime, limit: int = AT_ONCE) -> set[int]:
    """Put the next piece of the oldest open stretch on its way; return the lanes with something to do.

    Runs in the scope of all agencies; the deliveries commit with the position, so a crash repeats nothing.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT EXISTS (SELECT FROM integrations_redelivery WHERE done_at IS NULL)")
        if not cursor.fetchone()[0]:
            return set()
    with transaction.atomic():
        row = Redelivery.objects.select_for_update(skip_locked=True).filter(done_at=None).order_by("pk").first()
        if row is None:
            return set()
        with acting_for(row.agency_id):
            return _advance(row, now, limit)


def _advance(row: Redelivery, now: datetime, limit: int) -> set[int]:
    stretch = Event.objects.filter(sequence__gt=row.position, sequence__lte=row.last).order_by("sequence")
    found = list(stretch[:limit])
    to = (row.connection_id, row.endpoint_id)
    again = [made for made in deliveries_of(found, now) if (made.connection_id, made.endpoint_id) == to]
    known = Delivery.objects.filter(
        connection_id=row.connection_id, endpoint_id=row.endpoint_id, event__in=[event.pk for event in found]
    )
    replay_all(known, now=now)
    write_rows(Delivery, again, skip_known=True)
    row.position = found[-1].sequence if len(found) == limit else row.last
    row.told += len(again)
    row.done_at = now if row.position == row.last else None
    row.save(update_fields=["position", "told", "done_at"])
    return {made.lane for made in again}
