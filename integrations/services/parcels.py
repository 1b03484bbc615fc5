"""What the drain reads and writes: due deliveries as values, their messages, and what became of them."""

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from django.db import connection
from django.db.models import Exists, OuterRef, QuerySet

from accounts.bulk import in_one, measure_when_grown
from accounts.crypto import blind_index, mask
from accounts.ids import in_one_text
from accounts.known import known
from accounts.models import Event
from accounts.tenancy import uuid7
from integrations.hosts import Outgoing, Receiver
from integrations.models import Delivery, DeliveryAttempt
from integrations.services import allocate
from integrations.services.route import message_id
from payments.models import Method

NEEDS_NUMBER = ("payment.pending", "postdate.scheduled", "postdate.changed")
"""Events by which a host that executes bank debits learns the account."""
LAST_SEQUENCE = 2**63 - 1
ANSWER_KEPT = 2_000
"""Characters of a host's answer kept with an attempt."""


@dataclass(slots=True)
class Parcel:
    """One due delivery with its event, read in one row."""

    id: UUID
    agency_id: UUID
    receiver_id: UUID
    to_host: bool
    account_id: UUID | None
    lane: int
    sequence: int
    attempts: int
    event_id: UUID
    about_account: bool
    account_seq: int | None
    kind: str
    occurred_at: datetime
    consumer_id: UUID | None
    actor: str
    request_id: str
    data: dict[str, Any]
    reference: str | None
    message_id: str = ""
    redacted: str = "{}"
    """JSON; of what could not be written there is nothing to keep."""
    digest: str = ""

    @property
    def chain(self) -> tuple[UUID, UUID]:
        """Deliveries of one chain go one after another; what is about no account is a chain of its own."""
        return self.receiver_id, self.account_id or self.id

    @property
    def method_id(self) -> str | None:
        """Name the bank account whose number the executor needs, if it is the host; an endpoint is never given one."""
        needs = (
            self.to_host
            and self.kind in NEEDS_NUMBER
            and (self.data.get("kind"), self.data.get("executor")) == ("ach", "host")
        )
        return self.data.get("method") if needs and self.data.get("origin") != "host" else None


class Attempt(NamedTuple):
    """What one request did for one delivery."""

    parcel: Parcel
    status: str
    next_at: datetime
    reason: str
    http_status: int
    duration_ms: float
    answer: str


HELD = """
SELECT coalesce(connection_id, endpoint_id)::text || account_id::text, min(sequence) FROM integrations_delivery
WHERE lane = ANY(%(lanes)s::int[]) AND status IN ('waiting', 'parked') AND attempts > 0 AND account_id IS NOT NULL
  AND (status = 'parked' OR next_at > %(now)s)
GROUP BY 1
"""
CLAIM = """
SELECT d.id, d.agency_id, coalesce(d.connection_id, d.endpoint_id), d.connection_id IS NOT NULL, d.account_id, d.lane,
       d.sequence, d.attempts, e.id, e.account_id IS NOT NULL, e.account_seq, e.kind, e.occurred_at, e.consumer_id,
       e.actor, e.request_id, e.data::text, a.reference
FROM unnest(%(lanes)s::int[]) AS wanted(lane)
CROSS JOIN LATERAL (
    SELECT * FROM integrations_delivery d
    WHERE d.lane = wanted.lane AND d.status = 'waiting' AND (d.attempts = 0 OR d.next_at <= %(now)s)
      AND NOT coalesce(d.connection_id, d.endpoint_id) = ANY(%(blocked)s::uuid[])
      AND NOT d.id = ANY(%(known)s::uuid[])
      AND (%(all_free)s OR d.sequence < coalesce((%(held)s::jsonb ->> (
          coalesce(d.connection_id, d.endpoint_id)::text || d.account_id::text))::bigint, %(last)s))
    ORDER BY d.sequence LIMIT %(limit)s
) d
CROSS JOIN LATERAL (SELECT * FROM accounts_event WHERE id = d.event_id OFFSET 0) e
LEFT JOIN LATERAL (SELECT reference FROM accounts_account WHERE id = d.account_id OFFSET 0) a ON true
ORDER BY d.sequence
"""
DUE_LANES = """
SELECT lane FROM unnest(%(lanes)s::int[]) AS lane WHERE EXISTS (
    SELECT 1 FROM integrations_delivery d WHERE d.lane = lane AND d.status = 'waiting'
      AND (d.attempts = 0 OR d.next_at <= %(now)s)
      AND NOT coalesce(d.connection_id, d.endpoint_id) = ANY(%(blocked)s::uuid[]))
"""
SETTLE = """
UPDATE integrations_delivery AS d
SET status = given.status, attempts = d.attempts + 1, next_at = given.next_at, reason = given.reason,
    decided_at = CASE WHEN given.status = 'waiting' THEN NULL ELSE %s END
FROM unnest(%s::uuid[], %s::text[], %s::timestamptz[], %s::text[], %s::int[])
    AS given(id, status, next_at, reason, attempts)
WHERE d.id = given.id AND d.status = 'waiting' AND (given.status = 'delivered' OR d.attempts = given.attempts)
"""
LOG = """
INSERT INTO integrations_deliveryattempt
    (id, agency_id, delivery_id, at, duration_ms, status, request, request_sha256, answer)
SELECT given.id, given.agency, given.delivery, %s, given.ms, given.status, given.request::jsonb, given.digest,
       given.answer
FROM unnest(%s::uuid[], %s::uuid[], %s::uuid[], %s::float8[], %s::int[], %s::text[], %s::text[], %s::text[])
    AS given(id, agency, delivery, ms, status, request, digest, answer)
"""


