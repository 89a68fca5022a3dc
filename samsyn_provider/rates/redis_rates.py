"""Rates counted in Redis, for all processes: GCRA as one script, one round trip a request."""

import logging
from collections.abc import Callable
from time import monotonic

from redis import Redis
from redis.exceptions import RedisError

from samsyn_provider.rates.local_rates import PERIOD, Spent

LOGGER = logging.getLogger(__name__)

_TIMEOUT = 0.25  # seconds, of a connection and of a request
_PAUSE = 5.0  # seconds without requests to a Redis that is away

# In microseconds by the clock of Redis, which is one for all processes. The key has the moment at
# which the allowance is whole again, and expires then.
_SPEND = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local interval, period = tonumber(ARGV[1]), tonumber(ARGV[2])
local whole_again = math.max(tonumber(redis.call('GET', KEYS[1]) or now), now)
local granted = whole_again + interval <= now + period
if granted then
    whole_again = whole_again + interval
    local expiry = math.ceil((whole_again - now) / 1000)
    redis.call('SET', KEYS[1], string.format('%.0f', whole_again), 'PX', expiry)
end
return {granted and 1 or 0, math.ceil(math.max(0, whole_again + interval - now - period))}"""
_MICROSECONDS = 1_000_000


class RedisRates:
    """The rates of all processes on one Redis; thread-safe.

    Raises ValueError when `url` is not a Redis URL.
    """

    def __init__(self, url: str, clock: Callable[[], float] = monotonic) -> None:
        redis = Redis.from_url(url, socket_timeout=_TIMEOUT, socket_connect_timeout=_TIMEOUT)
        self._script = redis.register_script(_SPEND)
        self._clock = clock
        self._away_until = 0.0

    def spend(self, key: str, allowance: int) -> Spent | None:
        """Count a request, as `LocalRates.spend`; None while Redis is away, which is logged."""
        if self._clock() < self._away_until:
            return None
        arguments = (PERIOD * _MICROSECONDS / allowance, PERIOD * _MICROSECONDS)
        try:
            is_granted, wait = self._script(keys=[f"samsyn:rate:{key}"], args=arguments)
        except RedisError as error:
            self._away_until = self._clock() + _PAUSE
            LOGGER.warning("Each process counts rates on its own, without Redis: %s", error)
            return None
        return Spent(bool(is_granted), wait / _MICROSECONDS)
