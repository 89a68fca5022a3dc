"""The database: one engine a process, one door through which statements run."""

import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg2
import psycopg2.errors
import psycopg2.extras
from sqlalchemy import URL, Connection, CursorResult, Engine, Executable, create_engine, make_url
from sqlalchemy import text as sql_text
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from samsyn_model.errors import (
    DatabaseSetupError,
    DatabaseUnavailableError,
    InvalidParameterError,
    SamsynError,
    StatementTimeoutError,
)

MINIMUM_POSTGRESQL = 150000
EXTENSIONS = ("postgis", "btree_gist", "pg_trgm")


def database_url(value: str) -> URL:
    """Parse a database URL in `postgres://`, `postgresql://` or `postgresql+psycopg2://` form.

    Raises DatabaseSetupError when it is none of these.
    """
    try:
        url = make_url(value)
    except ArgumentError as error:
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
    return create_engine(
        database_url(value),
        pool_size=pool_size,
        max_overflow=2,
        pool_timeout=10,
        pool_pre_ping=True,
        pool_use_lifo=True,
        connect_args={
            "connect_timeout": 5,
            "application_name": "samsyn",
            "options": f"-c statement_timeout={statement_timeout * 1000} -c timezone=UTC"
            " -c jit=off -c search_path=public",
        },
    )


@contextmanager
def translated_errors() -> Iterator[None]:
    """Turn a driver's error into one of `samsyn_model.errors` where it has a meaning of ours."""
    try:
        yield
    except PoolTimeoutError as error:
        raise DatabaseUnavailableError("Every database connection is busy.") from error
    except DBAPIError as error:
        raise _translation(error) or error from error


def _translation(error: DBAPIError) -> SamsynError | None:
    cause = error.orig
    if isinstance(cause, psycopg2.errors.QueryCanceled):
        return StatementTimeoutError("The database took too long over this request.")
    if isinstance(cause, psycopg2.errors.UndefinedTable | psycopg2.errors.UndefinedColumn):
        return DatabaseSetupError("The database is not migrated: run `samsyn db upgrade`.")
    if isinstance(cause, psycopg2.errors.CharacterNotInRepertoire):
        return InvalidParameterError("Text with a NUL character or broken UTF-8 cannot be stored.")
    if isinstance(cause, psycopg2.errors.InternalError_) and "transform" in str(cause):
        return InvalidParameterError("A feature lies outside the area that the CRS covers.")
    if isinstance(cause, psycopg2.DataError):
        return InvalidParameterError("A value in the request or the data is out of range.")
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
        if isinstance(statement, str):
            return connection.exec_driver_sql(statement, dict(values or {}))
        return connection.execute(statement, values)


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Yield a connection in which every statement is a transaction of its own."""
    with translated_errors(), engine.connect() as connection:
        yield connection.execution_options(isolation_level="AUTOCOMMIT")


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Yield a connection in one transaction: committed at the end, rolled back on any error."""
    with translated_errors(), engine.begin() as connection:
        yield connection


def require_postgis(connection: Connection) -> None:
    """Create the extensions that SamSyn needs.

    Raises DatabaseSetupError, naming what is missing and who can mend it.
    """
    version = connection.exec_driver_sql("SHOW server_version_num").scalar_one()
    if int(version) < MINIMUM_POSTGRESQL:
        raise DatabaseSetupError("SamSyn needs PostgreSQL 15 or later.")
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


def new_id() -> uuid.UUID:
    """Return a random UUID for a row's key."""
    return uuid.uuid4()
