"""Celery's part: keep one drain listening. A task never stands for one event (docs/hosts.md)."""

from celery import shared_task
from celery.signals import worker_shutting_down
from django.conf import settings
from django.db import connection

from accounts import clock
from integrations import wake
from integrations.services import files, intake, pull, sites
from integrations.services.drain import Drain

SLOT_SPACE = 0x0A18
DRAINS = 1
"""Drains listening at once over all workers. One carries thousands of events a second and all hosts at the same time;
more would take pool processes from other queues. Raise it with the workers of queue `deliver`."""
LINGER_SECONDS = 10.0
LONGEST_SECONDS = 120.0
"""Well under the task time limit; a wake or the beat starts the next one."""
OUTAGE_SECONDS = 1_800.0
"""Without a broker nobody starts the next one: the one that runs goes on, under a limit of its own (below the time
after which the broker would give the task to another)."""
TIME_LIMIT = OUTAGE_SECONDS + settings.CELERY_TASK_TIME_LIMIT


@shared_task(expires=10, time_limit=TIME_LIMIT)
def drain() -> int:
    """Listen and drain for a while, unless enough others do; return how many deliveries hosts took."""
    slot = _slot()
    if slot is None:
        return 0
    ear = wake.Ear()
    try:
        draining = Drain(clock=clock.now)
        return draining.run(listen=ear, linger=LINGER_SECONDS, longest=LONGEST_SECONDS, outage=OUTAGE_SECONDS)
    finally:
        ear.leave()
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [SLOT_SPACE, slot])


@shared_task(expires=2, time_limit=TIME_LIMIT)
def poll() -> int:
    """Find what no wake told (beat)."""
    return drain()


@shared_task
def pull_ledgers() -> int:
    """Pull every creditor's ledger whose time has come (beat)."""
    return pull.pull_due(now=clock.now())


@shared_task(expires=60)
def take_files() -> int:
    """Go on with the files of hosts; return how many came to an end."""
    return intake.work(clock=clock.now, longest=settings.FILE_SECONDS)


@shared_task(expires=60)
def visit_sites() -> int:
    """Visit the sites whose time it is; return how many were visited."""
    return sites.visit_due(clock=clock.now)


@shared_task(expires=600)
def forget_files() -> int:
    """Remove the content of old files."""
    return files.forget_old(now=clock.now())


def _slot() -> int | None:
    with connection.cursor() as cursor:
        for slot in range(DRAINS):
            cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [SLOT_SPACE, slot])
            if cursor.fetchone()[0]:
                return slot
    return None


@worker_shutting_down.connect
def _let_the_drain_end(**_kwargs) -> None:
    """Do not make a stopping worker wait for a drain that lingers; beat starts another elsewhere."""
    wake.stop()
