"""A database that does not respond is noticed, so that nobody waits for it.

PostgreSQL enforces its own `statement_timeout`, so that it does not help where the server's
processes are stopped, or the network drops what it sends. TCP's timeouts do not help where the
machine still acknowledges, and Unix sockets have none. So a thread looks after the connections of
an engine. When one has waited for a second and no other was answered meanwhile, it asks the server
over a new connection. Without an answer it shuts down the sockets of those that wait, and the
engine makes no connection until the server responds.
"""

import logging
import os
import select
import socket
import threading
from collections.abc import Iterable
from contextlib import closing, suppress
from errno import EAGAIN, ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, ENOENT, ETIMEDOUT
from math import inf
from time import monotonic
from traceback import clear_frames
from typing import Any
from weakref import WeakSet

import psycopg
from psycopg.abc import RV, PQGen
from psycopg.pq.abc import PGconn
from sqlalchemy.pool import ConnectionPoolEntry

from samsyn_model.errors import DatabaseUnavailableError

LOGGER = logging.getLogger(__name__)

PROBE_TIMEOUT = 2
"""Seconds for which the server may take over a new connection; the least that libpq accepts."""
MARGIN = 5.0
"""Seconds that PostgreSQL may take to end a statement after its time limit."""
_INTERVAL = 0.25  # seconds between two looks
_OVERDUE = 1.0  # seconds without an answer after which the server is asked
_UNREACHABLE = tuple(
    os.strerror(number)
    for number in (EAGAIN, ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, ENOENT, ETIMEDOUT)
)


class WatchedConnection(psycopg.Connection[Any]):
    """A connection that notes since when it waits for the server.

    Whoever waits past `wait` sets `waiting_since` (as of `monotonic`) itself. `answered` is when a
    statement was last answered, `statement_limit` how many seconds one may take.
    """

    waiting_since: float | None = None
    answered = 0.0
    statement_limit = inf

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._socket_inode = os.fstat(self.pgconn.socket).st_ino

    def wait(self, gen: PQGen[RV], *arguments: Any, **options: Any) -> RV:
        """Wait for the server as psycopg does."""
        self.waiting_since = monotonic()
        try:
            return super().wait(gen, *arguments, **options)
        finally:
            self.waiting_since = None

    def cut(self) -> None:
        """Shut down the socket, so that another thread's wait ends with an OperationalError."""
        with suppress(psycopg.Error, OSError):
            duplicate = os.dup(self.pgconn.socket)
            with socket.socket(fileno=duplicate) as own:
                # the number may be that of another file by now, if libpq has closed its own
                if os.fstat(duplicate).st_ino == self._socket_inode:
                    own.shutdown(socket.SHUT_RDWR)


