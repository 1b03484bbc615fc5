"""Celery: it wakes and schedules; a task never stands for one event, message or instalment (docs/hosts.md)."""

import gc
import os

from celery import Celery
from celery.signals import setup_logging, task_prerun, worker_process_init

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

app = Celery("quittance")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["accounts", "settlements", "payments", "integrations", "campaigns", "portal"])


@setup_logging.connect
def _keep_our_logging(**_kwargs) -> None:
    """Leave logging as settings.LOGGING made it."""


@worker_process_init.connect
def _spare_the_collector(**_kwargs) -> None:
    """Leave what was imported out of every collection: it lives as long as the process."""
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)


@task_prerun.connect
def _close_dead_connections(**_kwargs) -> None:
    """Drop a connection that died between tasks, since Celery is told to reuse them."""
    from django.db import close_old_connections

    close_old_connections()
