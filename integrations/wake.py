"""Wake the drain through Redis: a nudge, never the truth. Without Redis the drain looks every second, and goes on.

A wake is one element in a list that never holds two; `awake` says that a drain is listening, so that a task is sent
only when none is.
"""

import contextlib
import logging
import threading
import time
from typing import Self
from uuid import UUID

import redis
from django.conf import settings

log = logging.getLogger(__name__)

KEY, AWAKE = "quittance:wake:deliver", "quittance:awake:deliver"
FEED = "quittance:feed:"
DEAF_SECONDS = 0.5
"""Without Redis a request that waits for events looks so often."""
STOP = b"stop"
AWAKE_SECONDS = 5
"""A drain says that it listens at least this often; a killed one is replaced after it."""
REST_SECONDS = 5.0
"""After a failure Redis is left alone for so long, so that no request waits for it twice."""
_local = threading.local()
_rest_until = 0.0


def client() -> redis.Redis:
    """Give this thread's connection; its waits are bounded."""
    if not hasattr(_local, "redis"):
        _local.redis = redis.Redis.from_url(
            settings.REDIS_URL,
            socket_connect_timeout=settings.REDIS_TIMEOUT,
            # A blocking pop waits up to a second on the server's side.
            socket_timeout=settings.REDIS_TIMEOUT + 1.0,
            retry=None,
        )
    return _local.redis


def wake() -> None:
    """Nudge the drain after a commit; start one if none listens. Never fails and never waits long."""
    global _rest_until
    if time.monotonic() < _rest_until:
        return
    try:
        pipeline = client().pipeline(transaction=False)
        pipeline.lpush(KEY, 1).ltrim(KEY, 0, 0).expire(KEY, 60)
        pipeline.set(AWAKE, 1, nx=True, ex=AWAKE_SECONDS)
        nobody_listens = pipeline.execute()[-1]
        if nobody_listens:
            from integrations import tasks

            tasks.drain.apply_async()
    except Exception as error:
        # Whatever the broker does: the request is already committed and must not fail.
        _rest_until = time.monotonic() + REST_SECONDS
        log.warning("wake_failed", extra={"reason": type(error).__name__})


def tell_feeds(told: dict[UUID, int]) -> None:
    """Wake the requests that wait for an agency's events; they find without it, only later."""
    if time.monotonic() < _rest_until:
        return
    try:
        pipeline = client().pipeline(transaction=False)
        for agency_id, sequence in told.items():
            pipeline.publish(f"{FEED}{agency_id}", sequence)
        pipeline.execute()
    except redis.RedisError as error:
        log.warning("wake_failed", extra={"reason": type(error).__name__})


class FeedEar:
    """A request's end: wait until an agency has new events, without a connection to the database in use."""

    def __init__(self, agency_id: UUID) -> None:
        self.heard = redis.Redis.from_url(
            settings.REDIS_URL, socket_connect_timeout=settings.REDIS_TIMEOUT, retry=None
        ).pubsub(ignore_subscribe_messages=True)
        self.name, self.deaf = f"{FEED}{agency_id}", False

    def __enter__(self) -> Self:
        try:
            self.heard.subscribe(self.name)
        except redis.RedisError:
            self.deaf = True
        return self

    def __exit__(self, *_error: object) -> None:
        with contextlib.suppress(redis.RedisError):
            self.heard.close()

    def __call__(self, seconds: float) -> None:
        """Wait up to so many seconds, less when a wake comes; without Redis it only sleeps."""
        over = time.monotonic() + seconds
        try:
            while not self.deaf and (left := over - time.monotonic()) > 0:
                if self.heard.get_message(timeout=left):
                    return
        except redis.RedisError:
            self.deaf = True
        time.sleep(max(0.0, min(over - time.monotonic(), DEAF_SECONDS)) if self.deaf else 0)


class Ear:
    """The drain's end: wait for a wake, and say that somebody listens."""

    def __init__(self) -> None:
        self.said_at = 0.0
        self.stopped = False
        self.deaf = False
        """Redis did not answer the last time."""

    def __call__(self, seconds: float) -> bool:
        """Wait up to so many seconds; true when a wake came. Without Redis it only sleeps."""
        try:
            here = client()
            if (now := time.monotonic()) - self.said_at > AWAKE_SECONDS / 4:
                here.set(AWAKE, 1, ex=AWAKE_SECONDS)
                self.said_at = now
            heard = here.blpop([KEY], timeout=min(seconds, 1.0)) if seconds else here.lpop(KEY)
        except redis.RedisError:
            self.deaf = True
            time.sleep(seconds)
            return False
        self.deaf = False
        self.stopped |= bool(heard) and STOP in (heard, heard[-1])
        return bool(heard)

    def leave(self) -> None:
        """Say that nobody listens any more: the next wake sends a task."""
        try:
            client().delete(AWAKE)
        except redis.RedisError:
            log.warning("wake_failed", extra={"reason": "leaving"})


def stop() -> None:
    """Ask a listening drain to end its task, because its worker is shutting down."""
    try:
        client().lpush(KEY, STOP)
    except redis.RedisError:
        log.warning("wake_failed", extra={"reason": "stopping"})
