"""How many things may be done at the same time for one key."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


class Slots:
    """So many slots a key, in this process."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken: Counter[str] = Counter()
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, key: str, seconds: float) -> Iterator[bool]:
        """Wait so long for a slot, and have it until the block ends; False without one."""
        with self._changed:
            has_slot = self._changed.wait_for(lambda: self._taken[key] < self._most, seconds)
            if has_slot:
                self._taken[key] += 1
        try:
            yield has_slot
        finally:
            if has_slot:
                with self._changed:
                    self._taken[key] -= 1
                    if not self._taken[key]:
                        del self._taken[key]
                    self._changed.notify_all()
