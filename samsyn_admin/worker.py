"""The kind of worker that gunicorn runs: threads that share connections out, and keep their own."""

import mmap
import select
import time
from collections import deque
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

_NEXT = 2  # milliseconds for which a thread waits for what else its client asks
_STEP = 0.0005  # seconds
_STEPS = 10  # that a connection is left for another worker at most
_PLACES = 128
_FREE, _ABSENT = -2, -1


class _ConnectionCounts:
    """How many connections each worker has, in memory that all of them share."""

    def __init__(self) -> None:
        self._counts = memoryview(mmap.mmap(-1, _PLACES * 4)).cast("i")
        for place in range(_PLACES):
            self._counts[place] = _FREE

    def take_place(self) -> int | None:
        """Return a place for a worker that is about to start; None where all are taken."""
        for place, count in enumerate(self._counts):
            if count == _FREE:
                self._counts[place] = _ABSENT
                return place
        return None

    def leave(self, place: int | None) -> None:
        """Free the place of a worker that is gone."""
        if place is not None:
            self._counts[place] = _FREE

    def set(self, place: int | None, count: int | None) -> None:
        """Say how many connections a worker has; None where it takes none at present."""
        if place is not None:
            self._counts[place] = _ABSENT if count is None else count

    def fewest(self) -> int:
        """Return how many the worker has that has the fewest."""
        return min((count for count in self._counts if count >= 0), default=0)


_COUNTS = _ConnectionCounts()


class BalancedWorker(ThreadWorker):  # type: ignore[misc]
    """gunicorn's worker of threads, with two manners that it has not.

    A new connection is left, for some milliseconds, to the worker that has the fewest: otherwise
    it is whoever wakes first that takes all that come at once, and others have nothing to do.

    A thread stays with its client while no other waits for one: otherwise a connection goes back
    to the main thread after every answer, and comes from there to a thread again, which is a
    fifth of a short request's work.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._place = _COUNTS.take_place()  # before the fork
        self._is_open = False
        self._waiting: deque[Any] = deque()

    def set_accept_enabled(self, enabled: bool) -> None:
        """Take new connections, or none."""
        super().set_accept_enabled(enabled)
        self._is_open = enabled
        self._tell()

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """Do what connections, new and old, ask for."""
        super().wait_for_and_dispatch_events(timeout)
        self._tell()

    def accept(self, listener: Any) -> None:
        """Take a new connection that no worker with fewer has taken."""
        for _ in range(_STEPS):
            if self.nr_conns <= _COUNTS.fewest():
                break
            time.sleep(_STEP)
        super().accept(listener)  # which does nothing where it is taken
        self._tell()

    def _tell(self) -> None:
        _COUNTS.set(self._place, self.nr_conns if self._is_open else None)

    def enqueue_req(self, conn: Any) -> None:
        """Have the next free thread serve a connection."""
        self._waiting.append(conn)
        super().enqueue_req(conn)

    def handle(self, conn: Any) -> Any:
        """Serve a connection until its client is silent or another one waits for a thread.

        Returns whether the main thread is to keep it, or gunicorn's sign that nothing has come.
        """
        self._waiting.popleft()  # whichever: only their number counts
        kept = super().handle(conn)
        while kept is True and self.alive and not self._waiting and _asks_more(conn):
            kept = super().handle(conn)
        return kept


def forget(_: Any, worker: BalancedWorker) -> None:
    """Free the place of a worker that has ended, however it did: gunicorn's `child_exit`."""
    _COUNTS.leave(worker._place)


def _asks_more(conn: Any) -> bool:
    if conn.is_http2:
        return False
    if conn.parser.unreader.buf.getvalue():
        return True
    poll = select.poll()
    poll.register(conn.sock, select.POLLIN)
    return bool(poll.poll(_NEXT))
