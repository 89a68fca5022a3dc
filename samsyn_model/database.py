"""The database: one engine a process, one door through which statements run."""

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from time import monotonic
from typing import Any

import psycopg2
import psycopg2.errors
import psycopg2.extensions
import psycopg2.extras
from sqlalchemy import (
    URL,
    Connection,
    CursorResult,
    Engine,
    Executable,
    PoolProxiedConnection,
    create_engine,
    event,
    make_url,
)
from sqlalchemy import text as sql_text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DBAPIError, DisconnectionError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import ConnectionPoolEntry

from samsyn_model.errors import (
    DatabaseSetupError,
    DatabaseUnavailableError,
    InvalidParameterError,
    SamsynError,
    StatementTimeoutError,
)

MINIMUM_POSTGRESQL = 150000
EXTENSIONS = ("postgis", "btree_gist", "pg_trgm")

_TRUSTED = 1.0  # seconds
_BROKEN_TEXT = "Text with a NUL character or broken UTF-8 cannot be stored."
_MEANINGS: tuple[tuple[tuple[type[Exception], ...], type[SamsynError], str], ...] = (
    (
        (psycopg2.errors.QueryCanceled,),
        StatementTimeoutError,
        "The database took too long over this request.",
    ),
    (
        (psycopg2.errors.LockNotAvailable, psycopg2.extensions.TransactionRollbackError),
        DatabaseUnavailableError,
        "The database is busy with something that stands in the way: try again.",
    ),
    (
        (psycopg2.errors.ReadOnlySqlTransaction,),
        DatabaseUnavailableError,
        "The database can only be read for now.",
    ),
    (
        (psycopg2.errors.UndefinedTable, psycopg2.errors.UndefinedColumn),
        DatabaseSetupError,
        "The database is not migrated: run `samsyn db upgrade`.",
    ),
    (
        (psycopg2.errors.InsufficientPrivilege,),
        DatabaseSetupError,
        "The database's user lacks a right that SamSyn needs: it has to own the database.",
    ),
    (
        (psycopg2.errors.CharacterNotInRepertoire, psycopg2.errors.UntranslatableCharacter),
        InvalidParameterError,
        _BROKEN_TEXT,
    ),
    (
        (psycopg2.errors.ProgramLimitExceeded,),
        InvalidParameterError,
        "The answer would be larger than the database can make at once: ask for less.",
    ),
    (
        (psycopg2.DataError,),
        InvalidParameterError,
        "A value in the request or the data is out of range.",
    ),
)
"""Causes in the driver's words, ours, and what a caller is told; the first that fits counts."""


def database_url(value: str) -> URL:
    """Parse a database URL in `postgres://`, `postgresql://` or `postgresql+psycopg2://` form.

    Raises DatabaseSetupError when it is none of these.
    """
    try:
        url = make_url(value)
    except (ArgumentError, ValueError) as error:  # the latter for a port that is no number
        raise DatabaseSetupError("DATABASE_URL is not a database URL.") from error
    if url.drivername not in {"postgres", "postgresql", "postgresql+psycopg2"}:
        raise DatabaseSetupError(
            f"DATABASE_URL names the driver {url.drivername!r}; SamSyn needs postgresql://."
        )
    return url.set(drivername="postgresql+psycopg2")


def open_engine(value: str, *, statement_timeout: int = 0, pool_size: int = 2) -> Engine:
    """Return an engine on the database at `value`; connections are made when first needed.

    `statement_timeout` is in seconds, 0 for none. Keeps no session state beyond what every
    connection starts with, so that a pooler in transaction mode may stand between.
    """
    psycopg2.extras.register_uuid()  # type: ignore[no-untyped-call]
    engine = create_engine(
        database_url(value),
        pool_size=pool_size,
        max_overflow=2,
        pool_timeout=10,
        pool_use_lifo=True,
        connect_args={
            "connect_timeout": 5,
            "application_name": "samsyn",
            "options": f"-c statement_timeout={statement_timeout * 1000} -c timezone=UTC"
            " -c jit=off -c search_path=public",
        },
    )
    event.listen(engine, "checkin", _note_use)
    event.listen(engine, "checkout", _replace_if_lost)
    return engine


def _note_use(_: Any, record: ConnectionPoolEntry) -> None:
    record.info["used"] = monotonic()


