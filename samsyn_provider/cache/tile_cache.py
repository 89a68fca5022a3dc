"""Tiles cached by entity tag, which changes with the layers that a tile is made from.

Each process has the tiles that it sent last in its response cache. Tiles that took long to make are
also cached for all processes: in Redis where it is configured, else in the database, in `SLOTS`
slots. A tile replaces the one in its slot.
"""

import logging
from datetime import timedelta

import psycopg
from sqlalchemy import Connection

from samsyn_model.database.execution import run
from samsyn_model.errors import SamsynError
from samsyn_provider.cache.response_cache import CachedResponse, ResponseCache

LOGGER = logging.getLogger(__name__)

SLOTS = 8192
CACHED_TILE = "(SELECT content FROM tile_cache WHERE slot = %(slot)s AND tag = %(tag)s)"
"""The expression for the tile that the database has under a tag; null where it has none."""

_REDIS_EXPIRY = timedelta(days=1)
_MAX_TILE_SIZE = 4 * 1024 * 1024  # bytes
_SELECT_TILE = f"SELECT {CACHED_TILE} AS content"
# Committed asynchronously: a tile that a crash loses is made again.
_UPSERT_TILE = """
INSERT INTO tile_cache (slot, tag, content)
SELECT %(slot)s::bigint, %(tag)s::varchar, %(content)s::bytea
FROM (SELECT set_config('synchronous_commit', 'off', true) AS value) AS setting
WHERE value = 'off'
ON CONFLICT (slot) DO UPDATE SET tag = EXCLUDED.tag, content = EXCLUDED.content"""


def slot_of(tag: str) -> int:
    """Return the slot of a tag (hexadecimal digits) in the database."""
    return int(tag[:8], 16) % SLOTS


class TileCache:
    """Tiles by entity tag; thread-safe. A failure to store a tile fails no request.

    Raises ValueError when `redis_url` is not a Redis URL.
    """

    def __init__(self, redis_url: str | None, local: ResponseCache) -> None:
        self._local = local
        self._redis = None
        if redis_url:
            # slow to import, and optional
            from samsyn_provider.cache.redis_cache import RedisCache  # noqa: PLC0415

            self._redis = RedisCache(redis_url, "tile")

    @property
    def is_in_database(self) -> bool:
        """Whether the shared cache is in the database: the statement for a tile reads it first."""
        return not self._redis

    def get(self, tag: str) -> bytes | None:
        """Return the tile with this tag from this process or Redis, None where neither has it."""
        response = self._local.get(tag)
        if response is not None:
            return response.body
        tile = self._redis.get(tag) if self._redis else None
        if tile is not None:
            self.put_local(tag, tile)
        return tile

    def get_from_database(self, connection: Connection, tag: str) -> bytes | None:
        """Return the tile that the database has under this tag, None where the cache is not there.

        The statement for a tile reads it too: this is for where the tile is not to be made.
        """
        if not self.is_in_database:
            return None
        values = {"slot": slot_of(tag), "tag": tag}
        tile: bytes | None = run(
            connection, _SELECT_TILE, values, prepared=True, binary=True
        ).scalar()
        return tile

    def put_local(self, tag: str, tile: bytes) -> None:
        """Store a tile in this process."""
        self._local.put(tag, CachedResponse(tile))

    def put(self, connection: Connection, tag: str, tile: bytes) -> None:
        """Store a tile for all processes."""
        if len(tile) > _MAX_TILE_SIZE:
            return
        if self._redis:
            self._redis.put(tag, tile, _REDIS_EXPIRY)
            return
        try:
            values = {"slot": slot_of(tag), "tag": tag, "content": tile}
            run(connection, _UPSERT_TILE, values, prepared=True)
        except (SamsynError, psycopg.Error) as error:
            LOGGER.debug("A tile cannot be stored: %s", error)  # as on a replica
