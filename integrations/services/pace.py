"""Let a long intake run at its pace: statistics of new tables, and a collector that looks at little."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

FEW_ROWS = 1_000


def measure_new_tables() -> None:
    """Gather statistics of tables that were all but empty when they were last measured, after a file's first chunk.

    Without them foreign keys were checked by reading all rows of the agency, until autovacuum came by: a first file of
    a new portal took ten times as long. A role that may not measure is warned by the database and goes on.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT reltuples FROM pg_class WHERE oid = 'accounts_consumer'::regclass")
        if cursor.fetchone()[0] < FEW_ROWS:
            cursor.execute("ANALYZE accounts_consumer, accounts_account, accounts_contactpoint, accounts_event")


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
