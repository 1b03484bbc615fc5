"""Let a long intake run at its pace: a collector that looks at little."""

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

MANY = 100
"""Records that are worth a rest of the collector."""
_resting = threading.Lock()


@contextmanager
def few_collections() -> Iterator[None]:
    """Let the collector look at nothing that was there before, and only between chunks.

    A chunk makes a hundred thousand objects and frees them all by itself; each hundred thousand the collector would
    walk through everything that the process has loaded, which was a fifth of the time.
    """
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()


@contextmanager
def undisturbed(records: int) -> Iterator[None]:
    """Let the collector rest while a push of many records is placed: it was two fifths of such a push's time.

    One push of a process at a time has it so. Those beside it go on as they are, so that between two pushes the
    collector always has its turn, however busy the hosts are.
    """
    if records < MANY or not _resting.acquire(blocking=False):
        yield
        return
    try:
        with few_collections():
            yield
    finally:
        _resting.release()