def due_lanes(lanes: Iterable[int], *, blocked: Iterable[UUID], now: datetime) -> set[int]:
    """Tell in which of these lanes something may go now."""
    with connection.cursor() as cursor:
        cursor.execute(DUE_LANES, {"lanes": list(lanes), "blocked": list(blocked), "now": now})
        return {lane for (lane,) in cursor.fetchall()}


def claim(
    lanes: Iterable[int], *, known: Iterable[UUID], blocked: Iterable[UUID], now: datetime, limit: int
) -> list[Parcel]:
    """Read what may go now in these lanes, at most `limit` from each, in order; not behind what is parked or waits.

    The statistics of an empty queue must not let PostgreSQL compare every delivery of a backlog with every other one:
    what holds a chain is read first and handed over as a value, and OFFSET 0 keeps the order of the joins. It sees what
    is known when it plans: only then is each delivery looked up among thousands instead of compared with all of them.
    """
    values = {"lanes": list(lanes), "known": in_one_text(known), "blocked": list(blocked), "now": now, "limit": limit}
    with connection.cursor() as cursor:
        cursor.execute(HELD, values)
        held = dict(cursor.fetchall())
        cursor.execute(CLAIM, values | {"held": json.dumps(held), "all_free": not held, "last": LAST_SEQUENCE})
        rows = cursor.fetchall()
    parcels = []
    for *plain, data, reference in rows:
        parcel = Parcel(*plain, data=msgspec.json.decode(data), reference=reference)
        parcel.message_id = str(message_id(parcel.event_id, parcel.account_id, about_account=parcel.about_account))
        parcels.append(parcel)
    return parcels


@known
def _methods(ids: Sequence[UUID]) -> QuerySet[Method]:
    return Method.objects.filter(pk__in=ids)


def write(parcels: list[Parcel], adapter: Receiver) -> list[bytes]:
    """Write the messages of one request; bank numbers are opened here and live only in what is returned."""
    needed = {parcel.method_id for parcel in parcels} - {None} if adapter.executes else set()
    numbers = {str(method.pk): method for method in _methods([UUID(one) for one in needed])} if needed else {}
    parts = allocate.of([parcel for parcel in parcels if parcel.kind in getattr(adapter, "allocated", ())])
    return [_written(parcel, adapter, numbers.get(parcel.method_id), parts.get(parcel.id)) for parcel in parcels]


