"""Celery: it wakes and schedules; a task never stands for one event, message or instalment (docs/hosts.md)."""

import os

from celery import Celery
from celery.signals import setup_logging, task_prerun

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

app = Celery("quittance")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["accounts", "settlements", "payments", "integrations", "campaigns", "portal"])


@setup_logging.connect
def _keep_our_logging(**_kwargs) -> None:
    """Leave logging as settings.LOGGING made it."""


@task_prerun.connect
def _close_dead_connections(**_kwargs) -> None:
    """Drop a connection that died between tasks, since Celery is told to reuse them."""
    from django.db import close_old_connections

    close_old_connections()