class Watchdog:
    """Looks after the connections of one engine, whose statements may take so many seconds.

    With 0, which is no limit, it does not look: such statements can be interrupted by hand.
    """

    def __init__(self, statement_timeout: int) -> None:
        self.statement_limit = statement_timeout + MARGIN if statement_timeout else inf
        self._connections: WeakSet[WatchedConnection] = WeakSet()
        self._connecting: dict[int, float] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._is_stopped = threading.Event()
        self._is_silent = False
        self._probed = 0.0
        self._parameters: dict[str, Any] = {}

    def connect(self, parameters: dict[str, Any]) -> WatchedConnection:
        """Make a connection of the engine.

        Raises DatabaseUnavailableError while the server does not respond, psycopg.Error.
        """
        self.require_response()
        self._parameters = parameters
        self._start()
        own = threading.get_ident()
        self._connecting[own] = monotonic()
        try:
            connection = WatchedConnection.connect(**parameters)
        except psycopg.Error as error:
            clear_frames(error.__traceback__)  # which hold the socket of what was not connected
            raise
        finally:
            del self._connecting[own]
        connection.statement_limit = self.statement_limit
        with self._lock:
            self._connections.add(connection)
        return connection

    def require_response(self) -> None:
        """Raise DatabaseUnavailableError while the server does not respond."""
        if self._is_silent:
            cause = psycopg.OperationalError("no answer")
            raise DatabaseUnavailableError("The database does not respond.") from cause

    def restore_limit(self, connection: Any, _: ConnectionPoolEntry) -> None:
        """Forget the limit that a transaction had: SQLAlchemy's event `checkin`."""
        if connection is not None:
            connection.statement_limit = self.statement_limit

    def stop(self, _: Any = None) -> None:
        """Stop looking; the next connection begins it again."""
        self._is_stopped.set()
        self._is_silent = False

    def _start(self) -> None:
        if self.statement_limit == inf:
            return
        with self._lock:
            if self._thread and self._thread.is_alive() and not self._is_stopped.is_set():
                return
            self._is_stopped = threading.Event()
            self._thread = threading.Thread(
                target=self._watch, args=(self._is_stopped,), name="watchdog", daemon=True
            )
            self._thread.start()

    def _watch(self, is_stopped: threading.Event) -> None:
        while not is_stopped.wait(_INTERVAL):
            try:
                self._look()
            except Exception:
                LOGGER.exception("the watchdog of the database")

    def _look(self) -> None:
        with self._lock:
            connections = list(self._connections)
        if self._is_silent:
            _cut_waiting(connections)
            if self._responds(connections):
                self._is_silent = False
                LOGGER.warning("The database responds again.")
            return
        now = monotonic()
        waiting = [
            (now - since, connection)
            for connection in connections
            if (since := connection.waiting_since) is not None
        ]
        for waited, connection in waiting:
            if waited > connection.statement_limit:
                LOGGER.error("A statement is given up: no answer for %.0f s.", waited)
                connection.cut()
        waits = [waited for waited, _ in waiting]
        waits += [now - since for since in list(self._connecting.values())]
        quiet_since = max([self._probed, *(one.answered for one in connections)])
        if max(waits, default=0.0) < _OVERDUE or now - quiet_since < _OVERDUE:
            return
        if self._responds(connections):
            self._probed = monotonic()
        elif all(connection.answered < now for connection in connections):
            self._is_silent = True
            LOGGER.error("The database does not respond: no request waits for it.")
            _cut_waiting(connections)

    def _responds(self, connections: Iterable[WatchedConnection]) -> bool:
        """Return whether the server answers over a new connection, if only that it is busy."""
        parameters = self._parameters | {"connect_timeout": PROBE_TIMEOUT}
        if "," not in str(parameters.get("host", "")):  # otherwise the next host may answer
            parameters |= _address(connections)
        try:
            with closing(psycopg.connect(**parameters)) as connection:
                return _answers(connection.pgconn)
        except psycopg.Error as error:
            clear_frames(error.__traceback__)
            if isinstance(error, psycopg.errors.ConnectionTimeout):
                return False
            return not any(reason in str(error) for reason in _UNREACHABLE)


def _answers(pgconn: PGconn) -> bool:
    """Return whether a new connection brings the result of a statement in time."""
    pgconn.send_query(b"SELECT 1")
    poll = select.poll()
    poll.register(pgconn.socket, select.POLLIN)
    deadline = monotonic() + PROBE_TIMEOUT
    while poll.poll(max(0.0, deadline - monotonic()) * 1000):
        pgconn.consume_input()
        if not pgconn.is_busy():
            return True
    return False


def _address(connections: Iterable[WatchedConnection]) -> dict[str, str]:
    """Return the address of the server that one of the connections has: a name may have several,
    each of which would be waited for."""
    for connection in connections:
        with suppress(psycopg.Error):
            if address := connection.info.hostaddr:
                return {"hostaddr": address}
    return {}


def _cut_waiting(connections: Iterable[WatchedConnection]) -> None:
    for connection in connections:
        if connection.waiting_since is not None:
            connection.cut()
