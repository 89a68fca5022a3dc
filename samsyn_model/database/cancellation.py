"""Statements that are cancelled: their client has gone, or their time is over.

One thread of the process looks at all statements that run. A statement costs its request a
microsecond more, no round trip: PostgreSQL's own `statement_timeout` stays the same for every
connection, and ends what this thread cannot.
"""

import logging
import select
import threading
from contextvars import ContextVar
from dataclasses import dataclass, field
from socket import socket
from time import monotonic
from types import TracebackType

import psycopg

from samsyn_model.database.driver_errors import TOO_SLOW
from samsyn_model.errors import (
    ClientGoneError,
    DatabaseUnavailableError,
    SamsynError,
    StatementTimeoutError,
)

LOGGER = logging.getLogger(__name__)

_INTERVAL = 0.25  # seconds between two looks
_SLOW = 1.0  # seconds from which a statement is slow
_CANCEL_TIMEOUT = 2.0  # seconds
_CROWDED = "Other slow requests are running: try again, with a filter that matches less."


@dataclass(slots=True)
class StatementLimits:
    """What ends the statements of one request."""

    client: socket | None = None
    """The connection that the response is sent to: once it is closed, nobody waits for it."""
    seconds: float | None = None
    """How long a statement may run; None for as long as PostgreSQL lets it."""
    slow_statements: int | None = None
    """How many statements with such a number may run for over a second at once in the process."""
    deadline: float = field(default=float("inf"))
    """The moment by `monotonic` at which all statements end."""


_NEVER = threading.Event()


class _Running:
    __slots__ = ("driver", "ended", "limits", "reason", "start")

    def __init__(self, driver: psycopg.Connection, limits: StatementLimits) -> None:
        self.driver, self.limits, self.start = driver, limits, monotonic()
        self.reason: SamsynError | None = None
        self.ended = _NEVER


_LIMITS: ContextVar[StatementLimits | None] = ContextVar("samsyn_statement_limits", default=None)
_RUNNING: set[_Running] = set()
_START = threading.Lock()
_thread: threading.Thread | None = None


def set_limits(limits: StatementLimits | None) -> None:
    """Set what ends the statements that this thread runs from now on."""
    _LIMITS.set(limits)


def lift_time_limits() -> None:
    """Let this thread's statements run for as long as PostgreSQL does."""
    limits = _LIMITS.get()
    if limits is not None:
        limits.seconds = limits.slow_statements = None


def share_time_limit(seconds: float) -> None:
    """Let all of this thread's statements from now on take as long together as one may: `seconds`,
    or less where a limit is set."""
    limits = _LIMITS.get()
    if limits is not None:
        limits.deadline = monotonic() + min(seconds, limits.seconds or seconds)


def refuse_if_crowded() -> None:
    """Raise DatabaseUnavailableError while as many slow statements run as the limits allow."""
    limits = _LIMITS.get()
    if limits is None or limits.slow_statements is None:
        return
    now = monotonic()
    if sum(_is_slow(one, now) for one in tuple(_RUNNING)) >= limits.slow_statements:
        raise DatabaseUnavailableError(_CROWDED)


class Cancellable:
    """The context in which a connection runs a statement under the limits of its thread.

    Raises StatementTimeoutError, ClientGoneError or DatabaseUnavailableError where it is cancelled.
    """

    __slots__ = ("_driver", "_running")

    def __init__(self, driver: psycopg.Connection) -> None:
        self._driver = driver
        self._running: _Running | None = None

    def __enter__(self) -> None:
        limits = _LIMITS.get()
        if limits is None:
            return
        running = self._running = _Running(self._driver, limits)
        if running.start >= limits.deadline:
            raise StatementTimeoutError(TOO_SLOW)
        if _thread is None:
            _start()
        _RUNNING.add(running)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        running = self._running
        if running is None:
            return
        try:
            _RUNNING.remove(running)
        except KeyError:  # it is being cancelled, and no later statement may be in its place
            running.ended.wait()
        cause = getattr(error, "orig", error)  # of SQLAlchemy's
        if running.reason is not None and isinstance(cause, psycopg.errors.QueryCanceled):
            raise running.reason from cause


def _start() -> None:
    """Start the thread of this process, once: after the fork, where there is one."""
    global _thread  # noqa: PLW0603 - one thread a process
    with _START:
        if _thread is None:
            _thread = threading.Thread(target=_look, name="samsyn-cancellation", daemon=True)
            _thread.start()


def _look() -> None:
    pause = threading.Event()
    while True:
        pause.wait(_INTERVAL)
        try:
            _cancel_where_due(monotonic())
        except Exception:
            LOGGER.exception("Statements cannot be cancelled")


def _cancel_where_due(now: float) -> None:
    statements = [one for one in tuple(_RUNNING) if now - one.start >= _INTERVAL]
    slow = 0
    for running in sorted(statements, key=lambda one: one.start):
        slow += _is_slow(running, now)
        reason = _reason(running, now, slow)
        if reason is not None:
            slow -= _is_slow(running, now)
            _cancel(running, reason)


def _is_slow(running: _Running, now: float) -> bool:
    return running.limits.slow_statements is not None and now - running.start >= _SLOW


def _reason(running: _Running, now: float, slow: int) -> SamsynError | None:
    """Return why a statement is to be cancelled, None where it is not; `slow` statements have run
    for as long as it, itself included."""
    limits = running.limits
    if limits.client is not None and is_closed(limits.client):
        return ClientGoneError("The client has closed its connection.")
    is_late = limits.seconds is not None and now - running.start >= limits.seconds
    if is_late or now >= limits.deadline:
        return StatementTimeoutError(TOO_SLOW)
    if limits.slow_statements is not None and slow > limits.slow_statements:
        return DatabaseUnavailableError(_CROWDED)
    return None


def is_closed(client: socket) -> bool:
    """Return whether the peer of a connection has closed it, or its sending half."""
    try:
        poll = select.poll()
        poll.register(client, select.POLLRDHUP)
        return bool(poll.poll(0))
    except (OSError, ValueError):
        return True


def _cancel(running: _Running, reason: SamsynError) -> None:
    running.reason, running.ended = reason, threading.Event()
    try:
        _RUNNING.remove(running)
        running.driver.cancel_safe(timeout=_CANCEL_TIMEOUT)
    except KeyError:  # it has come to its end by itself
        running.reason = None
    except (psycopg.Error, OSError) as error:
        LOGGER.warning("A statement cannot be cancelled: %s", error)
    finally:
        running.ended.set()
