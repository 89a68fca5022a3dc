"""Parts made in a thread of their own while those before them are used."""

import queue
import threading
from collections.abc import Generator, Iterator


class Prefetch[T]:
    """Parts that a thread makes while those before them are used, a few ahead at most."""

    def __init__(self, parts: Generator[T]) -> None:
        self.error: BaseException | None = None
        self._parts = parts
        self._ready: queue.Queue[T | None] = queue.Queue(maxsize=2)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._fill, name="import", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[T]:
        while (part := self._ready.get()) is not None:
            yield part
        if self.error:
            raise self.error

    def close(self) -> None:
        """Stop the thread and wait for its end."""
        self._closed.set()
        while self._thread.is_alive():
            try:
                self._ready.get(timeout=0.05)
            except queue.Empty:
                continue
        self._thread.join()

    def _fill(self) -> None:
        try:
            for part in self._parts:
                if not self._put(part):
                    return
        except BaseException as error:  # raised again by the thread that uses the parts
            self.error = error
        finally:
            self._parts.close()
        self._put(None)

    def _put(self, part: T | None) -> bool:
        while not self._closed.is_set():
            try:
                self._ready.put(part, timeout=0.1)
            except queue.Full:
                continue
            return True
        return False
