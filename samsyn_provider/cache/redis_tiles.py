"""Tiles cached in Redis, shared by all workers."""

import logging

from redis import Redis
from redis.exceptions import RedisError

LOGGER = logging.getLogger(__name__)

_EXPIRY = 86_400  # seconds
_TIMEOUT = 1  # seconds, of a connection and of a request


class RedisTiles:
    """Tiles by entity tag. A failure is logged: `get` returns None then, `put` stores nothing.

    Raises ValueError when `url` is not a Redis URL.
    """

    def __init__(self, url: str) -> None:
        self._redis = Redis.from_url(url, socket_timeout=_TIMEOUT, socket_connect_timeout=_TIMEOUT)

    def get(self, tag: str) -> bytes | None:
        """Return the tile with this tag, None where none is cached."""
        try:
            tile: bytes | None = self._redis.get(_key(tag))  # type: ignore[assignment]
        except RedisError as error:
            LOGGER.warning("Tiles cannot be read from Redis: %s", error)
            return None
        return tile

    def put(self, tag: str, tile: bytes) -> None:
        """Store a tile."""
        try:
            self._redis.set(_key(tag), tile, ex=_EXPIRY)
        except RedisError as error:
            LOGGER.warning("Tiles cannot be stored in Redis: %s", error)


def _key(tag: str) -> str:
    return f"samsyn:tile:{tag}"
