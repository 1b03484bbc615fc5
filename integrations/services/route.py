"""Route events: give each its sequence and one delivery per interested receiver and, for hosts, account."""

import zlib
from collections import defaultdict
from datetime import datetime
from typing import NamedTuple
from uuid import UUID, uuid5

import msgspec
from django.db import connection, transaction
from django.db.models import QuerySet

from accounts import events
from accounts.bulk import blank, in_one, write_rows
from accounts.known import known
from accounts.models import Account, Event
from integrations import hosts, wake, webhooks
from integrations.models import Delivery, HostConnection, Redelivery
from payments.services.visible import Visible

LANES = 64
"""Power of two, never changed while deliveries wait: a lane is a hash of connection and account."""
ROUTED_AT_ONCE = 2_000
READER = "hosts"
TOLD = f"""
host.is_active AND host.transport <> 'files' AND (host.id = %s::uuid OR NOT EXISTS (
    SELECT FROM integrations_redelivery behind
    WHERE behind.connection_id = host.id AND behind.done_at IS NULL AND behind.last = {Redelivery.UNTIL_CAUGHT_UP}))
"""
"""A host that is told by files has nothing on its way to it, and one that was off has nothing new before it has caught
up; the one named is told what it missed."""
HOSTS_OF = f"""
SELECT account.consumer_id, account.id, account.connection_id FROM accounts_account account
JOIN integrations_hostconnection host ON host.id = account.connection_id
WHERE {TOLD} AND {{which}} = ANY(%s::uuid[]) ORDER BY account.id
"""  # noqa: S608 - our own tables
"""Plain, as what follows is done for every single event."""
HOSTS_OF_AGENCIES = f"""
SELECT host.agency_id, host.id FROM integrations_hostconnection host
WHERE {TOLD} AND host.agency_id = ANY(%s::uuid[]) ORDER BY host.id
"""  # noqa: S608 - our own tables
ENDPOINTS = """
SELECT agency_id, id, kinds::text FROM integrations_webhookendpoint
WHERE agency_id = ANY(%s::uuid[]) AND is_active AND removed_at IS NULL ORDER BY id
"""
FILE_STYLES = ("intelec",)
"""Hosts that take payments in batches; any other style is told at once, and what it is told is never in a batch."""


class Routed(NamedTuple):
    """Say how many events were routed and what became of them (nothing, if nobody hears of them); may more wait?"""

    events: int
    deliveries: list[Delivery]
    more: bool


