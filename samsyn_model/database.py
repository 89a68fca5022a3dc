"""The database: one engine a process, one door through which statements run."""

from collections import OrderedDict
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from time import monotonic
from typing import Any, cast, overload

import psycopg
from psycopg.abc import Buffer
from psycopg.adapt import Loader, Transformer
from psycopg.pq.abc import PGresult
from psycopg.rows import namedtuple_row
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
from sqlalchemy.exc import ArgumentError, DBAPIError, DisconnectionError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import ConnectionPoolEntry

from samsyn_model.errors import (
    DatabaseSetupError,
    DatabaseUnavailableError,
    InvalidParameterError,
    SamsynError,
    StatementTimeoutError,
)
from samsyn_model.sql_text import Rows, send_text

MINIMUM_POSTGRESQL = 150000
EXTENSIONS = ("postgis", "btree_gist", "pg_trgm")

LOCK_TIMEOUT = "10s"
"""How long a transaction that writes waits for another one's locks."""

_TRUSTED = 1.0  # seconds
_PREPARED = "samsyn_prepared"  # where a connection's record has what it has prepared
_LIMITED = "samsyn_limited"  # an option of engines whose statements PostgreSQL ends in time
_READING = "samsyn_reading"  # an option of connections on which nothing begins a transaction
# PostgreSQL's default has it start workers, which takes 15 ms, for the first hundred features of a
# large box: what PostGIS says a condition costs is twenty times too much.
_PARALLEL_COST = 100_000
_BROKEN_TEXT = "Text with a NUL character or broken UTF-8 cannot be stored."
_MEANINGS: tuple[tuple[tuple[type[Exception], ...], type[SamsynError], str], ...] = (
    (
        (psycopg.errors.QueryCanceled,),
        StatementTimeoutError,
        "The database took too long over this request.",
    ),
    (
        (
            psycopg.errors.LockNotAvailable,
            psycopg.errors.SerializationFailure,
            psycopg.errors.DeadlockDetected,
        ),
        DatabaseUnavailableError,
        "The database is busy with something that stands in the way: try again.",
    ),
    (
        (psycopg.errors.ReadOnlySqlTransaction,),
        DatabaseUnavailableError,
        "The database can only be read for now.",
    ),
    (
        (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn),
        DatabaseSetupError,
        "The database is not migrated: run `samsyn db upgrade`.",
    ),
    (
        (psycopg.errors.InsufficientPrivilege,),
        DatabaseSetupError,
        "The database's user lacks a right that SamSyn needs: it has to own the database.",
    ),
    (
        (psycopg.errors.CharacterNotInRepertoire, psycopg.errors.UntranslatableCharacter),
        InvalidParameterError,
        _BROKEN_TEXT,
    ),
    (
        (psycopg.errors.ProgramLimitExceeded,),
        InvalidParameterError,
        "The answer would be larger than the database can make at once: ask for less.",
    ),
    (
        (psycopg.DataError,),
        InvalidParameterError,
        "A value in the request or the data is out of range.",
    ),
)
"""Causes in the driver's words, ours, and what a caller is told; the first that fits counts."""


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


def open_engine(
    value: str, *, statement_timeout: int = 0, pool_size: int = 2, prepares: bool = False
) -> Engine:
    """Return an engine on the database at `value`; connections are made when first needed.

    `statement_timeout` is in seconds, 0 for none. Keeps no session state beyond what every
    connection starts with, so that a pooler in transaction mode may stand between; if it
    `prepares`, a pooler that knows the protocol's prepared statements.
    """
    plans, begin = "", "BEGIN"
    if prepares:  # PostgreSQL would plan some each time; what triggers do depends on the layer
        plans = " -c plan_cache_mode=force_generic_plan"
        begin = "BEGIN; SET LOCAL plan_cache_mode = auto"
    engine = create_engine(
        database_url(value),
        pool_size=pool_size,
        max_overflow=2,
        pool_timeout=10,
        pool_use_lifo=True,
        pool_reset_on_return=None,  # whatever began a transaction ends it
        use_native_hstore=False,  # which would be looked for
        execution_options={_LIMITED: statement_timeout > 0},
        isolation_level="AUTOCOMMIT",  # changed by nobody: `_begin` opens transactions
        connect_args={
            "connect_timeout": 5,
            "application_name": "samsyn",
            "client_encoding": "utf8",
            "options": f"-c statement_timeout={statement_timeout * 1000} -c timezone=UTC"
            f" -c jit=off -c parallel_setup_cost={_PARALLEL_COST} -c search_path=public{plans}",
            # values within the text: each plan is made for them
            "cursor_factory": psycopg.ClientCursor,
            "prepare_threshold": 0 if prepares else None,
        },
    )
    event.listen(engine, "begin", lambda connection: _begin(connection, begin))
    event.listen(engine, "checkin", _note_use)
    event.listen(engine, "checkout", _replace_if_lost)
    return engine


def _begin(connection: Connection, statement: str) -> None:
    """Open a transaction in the database where SQLAlchemy begins one, but for reading."""
    options = connection.get_execution_options()
    if _READING not in options and options.get("isolation_level") != "AUTOCOMMIT":
        connection.exec_driver_sql(statement)


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
        cast(psycopg.Connection, dbapi_connection).execute("")
    except psycopg.Error as error:
        raise DisconnectionError from error


