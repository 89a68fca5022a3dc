"""gunicorn's threaded worker, whose threads do not wait for clients."""

import errno
import os
import selectors
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from http import HTTPStatus
from typing import Any

from gunicorn.http.errors import LimitRequestHeaders

from samsyn_admin.serving.connections.connection import Connection
from samsyn_admin.serving.connections.received import NoRoomError
from samsyn_admin.serving.listening import IN_FLIGHT, turn_away
from samsyn_admin.serving.refusals import STOPPING, refusal
from samsyn_admin.serving.responding import RespondingWorker
from samsyn_model.metrics import tracing

_NOTHING = (errno.EAGAIN, errno.ECONNABORTED)
_NO_DESCRIPTOR = (errno.EMFILE, errno.ENFILE)
_LINGER = 2.0  # seconds for which a connection is open that is of no more use
_CHECKS = 0.5  # seconds between checks of deadlines
_CLOSED_AT_ONCE = 20  # connections, where there are too many
_THREADS_OF_OTHERS = 8  # for requests that may wait for other servers
_DISCARDED = 64 * 1024  # bytes at once

type _Step = Callable[[Connection], None]
type _Deadline = Callable[[], float]


class BufferingWorker(RespondingWorker):
    """gunicorn's threaded worker: its main thread waits for requests, and for slow clients.

    It reads each request until it is whole, then a thread serves it; what a client does not take
    of the response at once is sent by the main thread again. A body that is too large to be kept
    is read by the thread, half of the threads at most. `/api/health` has a thread of its own, and
    requests that may wait for other servers have some of theirs.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._reserve = ThreadPoolExecutor(1)
        self._of_others = ThreadPoolExecutor(_THREADS_OF_OTHERS)
        self._served: set[Connection] = set()
        self._waiting: dict[Connection, tuple[_Deadline, _Step]] = {}
        self._large: list[Connection] = []
        self._reading = 0  # threads that read a large body
        self._next_check = 0.0
        self._has_closed = False

    def run(self) -> None:
        """Serve until told to stop; then end requests, and refuse those that take too long."""
        self.cfg.set("graceful_timeout", self.app.stop_timeout)
        super().run()
        unserved = [*self._served, *self._large]
        for conn in unserved:
            if not conn.outbox.has_sent:
                with suppress(OSError):
                    conn.sock.send(refusal(HTTPStatus.SERVICE_UNAVAILABLE, STOPPING))
                    conn.end()
        tracing.end()
        if unserved:
            os._exit(0)  # otherwise the process waits for its threads

    def set_accept_enabled(self, enabled: bool) -> None:
        """Start or stop accepting connections; a worker that stops accepts those that wait."""
        if enabled != self._accepting:
            super().set_accept_enabled(enabled)
        if not (enabled or self.alive or self._has_closed):
            self._has_closed = True
            for listener in self.sockets:
                turn_away(listener)
            time.sleep(IN_FLIGHT)
            for listener in self.sockets:
                while self._accept(listener):
                    pass
                listener.close()

    def accept(self, listener: Any) -> None:
        """Accept a new connection."""
        self._accept(listener)

    def _accept(self, listener: Any) -> bool:
        try:
            sock, client = listener.accept()
        except OSError as error:
            if error.errno in _NO_DESCRIPTOR:
                self._close_oldest()
            elif error.errno not in _NOTHING:
                raise
            return False
        self.nr_conns += 1
        timeouts = self.app.settings.header_timeout, self.app.settings.body_timeout
        self._receive(Connection(self.cfg, sock, client, listener.getsockname(), timeouts))
        return True

    def on_client_socket_readable(self, conn: Any, client: Any) -> None:
        """Receive the next request of an idle connection."""
        self.poller.unregister(client)
        self.keepalived_conns.remove(conn)
        self._receive(conn)

    def _receive(self, conn: Connection) -> None:
        try:
            is_ready = conn.received.receive()
        except (LimitRequestHeaders, NoRoomError) as error:
            self._refuse(conn, error)
        except OSError:
            self._drop(conn)
        else:
            if is_ready:
                self._dispatch(conn)
            elif conn not in self._waiting:
                self._wait(
                    conn, self._receive, lambda: self._receiving_deadline(conn), self._time_out
                )

    def _receiving_deadline(self, conn: Connection) -> float:
        received = conn.received
        is_unused = not self.alive and not received.has_begun
        return received.deadline - (received.head_timeout - _LINGER if is_unused else 0)

    def _dispatch(self, conn: Connection) -> None:
        self._stop_waiting(conn)
        conn.outbox.begin()
        if conn.received.has_ended and not conn.received.has_begun:
            self._drop(conn)
        elif conn.received.is_large and self._reading >= max(1, self.cfg.threads // 2):
            self._large.append(conn)
        else:
            received = conn.received
            conn.is_large, conn.is_health = received.is_large, received.is_health
            conn.is_reserved = received.is_health or received.is_of_others
            self._reading += conn.is_large
            self.enqueue_req(conn)

    def enqueue_req(self, conn: Any) -> None:
        """Queue a connection for a free thread."""
        self._served.add(conn)
        pool = self.tpool
        if conn.is_reserved:
            pool = self._reserve if conn.is_health else self._of_others
        served = pool.submit(self.handle, conn)
        served.add_done_callback(
            lambda done: self.method_queue.defer(self.finish_request, conn, done)
        )

    def finish_request(self, conn: Any, fs: "Future[Any]") -> None:
        """Go on with a connection that a thread has served."""
        self._served.discard(conn)
        result = False if fs.cancelled() or fs.exception() else fs.result()
        if conn.is_large and conn.reply is None:
            conn.is_large = False
            self._reading -= 1
            if self._large:
                self._dispatch(self._large.pop(0))
        conn.is_kept = result is True
        self._send(conn)

    def _send(self, conn: Connection) -> None:
        """Send what waits on a connection, then go on with its response, or after it."""
        if conn.is_handed_over:
            self._drop(conn)
            return
        if conn.is_cut:
            conn.reset()
            self._drop(conn)
            return
        try:
            conn.outbox.flush()
        except OSError:
            self._drop(conn)
            return
        if conn.outbox.is_pending:
            if conn not in self._waiting:
                self._wait(
                    conn,
                    self._send,
                    lambda: conn.outbox.deadline,
                    self._drop,
                    selectors.EVENT_WRITE,
                )
            return
        self._stop_waiting(conn)
        if conn.reply is not None:
            self.enqueue_req(conn)
        elif not conn.is_kept:
            conn.end()
            deadline = time.monotonic() + _LINGER
            self._wait(conn, self._discard, lambda: deadline, self._drop)
        elif conn.received.has_begun:
            self._receive(conn)
        else:
            self._keep_alive(conn)

    def _keep_alive(self, conn: Connection) -> None:
        conn.set_timeout()
        if not self.alive:
            conn.timeout = min(conn.timeout, time.monotonic() + _LINGER)
        self.keepalived_conns.append(conn)
        self.poller.register(
            conn.sock,
            selectors.EVENT_READ,
            lambda client: self.on_client_socket_readable(conn, client),
        )

    def _discard(self, conn: Connection) -> None:
        try:
            if conn.sock.recv(_DISCARDED):
                return
        except BlockingIOError:
            return
        except OSError:
            pass
        self._drop(conn)

    def _wait(
        self,
        conn: Connection,
        go_on: _Step,
        deadline: _Deadline,
        expire: _Step,
        event: int = selectors.EVENT_READ,
    ) -> None:
        self._waiting[conn] = deadline, expire
        self.poller.register(conn.sock, event, lambda _: go_on(conn))

    def _stop_waiting(self, conn: Connection) -> None:
        if self._waiting.pop(conn, None) is not None:
            self.poller.unregister(conn.sock)

    def _refuse(self, conn: Connection, error: BaseException) -> None:
        self._stop_waiting(conn)
        conn.outbox.begin()
        self.refuse(conn, error)
        conn.is_kept = False
        self._send(conn)

    def _drop(self, conn: Connection) -> None:
        self._stop_waiting(conn)
        if conn.reply is not None:
            self.tpool.submit(conn.reply.close)  # which may wait for the database
        self.nr_conns -= 1
        conn.close()

    def murder_pending(self) -> None:
        """End the connections whose clients are too slow, and some where there are too many."""
        if self.nr_conns >= self.worker_connections:
            self._close_oldest()
        now = time.monotonic()
        if now < self._next_check:
            return
        self._next_check = now + _CHECKS
        for conn, (deadline, expire) in [*self._waiting.items()]:
            if deadline() <= now:
                expire(conn)

    def _time_out(self, conn: Connection) -> None:
        if conn.received.has_begun:
            self._refuse(conn, TimeoutError())
        else:
            self._drop(conn)

    def _close_oldest(self) -> None:
        for conn in [*self.keepalived_conns][:_CLOSED_AT_ONCE]:
            self.keepalived_conns.remove(conn)
            self.poller.unregister(conn.sock)
            self._drop(conn)
        for conn in [*self._waiting][:_CLOSED_AT_ONCE]:
            self._drop(conn)
