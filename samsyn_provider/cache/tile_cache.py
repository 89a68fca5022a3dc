"""Tiles kept by what they are made from: a layer that changes has other tags from then on.

Each process keeps those that it answered last, among its other answers. Those that took long to
make are also kept for all processes: in Redis where there is one, else in the database, in as many
places as `SLOTS`, where a tile takes the place of whichever was there.
"""

import logging

import psycopg
from sqlalchemy import Connection

from samsyn_model.database.execution import run
from samsyn_model.errors import SamsynError
from samsyn_provider.cache.response_cache import CachedResponse, ResponseCache

LOGGER = logging.getLogger(__name__)

SLOTS = 8192
KEPT = "(SELECT content FROM tile_cache WHERE slot = %(slot)s AND tag = %(tag)s)"
"""The expression for the tile that the database keeps under a tag; null where it keeps none."""

_LARGEST = 4 * 1024 * 1024  # bytes
# The disk is not waited for: a tile that a crash takes away is made again.
_KEEP = """
INSERT INTO tile_cache (slot, tag, content)
SELECT %(slot)s::bigint, %(tag)s::varchar, %(content)s::bytea
FROM (SELECT set_config('synchronous_commit', 'off', true) AS waiting) AS commit
WHERE waiting = 'off'
ON CONFLICT (slot) DO UPDATE SET tag = EXCLUDED.tag, content = EXCLUDED.content"""


def slot_of(tag: str) -> int:
    """Return the place of a tag (hexadecimal digits) in the database."""
    return int(tag[:8], 16) % SLOTS


class TileCache:
    """Keeps tiles by their tags; safe for threads. What fails keeps nothing, and no request.

    Raises ValueError when `redis_url` is not an address of Redis.
    """

    def __init__(self, redis_url: str | None, own: ResponseCache) -> None:
        self._own = own
        self._redis = None
        if redis_url:
            # slow to load, and most do without
            from samsyn_provider.cache.redis_tiles import RedisTiles  # noqa: PLC0415

            self._redis = RedisTiles(redis_url)

    @property
    def is_in_database(self) -> bool:
        """Whether the statement that makes a tile has to look for it first."""
        return not self._redis

    def get(self, tag: str) -> bytes | None:
        """Return the tile of a tag where it is kept, but for the database."""
        own = self._own.get(tag)
        if own is not None:
            return own.body
        found = self._redis.get(tag) if self._redis else None
        if found is not None:
            self.put_local(tag, found)
        return found

    def put_local(self, tag: str, tile: bytes) -> None:
        """Keep a tile in this process."""
        self._own.keep(tag, CachedResponse(tile))

    def keep(self, connection: Connection, tag: str, tile: bytes) -> None:
        """Keep a tile for every process."""
        if len(tile) > _LARGEST:
            return
        if self._redis:
            self._redis.keep(tag, tile)
            return
        try:
            values = {"slot": slot_of(tag), "tag": tag, "content": tile}
            run(connection, _KEEP, values, prepared=True)
        except (SamsynError, psycopg.Error) as error:
            LOGGER.debug("A tile cannot be kept: %s", error)  # a replica, say
