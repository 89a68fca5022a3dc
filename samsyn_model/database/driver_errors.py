"""Errors of the driver, translated into those of `samsyn_model.errors`."""

import re
from contextlib import AbstractContextManager
from types import TracebackType

import psycopg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from samsyn_model.errors import (
    DatabaseSetupError,
    DatabaseUnavailableError,
    InvalidParameterError,
    SamsynError,
    StatementTimeoutError,
)

TOO_SLOW = "The database took too long over this request."
UNSTORABLE_TEXT = "Text with a NUL character or broken UTF-8 cannot be stored."

_POSTGIS_FAULT = re.compile(r"\blw(geom|poly|line|collection|mpoly)_\w+")
"""The functions of PostGIS that fail at geometries with rings that cross themselves."""

_PART_AWAY = re.compile(
    r"could not find (valid entry|any healthy placement) for shard"
    r"|shard \d+ does not have any shard placements"
    r'|relation "[^"]*_\d{6,}" does not exist'
    r"|failed to (prepare transaction|assign \d+ task)"
    r"|failure on connection marked as essential"
    r"|execution cannot recover from multiple connection failures"
)
"""What Citus tells, by no code of its own, where a shard has been moved or divided since the
statement was planned, or where a worker was lost."""

_MEANINGS: tuple[tuple[tuple[type[Exception], ...], type[SamsynError], str], ...] = (
    (
        (psycopg.errors.QueryCanceled,),
        StatementTimeoutError,
        TOO_SLOW,
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
        (
            psycopg.errors.InvalidSqlStatementName,
            psycopg.errors.DuplicatePreparedStatement,
        ),
        DatabaseUnavailableError,
        "The database's pooler has lost what was prepared: try again.",
    ),
    (
        (psycopg.errors.ReadOnlySqlTransaction,),
        DatabaseUnavailableError,
        "The database can only be read for now.",
    ),
    (
        (psycopg.errors.DiskFull,),
        DatabaseUnavailableError,
        "The database's disk is full.",
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
        UNSTORABLE_TEXT,
    ),
    (
        (psycopg.errors.ProgramLimitExceeded,),
        InvalidParameterError,
        "The response would be larger than the database can make at once: request less.",
    ),
    (
        (psycopg.DataError,),
        InvalidParameterError,
        "A value in the request or the data is out of range.",
    ),
)
"""The driver's exceptions, ours, and its detail; the first that matches counts."""


class _TranslatedErrors:
    """The context of `translated_errors`. It keeps nothing: one serves all threads, which takes a
    third of the time of a generator, three times a request."""

    __slots__ = ()

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if isinstance(error, PoolTimeoutError):
            raise DatabaseUnavailableError("Every database connection is busy.") from error
        if isinstance(error, psycopg.Error):
            translation = _translation(error)
            if translation is not None:
                raise translation from error
        elif isinstance(error, DBAPIError):
            if error.statement is None and isinstance(error.orig, psycopg.ProgrammingError):
                raise DatabaseSetupError(
                    "DATABASE_URL has an option that PostgreSQL does not know."
                ) from error
            raise _translation(error.orig) or error.orig or error from error


_TRANSLATED_ERRORS = _TranslatedErrors()


def translated_errors() -> AbstractContextManager[None]:
    """Return the context in which a driver's error becomes one of `samsyn_model.errors` where it
    has a meaning of ours.

    Any other is raised as the driver's own, not SQLAlchemy's.
    """
    return _TRANSLATED_ERRORS


def is_of_part_away(error: psycopg.Error) -> bool:
    """Return whether an error says that a part of a distributed table was not where it was looked
    for: the same may succeed a moment later."""
    return _PART_AWAY.match(error.diag.message_primary or "") is not None


def _translation(error: BaseException | None) -> SamsynError | None:
    if isinstance(error, psycopg.DataError) and "NUL" in str(error):
        return InvalidParameterError(UNSTORABLE_TEXT)  # the driver binds none
    if isinstance(error, psycopg.Error) and is_of_part_away(error):
        return DatabaseUnavailableError("A part of the database is being moved: try again.")
    for causes, kind, detail in _MEANINGS:
        if isinstance(error, causes):
            return kind(detail)
    if isinstance(error, psycopg.errors.InternalError_):
        if "transform" in str(error):
            return InvalidParameterError("A feature lies outside the area that the CRS covers.")
        if "GEOS" in str(error) or "Topology" in str(error):
            return InvalidParameterError("A geometry that crosses itself cannot be compared.")
        if _POSTGIS_FAULT.search(str(error)):
            return InvalidParameterError("A geometry that is not valid cannot be measured or cut.")
    if isinstance(error, psycopg.OperationalError):
        return DatabaseUnavailableError("The database cannot be reached.")
    return None
