"""Is the process alive, can it serve, what does it count, and what waits for too long."""

import contextlib
from collections.abc import Iterator
from ipaddress import ip_address

import redis
from django.conf import settings
from django.db import Error, connection, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseForbidden, JsonResponse
from django_prometheus import exports
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily

from accounts.tenancy import ALL_AGENCIES, acting_for
from integrations.services.health import MINUTE, earliest_id

REDIS_PATIENCE = 0.5  # seconds
COUNTED_TO = 100_000  # what waits is counted up to here: a scrape must not read a table of millions
QUEUES = {
    "event": ("accounts_event", "occurred_at", "sequence IS NULL"),
    "delivery": ("integrations_delivery", "created_at", "status = 'waiting'"),
    "delivery_parked": ("integrations_delivery", "created_at", "status = 'parked'"),
    "payment_undecided": ("payments_payment", "intended_at", "status = 'intended'"),
    "message": ("campaigns_message", "next_at", "status = 'queued' AND next_at <= now()"),
    "processor_event": ("payments_processorevent", "received_at", "applied_at IS NULL"),
    "mail_event": ("campaigns_mailevent", "received_at", "applied_at IS NULL"),
    "text_event": ("campaigns_textevent", "received_at", "applied_at IS NULL"),
    "host_unreachable": ("integrations_hostconnection", "unreachable_since", "unreachable_since IS NOT NULL"),
}
"""What may wait: its table, since when, and which rows; each has a partial index or is small."""

WAITING_SQL = " UNION ALL ".join(
    f"""SELECT '{what}', count(*), coalesce(extract(epoch FROM now() - min(since)), 0)::float
    FROM (SELECT {since} AS since FROM {table} WHERE {rows} LIMIT {COUNTED_TO}) AS {what}"""  # noqa: S608 - all ours
    for what, (table, since, rows) in QUEUES.items()
)
LAST_MINUTE = {
    "delivery_added": "integrations_delivery WHERE id >= %s",
    "delivery_told": "integrations_deliveryattempt WHERE id >= %s AND status BETWEEN 200 AND 299",
}
"""What moved in the last minute: a queue that shrinks is told faster than it grows."""

LAST_MINUTE_SQL = " UNION ALL ".join(
    f"SELECT '{what}', count(*), NULL FROM (SELECT FROM {rows} LIMIT {COUNTED_TO}) AS {what}"  # noqa: S608 - all ours
    for what, rows in LAST_MINUTE.items()
)


def live(_request: HttpRequest) -> JsonResponse:
    """Answer as long as the process runs."""
    return JsonResponse({"status": "alive"})


def ready(_request: HttpRequest) -> JsonResponse:
    """Answer 200 when the database answers; a missing Redis is told but does not take the site down."""
    found = {"database": "ok", "redis": "ok"}
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Error:  # also InterfaceError, which is no DatabaseError: the connection was cut
        found["database"] = "down"
        connection.close_if_unusable_or_obsolete()
    try:
        with redis.Redis.from_url(
            settings.REDIS_URL, socket_timeout=REDIS_PATIENCE, socket_connect_timeout=REDIS_PATIENCE
        ) as server:
            server.ping()
    except redis.RedisError:
        found["redis"] = "down"
    return JsonResponse(found, status=200 if found["database"] == "ok" else 503)


def metrics(request: HttpRequest) -> HttpResponse:
    """Give Prometheus its counters and our queues, to our own networks only (METRICS_FROM)."""
    with contextlib.suppress(ValueError):
        if any(ip_address(request.ip) in network for network in settings.METRICS_FROM):
            answer = exports.ExportToDjangoView(request)
            answer.content += generate_latest(QUEUE_METRICS)
            return answer
    return HttpResponseForbidden()


class Queues:
    """What waits, read from the database at each scrape, so that every process tells the same."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Give the gauges; without an answer in settings.METRICS_TIMEOUT only that there is none."""
        waiting = GaugeMetricFamily("quittance_waiting", f"Rows that wait, counted to {COUNTED_TO}", labels=["what"])
        oldest = GaugeMetricFamily("quittance_oldest_seconds", "How long the oldest one waits", labels=["what"])
        moved = GaugeMetricFamily("quittance_last_minute", f"Rows of the last minute, to {COUNTED_TO}", labels=["what"])
        known = GaugeMetricFamily("quittance_queues_known", "Whether the database answered this scrape")
        try:
            for what, count, seconds in _waiting():
                if what in LAST_MINUTE:
                    moved.add_metric([what], count)
                    continue
                waiting.add_metric([what], count)
                oldest.add_metric([what], seconds)
            known.add_metric([], 1)
        except Error:
            known.add_metric([], 0)
        yield from (waiting, oldest, moved, known)

    def describe(self) -> list:
        """Describe nothing: the database is not asked at import."""
        return []


def _waiting() -> list[tuple[str, int, float | None]]:
    with acting_for(ALL_AGENCIES), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('statement_timeout', %s, true)", [str(int(settings.METRICS_TIMEOUT * 1000))])
        cursor.execute(f"{WAITING_SQL} UNION ALL {LAST_MINUTE_SQL}", [earliest_id(MINUTE)] * len(LAST_MINUTE))
        return cursor.fetchall()


QUEUE_METRICS = CollectorRegistry()
QUEUE_METRICS.register(Queues())
