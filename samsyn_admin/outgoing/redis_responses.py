"""Responses of other servers, kept in Redis."""

import logging
from datetime import UTC, datetime, timedelta

from redis import Redis
from redis.exceptions import RedisError

LOGGER = logging.getLogger(__name__)

_TIMEOUT = 1  # seconds, of a connection and of a request


class RedisResponses:
    """Bodies by key, with a moment each. A failure is logged: nothing is found or stored then.

    Raises ValueError when `url` is not a Redis URL.
    """

    def __init__(self, url: str) -> None:
        self._redis = Redis.from_url(url, socket_timeout=_TIMEOUT, socket_connect_timeout=_TIMEOUT)

    def get(self, key: bytes) -> tuple[bytes, datetime] | None:
        """Return the body and the moment that are stored under a key."""
        try:
            stored: bytes | None = self._redis.get(_name(key))  # type: ignore[assignment]
        except RedisError as error:
            LOGGER.warning("Responses cannot be read from Redis: %s", error)
            return None
        if stored is None:
            return None
        moment, _, content = stored.partition(b"\n")
        return content, datetime.fromtimestamp(float(moment), UTC)

    def put(self, key: bytes, content: bytes, moment: datetime, kept: timedelta) -> None:
        """Store a body and a moment for so long."""
        try:
            self._redis.set(_name(key), f"{moment.timestamp()}\n".encode() + content, ex=kept)
        except RedisError as error:
            LOGGER.warning("Responses cannot be stored in Redis: %s", error)


def _name(key: bytes) -> str:
    return f"samsyn:response:{key.hex()}"
