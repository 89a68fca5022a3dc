"""The engine: one a process, whose connections keep no session state."""

from time import monotonic
from typing import Any, cast

import psycopg
from psycopg.abc import Buffer
from psycopg.adapt import Loader
from sqlalchemy import (
    URL,
    Connection,
    Engine,
    PoolProxiedConnection,
    create_engine,
    event,
    make_url,
)
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry

from samsyn_model.database.pooling.session_settings import GENERIC_PLANS, session_settings
from samsyn_model.database.pooling.way import Way
from samsyn_model.database.watchdog import PROBE_TIMEOUT, Watchdog, WatchedConnection
from samsyn_model.errors import (
    DatabaseSetupError,
)
from samsyn_model.origin import current_origin

_TRUSTED = 1.0  # seconds

LIMITED_OPTION = "samsyn_limited"  # an option of engines whose statements PostgreSQL ends in time

READING_OPTION = "samsyn_reading"  # an option of connections on which nothing begins a transaction

MAX_OVERFLOW = 2
"""Connections beside those that an engine keeps."""

_POOL_TIMEOUT = 4  # seconds

# For what the watchdog does not look after: a machine that is gone is noticed within half a minute.
# Less would break off a COPY whose rows the server is slow to read.
_TCP = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}

WAY_OPTION = "samsyn_way"  # an option of engines: their `Way`


def database_url(value: str) -> URL:
    """Parse a database URL in `postgres://`, `postgresql://` or `postgresql+psycopg://` form.

    Raises DatabaseSetupError when it is none of these.
    """
    try:
        url = make_url(value)
    except (ArgumentError, ValueError) as error:  # the latter for a port that is no number
        raise DatabaseSetupError("DATABASE_URL is not a database URL.") from error
    if url.drivername not in {"postgres", "postgresql", "postgresql+psycopg"}:
        raise DatabaseSetupError(
            f"DATABASE_URL names the driver {url.drivername!r}; SamSyn needs postgresql://."
        )
    return url.set(drivername="postgresql+psycopg")


def open_engine(  # noqa: PLR0913 - what its connections are for
    value: str,
    *,
    statement_timeout: int = 0,
    pool_size: int = 2,
    prepares: bool = False,
    is_killed: bool = False,
    sends_options: bool = True,
    plan_cache_mode: str = GENERIC_PLANS,
) -> Engine:
    """Return an engine on the database at `value`; connections are made when first needed.

    `statement_timeout` is in seconds, 0 for none. With one, a server that does not respond at all
    is waited for at most five seconds; until it responds again, connecting raises
    DatabaseUnavailableError at once. Keeps no session state beyond what every connection starts
    with, so that a pooler in transaction mode may stand between; where that keeps no prepared
    statements, none is, also if the engine `prepares`. Where the process may be killed
    (`is_killed`), the server notices within a second, and rolls back what it was doing. What
    connections start with are options, unless it sends none: then it is what the role has.
    `plan_cache_mode` is how prepared statements are planned, unless tables are distributed.
    """
    settings = session_settings(
        statement_timeout, prepares=prepares, plan_cache_mode=plan_cache_mode
    )
    if is_killed:
        settings["client_connection_check_interval"] = "1000"
    way = Way(settings, prepares=prepares, sends_options=sends_options)
    engine = create_engine(
        database_url(value),
        pool_size=pool_size,
        max_overflow=MAX_OVERFLOW,
        pool_timeout=_POOL_TIMEOUT,
        pool_use_lifo=True,
        pool_reset_on_return=None,  # transactions are ended where they are begun
        use_native_hstore=False,  # which would be looked for
        execution_options={LIMITED_OPTION: statement_timeout > 0, WAY_OPTION: way},
        isolation_level="AUTOCOMMIT",  # never changed: `_begin` opens transactions
        connect_args={
            "connect_timeout": PROBE_TIMEOUT if statement_timeout else 5,
            **_TCP,
            "application_name": "samsyn",
            "client_encoding": "utf8",
            # values within the text: each plan is made for them
            "cursor_factory": psycopg.ClientCursor,
        },
    )
    watchdog = Watchdog(statement_timeout)
    event.listen(engine, "do_connect", lambda *arguments: _connect(way, watchdog, arguments[-1]))
    event.listen(engine, "checkout", lambda *_: watchdog.require_response())
    event.listen(engine, "engine_disposed", watchdog.stop)
    event.listen(engine, "begin", lambda connection: _begin(connection, way.begin))
    event.listen(engine, "checkin", _note_use)
    event.listen(engine, "checkin", watchdog.restore_limit)
    event.listen(engine, "checkout", _replace_if_lost)
    return engine


def way_of(engine: Engine | Connection) -> Way:
    """Return what an engine of `open_engine`, or a connection of it, knows of its way."""
    return cast(Way, engine.get_execution_options()[WAY_OPTION])


def _connect(way: Way, watchdog: Watchdog, parameters: dict[str, Any]) -> WatchedConnection:
    connection = way.connect(watchdog.connect, parameters)
    connection.prepare_threshold = 0 if way.prepares else None
    return connection


def _begin(connection: Connection, statement: str) -> None:
    """Open a transaction in the database where SQLAlchemy begins one, but for reading.

    In the same round trip it is told where its changes come from.
    """
    options = connection.get_execution_options()
    if READING_OPTION not in options and options.get("isolation_level") != "AUTOCOMMIT":
        origin = current_origin()
        if origin is not None:
            text = origin.text().replace("'", "''").replace("%", "%%")
            statement = f"{statement}; SET LOCAL samsyn.origin = '{text}'"
        connection.exec_driver_sql(statement)


def _note_use(_: Any, record: ConnectionPoolEntry) -> None:
    record.info["used"] = monotonic()


def _replace_if_lost(
    dbapi_connection: DBAPIConnection, record: ConnectionPoolEntry, _: PoolProxiedConnection
) -> None:
    """Have the pool make a new connection where one that was idle for a while has been lost.

    One used less than a second ago is not checked: that would cost every request a round trip.
    """
    if monotonic() - record.info.get("used", monotonic()) < _TRUSTED:
        return
    try:
        cast(psycopg.Connection, dbapi_connection).execute("")
    except psycopg.Error as error:
        raise DisconnectionError from error


class _BytesLoader(Loader):
    """Leaves a text as the bytes that it was sent as."""

    def load(self, data: Buffer) -> bytes:
        """Return the value."""
        return bytes(data)


# Text that is only passed on need not be decoded: SQL marks it by `::bpchar`, a type that no column
# has.
psycopg.adapters.register_loader("bpchar", _BytesLoader)
