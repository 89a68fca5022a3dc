"""Numbers of matches that a process has counted, and those that it gave up counting.

The pages of one result have the same number: it is counted once for each version of a layer.
"""

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from time import monotonic

from samsyn_model.metrics.counting import count_lookup

_MAX_ENTRIES = 2_048
_RETRY = 600.0  # seconds


class CountCache:
    """An LRU cache of numbers of matches; thread-safe."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._counts: OrderedDict[str, tuple[int | None, float]] = OrderedDict()
        self._lock = Lock()
        self._clock = clock

    def get(self, key: str) -> tuple[int | None] | None:
        """Return the number in a tuple, `(None,)` where counting took too long in the last
        minutes, None where nothing is known."""
        found = self._find(key)
        count_lookup("counts", is_hit=found is not None)
        return found

    def _find(self, key: str) -> tuple[int | None] | None:
        with self._lock:
            if key not in self._counts:
                return None
            count, time = self._counts[key]
            if count is None and self._clock() - time > _RETRY:
                return None
            self._counts.move_to_end(key)
            return (count,)

    def put(self, key: str, count: int | None) -> None:
        """Store a number, or None: counting took too long."""
        with self._lock:
            self._counts.pop(key, None)
            self._counts[key] = (count, self._clock())
            while len(self._counts) > _MAX_ENTRIES:
                self._counts.popitem(last=False)
