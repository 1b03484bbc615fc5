"""Write events: the fact, its timeline line and its message to the host are one row in one transaction.

`account_seq` is dense because it is given under the account's row lock, so commit order is sequence order.
`sequence` is per agency, gap-free, given by `assign_sequences` when events are routed; feeds page by it.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from django.db import connection, transaction

from accounts.bulk import as_read, in_one, write_columns
from accounts.ids import uuid_of
from accounts.models import Account, Consumer, Event
from accounts.tenancy import acting, uuid7

CATALOGUE = """
account.placed account.updated account.recalled account.status_changed account.card_disabled account.paid_in_full
account.reopening_allowed
balance.changed consumer.identified consumer.identification_failed consumer.logged_in consumer.stepped_up
consumer.contact_changed language.set consent.granted consent.withdrawn esign.granted esign.withdrawn optout.address
optout.medium optout.stream cease.received offer.made offer.viewed offer.accepted offer.declined offer.expired
offer.withdrawn offer.broken offer.completed rule_set.published rule_set.withdrawn affordability.submitted
affordability.decided hardship.requested hardship.granted hardship.declined hardship.ended
method.added method.refused method.removed method.blocked
method.updated authorization.created authorization.revoked payment.started payment.intended payment.succeeded
payment.declined payment.pending payment.returned payment.charged_back payment.refunded payment.voided payment.posted
postdate.scheduled postdate.changed postdate.cancel_requested postdate.cancelled postdate.due postdate.skipped
postdate.hold_requested arrangement.created arrangement.performing arrangement.late arrangement.broken
arrangement.changed arrangement.paused arrangement.completed arrangement.cancelled promise.made promise.kept
promise.broken settlement.completed settlement.broken message.queued message.held message.sent message.delivered
message.opened message.clicked message.bounced message.complained message.failed message.received message.unsubscribed
message.replied letter.required dispute.opened dispute.resolved document.uploaded callback.requested question.asked
campaign.started campaign.stopped campaign.finished session.started session.abandoned session.ended page.viewed
notice.due notice.sent notice.failed oc_request.opened sol_notice.acknowledged incident.opened contact_plan.requested
batch.created batch.approved batch.exported batch.posted host.unreachable host.recovered delivery.abandoned
oc_request.answered message.requested webhook.unreachable webhook.recovered webhook.suspended webhook.resumed
payment.refund_failed arrangement.suspended statement.due statement.sent
pay_link.made pay_link.used pay_link.revoked session_link.made session_link.used session_link.revoked
"""
KINDS = frozenset(CATALOGUE.split())

COUNT_AND_WRITE = """
WITH counted AS (
    UPDATE accounts_account SET event_seq = event_seq + 1 WHERE id = %(account_id)s RETURNING event_seq
)
INSERT INTO accounts_event
    (id, agency_id, account_id, consumer_id, account_seq, kind, actor, request_id, occurred_at, data)
SELECT %(id)s, %(agency_id)s, %(account_id)s, %(consumer_id)s, counted.event_seq, %(kind)s, %(actor)s, %(request_id)s,
    %(occurred_at)s, %(data)s::jsonb
