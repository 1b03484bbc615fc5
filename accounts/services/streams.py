"""Suppression lists: one for each stream of messages, and the global one that stands in the addresses (EML-06).

Who wants no more offers still gets the notices and receipts that the law wants. A hard bounce and a complaint make an
address bad for every stream (EML-05), and so does an opt-out of the address or its medium (RF-07, EML-04): then what
the law wants in writing goes by letter.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from accounts import events
from accounts.bulk import blank, in_one, read_rows
from accounts.known import known
from accounts.models import ContactPoint, Suppression
from accounts.services import consent
from accounts.tenancy import acting

STREAMS = tuple(Suppression.Stream.values)
OF_ADDRESSES = "agency_id = %s AND value_key = ANY(%s::text[])"


def stop(*, contact_point: ContactPoint, stream: str, source: str, now: datetime, words: str = "") -> bool:
    """Put an address on a stream's list, for everyone of the agency for whom it is listed; False when it was there."""
    assert stream in STREAMS, stream
    with transaction.atomic():
        rows = consent.hold(contact_point)
        live = Suppression.objects.filter(contact_point__in=rows, stream=stream, ended_at=None)
        there = set(live.values_list("contact_point_id", flat=True))
        missing = [row for row in rows if row.pk not in there]
        for row in missing:
            Suppression.objects.create(contact_point=row, stream=stream, source=source, words=words[:2000], at=now)
            about = {"contact_point": str(row.pk), "kind": row.kind, "stream": stream, "source": source}
            events.record("optout.stream", consumer=row.consumer_id, now=now, data=about | {"to": row.masked})
    return bool(missing)


def take_over(new: Sequence[ContactPoint]) -> list[Suppression]:
    """Stop rows that are about to be written as their addresses are stopped with anybody of the acting agency.

    Whoever links anew, or lists an address for one more person, opens nothing by that (RF-07, EML-05, EML-06). The
    caller holds `consent.addresses_together`: what is said meanwhile finds the new rows.

    :returns: the lines of suppression lists that are to be written after them.
    """
    keys = in_one({row.value_key for row in new})
    known: dict[tuple[str, str], list[ContactPoint]] = {}
    for row in read_rows(ContactPoint, OF_ADDRESSES, UUID(acting()), keys) if new else ():
        known.setdefault((row.kind, row.value_key), []).append(row)
    if not known:
        return []
    stopped = Suppression.objects.filter(contact_point__in=[row.pk for rows in known.values() for row in rows])
    lists: dict[UUID, list[Suppression]] = {}
    for line in stopped.filter(ended_at=None).order_by("at", "pk"):
        lists.setdefault(line.contact_point_id, []).append(line)
    made = []
    for row in new:
        same = known.get((row.kind, row.value_key), ())
        row.opted_out_at = min((one.opted_out_at for one in same if one.opted_out_at), default=row.opted_out_at)
        row.bad_at = min((one.bad_at for one in same if one.bad_at), default=row.bad_at)
        lines = {line.stream: line for one in same for line in lists.get(one.pk, ())}
        made += [
            blank(
                Suppression,
                agency_id=row.agency_id,
                contact_point_id=row.pk,
                stream=line.stream,
                source=line.source,
                words=line.words,
                at=line.at,
            )
            for line in lines.values()
        ]
    return made


def reopen(*, contact_point: ContactPoint, now: datetime) -> None:
    """Take an address off every stream's list: its consumer confirmed it anew."""
    Suppression.objects.filter(contact_point=contact_point, ended_at=None).update(ended_at=now)


@known
def _stopped(contact_points: Sequence[UUID]) -> QuerySet:
    rows = Suppression.objects.filter(contact_point__in=contact_points, ended_at=None)
    return rows.values_list("contact_point_id", "stream")


def stopped(contact_points: set) -> dict:
    """Give the streams that are stopped, by the id of the address."""
    found: dict = {}
    for point, stream in _stopped(list(contact_points)):
        found.setdefault(point, set()).add(stream)
    return found


def listed(stream: str) -> QuerySet[ContactPoint]:
    """Give the addresses that a stream must not write to: its own list and the global one."""
    own = Suppression.objects.filter(contact_point=OuterRef("pk"), stream=stream, ended_at=None)
    everywhere = Q(bad_at__isnull=False) | Q(opted_out_at__isnull=False)
    return ContactPoint.objects.annotate(own=Exists(own)).filter(everywhere | Q(own=True), removed_at=None)


def why(point: ContactPoint) -> str:
    """Say why an address of `listed` is on it; what stops everything comes first."""
    if point.bad_at is not None:
        return "bad_address"
    return "opted_out" if point.opted_out_at is not None else "stream_stopped"
