"""What is cached in Redis, shared by all workers."""

import logging
from datetime import timedelta

from redis import Redis
from redis.exceptions import RedisError

LOGGER = logging.getLogger(__name__)

_TIMEOUT = 1  # seconds, of a connection and of a request


class RedisCache:
    """Contents of a `kind`, such as `tile`, by key. A failure is logged: `get` returns None then,
    `put` stores nothing.

    Raises ValueError when `url` is not a Redis URL.
    """

    def __init__(self, url: str, kind: str) -> None:
        self._redis = Redis.from_url(url, socket_timeout=_TIMEOUT, socket_connect_timeout=_TIMEOUT)
        self._kind = kind

    def get(self, key: str) -> bytes | None:
        """Return the content of a key, None where none is cached."""
        try:
            content: bytes | None = self._redis.get(self._name(key))  # type: ignore[assignment]
        except RedisError as error:
            LOGGER.warning("A %s cannot be read from Redis: %s", self._kind, error)
            return None
        return content

    def put(self, key: str, content: bytes, kept: timedelta) -> bool:
        """Store a content for so long; return whether it is stored."""
        try:
            self._redis.set(self._name(key), content, ex=kept)
        except RedisError as error:
            LOGGER.warning("A %s cannot be stored in Redis: %s", self._kind, error)
            return False
        return True

    def _name(self, key: str) -> str:
        return f"samsyn:{self._kind}:{key}"
