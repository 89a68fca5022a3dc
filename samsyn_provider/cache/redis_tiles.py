"""Tiles in Redis, where all workers find them."""

import logging

from redis import Redis
from redis.exceptions import RedisError

LOGGER = logging.getLogger(__name__)

_DAY = 86_400  # seconds that a tile is kept at most
_PATIENCE = 1  # seconds that Redis is waited for


class RedisTiles:
    """Tiles by their tags. What fails is logged, and finds or keeps nothing.

    Raises ValueError when `url` is not an address of Redis.
    """

    def __init__(self, url: str) -> None:
        self._redis = Redis.from_url(
            url, socket_timeout=_PATIENCE, socket_connect_timeout=_PATIENCE
        )

    def get(self, tag: str) -> bytes | None:
        """Return the tile of a tag, None where none is kept."""
        try:
            found: bytes | None = self._redis.get(_key(tag))  # type: ignore[assignment]
        except RedisError as error:
            LOGGER.warning("Redis cannot be asked for tiles: %s", error)
            return None
        return found

    def keep(self, tag: str, tile: bytes) -> None:
        """Keep a tile."""
        try:
            self._redis.set(_key(tag), tile, ex=_DAY)
        except RedisError as error:
            LOGGER.warning("Redis cannot keep tiles: %s", error)


def _key(tag: str) -> str:
    return f"samsyn:tile:{tag}"
