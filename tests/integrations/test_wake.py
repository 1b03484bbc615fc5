"""The nudge: it wakes a listening drain, and its absence costs a request next to nothing."""

import time
import uuid

import pytest
import redis

from integrations import wake


@pytest.fixture
def own_keys(monkeypatch):
    """Keys of this test's own, so that a drain that runs beside it hears nothing."""
    monkeypatch.setattr(wake, "KEY", f"test:{uuid.uuid4()}")
    monkeypatch.setattr(wake, "AWAKE", f"test:{uuid.uuid4()}")
    monkeypatch.setattr(wake, "_rest_until", 0.0)
    monkeypatch.setattr(wake, "_local", type(wake._local)())


@pytest.fixture
def real_redis(own_keys):
    try:
        wake.client().ping()
    except redis.RedisError:
        pytest.skip("REDIS_URL does not answer")
    yield wake.client()
    wake.client().delete(wake.KEY, wake.AWAKE)


def test_many_wakes_are_one_and_a_listening_drain_hears_it(real_redis):
    ear = wake.Ear()
    assert not ear(0.01)
    for _ in range(5):
        wake.wake()
    assert ear(1.0)
    assert not ear(0.0)
    assert not ear.stopped


def test_a_stopping_worker_ends_its_drain(real_redis):
    ear = wake.Ear()
    wake.stop()
    assert ear(1.0)
    assert ear.stopped


def test_without_redis_a_wake_neither_fails_nor_waits_twice(own_keys, settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    started = time.monotonic()
    for _ in range(200):
        wake.wake()
    assert time.monotonic() - started < 2.0
    ear = wake.Ear()
    assert not ear(0.01)
    assert ear.deaf


def test_an_ear_that_was_deaf_hears_again(real_redis, settings, monkeypatch):
    ear, url = wake.Ear(), settings.REDIS_URL
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    monkeypatch.setattr(wake, "_local", type(wake._local)())
    assert not ear(0.0)
    assert ear.deaf
    settings.REDIS_URL = url
    monkeypatch.setattr(wake, "_local", type(wake._local)())
    wake.wake()
    assert ear(1.0)
    assert not ear.deaf
