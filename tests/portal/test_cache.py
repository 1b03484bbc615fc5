"""Without Redis every look is a miss, at once: it counts and remembers, it never decides."""

import time

import pytest

from portal.cache import OptionalRedis


@pytest.fixture
def gone() -> OptionalRedis:
    return OptionalRedis("redis://127.0.0.1:1/0", {})


@pytest.mark.parametrize(
    ("ask", "answer"),
    [
        (lambda cache: cache.get("a"), None),
        (lambda cache: cache.get("a", "default"), "default"),
        (lambda cache: cache.get_many(["a", "b"]), {}),
        (lambda cache: cache.get_or_set("a", 5), 5),
        (lambda cache: cache.add("a", 1), True),
        (lambda cache: cache.set("a", 1), None),
        (lambda cache: cache.set_many({"a": 1, "b": 2}), ["a", "b"]),
        (lambda cache: cache.touch("a"), False),
        (lambda cache: cache.delete("a"), False),
        (lambda cache: cache.delete_many(["a"]), None),
        (lambda cache: "a" in cache, False),
        (lambda cache: cache.incr("a"), 0),
    ],
)
def test_without_redis_nothing_is_known_and_nothing_fails(gone, ask, answer):
    began = time.monotonic()
    assert ask(gone) == answer
    assert time.monotonic() - began < 1.0


def test_with_redis_it_remembers(settings):
    cache = OptionalRedis(settings.REDIS_URL, {"KEY_PREFIX": "test_cache"})
    cache.set("a", 1, timeout=10)
    assert (cache.get("a"), cache.incr("a"), cache.add("a", 9), "a" in cache) == (1, 2, False, True)
    assert cache.delete("a") is True
    assert cache.get("a") is None