def _written(parcel: Parcel, adapter: Receiver, method: Method | None, parts: list | None) -> bytes:
    event = Outgoing(
        id=UUID(parcel.message_id),
        sequence=parcel.sequence,
        account_sequence=parcel.account_seq if parcel.about_account else None,
        reference=parcel.reference,
        kind=parcel.kind,
        occurred_at=parcel.occurred_at,
        committed_at=_made_at(parcel.event_id),
        data=parcel.data,
        account_id=parcel.account_id,
        consumer_id=parcel.consumer_id,
        actor=parcel.actor,
        request_id=parcel.request_id,
        allocation=parts,
    )
    if method is None:
        message = msgspec.json.encode(adapter.write(event))
        parcel.redacted = message.decode()
    else:
        bank = {"AccountType": method.account_type, "Name": method.holder}
        whole = bank | {"RoutingNumber": method.routing, "AccountNumber": method.number} if method.number else bank
        message = msgspec.json.encode(adapter.write(event._replace(bank=whole)))
        masked = bank | {"AccountNumber": mask(method.number), "RoutingNumber": mask(method.routing)}
        parcel.redacted = msgspec.json.encode(adapter.write(event._replace(bank=masked))).decode()
    parcel.digest = hashlib.sha256(message).hexdigest()
    if method is not None and method.number:
        # All of the message but the number is kept beside it: without a key, trying all numbers would give it away.
        parcel.digest = blind_index(parcel.digest, agency_id=parcel.agency_id, field="message")
    return message


def _made_at(event_id: UUID) -> datetime:
    """Read the moment an event was written, just before its commit, from its version 7 id (milliseconds)."""
    return datetime.fromtimestamp((event_id.int >> 80) / 1000, UTC)


def without_numbers(text: str) -> str:
    """Mask long numbers in what a host said of a request with bank numbers: it may have quoted them."""
    return re.sub(r"\d{6,}", "••••", text)


def storable(text: str) -> str:
    """Leave out of what a host said what no database keeps: NUL, and halves of characters."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode()


def commit_lazily() -> None:
    """Let this transaction's commit not wait for the disk: what a crash forgets is sent again and known by its id."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL synchronous_commit = off")


def settle(attempts: list[Attempt], *, now: datetime) -> None:
    """Write what became of many deliveries: one UPDATE, one INSERT. Staff's decision meanwhile stands.

    What was asked for again while it was tried in vain is due again at once.
    """
    of = [attempt.parcel for attempt in attempts]
    with connection.cursor() as cursor:
        cursor.execute(
            SETTLE,
            [
                now,
                in_one(parcel.id for parcel in of),
                in_one(attempt.status for attempt in attempts),
                in_one(attempt.next_at for attempt in attempts),
                in_one(attempt.reason[:300] for attempt in attempts),
                in_one(parcel.attempts for parcel in of),
            ],
        )
        cursor.execute(
            LOG,
            [
                now,
                in_one(uuid7() for _parcel in of),
                in_one(parcel.agency_id for parcel in of),
                in_one(parcel.id for parcel in of),
                [attempt.duration_ms for attempt in attempts],
                in_one(attempt.http_status for attempt in attempts),
                in_one(parcel.redacted for parcel in of),
                in_one(parcel.digest for parcel in of),
                [attempt.answer[:ANSWER_KEPT] for attempt in attempts],
            ],
        )
    measure_when_grown(DeliveryAttempt, rows=len(of))


def wipe(methods: dict[str, Parcel], *, now: datetime) -> None:
    """Wipe bank numbers whose executor acknowledged every event that needed them."""
    for method_id, parcel in methods.items():
        needing = Event.objects.filter(account_id=parcel.account_id, kind__in=NEEDS_NUMBER, data__method=method_id)
        done = (Delivery.Status.DELIVERED, Delivery.Status.SKIPPED)
        taken = Delivery.objects.filter(event=OuterRef("pk"), connection__isnull=False, status__in=done)
        if not needing.exclude(Exists(taken)).exists():
            Method.objects.filter(pk=method_id, wiped_at=None, stored=False).update(routing="", number="", wiped_at=now)
