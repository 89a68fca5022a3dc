"""The kind of worker that gunicorn runs: threads that share connections out, and keep their own."""

import mmap
import select
import time
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

_NEXT = 2  # milliseconds for which a thread waits for what else its client asks
_STEP = 0.0005  # seconds
_STEPS = 10  # that a connection is left for another worker at most
_PLACES = 128
_FREE, _ABSENT = -2, -1
_FULL = 1_000_000  # more than a worker has connections


class _Loads:
    """What each worker has to do, in memory that all of them share."""

    def __init__(self) -> None:
        self._loads = memoryview(mmap.mmap(-1, _PLACES * 4)).cast("i")
        for place in range(_PLACES):
            self._loads[place] = _FREE

    def take_place(self) -> int | None:
        """Return a place for a worker that is about to start; None where all are taken."""
        for place, load in enumerate(self._loads):
            if load == _FREE:
                self._loads[place] = _ABSENT
                return place
        return None

    def leave(self, place: int | None) -> None:
        """Free the place of a worker that is gone."""
        if place is not None:
            self._loads[place] = _FREE

    def set(self, place: int | None, load: int | None) -> None:
        """Say what a worker has to do; None where it takes no connections at present."""
        if place is not None:
            self._loads[place] = _ABSENT if load is None else load

    def least(self) -> int:
        """Return what the worker has to do that has least."""
        return min((load for load in self._loads if load >= 0), default=0)


_LOADS = _Loads()


class BalancedWorker(ThreadWorker):  # type: ignore[misc]
    """gunicorn's worker of threads, with two manners that it has not.

    A new connection is left, for some milliseconds, to a worker that has a thread free, or else
    fewer connections: otherwise it is whoever wakes first that takes all that come at once, and
    others have nothing to do.

    A thread stays with its client while others are free: otherwise a connection goes back
    to the main thread after every answer, and comes from there to a thread again, which is a
    fifth of a short request's work.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._place = _LOADS.take_place()  # before the fork
        self._is_open = False
        self._served = 0  # connections that have a thread or wait for one

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
        """Take a new connection that no worker with less to do has taken."""
        for _ in range(_STEPS):
            if self._load() <= _LOADS.least():
                break
            time.sleep(_STEP)
            if not _is_readable(listener, 0):
                return
        super().accept(listener)
        self._tell()

    def _load(self) -> int:
        return int(self.nr_conns) + (_FULL if self._is_full() else 0)

    def _tell(self) -> None:
        _LOADS.set(self._place, self._load() if self._is_open else None)

    def enqueue_req(self, conn: Any) -> None:
        """Have the next free thread serve a connection."""
        self._served += 1  # in the main thread, as everything but `handle`
        super().enqueue_req(conn)

    def finish_request(self, conn: Any, fs: Any) -> None:
        """Take a connection back from its thread."""
        self._served -= 1
        super().finish_request(conn, fs)

    def handle(self, conn: Any) -> Any:
        """Serve a connection until its client is silent, or no thread is free for others.

        Returns whether the main thread is to keep it, or gunicorn's sign that nothing has come.
        """
        kept = super().handle(conn)
        while kept is True and self.alive and not self._is_full() and _asks_more(conn):
            kept = super().handle(conn)
        return kept

    def _is_full(self) -> bool:
        return bool(self._served >= self.cfg.threads)


def forget(_: Any, worker: BalancedWorker) -> None:
    """Free the place of a worker that has ended, however it did: gunicorn's `child_exit`."""
    _LOADS.leave(worker._place)


def _asks_more(conn: Any) -> bool:
    if conn.is_http2:
        return False
    if conn.parser.unreader.buf.getvalue():
        return True
    return _is_readable(conn.sock, _NEXT)


def _is_readable(socket: Any, milliseconds: int) -> bool:
    poll = select.poll()
    poll.register(socket, select.POLLIN)
    return bool(poll.poll(milliseconds))
