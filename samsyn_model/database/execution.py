"""Statements of requests and commands are run here; COPY has its own module."""

from collections import OrderedDict
from collections.abc import Generator, Mapping
from contextlib import closing
from time import monotonic
from types import TracebackType
from typing import Any, cast, overload

import psycopg
from psycopg.adapt import Transformer
from psycopg.pq.abc import PGresult
from psycopg.rows import namedtuple_row
from sqlalchemy import (
    Connection,
    CursorResult,
    Executable,
)

from samsyn_model.database.cancellation import Cancellable
from samsyn_model.database.driver_errors import UNSTORABLE_TEXT, translated_errors
from samsyn_model.database.engine import LIMITED_OPTION, READING_OPTION, way_of
from samsyn_model.database.sql_text import PreparedTexts, Rows, send_text
from samsyn_model.database.watchdog import WatchedConnection
from samsyn_model.errors import (
    InvalidParameterError,
    SamsynError,
)
from samsyn_model.metrics.counting import timed

_LOST = (psycopg.errors.InvalidSqlStatementName, psycopg.errors.DuplicatePreparedStatement)
_PREPARED = "samsyn_prepared"  # where a connection's record has what it has prepared


@overload
def run(
    connection: Connection,
    statement: str,
    values: Mapping[str, Any] | None = None,
    *,
    prepared: bool = False,
    binary: bool = False,
) -> Rows: ...


@overload
def run(
    connection: Connection, statement: Executable, values: Mapping[str, Any] | None = None
) -> CursorResult[Any]: ...


def run(
    connection: Connection,
    statement: Executable | str,
    values: Mapping[str, Any] | None = None,
    *,
    prepared: bool = False,
    binary: bool = False,
) -> CursorResult[Any] | Rows:
    """Run one statement: Core, or SQL text with psycopg's `%(name)s` placeholders.

    A `prepared` text may be planned once a connection: for look-ups by key, whose plan suits all
    values. A `binary` result transfers bytes without hexadecimal digits. Raises the errors of
    `translated_errors`.
    """
    with translated_errors(), timed(statement):
        try:
            if isinstance(statement, str):
                return _run_text(
                    connection, statement, values or {}, prepared=prepared, binary=binary
                )
            with Cancellable(driver_of(connection)):
                return connection.execute(statement, values)
        except UnicodeEncodeError as error:  # half a surrogate pair
            raise InvalidParameterError(UNSTORABLE_TEXT) from error


def stream(connection: Connection, statement: str, values: Mapping[str, Any]) -> Generator[Any]:
    """Yield the rows of a statement as the database makes them: none waits in memory.

    The connection does nothing else until the rows end or are closed. How fast those after the
    first one come depends on the client that they are sent to: limits of time hold for the first
    one only. Errors as `run`.
    """
    with (
        translated_errors(),
        _Driver(connection) as driver,
        closing(psycopg.ClientCursor(driver, row_factory=namedtuple_row)) as cursor,
        closing(cast(Generator[Any], cursor.stream(statement, values))) as rows,
    ):
        with timed(statement), Cancellable(driver):
            first = next(rows, None)
        if first is not None:
            yield first
            yield from rows


def run_within(
    connection: Connection, milliseconds: int, statement: str, values: Mapping[str, Any]
) -> Rows | None:
    """Run a text for its rows, on a connection for reading, in at most this time.

    None where it takes longer, or fails: for what a response can do without. One round trip.
    """
    # texts that are sent together are one transaction, in which each has its own time limit
    text = f"SET LOCAL statement_timeout = {milliseconds:d}; {statement}"
    try:
        with translated_errors(), timed(statement), _Driver(connection) as driver:
            cursor = psycopg.ClientCursor(driver).execute(text, values)
            cursor.nextset()
            return Rows(cast(PGresult, cursor.pgresult), Transformer(driver))
    except (SamsynError, psycopg.Error, UnicodeEncodeError):
        return None


def run_together(connection: Connection, statements: str) -> Any:
    """Run texts that bind nothing in one round trip; return the first row of the last one."""
    with translated_errors(), _Driver(connection) as driver:
        cursor = psycopg.ClientCursor(driver).execute(statements.encode())
        while cursor.nextset():
            pass
        return cursor.fetchone()


def _run_text(
    connection: Connection,
    statement: str,
    values: Mapping[str, Any],
    *,
    prepared: bool,
    binary: bool,
) -> Rows:
    """Run a text past SQLAlchemy, which would take as long over it as the database does."""
    options = connection.get_execution_options()
    is_reading = READING_OPTION in options
    if not is_reading and not connection.in_transaction():
        connection.begin()
    with _Driver(connection) as driver, Cancellable(driver):
        if prepared and driver.prepare_threshold is not None:
            known = connection.info.setdefault(_PREPARED, OrderedDict())
            try:
                return _send_watched(driver, statement, values, known, binary=binary)
            except _LOST:
                driver.prepare_threshold = None
                way_of(connection).lose_prepared()
                if not is_reading:  # the transaction has failed
                    raise
        if is_reading and options.get(LIMITED_OPTION):
            return _send_watched(driver, statement, values)
        # unlike libpq's own functions, a cursor can be interrupted
        cursor = psycopg.ClientCursor(driver).execute(statement, values)
        return Rows(cast(PGresult, cursor.pgresult), Transformer(driver))


def _send_watched(
    driver: WatchedConnection,
    statement: str,
    values: Mapping[str, Any],
    known: PreparedTexts | None = None,
    *,
    binary: bool = False,
) -> Rows:
    driver.waiting_since = monotonic()
    try:
        return send_text(driver, statement, values, known, binary=binary)
    finally:
        driver.waiting_since = None


class _Driver:
    """The context with the driver's connection; the pool makes another where that is lost
    meanwhile."""

    __slots__ = ("_connection", "_driver")

    def __init__(self, connection: Connection) -> None:
        self._connection, self._driver = connection, driver_of(connection)

    def __enter__(self) -> WatchedConnection:
        return self._driver

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            self._driver.answered = monotonic()
        elif isinstance(error, psycopg.OperationalError) and self._driver.closed:
            self._connection.invalidate(error)


def driver_of(connection: Connection) -> WatchedConnection:
    """Return the driver's connection of one of an engine from `open_engine`."""
    return cast(WatchedConnection, connection.connection.driver_connection)
