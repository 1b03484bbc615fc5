"""A Redis cache that answers nothing when Redis is gone: it counts and remembers, it never decides."""

import redis
from django.core.cache.backends.redis import RedisCache


def _or(default):
    def decorate(method):
        def call(self, *args, **kwargs):
            try:
                return method(self, *args, **kwargs)
            except redis.RedisError:
                return default

        return call

    return decorate


class OptionalRedis(RedisCache):
    """Django's Redis cache with short time-outs; every failure reads as a miss."""

    def __init__(self, server, params) -> None:
        options = params.setdefault("OPTIONS", {})
        options.setdefault("socket_timeout", 0.5)
        options.setdefault("socket_connect_timeout", 0.5)
        super().__init__(server, params)

    def get(self, key, default=None, version=None):
        try:
            return super().get(key, default, version)
        except redis.RedisError:
            return default

    add = _or(True)(RedisCache.add)
    set = _or(None)(RedisCache.set)
    delete = _or(False)(RedisCache.delete)
    incr = _or(0)(RedisCache.incr)
