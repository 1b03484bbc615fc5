"""The message worker: told by a nudge, found by the beat."""

import logging

import redis
from celery import shared_task
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

from accounts import clock, events
from campaigns.services import announce, fulfil, launch, send, track, waiting
from campaigns.services import listen as listening

log = logging.getLogger("quittance.messages")

WAKING = "quittance:messages:waking"
WAKING_SECONDS = 2
ROUNDS = 50
"""Batches in one run; what is left is found by the next."""


# Asked before the broker and without its retries: a dead Redis costs a request nothing (six seconds otherwise).
_redis = redis.Redis.from_url(
    settings.REDIS_URL,
    socket_timeout=settings.REDIS_TIMEOUT,
    socket_connect_timeout=settings.REDIS_TIMEOUT,
    retry=Retry(NoBackoff(), 0),
)


def wake() -> None:
    """Ask for a run now; never fail whoever asks, the beat comes every two seconds anyway."""
    try:
        if _redis.set(WAKING, 1, nx=True, ex=WAKING_SECONDS):
            poll.delay()
    except Exception as error:
        log.warning("the message worker was not woken: %s", type(error).__name__)


def _awake() -> None:
    """Let new nudges ask for a new run: this one may be past the work that they are about."""
    try:
        _redis.delete(WAKING)
    except redis.RedisError as error:
        log.warning("a nudge may be lost until the next beat: %s", type(error).__name__)


@shared_task
def poll() -> None:
    """Read what providers told, write what events and days ask for, send what waits."""
    _awake()
    with events.context(actor="system:messages"):
        for _round in range(ROUNDS):
            now = clock.now()
            there = waiting.look(now=now)
            # Sending comes first: a code waits for nothing else.
            done = send.drain(now=now) if there.messages else 0
            done += track.apply(now=now) if there.news else 0
            done += fulfil.read(now=now) if there.events else 0
            done += announce.announce(now=now) if there.notices else 0
            if not done:
                return


@shared_task
def listen() -> None:
    """Ask carriers for what their webhooks did not bring."""
    with events.context(actor="carrier"):
        if listening.listen(now=clock.now()):
            wake()


@shared_task
def launch_campaigns() -> None:
    """Move campaigns on by batches; more workers may run it, rows are claimed."""
    with events.context(actor="system:campaigns"):
        launch.run(now=clock.now())