class _BytesLoader(Loader):
    """Leaves a text as the bytes that it was sent as."""

    def load(self, data: Buffer) -> bytes:
        """Return the value."""
        return bytes(data)


# Text of a megabyte that is only passed on need not be decoded: SQL says so by `::bpchar`, a type
# that no column has.
psycopg.adapters.register_loader("bpchar", _BytesLoader)


@contextmanager
def translated_errors() -> Iterator[None]:
    """Turn a driver's error into one of `samsyn_model.errors` where it has a meaning of ours.

    Any other is raised as the driver's own, not SQLAlchemy's.
    """
    try:
        yield
    except PoolTimeoutError as error:
        raise DatabaseUnavailableError("Every database connection is busy.") from error
    except psycopg.Error as error:
        translation = _translation(error)
        if translation is None:
            raise
        raise translation from error
    except DBAPIError as error:
        if error.statement is None and isinstance(error.orig, psycopg.ProgrammingError):
            raise DatabaseSetupError(
                "DATABASE_URL has an option that PostgreSQL does not know."
            ) from error
        raise _translation(error.orig) or error.orig or error from error


def _translation(error: BaseException | None) -> SamsynError | None:
    if isinstance(error, psycopg.DataError) and "NUL" in str(error):
        return InvalidParameterError(_BROKEN_TEXT)  # the driver binds none
    for causes, kind, detail in _MEANINGS:
        if isinstance(error, causes):
            return kind(detail)
    if isinstance(error, psycopg.errors.InternalError_):
        if "transform" in str(error):
            return InvalidParameterError("A feature lies outside the area that the CRS covers.")
        if "GEOS" in str(error) or "Topology" in str(error):
            return InvalidParameterError("A geometry that crosses itself cannot be compared.")
    if isinstance(error, psycopg.OperationalError):
        return DatabaseUnavailableError("The database cannot be reached.")
    return None


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

    A text that is `prepared` may be planned once a connection: for what looks rows up by keys,
    whose plan is good whatever the values. What it brings may be `binary`, which spares bytes the
    way by hexadecimal. Raises the errors of `translated_errors`.
    """
    with translated_errors():
        try:
            if isinstance(statement, str):
                return _run_text(
                    connection, statement, values or {}, prepared=prepared, binary=binary
                )
            return connection.execute(statement, values)
        except UnicodeEncodeError as error:  # half a surrogate pair
            raise InvalidParameterError(_BROKEN_TEXT) from error


def stream(connection: Connection, statement: str, values: Mapping[str, Any]) -> Generator[Any]:
    """Yield the rows of a statement as the database makes them: none waits in memory.

    The connection does nothing else until the rows end or are closed. Errors as `run`.
    """
    with (
        translated_errors(),
        _driver(connection) as driver,
        closing(psycopg.ClientCursor(driver, row_factory=namedtuple_row)) as cursor,
        closing(cast(Generator[Any], cursor.stream(statement, values))) as rows,
    ):
        yield from rows


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
    is_reading = _READING in options
    if not is_reading and not connection.in_transaction():
        connection.begin()
    with _driver(connection) as driver:
        if prepared and driver.prepare_threshold is not None:
            known = connection.info.setdefault(_PREPARED, OrderedDict())
            return send_text(driver, statement, values, known, binary=binary)
        if is_reading and options.get(_LIMITED):
            return send_text(driver, statement, values)
        # which, unlike libpq, ends where somebody stops a command
        cursor = psycopg.ClientCursor(driver).execute(statement, values)
        return Rows(cast(PGresult, cursor.pgresult), Transformer(driver))


@contextmanager
def _driver(connection: Connection) -> Iterator[psycopg.Connection]:
    """Yield the driver's connection; the pool makes another where that is lost meanwhile."""
    driver = cast(psycopg.Connection, connection.connection.driver_connection)
    try:
        yield driver
    except psycopg.OperationalError as error:
        if driver.closed:
            connection.invalidate(error)
        raise


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Yield a connection in which every statement is a transaction of its own."""
    with translated_errors(), engine.connect() as connection:
        yield connection.execution_options(**{_READING: True})


@contextmanager
def snapshot(engine: Engine, timeout: int) -> Iterator[Connection]:
    """Yield a connection whose statements all see the database as it is now, and change nothing.

    Each may take `timeout` seconds.
    """
    with writing(engine) as connection:
        run(connection, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        set_in_transaction(connection, statement_timeout=f"{timeout}s")
        yield connection


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Yield a connection in one transaction: committed at the end, rolled back on any error."""
    with translated_errors(), engine.begin() as connection:
        yield connection


def set_in_transaction(connection: Connection, **settings: str) -> None:
    """Give PostgreSQL's settings these values until the connection's transaction ends."""
    given = (f"set_config('{name}', %({name})s, true) AS {name}" for name in settings)
    run(connection, f"SELECT {', '.join(given)}", settings)


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
            if isinstance(error.orig, psycopg.errors.InsufficientPrivilege):
                reason = (
                    "the database's user may not create it; a superuser can, with"
                    f" CREATE EXTENSION {extension}"
                )
            elif isinstance(
                error.orig,
                psycopg.errors.UndefinedFile | psycopg.errors.FeatureNotSupported,
            ):
                reason = "it is not installed on the database's server"
            else:
                raise
            raise DatabaseSetupError(
                f"The database lacks the extension {extension}: {reason}."
            ) from error
