"""A session that cannot be written: gone is one thing, a database that is away is another."""

import pytest
from django.contrib.sessions.backends.base import UpdateError
from django.contrib.sessions.models import Session
from django.db import OperationalError

from portal.sessions import SessionStore

pytestmark = pytest.mark.django_db


@pytest.fixture
def store() -> SessionStore:
    store = SessionStore()
    store["visit"] = "1"
    store.save(must_create=True)
    return store


def test_a_session_that_was_ended_meanwhile_is_not_written_again(store):
    Session.objects.all().delete()
    with pytest.raises(UpdateError):
        store.save()


def test_a_database_that_is_away_is_said_so_and_is_no_bad_request(store, monkeypatch):
    def away(*_args, **_kwargs):
        raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(Session, "save", away)
    with pytest.raises(OperationalError):
        store.save()
    monkeypatch.undo()
    store["visit"] = "2"
    store.save()
    assert SessionStore(store.session_key)["visit"] == "2"
