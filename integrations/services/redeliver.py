"""Tell again, or never: one delivery, a stretch of the sequence, everything that is parked."""

from datetime import datetime

from django.db import connection, transaction
from django.db.models import Exists, Max, Min, OuterRef, Q, QuerySet

from accounts import events
from accounts.bulk import write_rows
from accounts.models import Account, Agency, Event
from accounts.refusals import Refusal
from accounts.tenancy import Row, acting_for
from integrations.models import Delivery, HostConnection, Redelivery, WebhookEndpoint
from integrations.services import extract
from integrations.services.endpoints import removed
from integrations.services.route import deliveries_of

AT_ONCE = 2_000
"""Events that one look of the drain puts on their way, over all receivers: a long stretch holds nothing else up."""
PASSED_BY = 50
"""Numbers that one look passes by for each event that it may tell: most may be other hosts' events."""
OPEN = (Delivery.Status.PARKED, Delivery.Status.WAITING)
OPEN_STRETCHES = f"""
SELECT DISTINCT ON (stretch.connection_id, stretch.endpoint_id) stretch.agency_id, stretch.id
FROM integrations_redelivery stretch
LEFT JOIN integrations_hostconnection host ON host.id = stretch.connection_id
LEFT JOIN integrations_webhookendpoint endpoint ON endpoint.id = stretch.endpoint_id
WHERE stretch.done_at IS NULL AND (
    host.is_active AND host.transport <> 'files' OR endpoint.is_active OR endpoint.removed_at IS NOT NULL)
ORDER BY stretch.connection_id, stretch.endpoint_id, stretch.last < {Redelivery.UNTIL_CAUGHT_UP}, stretch.id
"""  # noqa: S608 - our own tables
"""Of each receiver one: what it missed, else the oldest. One that is off waits, and has no part of what is told."""


def replay(delivery: Delivery, *, now: datetime) -> list[Refusal]:
    """Send a delivery again, with the same event id; what was parked behind it follows. Or say why not."""
    if delivery.endpoint is not None and delivery.endpoint.removed_at is not None:
        return [removed()]
    replay_all(Delivery.objects.filter(pk=delivery.pk), now=now)
    return []


def replay_all(deliveries: QuerySet[Delivery], *, now: datetime) -> int:
    """Send these again now, each with the same event id, also those that wait for their next try.

    Whoever is down is probed now. What an endpoint that was removed was told stays as it is: it would wait for ever.
    """
    with transaction.atomic():
        for model, name in ((HostConnection, "connection"), (WebhookEndpoint, "endpoint")):
            theirs = model.objects.filter(pk__in=deliveries.order_by().values(name))
            theirs.exclude(unreachable_since=None).update(probe_at=now)
        count = _again(deliveries, now)
        transaction.on_commit(events.nudge)
    return count


def _again(deliveries: QuerySet[Delivery], now: datetime) -> int:
    of = WebhookEndpoint.objects.filter(pk__in=deliveries.order_by().values("endpoint"), removed_at=None)
    there = [row.pk for row in of.select_for_update(no_key=True)]
    told = deliveries.filter(Q(endpoint=None) | Q(endpoint__in=there))
    return told.update(status=Delivery.Status.WAITING, next_at=now, decided_at=None, attempts=0, reason="")


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
    if getattr(to, "removed_at", None) is not None:
        return [removed()]
    newest = _newest(to)
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


@transaction.atomic
def catch_up(*, host: HostConnection, by: str, now: datetime, after_files: bool = False) -> None:
    """Tell a host what it missed: all after the last event that was on its way to it, or from its accounts' first one.

    Until it has caught up nothing is routed to it (`route`), so that no account's newer event overtakes. The agency's
    lock waits for those that are being routed past it now.

    :param after_files: it was told by files: what is in one is told.
    """
    newest = _newest_for_good(host)
    told_by_files = host.transport == HostConnection.Transport.FILES
    if told_by_files or host.redeliveries.filter(done_at=None, last=Redelivery.UNTIL_CAUGHT_UP).exists():
        return
    last = host.deliveries.aggregate(last=Max("sequence"))["last"] or 0
    if after_files:
        last = max(last, extract.extracted_to(host))
    if last == 0:
        own = Event.objects.filter(account__connection_id=host.pk).aggregate(first=Min("sequence"))["first"]
        last = own - 1 if own else newest
    if last < newest:
        stretch = {"first": last + 1, "last": Redelivery.UNTIL_CAUGHT_UP, "position": last}
        Redelivery.objects.create(connection=host, **stretch, asked_at=now, asked_by=by)
        transaction.on_commit(events.nudge)


