"""Is the process alive, can it serve, and what does it count."""

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, HttpResponseForbidden, JsonResponse
from django_prometheus import exports


def live(_request: HttpRequest) -> JsonResponse:
    """Answer as long as the process runs."""
    return JsonResponse({"status": "alive"})


def ready(_request: HttpRequest) -> JsonResponse:
    """Answer 200 when the database answers; a missing Redis is told but does not take the site down."""
    found = {"database": "ok", "redis": "ok"}
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        found["database"] = "down"
    try:
        redis.Redis.from_url(settings.REDIS_URL, socket_timeout=0.5, socket_connect_timeout=0.5).ping()
    except redis.RedisError:
        found["redis"] = "down"
    return JsonResponse(found, status=200 if found["database"] == "ok" else 503)


def metrics(request: HttpRequest) -> HttpResponse:
    """Give Prometheus its counters, to addresses of our own network only (METRICS_FROM)."""
    if request.ip not in settings.METRICS_FROM:
        return HttpResponseForbidden()
    return exports.ExportToDjangoView(request)