def _replace_if_lost(
    dbapi_connection: DBAPIConnection, record: ConnectionPoolEntry, _: PoolProxiedConnection
) -> None:
    """Have the pool make a new connection where one that was idle for a while has been lost.

    One that served a moment ago is not asked: that would cost every request a round trip.
    """
    if monotonic() - record.info.get("used", monotonic()) < _TRUSTED:
        return
    try:
        with closing(dbapi_connection.cursor()) as cursor:
            cursor.execute("")
    except psycopg2.Error as error:
        raise DisconnectionError from error


@contextmanager
def translated_errors() -> Iterator[None]:
    """Turn a driver's error into one of `samsyn_model.errors` where it has a meaning of ours."""
    try:
        yield
    except PoolTimeoutError as error:
        raise DatabaseUnavailableError("Every database connection is busy.") from error
    except DBAPIError as error:
        translation = _translation(error)
        if translation is None:
            raise
        raise translation from error


def _translation(error: DBAPIError) -> SamsynError | None:
    for causes, kind, detail in _MEANINGS:
        if isinstance(error.orig, causes):
            return kind(detail)
    if isinstance(error.orig, psycopg2.errors.InternalError_):
        if "transform" in str(error.orig):
            return InvalidParameterError("A feature lies outside the area that the CRS covers.")
        if "GEOS" in str(error.orig) or "Topology" in str(error.orig):
            return InvalidParameterError("A geometry that crosses itself cannot be compared.")
    if error.statement is None and isinstance(error.orig, psycopg2.ProgrammingError):
        return DatabaseSetupError("DATABASE_URL has an option that PostgreSQL does not know.")
    if error.connection_invalidated or isinstance(error, OperationalError):
        return DatabaseUnavailableError("The database cannot be reached.")
    return None


def run(
    connection: Connection, statement: Executable | str, values: Mapping[str, Any] | None = None
) -> CursorResult[Any]:
    """Run one statement: Core, or SQL text with psycopg2's `%(name)s` placeholders.

    Raises the errors of `translated_errors`.
    """
    with translated_errors():
        try:
            if isinstance(statement, str):
                return connection.exec_driver_sql(statement, dict(values or {}))
            return connection.execute(statement, values)
        except ValueError as error:  # psycopg2 binds neither NUL nor lone surrogates
            raise InvalidParameterError(_BROKEN_TEXT) from error


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Yield a connection in which every statement is a transaction of its own."""
    with translated_errors(), engine.connect() as connection:
        yield connection.execution_options(isolation_level="AUTOCOMMIT")


@contextmanager
def snapshot(engine: Engine, timeout: int) -> Iterator[Connection]:
    """Yield a connection whose statements all see the database as it is now, and change nothing.

    Each may take `timeout` seconds.
    """
    with translated_errors(), engine.begin() as connection:
        run(connection, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        run(
            connection,
            "SELECT set_config('statement_timeout', %(most)s, true)",
            {"most": f"{timeout}s"},
        )
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Yield a connection in one transaction: committed at the end, rolled back on any error."""
    with translated_errors(), engine.begin() as connection:
        yield connection


def require_postgis(connection: Connection) -> None:
    """Check the server and the database, and create the extensions that SamSyn needs.

    Raises DatabaseSetupError, naming what is missing and who can mend it.
    """
    version = connection.exec_driver_sql("SHOW server_version_num").scalar_one()
    if int(version) < MINIMUM_POSTGRESQL:
        raise DatabaseSetupError("SamSyn needs PostgreSQL 15 or later.")
    encoding = connection.exec_driver_sql("SHOW server_encoding").scalar_one()
    if encoding != "UTF8":
        raise DatabaseSetupError(
            f"The database's encoding is {encoding}; SamSyn needs one made with"
            " CREATE DATABASE … TEMPLATE template0 ENCODING 'UTF8'."
        )
    for extension in EXTENSIONS:
        try:
            connection.execute(sql_text(f"CREATE EXTENSION IF NOT EXISTS {extension}"))
        except DBAPIError as error:
            if isinstance(error.orig, psycopg2.errors.InsufficientPrivilege):
                reason = (
                    "the database's user may not create it; a superuser can, with"
                    f" CREATE EXTENSION {extension}"
                )
            elif isinstance(
                error.orig,
                psycopg2.errors.UndefinedFile | psycopg2.errors.FeatureNotSupported,
            ):
                reason = "it is not installed on the database's server"
            else:
                raise
            raise DatabaseSetupError(
                f"The database lacks the extension {extension}: {reason}."
            ) from error
