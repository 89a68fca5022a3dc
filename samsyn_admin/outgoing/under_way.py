"""One request at a time for the same thing: others wait for what it brings."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class UnderWay:
    """The things that this process is making; thread-safe."""

    def __init__(self) -> None:
        self._locks: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()

    @contextmanager
    def only_one(self, key: str) -> Iterator[None]:
        """Let one block at a time run for a key."""
        with self._lock:
            lock = self._locks.setdefault(key, threading.Lock())
        with lock:
            try:
                yield
            finally:
                with self._lock:
                    self._locks.pop(key, None)
