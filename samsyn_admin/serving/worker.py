"""gunicorn's threaded worker, with connections balanced between workers."""

import mmap
import os
import select
import signal
import time
from queue import SimpleQueue
from typing import Any

from gunicorn.http.errors import LimitRequestHeaders

from samsyn_admin.serving.buffering import BufferingWorker
from samsyn_admin.serving.connections.received import NoRoomError
from samsyn_model.database.cancellation import is_closed
from samsyn_model.metrics import counting

_NEXT_REQUEST_WAIT = 2  # milliseconds for which a thread waits for its client's next request
_ACCEPT_DELAY = 0.0005  # seconds
_MAX_DELAYS = 10  # for which a connection is left to another worker
_QUICK_STOP = 5  # seconds
_SLOTS = 128
_FREE, _INACTIVE = -2, -1
_FULL = 1_000_000  # more than the connections of a worker
_STOPS = (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)
_LONG_WAIT = 0.25  # seconds for a thread, after which a client may have given up


class _WorkerLoads:
    """The load of each worker, in memory shared by all workers."""

    def __init__(self) -> None:
        self._loads = memoryview(mmap.mmap(-1, _SLOTS * 4)).cast("i")
        for slot in range(_SLOTS):
            self._loads[slot] = _FREE

    def acquire(self) -> int | None:
        """Return a slot for a worker that is about to start; None where all are in use."""
        for slot, load in enumerate(self._loads):
            if load == _FREE:
                self._loads[slot] = _INACTIVE
                return slot
        return None

    def release(self, slot: int | None) -> None:
        """Free the slot of a worker that has ended."""
        if slot is not None:
            self._loads[slot] = _FREE

    def set(self, slot: int | None, load: int | None) -> None:
        """Set the load of a worker; None while it accepts no connections."""
        if slot is not None:
            self._loads[slot] = _INACTIVE if load is None else load

    def minimum(self) -> int:
        """Return the load of the least loaded worker that accepts connections."""
        return min((load for load in self._loads if load >= 0), default=0)


_LOADS = _WorkerLoads()


class BalancedWorker(BufferingWorker):
    """The worker that waits for clients in its main thread, with connections that are balanced, and
    threads that keep them.

    A new connection is left, for some milliseconds, to a worker that has a free thread, or else
    fewer connections: otherwise the first worker to wake accepts all simultaneous connections.

    A thread keeps its connection while others are free: otherwise a connection returns to the main
    thread after every response and is dispatched again, a fifth of the time of a short request.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._slot = _LOADS.acquire()  # before the fork
        self._since_fork: SimpleQueue[int] = SimpleQueue()  # signals
        self._is_open = False
        self._busy = 0  # connections that have or wait for a thread

    def init_signals(self) -> None:
        """Take signals from now on, and those to stop that have come since the fork: the master's
        handlers, which a worker begins with, have put them where nobody in this process looks."""
        super().init_signals()
        while not self._since_fork.empty():
            if (number := self._since_fork.get_nowait()) in _STOPS:
                os.kill(os.getpid(), number)

    def load_wsgi(self) -> None:
        """Load the application, after the fork."""
        if self._slot is not None:
            counting.begin(_part(self._slot))
        super().load_wsgi()

    def handle_quit(self, sig: int, frame: Any) -> None:
        """Stop after Ctrl+C: at once while starting, otherwise as after SIGTERM, but sooner.

        gunicorn raises SystemExit here, in whatever the main thread executes: the finalizer of an
        object prints it and goes on.
        """
        if not self.booted:
            os._exit(0)
        self.cfg.set("graceful_timeout", min(_QUICK_STOP, self.cfg.graceful_timeout))
        self.handle_exit(sig, frame)

    def set_accept_enabled(self, enabled: bool) -> None:
        """Start or stop accepting connections."""
        super().set_accept_enabled(enabled)
        self._is_open = enabled
        self._publish_load()

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """Dispatch events of new and open connections."""
        super().wait_for_and_dispatch_events(timeout)
        self._publish_load()

    def accept(self, listener: Any) -> None:
        """Accept a new connection unless a worker with less load accepts it first."""
        for _ in range(_MAX_DELAYS):
            if self._load() <= _LOADS.minimum():
                break
            time.sleep(_ACCEPT_DELAY)
            if not _is_readable(listener, 0):
                return
        super().accept(listener)
        self._publish_load()

    def _load(self) -> int:
        return int(self.nr_conns) + (_FULL if self._is_full() else 0)

    def _publish_load(self) -> None:
        _LOADS.set(self._slot, self._load() if self._is_open else None)

    def enqueue_req(self, conn: Any) -> None:
        """Queue a connection for the next free thread."""
        self._busy += not conn.is_reserved  # in the main thread, as everything but `handle`
        conn.queued_at = time.monotonic()
        super().enqueue_req(conn)

    def finish_request(self, conn: Any, fs: Any) -> None:
        """Return a connection from its thread to the main thread."""
        self._busy -= not conn.is_reserved
        super().finish_request(conn, fs)

    def handle(self, conn: Any) -> Any:
        """Serve a connection until its client is idle, or no thread is free for others.

        Returns whether to keep it alive, or gunicorn's marker that no request has arrived.
        """
        has_waited = conn.reply is None and time.monotonic() - conn.queued_at > _LONG_WAIT
        if has_waited and is_closed(conn.sock):
            return False  # nobody waits for the response any more
        keepalive = super().handle(conn)
        while keepalive is True and self._may_keep(conn) and _has_request(conn):
            keepalive = super().handle(conn)
        return keepalive

    def _may_keep(self, conn: Any) -> bool:
        return self.alive and not conn.is_reserved and not self._is_full()

    def _is_full(self) -> bool:
        return bool(self._busy >= self.cfg.threads)


def keep_signals(master: Any, worker: BalancedWorker) -> None:
    """Let a worker know where the signals are that have come since the fork: gunicorn's
    `post_fork`."""
    worker._since_fork = master.SIG_QUEUE


def release_slot(_: Any, worker: BalancedWorker) -> None:
    """Free the slot of a worker that has ended: gunicorn's `child_exit`."""
    if worker._slot is not None:
        counting.forget(_part(worker._slot))
    _LOADS.release(worker._slot)


def _part(slot: int) -> str:
    """Return the name under which a worker counts: the next one in its slot goes on with it."""
    return f"worker{slot}"


def _has_request(conn: Any) -> bool:
    """Return whether the client's next request is here, and for the thread of the last one."""
    received = conn.received
    if conn.outbox.is_pending:
        return False
    if not received.has_begun and not _is_readable(conn.sock, _NEXT_REQUEST_WAIT):
        return False
    try:
        is_ready = received.receive()
    except (OSError, LimitRequestHeaders, NoRoomError):  # of which the main thread finds out again
        return False
    has_other_thread = received.is_health or received.is_of_others or received.is_large
    return is_ready and not (received.has_ended or has_other_thread)


def _is_readable(socket: Any, milliseconds: int) -> bool:
    poll = select.poll()
    poll.register(socket, select.POLLIN)
    return bool(poll.poll(milliseconds))
