"""A connection that is kept is asked whether it lives only now and then, and a dead one is never used."""

import time

import psycopg2
import pytest
from django.db import connection
from django.db.backends.postgresql import base

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def begin(monkeypatch):
    """Give a way to begin a request: it tells its session, and how often that was asked whether it lives."""
    asked = []
    whole = base.DatabaseWrapper.is_usable
    monkeypatch.setattr(base.DatabaseWrapper, "is_usable", lambda self: asked.append(1) or whole(self))
    monkeypatch.setattr(connection, "health_check_enabled", True)

    def request() -> tuple[int, int]:
        asked.clear()
        connection.health_check_done = False
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            return cursor.fetchone()[0], len(asked)

    connection.close()
    yield request
    connection.close()


def test_a_session_that_lives_is_used_again_without_a_question(begin):
    first, _asked = begin()
    assert begin() == (first, 0)


def test_after_half_a_minute_it_is_asked_once(begin, monkeypatch):
    first, _asked = begin()
    monkeypatch.setattr(connection, "asked_at", time.monotonic() - 31)
    assert begin() == (first, 1)
    assert begin() == (first, 0)


def test_a_session_that_the_server_ended_is_replaced_before_it_is_used(begin):
    first, _asked = begin()
    values = connection.get_connection_params()
    for name in ("cursor_factory", "context"):
        values.pop(name, None)
    other = psycopg2.connect(**values)
    with other, other.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [first])
        assert cursor.fetchone() == (True,)
    other.close()
    second, asked = begin()
    assert (second != first, asked) == (True, 1)


def test_a_connection_that_was_closed_here_is_replaced(begin):
    first, _asked = begin()
    connection.connection.close()
    assert begin()[0] != first


def test_a_session_in_which_something_went_wrong_is_asked(begin, monkeypatch):
    first, _asked = begin()
    monkeypatch.setattr(connection, "errors_occurred", True)
    assert begin() == (first, 1)
