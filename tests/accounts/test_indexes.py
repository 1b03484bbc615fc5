"""An index is added beside whatever runs, and a half-made one of an attempt before is in nobody's way."""

import importlib
import threading
from contextlib import closing

import psycopg2
import pytest
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.utils import OperationalError

from accounts.indexes import AddIndexInPeace

pytestmark = pytest.mark.django_db(transaction=True)
NAME = "contact_point_by_address"
WHOLE = importlib.import_module("accounts.migrations.0006_contact_points_by_address").Migration


@pytest.fixture
def without_index():
    """Take the index away for a while."""
    with connection.cursor() as cursor:
        cursor.execute(f"DROP INDEX {NAME}")
        cursor.execute("SET lock_timeout = '100ms'")
    yield
    with connection.cursor() as cursor:
        cursor.execute("RESET lock_timeout")
        if is_valid() is not True:
            cursor.execute(f"DROP INDEX IF EXISTS {NAME}")
            add(AddIndexConcurrently)


@pytest.fixture
def reader():
    """Give a session that began before the index and reads on."""
    values = connection.get_connection_params()
    for name in ("cursor_factory", "context"):
        values.pop(name, None)
    with closing(psycopg2.connect(**values)) as session, session.cursor() as cursor:
        cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1")
        yield session


def is_valid() -> bool | None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%s)", [NAME])
        found = cursor.fetchone()
    return found and found[0]


def add(kind: type | None = None) -> None:
    """Add the index as its migration does, or by another kind of operation."""
    (operation,) = WHOLE.operations
    if kind:
        operation = kind(operation.model_name, operation.index)
    before = MigrationLoader(connection).project_state(WHOLE.dependencies[0])
    after = before.clone()
    operation.state_forwards("accounts", after)
    with connection.schema_editor(atomic=False) as editor:
        operation.database_forwards("accounts", editor, before, after)


def test_the_migration_waits_for_a_transaction_that_is_longer_than_its_time_out(without_index, reader):
    done = []

    def adding() -> None:
        with closing(connection), connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '100ms'")
            add()
            cursor.execute("SELECT current_setting('lock_timeout')")
            done.append(cursor.fetchone()[0])

    thread = threading.Thread(target=adding)
    thread.start()
    thread.join(1)
    assert (thread.is_alive(), is_valid()) == (True, False), "it waits"
    reader.rollback()
    thread.join(10)
    assert (is_valid(), done) == (True, ["100ms"])


def test_a_half_made_index_of_an_attempt_before_is_replaced(without_index, reader):
    with pytest.raises(OperationalError):
        add(AddIndexConcurrently)
    assert is_valid() is False
    reader.rollback()
    add()
    assert is_valid() is True


def test_every_index_that_is_added_beside_the_site_is_added_so():
    found = [
        operation
        for migration in MigrationLoader(connection).disk_migrations.values()
        for operation in migration.operations
        if isinstance(operation, AddIndexConcurrently)
    ]
    assert found
    assert {type(operation) for operation in found} == {AddIndexInPeace}
