"""Tiles kept by what they are made from: a layer that changes has other tags from then on.

Each process keeps those that it answered last. Those that took long to make are also kept for all
processes: in Redis where there is one, else in the database, in as many places as `SLOTS`, where a
tile takes the place of whichever was there.
"""

import logging
from collections import OrderedDict
from threading import Lock

import psycopg
from sqlalchemy import Connection

from samsyn_model.database import run
from samsyn_model.errors import SamsynError

LOGGER = logging.getLogger(__name__)

SLOTS = 8192
KEPT = "(SELECT content FROM tile_cache WHERE slot = %(slot)s AND tag = %(tag)s)"
"""The expression for the tile that the database keeps under a tag; null where it keeps none."""

_OWN = 16 * 1024 * 1024  # bytes of tiles that a process keeps
_LARGEST_OWN = _OWN // 32
_LARGEST = 4 * 1024 * 1024
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

    def __init__(self, redis_url: str | None) -> None:
        self._own: OrderedDict[str, bytes] = OrderedDict()
        self._size = 0
        self._lock = Lock()
        self._redis = None
        if redis_url:
            # slow to load, and most do without
            from samsyn_provider.redis_tiles import RedisTiles  # noqa: PLC0415

            self._redis = RedisTiles(redis_url)

    @property
    def is_in_database(self) -> bool:
        """Whether the statement that makes a tile has to look for it first."""
        return not self._redis

    def get(self, tag: str) -> bytes | None:
        """Return the tile of a tag where it is kept, but for the database."""
        with self._lock:
            if tag in self._own:
                self._own.move_to_end(tag)
                return self._own[tag]
        found = self._redis.get(tag) if self._redis else None
        if found is not None:
            self.keep_own(tag, found)
        return found

    def keep_own(self, tag: str, tile: bytes) -> None:
        """Keep a tile in this process, in place of those not asked for longest."""
        if len(tile) > _LARGEST_OWN:
            return
        with self._lock:
            self._size += len(tile) - len(self._own.pop(tag, b""))
            self._own[tag] = tile
            while self._size > _OWN:
                self._size -= len(self._own.popitem(last=False)[1])

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