def _newest(to: Row) -> int:
    return Agency.objects.values_list("last_sequence", flat=True).get(pk=to.agency_id)


def _newest_for_good(to: Row) -> int:
    """Read the agency's newest number under the lock by which numbers are given: all below it is written."""
    agencies = Agency.objects.select_for_update(no_key=True)
    return agencies.values_list("last_sequence", flat=True).get(pk=to.agency_id)


def advance(*, now: datetime, limit: int = AT_ONCE) -> set[int]:
    """Put the next piece of an open stretch of each receiver on its way; return the lanes with something to do.

    Runs in the scope of all agencies; the deliveries commit with the position, so a crash repeats nothing.
    """
    with connection.cursor() as cursor:
        cursor.execute(OPEN_STRETCHES)
        rows = cursor.fetchall()
    lanes: set[int] = set()
    for agency_id, pk in rows:
        with acting_for(agency_id), transaction.atomic():
            row = Redelivery.objects.select_for_update(skip_locked=True).filter(pk=pk, done_at=None).first()
            to = _receiver(row) if row is not None else None
            if to is not None and getattr(to, "removed_at", None) is None:
                lanes |= _advance(row, now, max(limit // len(rows), 1))
            elif to is not None:  # nobody is there to be told the rest
                row.done_at = now
                row.save(update_fields=["done_at"])
    return lanes


def _receiver(row: Redelivery) -> HostConnection | WebhookEndpoint | None:
    """Give whom the stretch is told, unless it waits, and let nobody switch that one off or remove it meanwhile."""
    if row.connection_id:
        hosts = HostConnection.objects.filter(pk=row.connection_id, is_active=True)
        receivers = hosts.exclude(transport=HostConnection.Transport.FILES)
    else:
        on = Q(is_active=True) | Q(removed_at__isnull=False)
        receivers = WebhookEndpoint.objects.filter(on, pk=row.endpoint_id)
    return receivers.select_for_update(no_key=True).first()


def _advance(row: Redelivery, now: datetime, limit: int) -> set[int]:
    end = row.position + limit * PASSED_BY
    found = _piece(row, end, limit)
    if row.last == Redelivery.UNTIL_CAUGHT_UP and len(found) < limit and _newest(row) <= end:
        # It ends here: what is being routed past it must be written, and what comes behind is routed to it again.
        newest = _newest_for_good(row)
        found = _piece(row, end, limit)
        row.last = newest if len(found) < limit and newest <= end else row.last
    to = (row.connection_id, row.endpoint_id)
    made = deliveries_of(found, now, behind=row.connection_id)
    again = [one for one in made if (one.connection_id, one.endpoint_id) == to]
    known = Delivery.objects.filter(
        connection_id=row.connection_id, endpoint_id=row.endpoint_id, event__in=[event.pk for event in found]
    )
    _again(known, now)
    write_rows(Delivery, again, skip_known=True)
    row.position = found[-1].sequence if len(found) == limit else min(row.last, end)
    row.told += len(again)
    row.done_at = now if row.position == row.last else None
    row.save(update_fields=["last", "position", "told", "done_at"])
    return {one.lane for one in again}


def _piece(row: Redelivery, end: int, limit: int) -> list[Event]:
    """Read the next events of a stretch up to a number; for a host those alone that it may hear of."""
    stretch = Event.objects.filter(sequence__gt=row.position, sequence__lte=min(row.last, end))
    if row.connection_id:
        held = Account.objects.filter(connection_id=row.connection_id, consumer_id=OuterRef("consumer_id"))
        of_people = Q(Exists(held), account=None) | Q(account=None, consumer=None)
        stretch = stretch.filter(Q(account__connection_id=row.connection_id) | of_people)
    return list(stretch.order_by("sequence")[:limit])
