"""How every receiver of the agency's events is: its queue and whether it shrinks, its answers, when it last spoke."""

import time
import uuid
from datetime import datetime
from math import ceil
from typing import NamedTuple

from django.db import connection

from integrations.models import HostConnection, Receiver, WebhookEndpoint

HOUR, MINUTE = 3_600, 60
QUEUES = """
SELECT coalesce(connection_id, endpoint_id), count(*) FILTER (WHERE status = 'waiting'),
       count(*) FILTER (WHERE status = 'parked'), min(created_at) FILTER (WHERE status = 'waiting')
FROM integrations_delivery WHERE status IN ('waiting', 'parked') GROUP BY 1
"""
ANSWERS = """
SELECT coalesce(d.connection_id, d.endpoint_id), count(*), count(*) FILTER (WHERE a.status NOT BETWEEN 200 AND 299),
       percentile_cont(0.5) WITHIN GROUP (ORDER BY a.duration_ms),
       percentile_cont(0.99) WITHIN GROUP (ORDER BY a.duration_ms), max(a.at),
       count(*) FILTER (WHERE a.id >= %s AND a.status BETWEEN 200 AND 299 AND d.status = 'delivered')
FROM integrations_deliveryattempt a JOIN integrations_delivery d ON d.id = a.delivery_id
WHERE a.id >= %s GROUP BY 1
"""
ADDED = """
SELECT coalesce(connection_id, endpoint_id), count(*) FROM integrations_delivery WHERE id >= %s GROUP BY 1
"""


class Health(NamedTuple):
    """One receiver: what waits for it, its answers of the last hour (milliseconds), what moved in the last minute."""

    receiver: Receiver
    waiting: int = 0
    parked: int = 0
    oldest_at: datetime | None = None
    answers: int = 0
    failures: int = 0
    p50_ms: float | None = None
    p99_ms: float | None = None
    answered_at: datetime | None = None
    taken: int = 0
    added: int = 0

    @property
    def minutes_left(self) -> int | None:
        """Say in how many minutes nothing waits, going on like the last one; None while the queue does not shrink."""
        fewer = self.taken - self.added
        return ceil(self.waiting / fewer) if self.waiting and fewer > 0 else None


def of_all() -> list[Health]:
    """Look at every host connection and webhook endpoint of the acting agency; those in trouble come first."""
    with connection.cursor() as cursor:
        cursor.execute(QUEUES)
        queues = {pk: row for pk, *row in cursor.fetchall()}
        # Ids tell when a row was made: the tables have no other way to their last hour that is as short.
        cursor.execute(ANSWERS, [earliest_id(MINUTE), earliest_id(HOUR)])
        answers = {pk: row for pk, *row in cursor.fetchall()}
        cursor.execute(ADDED, [earliest_id(MINUTE)])
        added = dict(cursor.fetchall())
    receivers = [*HostConnection.objects.order_by("name"), *WebhookEndpoint.objects.filter(removed_at=None)]
    found = [
        Health(
            row,
            *queues.get(row.pk, (0, 0, None)),
            *answers.get(row.pk, (0, 0, None, None, None, 0)),
            added=added.get(row.pk, 0),
        )
        for row in receivers
    ]
    return sorted(found, key=lambda one: (one.receiver.unreachable_since is None, -one.parked, -one.waiting))


def earliest_id(seconds: float) -> uuid.UUID:
    """Give the least id of what was made in so many last seconds."""
    return uuid.UUID(int=int((time.time() - seconds) * 1000) << 80)
