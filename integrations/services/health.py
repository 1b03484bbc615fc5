"""How every receiver of the agency's events is: its queue, its answers of the last hour, when it last spoke."""

import time
import uuid
from datetime import datetime
from typing import NamedTuple

from django.db import connection

from integrations.models import HostConnection, Receiver, WebhookEndpoint

HOUR = 3_600
QUEUES = """
SELECT coalesce(connection_id, endpoint_id), count(*) FILTER (WHERE status = 'waiting'),
       count(*) FILTER (WHERE status = 'parked'), min(created_at) FILTER (WHERE status = 'waiting')
FROM integrations_delivery WHERE status IN ('waiting', 'parked') GROUP BY 1
"""
ANSWERS = """
SELECT coalesce(d.connection_id, d.endpoint_id), count(*), count(*) FILTER (WHERE a.status NOT BETWEEN 200 AND 299),
       percentile_cont(0.5) WITHIN GROUP (ORDER BY a.duration_ms),
       percentile_cont(0.99) WITHIN GROUP (ORDER BY a.duration_ms), max(a.at)
FROM integrations_deliveryattempt a JOIN integrations_delivery d ON d.id = a.delivery_id
WHERE a.id >= %s GROUP BY 1
"""


class Health(NamedTuple):
    """One receiver: what waits for it, and its answers of the last hour (milliseconds)."""

    receiver: Receiver
    waiting: int = 0
    parked: int = 0
    oldest_at: datetime | None = None
    answers: int = 0
    failures: int = 0
    p50_ms: float | None = None
    p99_ms: float | None = None
    answered_at: datetime | None = None


def of_all() -> list[Health]:
    """Look at every host connection and webhook endpoint of the acting agency; those in trouble come first."""
    with connection.cursor() as cursor:
        cursor.execute(QUEUES)
        queues = {pk: row for pk, *row in cursor.fetchall()}
        # Ids tell when an attempt was made: the table has no other way to its last hour that is as short.
        cursor.execute(ANSWERS, [_earliest_id(time.time() - HOUR)])
        answers = {pk: row for pk, *row in cursor.fetchall()}
    receivers = [*HostConnection.objects.order_by("name"), *WebhookEndpoint.objects.filter(removed_at=None)]
    found = [
        Health(row, *queues.get(row.pk, (0, 0, None)), *answers.get(row.pk, (0, 0, None, None, None)))
        for row in receivers
    ]
    return sorted(found, key=lambda one: (one.receiver.unreachable_since is None, -one.parked, -one.waiting))


def _earliest_id(seconds: float) -> uuid.UUID:
    return uuid.UUID(int=int(seconds * 1000) << 80)
