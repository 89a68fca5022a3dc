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

# Keys come in pairs: the position of the last write, and the commits that are pending, each by its
# name and with the moment when it no longer counts. A script that runs twice changes nothing.
_NOW = "local now = tonumber(redis.call('TIME')[1])"
_BEGIN = f"""
{_NOW}
for number = 2, #KEYS, 2 do
    redis.call('ZREMRANGEBYSCORE', KEYS[number], '-inf', now)
    redis.call('ZADD', KEYS[number], now + ARGV[2], ARGV[1])
    redis.call('EXPIRE', KEYS[number], ARGV[2])
end"""
# Commits are noted in any order: the greatest position counts.
_END = """
for number = 1, #KEYS, 2 do
    local position = math.max(tonumber(redis.call('GET', KEYS[number]) or 0), tonumber(ARGV[2]))
    redis.call('SET', KEYS[number], string.format('%.0f', position), 'EX', ARGV[3])
    redis.call('ZREM', KEYS[number + 1], ARGV[1])
end"""
_ARE_BEFORE = f"""
{_NOW}
for number = 1, #KEYS, 2 do
    if tonumber(redis.call('GET', KEYS[number]) or 0) > tonumber(ARGV[1])
        or redis.call('ZCOUNT', KEYS[number + 1], '(' .. now, '+inf') > 0 then
        return 0
    end
end
return 1"""


class RedisPositions:
    """Positions of the last writes; thread-safe. They are kept for `kept` seconds.

    Raises ValueError when `url` is not a Redis URL.
    """

    def __init__(self, url: str, kept: int) -> None:
        self._redis = Redis.from_url(url, socket_timeout=_TIMEOUT, socket_connect_timeout=_TIMEOUT)
        self._begin = self._redis.register_script(_BEGIN)
        self._end = self._redis.register_script(_END)
        self._are_before = self._redis.register_script(_ARE_BEFORE)
        self._kept = kept
        self._away_until = 0.0
        self._lock = Lock()

    def begin(self, commit: str, ids: Collection[UUID]) -> None:
        """Note that others may see from now on what a commit of this name writes; a failure is
        logged."""
        self._tell(self._begin, ids, commit, PENDING)

    def end(self, commit: str, ids: Collection[UUID], position: int) -> None:
        """Note that what a commit writes, which has begun, was written up to a position; a failure
        is logged."""
        self._tell(self._end, ids, commit, position, self._kept)

    def are_before(self, ids: Collection[UUID], position: int) -> bool:
        """Return whether all of these were last written before a position, and are not being
        written now; False while Redis does not respond, which is logged."""
        if not ids:
            return True
        if monotonic() < self._away_until:
            return False
        try:
            return bool(self._are_before(keys=_keys(ids), args=(position,)))
        except RedisError as error:
            LOGGER.warning("Reads go to the primary, without Redis: %s", error)
            self._pause()
            return False

    def _tell(self, script: Script, ids: Collection[UUID], *values: str | int) -> None:
        for is_last in (False, True):
            try:
                script(keys=_keys(ids), args=values)
            except RedisError as error:
                if is_last:
                    LOGGER.error("What was written is known to this machine alone: %s", error)
                    self._pause()
            else:
                return

    def _pause(self) -> None:
        with self._lock:
            self._away_until = monotonic() + _PAUSE


def _keys(ids: Collection[UUID]) -> list[str]:
    # which a cluster of Redis keeps together
    return [f"samsyn:{{written}}:{part}{id_}" for id_ in ids for part in ("", "pending:")]
