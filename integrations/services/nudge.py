"""Wake the task that applies files; without a broker its beat finds them."""

import structlog
from kombu.exceptions import KombuError
from redis import RedisError

log = structlog.get_logger(__name__)


def nudge_intake() -> None:
    """Ask for the intake task now."""
    from integrations.tasks import take_files  # the tasks need the services

    try:
        take_files.delay()
    except (KombuError, RedisError, OSError) as error:
        log.warning("intake_not_woken", error=type(error).__name__)
