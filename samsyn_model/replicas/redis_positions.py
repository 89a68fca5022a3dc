"""Where in the log something was written last, by its id, in Redis: for all machines."""

import logging
from collections.abc import Collection
from threading import Lock
from time import monotonic
from uuid import UUID

from redis import Redis
from redis.exceptions import RedisError

LOGGER = logging.getLogger(__name__)

_TIMEOUT = 0.25  # seconds, of a connection and of a request
_PAUSE = 5.0  # seconds without requests to a Redis that is away

# Commits are noted in any order: the greatest position counts.
_NOTE = """
for _, key in ipairs(KEYS) do
    local position = math.max(tonumber(redis.call('GET', key) or 0), tonumber(ARGV[1]))
    redis.call('SET', key, string.format('%.0f', position), 'EX', ARGV[2])
end"""


class RedisPositions:
    """Positions of the last writes; thread-safe. They are kept for `kept` seconds.

    Raises ValueError when `url` is not a Redis URL.
    """

    def __init__(self, url: str, kept: int) -> None:
        self._redis = Redis.from_url(url, socket_timeout=_TIMEOUT, socket_connect_timeout=_TIMEOUT)
        self._note = self._redis.register_script(_NOTE)
        self._kept = kept
        self._away_until = 0.0
        self._lock = Lock()

    def note(self, ids: Collection[UUID], position: int) -> None:
        """Note that these were written up to a position; a failure is logged."""
        keys = [_key(id_) for id_ in ids]
        for is_last in (False, True):
            try:
                self._note(keys=keys, args=(position, self._kept))
            except RedisError as error:
                if is_last:
                    LOGGER.error("What was written is known to this machine alone: %s", error)
                    self._pause()
            else:
                return

    def are_before(self, ids: Collection[UUID], position: int) -> bool:
        """Return whether all of these were last written before a position; False while Redis does
        not respond, which is logged."""
        if not ids:
            return True
        if monotonic() < self._away_until:
            return False
        try:
            found = self._redis.mget([_key(id_) for id_ in ids])
        except RedisError as error:
            LOGGER.warning("Reads go to the primary, without Redis: %s", error)
            self._pause()
            return False
        return all(value is None or int(value) <= position for value in found)

    def _pause(self) -> None:
        with self._lock:
            self._away_until = monotonic() + _PAUSE


def _key(id_: UUID) -> str:
    return f"samsyn:{{written}}:{id_}"  # which a cluster of Redis keeps together