FROM counted RETURNING account_seq
"""

LOOK_AHEAD = 10
"""So many times the events of one turn are looked through for agencies that wait."""

WAITING = """
SELECT DISTINCT agency_id FROM (
    SELECT agency_id FROM accounts_event WHERE sequence IS NULL ORDER BY id LIMIT %s
) AS first ORDER BY agency_id
"""
GIVE_PLACES = """
WITH counted AS (UPDATE accounts_agency SET last_sequence = %s WHERE id = %s)
UPDATE accounts_event SET sequence = given.sequence
FROM unnest(%s::uuid[], %s::bigint[]) AS given(id, sequence) WHERE accounts_event.id = given.id
"""
BEHIND = """
SELECT agency.id, place.id, coalesce(place.sequence, 0) FROM accounts_agency agency
LEFT JOIN accounts_readerposition place ON place.agency_id = agency.id AND place.reader = %s
WHERE agency.last_sequence > coalesce(place.sequence, 0) ORDER BY agency.id
"""
FIRST_PLACE = """
INSERT INTO accounts_readerposition (id, agency_id, reader, sequence) VALUES (%s, %s, %s, 0) ON CONFLICT DO NOTHING
"""
MOVE_ON = """
UPDATE accounts_readerposition SET sequence = %s WHERE agency_id = %s AND reader = %s AND sequence = %s
"""
COLUMNS = (
    "id", "agency_id", "account_id", "consumer_id", "account_seq", "sequence", "kind", "actor", "request_id",
    "occurred_at",
)  # fmt: skip

listeners: list[Callable[[], None]] = []
"""Port: upper floors that want a nudge after a commit that wrote events. Empty nudges nobody; polls find all."""

_context: ContextVar[tuple[str, str]] = ContextVar("event_context", default=("system", ""))


@contextmanager
def context(*, actor: str, request_id: str = "") -> Iterator[None]:
    """Say who acts and in which request, for every event until the block ends."""
    token = _context.set((actor, request_id))
    try:
        yield
    finally:
        _context.reset(token)


def acting_in() -> tuple[str, str]:
    """Say who acts and in which request."""
    return _context.get()


def record(
    kind: str,
    *,
    now: datetime,
    account: Account | None = None,
    consumer: Consumer | UUID | None = None,
    data: dict[str, Any] | None = None,
) -> Event:
    """Write one event inside the caller's transaction, under the account's lock if it has one.

    :param data: a snapshot with amounts in cents; never a card number, bank number, SSN or birth date.
    """
    assert kind in KINDS, kind
    assert connection.in_atomic_block, "an event commits with its fact"
    if account is not None:
        consumer = consumer or account.consumer_id
    actor, request_id = _context.get()
    event = Event(
        agency_id=_agency_of(account, consumer),
        account=account,
        consumer_id=getattr(consumer, "pk", consumer),
        kind=kind,
        actor=actor,
        request_id=request_id,
        occurred_at=now,
        data={"v": 1, **(data or {})},
    )
    if account is None:
        event.save(force_insert=True)
    else:
        _count_and_write(event)
    nudge_on_commit()
    return event


def _count_and_write(event: Event) -> None:
    """Give an event the next number of its account and write it, in one statement."""
    event.claim_for_acting_agency()
    given = {line.attname: getattr(event, line.attname) for line in event._meta.concrete_fields}
    with connection.cursor() as cursor:
        cursor.execute(COUNT_AND_WRITE, given | {"data": json.dumps(event.data, cls=Event.data.field.encoder)})
        (event.account_seq,) = cursor.fetchone()
    event._state.adding, event._state.db = False, connection.alias


def record_all(
    facts: list[tuple[str, Account, dict[str, Any]]], *, now: datetime, at: list[datetime] | None = None
) -> None:
    """Write many events of accounts whose rows the caller has locked (or just made), in their order, in one go.

    :param at: when each happened, where it was not now.
    """
    if not facts:
        return
    # Some carry their id as text; whichever they are, one of each account counts for all of them.
    keys = [(key if type(key := account.pk) is UUID else UUID(key)).int for _kind, account, _data in facts]
    counts, accounts = Counter(keys), dict(zip(keys, (account for _kind, account, _data in facts), strict=True))
    # The row knows how far it is, whatever somebody else wrote about it in this transaction.
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE accounts_account SET event_seq = event_seq + given.count FROM unnest(%s::uuid[], %s::int[]) "
            "AS given(id, count) WHERE accounts_account.id = given.id RETURNING accounts_account.id, event_seq",
            [in_one(map(uuid_of, counts)), in_one(counts.values())],
        )
        for key, last_seq in cursor.fetchall():
            accounts[key.int].event_seq = last_seq - counts[key.int]
    prepared = prepare(
        [(kind, accounts[key], data) for key, (kind, _account, data) in zip(keys, facts, strict=True)], now=now
    )
    if at is not None:
        prepared["occurred_at"] = at
    write_prepared(prepared)


def prepare(facts: list[tuple[str, Account, dict[str, Any]]], *, now: datetime) -> dict[str, list]:
    """Give events their places in their accounts, which the caller has locked and saves with their `event_seq`."""
    assert connection.in_atomic_block, "an event commits with its fact"
    actor, request_id = _context.get()
    seqs = []
    for kind, account, _data in facts:
        assert kind in KINDS, kind
        account.event_seq += 1
        seqs.append(account.event_seq)
    count = len(facts)
    # Column by column: an instance of the model would cost as much as the rest of an event.
    return {
        "id": [uuid7() for _fact in facts],
        "agency_id": [account.agency_id for _kind, account, _data in facts],
        "account_id": [account.id for _kind, account, _data in facts],
        "consumer_id": [account.consumer_id for _kind, account, _data in facts],
        "account_seq": seqs,
        "sequence": [None] * count,
        "kind": [kind for kind, _account, _data in facts],
        "actor": [actor] * count,
        "request_id": [request_id] * count,
        "occurred_at": [now] * count,
        "data": [_encoded({"v": 1, **data}) for _kind, _account, data in facts],
    }


def _encoded(data: dict[str, Any]) -> str:
    return msgspec.json.encode(data).decode()


def write_prepared(columns: dict[str, list]) -> None:
    """Insert events that `prepare` placed, once their accounts are saved."""
    if columns["id"]:
        write_columns(Event, columns)
        nudge_on_commit()


def nudge_on_commit() -> None:
    """Tell the listeners after the commit; for those who write events by a statement of their own."""
    if not any(hook is nudge for _sids, hook, *_rest in connection.run_on_commit):
        transaction.on_commit(nudge)


def _agency_of(account: Account | None, consumer: Consumer | UUID | None) -> UUID:
    """Take the agency of what the event is about, so that sweeps over all agencies can write too."""
    about = account or (consumer if isinstance(consumer, Consumer) else None)
    return about.agency_id if about is not None else UUID(acting())


def nudge() -> None:
    """Tell every listener that there is something to do; called after a commit."""
    for listener in listeners:
        listener()


def assign_sequences(*, limit: int = 2_000) -> list[Event]:
    """Give waiting events their place in their agency's sequence; return them in that order.

    Runs in the scope of all agencies (or one). Agencies are locked one by one, so two routers never interleave;
    within an account the order is account_seq. Where several agencies wait, each gets its share of the limit: a
    campaign to a hundred thousand people holds up nobody else's payment.
    """
    # Plain statements here and in `take`: this runs for every event that is told at once, and the ORM doubles its time.
    with connection.cursor() as cursor:
        cursor.execute(WAITING, [LOOK_AHEAD * limit])
        waiting = [agency_id for (agency_id,) in cursor.fetchall()]
    routed: list[Event] = []
    limit = max(limit // max(len(waiting), 1), limit // LOOK_AHEAD, 1)
    for agency_id in waiting:
        with transaction.atomic(savepoint=False), connection.cursor() as cursor:
            cursor.execute("SELECT last_sequence FROM accounts_agency WHERE id = %s FOR NO KEY UPDATE", [agency_id])
            (last_sequence,) = cursor.fetchone()
            batch = _read("agency_id = %s AND sequence IS NULL ORDER BY id LIMIT %s", agency_id, limit)
            if not batch:
                continue
            if len(batch) == limit:
                # Behind the cut may stand an account's earlier event, where the clocks of two machines disagree.
                batch += _rest_of_their_accounts(batch)
            ordered = in_account_order(batch)
            for sequence, event in enumerate(ordered, start=last_sequence + 1):
                event.sequence = sequence
            places = [in_one(event.pk for event in ordered), in_one(event.sequence for event in ordered)]
            cursor.execute(GIVE_PLACES, [last_sequence + len(batch), agency_id, *places])
            routed += ordered
    return routed


def take(reader: str, *, limit: int = 2_000, fresh: Sequence[Event] = ()) -> list[Event]:
    """Give a reader the sequenced events it has not had, agency by agency, and move its position past them.

    Runs in the caller's transaction, in the scope of all agencies, so that what is made of the events commits with the
    position. Sequences are given under the agency's lock, so none can appear below a position later.

    :param fresh: what this transaction gave a place to, which need not be read again.
    """
    of_agency: dict[UUID, list[Event]] = {}
    for event in fresh:
        of_agency.setdefault(event.agency_id, []).append(event)
    taken: list[Event] = []
    with connection.cursor() as cursor:
        cursor.execute(BEHIND, [reader])
        for agency_id, place_id, position in cursor.fetchall():
            if place_id is None:
                cursor.execute(FIRST_PLACE, [uuid7(), agency_id, reader])
            found = of_agency.get(agency_id)
            if found is None or found[0].sequence != position + 1:
                where = "agency_id = %s AND sequence > %s ORDER BY sequence LIMIT %s"
                found = _read(where, agency_id, position, limit)
            if not found:
                continue
            # Who stood there meanwhile took them.
            cursor.execute(MOVE_ON, [found[-1].sequence, agency_id, reader, position])
            if cursor.rowcount:
                taken += found
    return taken


def _read(where: str, *values: Any) -> list[Event]:
    """Read events by a condition of our own."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(COLUMNS)}, data::text FROM accounts_event WHERE {where}", values)  # noqa: S608
        rows = [(*plain, msgspec.json.decode(data)) for *plain, data in cursor.fetchall()]
    return as_read(Event, (*COLUMNS, "data"), rows)


def _rest_of_their_accounts(batch: list[Event]) -> list[Event]:
    """Return the waiting events behind a batch that belong to accounts in it."""
    behind = Event.objects.filter(agency_id=batch[0].agency_id, sequence__isnull=True, id__gt=batch[-1].pk)
    accounts = {event.account_id for event in batch} - {None}
    return list(behind.filter(account__in=accounts).order_by("id"))


def in_account_order(batch: list[Event]) -> list[Event]:
    """Keep each account's events in account_seq order even when their ids (clocks) disagree."""
    queues: dict[UUID | None, list[Event]] = {}
    for event in batch:
        queues.setdefault(event.account_id, []).append(event)
    for account_id, queue in queues.items():
        if account_id is not None:
            queue.sort(key=lambda event: event.account_seq, reverse=True)
        else:
            queue.reverse()
    return [queues[event.account_id].pop() for event in batch]
