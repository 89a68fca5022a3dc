"""Where in the log something was written last, by its id, in Redis: for all machines."""

import logging
from collections.abc import Collection
from threading import Lock
from time import monotonic
from uuid import UUID

from redis import Redis
from redis.commands.core import Script
from redis.exceptions import RedisError

from samsyn_model.replicas.shared_moments import PENDING

LOGGER = logging.getLogger(__name__)

_TIMEOUT = 0.25  # seconds, of a connection and of a request
_PAUSE = 5.0  # seconds without requests to a Redis that is away

_BEGIN = """
for _, key in ipairs(KEYS) do
    redis.call('INCR', key)
    redis.call('EXPIRE', key, ARGV[1])
end"""
# Commits are noted in any order: the greatest position counts.
_END = """
for number = 1, #KEYS, 2 do
    local key, pending = KEYS[number], KEYS[number + 1]
    local position = math.max(tonumber(redis.call('GET', key) or 0), tonumber(ARGV[1]))
    redis.call('SET', key, string.format('%.0f', position), 'EX', ARGV[2])
    if tonumber(redis.call('GET', pending) or 0) > 1 then
        redis.call('DECR', pending)
    else
        redis.call('DEL', pending)
    end
end"""


class RedisPositions:
    """Positions of the last writes; thread-safe. They are kept for `kept` seconds.

    Raises ValueError when `url` is not a Redis URL.
    """

    def __init__(self, url: str, kept: int) -> None:
        self._redis = Redis.from_url(url, socket_timeout=_TIMEOUT, socket_connect_timeout=_TIMEOUT)
        self._begin = self._redis.register_script(_BEGIN)
        self._end = self._redis.register_script(_END)
        self._kept = kept
        self._away_until = 0.0
        self._lock = Lock()

    def begin(self, ids: Collection[UUID]) -> None:
        """Note that others may see from now on that these are written; a failure is logged."""
        self._tell(self._begin, [_pending(id_) for id_ in ids], PENDING)

    def end(self, ids: Collection[UUID], position: int) -> None:
        """Note that these, which have begun, were written up to a position; a failure is logged."""
        keys = [key for id_ in ids for key in (_written(id_), _pending(id_))]
        self._tell(self._end, keys, position, self._kept)

    def are_before(self, ids: Collection[UUID], position: int) -> bool:
        """Return whether all of these were last written before a position, and are not being
        written now; False while Redis does not respond, which is logged."""
        if not ids:
            return True
        if monotonic() < self._away_until:
            return False
        keys = [key(id_) for key in (_written, _pending) for id_ in ids]
        try:
            found = self._redis.mget(keys)
        except RedisError as error:
            LOGGER.warning("Reads go to the primary, without Redis: %s", error)
            self._pause()
            return False
        written, pending = found[: len(ids)], found[len(ids) :]
        return not any(pending) and all(one is None or int(one) <= position for one in written)

    def _tell(self, script: Script, keys: list[str], *values: int) -> None:
        for is_last in (False, True):
            try:
                script(keys=keys, args=values)
            except RedisError as error:
                if is_last:
                    LOGGER.error("What was written is known to this machine alone: %s", error)
                    self._pause()
            else:
                return

    def _pause(self) -> None:
        with self._lock:
            self._away_until = monotonic() + _PAUSE


def _written(id_: UUID) -> str:
    return f"samsyn:{{written}}:{id_}"  # which a cluster of Redis keeps together


def _pending(id_: UUID) -> str:
    return f"samsyn:{{written}}:pending:{id_}"
