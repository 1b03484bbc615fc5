"""Hold something for this database session, so that of many workers one does it; a killed one lets go by itself."""

import contextlib
from collections.abc import Iterator

from django.db import connection


def disconnected() -> bool:
    """Tell whether the database session is gone: what then fails is no one agency's trouble."""
    return connection.connection is None or bool(connection.connection.closed)


@contextlib.contextmanager
def alone(key: str) -> Iterator[bool]:
    """Hold a key until the block ends; False: somebody else holds it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", [key])
        (mine,) = cursor.fetchone()
    try:
        yield mine
    finally:
        if mine:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [key])
