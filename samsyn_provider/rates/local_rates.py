"""Rates counted in the memory of one process, by the generic cell rate algorithm (GCRA).

An allowance of N a minute may be used up at once; then it comes back evenly, one every minute / N.
Each key needs one number: the moment at which its allowance is whole again.
"""

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from time import monotonic
from typing import NamedTuple

PERIOD = 60.0
"""Seconds to which the allowances apply."""
MAX_KEYS = 20_000
"""How many keys a process remembers, in about 4 MB; the least recently used are forgotten."""
_TOLERANCE = 1e-6  # seconds: sums of intervals are not exact


class Spent(NamedTuple):
    """Whether a request is within its rate, and after how many seconds the next one is."""

    is_granted: bool
    wait: float


class LocalRates:
    """The rates of one process; thread-safe."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._whole_again: OrderedDict[str, float] = OrderedDict()
        self._lock = Lock()
        self._clock = clock

    def spend(self, key: str, allowance: int) -> Spent:
        """Count a request of a key that may make `allowance` a minute; a refused one is free."""
        interval = PERIOD / allowance
        with self._lock:
            now = self._clock()
            whole_again = max(self._whole_again.pop(key, now), now)
            is_granted = _wait(whole_again, interval, now) == 0
            if is_granted:
                whole_again += interval
            self._put(key, whole_again)
        return Spent(is_granted, _wait(whole_again, interval, now))

    def wait(self, key: str, allowance: int) -> float:
        """Return the seconds after which a request is within its rate, 0 for now."""
        whole_again = self._whole_again.get(key)
        return 0.0 if whole_again is None else _wait(whole_again, PERIOD / allowance, self._clock())

    def refuse_for(self, key: str, allowance: int, seconds: float) -> None:
        """Let `wait` return so many seconds from now, where others have counted the requests."""
        with self._lock:
            self._whole_again.pop(key, None)
            self._put(key, self._clock() + seconds + PERIOD - PERIOD / allowance)

    def _put(self, key: str, whole_again: float) -> None:
        self._whole_again[key] = whole_again
        while len(self._whole_again) > MAX_KEYS:
            self._whole_again.popitem(last=False)


def _wait(whole_again: float, interval: float, now: float) -> float:
    wait = whole_again + interval - now - PERIOD
    return wait if wait > _TOLERANCE else 0.0