def route(*, now: datetime, limit: int = ROUTED_AT_ONCE) -> Routed:
    """Route waiting events of all agencies.

    Whoever waits for the agency's feed is woken after the commit.

    Deliveries commit with the router's own position in each agency's sequence, so a crash leaves an event either
    waiting or on its way, and it does not matter which reader gave the sequence. An event about a consumer goes to
    every account they hold, an event about the agency alone to every connection once.
    """
    with transaction.atomic():
        routed = events.take(READER, limit=limit, fresh=events.assign_sequences(limit=limit))
        if not routed:
            return Routed(0, [], more=False)
        deliveries = deliveries_of(routed, now)
        write_rows(Delivery, deliveries, skip_known=True)
        told = {event.agency_id: event.sequence for event in routed}
        transaction.on_commit(lambda: wake.tell_feeds(told))
    return Routed(len(routed), deliveries, more=len(routed) >= limit // events.LOOK_AHEAD)


def deliveries_of(routed: list[Event], now: datetime, *, behind: UUID | None = None) -> list[Delivery]:
    """Make the deliveries of events with a sequence, for every receiver that hears of them; write nothing.

    :param behind: a host that is told what it missed; no other one that has not caught up hears of anything.
    """
    return _to_hosts(routed, now, behind) + _to_endpoints(routed, now)


def _to_endpoints(routed: list[Event], now: datetime) -> list[Delivery]:
    with connection.cursor() as cursor:
        cursor.execute(ENDPOINTS, [list({event.agency_id for event in routed})])
        endpoints = [(*plain, msgspec.json.decode(kinds)) for *plain, kinds in cursor.fetchall()]
    return [
        _delivery(event, event.account_id, now, endpoint_id=endpoint_id)
        for event in routed
        for agency_id, endpoint_id, kinds in endpoints
        if agency_id == event.agency_id and webhooks.hears(kinds, event.kind)
    ]


def _to_hosts(routed: list[Event], now: datetime, behind: UUID | None) -> list[Delivery]:
    accounts = {event.account_id for event in routed if event.account_id}
    consumers = {event.consumer_id for event in routed if event.consumer_id and not event.account_id}
    agencies = {event.agency_id for event in routed if not (event.account_id or event.consumer_id)}
    connection_of: dict[UUID, UUID] = {}
    of_consumer: dict[UUID, list[tuple[UUID | None, UUID]]] = defaultdict(list)
    of_agency: dict[UUID, list[tuple[UUID | None, UUID]]] = defaultdict(list)
    with connection.cursor() as cursor:
        if accounts:
            cursor.execute(HOSTS_OF.format(which="account.id"), [behind, in_one(accounts)])
            connection_of = {account_id: connection_id for _consumer, account_id, connection_id in cursor.fetchall()}
        if consumers:
            cursor.execute(HOSTS_OF.format(which="account.consumer_id"), [behind, in_one(consumers)])
            for consumer_id, *pair in cursor.fetchall():
                of_consumer[consumer_id].append(tuple(pair))
        if agencies:
            cursor.execute(HOSTS_OF_AGENCIES, [behind, in_one(agencies)])
            for agency_id, connection_id in cursor.fetchall():
                of_agency[agency_id].append((None, connection_id))
    deliveries = []
    for event in routed:
        if event.account_id:
            found = [(event.account_id, connection_of.get(event.account_id))]
        else:
            found = of_consumer[event.consumer_id] if event.consumer_id else of_agency[event.agency_id]
        deliveries += [
            _delivery(event, account_id, now, connection_id=connection_id)
            for account_id, connection_id in found
            if connection_id
        ]
    return deliveries


def _delivery(
    event: Event,
    account_id: UUID | None,
    now: datetime,
    *,
    connection_id: UUID | None = None,
    endpoint_id: UUID | None = None,
) -> Delivery:
    return blank(
        Delivery,
        agency_id=event.agency_id,
        connection_id=connection_id,
        endpoint_id=endpoint_id,
        event_id=event.pk,
        account_id=account_id,
        sequence=event.sequence,
        lane=lane_of(connection_id or endpoint_id, account_id),
        next_at=now,
        created_at=now,
    )


def lane_of(receiver_id: UUID, account_id: UUID | None) -> int:
    """Give the lane of an account at a receiver; agency-level events of a receiver have a lane too."""
    return zlib.crc32(receiver_id.bytes + (account_id.bytes if account_id else b"")) % LANES


def message_id(event_id: UUID, account_id: UUID | None, *, about_account: bool) -> UUID:
    """Give the id by which a host knows a delivery: the event's own, or for a consumer's event one per account."""
    return event_id if about_account or account_id is None else uuid5(event_id, str(account_id))


@known
def _of_files() -> QuerySet:
    return HostConnection.objects.filter(style__in=FILE_STYLES, is_active=True).values_list("pk", flat=True)


def file_hosts() -> list[UUID]:
    """List the acting agency's connections whose host takes payments in batches."""
    return _of_files()


@known
def _table(connection_id: UUID) -> QuerySet:
    return HostConnection.objects.filter(pk=connection_id).values_list("routing", "style", "is_active")


def routing_table(account: Account) -> dict:
    """Give the routing table of an account's connection; fills `payments.services.route.table`.

    A connection that says nothing has its style's own table; no connection, no route; and one that is switched off
    executes nothing and sends no notices.
    """
    if (found := _table.first(account.connection_id)) is None:
        return {}
    routing, style, is_active = found
    table = routing or hosts.defaults(style)["routing"]
    return table if is_active else _without_host(table)


def _without_host(table: dict | list) -> dict | list:
    """Leave the ways in which the host has no part, in whichever form a connection stores its table."""
    if isinstance(table, list):
        return [row for row in table if "host" not in row.values()]
    return {
        key: way for key, way in table.items() if "host" not in (way.values() if isinstance(way, dict) else tuple(way))
    }


@known
def _lists(connection_id: UUID) -> QuerySet:
    return HostConnection.objects.filter(pk=connection_id).values_list("payment_statuses", "postdate_statuses")


def visible_statuses(account: Account) -> Visible | None:
    """Give the statuses that the tabs of an account show; fills `payments.services.visible.of_connection`."""
    found = _lists.first(account.connection_id)
    return Visible(tuple(found[0]), tuple(found[1])) if found else None
