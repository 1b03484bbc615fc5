"""The clock of the product: the machine's own, moved only where a file says so (demonstrations and simulated years)."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from time import monotonic

from django.conf import settings
from django.utils import timezone


def now() -> datetime:
    """Give the present; with `CLOCK_FILE` as many seconds later as the file says, for every process that names it."""
    return timezone.now() + _offset() if settings.CLOCK_FILE else timezone.now()


def going_on(since: datetime) -> Callable[[], datetime]:
    """Let a moment that the edge has read go on, in whole seconds, for work that takes minutes: called, it is later."""
    began = monotonic()
    return lambda: since + timedelta(seconds=int(monotonic() - began))


def move(to: datetime) -> None:
    """Move the clock of every process that reads the same file; never back, since what happened has happened.

    :raises ValueError: the time lies before the present.
    """
    if to < now():
        raise ValueError("The clock moves forward only.")
    path = Path(settings.CLOCK_FILE)
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(f"{(to - timezone.now()).total_seconds():.6f}")
    fresh.replace(path)


def _offset() -> timedelta:
    try:
        return timedelta(seconds=float(Path(settings.CLOCK_FILE).read_text()))
    except FileNotFoundError:
        return timedelta()
