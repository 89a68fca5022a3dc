"""Connections for reading and transactions for writing."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from math import inf
from uuid import UUID

from sqlalchemy import (
    Connection,
    Engine,
    select,
)
from sqlalchemy.orm import InstrumentedAttribute

from samsyn_model.database.driver_errors import translated_errors
from samsyn_model.database.engine import READING_OPTION
from samsyn_model.database.execution import driver_of, run
from samsyn_model.database.watchdog import MARGIN
from samsyn_model.origin import Via, coming_by

_UNITS = {"": 0.001, "ms": 0.001, "s": 1.0, "min": 60.0}

LOCK_TIMEOUT = "10s"
"""How long a transaction that writes waits for another one's locks."""


_CONCERNED = "samsyn_concerned"  # where a connection's record has whom its transaction concerns

_READER: ContextVar[Callable[[], Engine | None] | None] = ContextVar("samsyn_reader", default=None)


class ReadAgainError(Exception):
    """What is read on a replica has to be read on the primary: the request begins again there."""


def read_through(choose: Callable[[], Engine | None] | None) -> None:
    """Let this thread read with the engine that a function returns, if any, where it is told to
    read with that of the primary."""
    _READER.set(choose)


def reader() -> Callable[[], Engine | None] | None:
    """Return the function of `read_through`."""
    return _READER.get()


def readable(engine: Engine) -> Engine:
    """Return the engine that this thread reads with in place of one: that of a replica, or this
    one. What is read later, by others, has to be given it."""
    choose = _READER.get()
    return engine if choose is None else choose() or engine


def require_primary() -> None:
    """Raise ReadAgainError where this thread reads on a replica: for what is no answer unless it
    is complete."""
    choose = _READER.get()
    if choose is not None and choose() is not None:
        raise ReadAgainError


@contextmanager
def reading(engine: Engine, *, on_primary: bool = False) -> Iterator[Connection]:
    """Yield a connection in which every statement is a transaction of its own.

    It is one of `readable`, but `on_primary`: for credentials, which are never out of date, and for
    statements that write.
    """
    chosen = engine if on_primary else readable(engine)
    with translated_errors(), chosen.connect() as connection:
        yield connection.execution_options(**{READING_OPTION: True})


@contextmanager
def caching(engine: Engine, connection: Connection) -> Iterator[Connection]:
    """Yield a connection for statements that write what a request for reading has made: the one
    that it reads with, where that is of this engine."""
    if readable(engine) is engine:
        yield connection
    else:
        with reading(engine, on_primary=True) as writer:
            yield writer


@contextmanager
def snapshot(engine: Engine, timeout: int) -> Iterator[Connection]:
    """Yield a connection whose statements all see the database as it is now, and change nothing;
    one of `readable`.

    Each may take `timeout` seconds.
    """
    with writing(readable(engine)) as connection:
        run(connection, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        set_in_transaction(connection, statement_timeout=f"{timeout}s")
        yield connection


@contextmanager
def writing(
    engine: Engine,
    *,
    via: Via | None = None,
    user_id: UUID | None = None,
    message: str | None = None,
) -> Iterator[Connection]:
    """Yield a connection in one transaction: committed at the end, rolled back on any error.

    Its change set has these where they are given, else those of the request, job or command.
    """
    with (
        translated_errors(),
        coming_by(via, user_id, message),
        engine.begin() as connection,
    ):
        yield connection


def set_in_transaction(connection: Connection, **settings: str) -> None:
    """Give PostgreSQL's settings these values until the connection's transaction ends."""
    assignments = (f"set_config('{name}', %({name})s, true) AS {name}" for name in settings)
    run(connection, f"SELECT {', '.join(assignments)}", settings)
    if "statement_timeout" in settings:
        limit = _seconds(settings["statement_timeout"]) + MARGIN
        driver_of(connection).statement_limit = limit


def concern(connection: Connection, user_id: UUID) -> None:
    """Note that a connection's transaction writes what a user will read, whoever writes it."""
    connection.info.setdefault(_CONCERNED, set()).add(user_id)


def take_concerned(connection: Connection) -> set[UUID]:
    """Return whom a connection's transaction concerns, and forget it."""
    concerned: set[UUID] = connection.info.pop(_CONCERNED, set())
    return concerned


def lock_against_deletion(
    connection: Connection, key: InstrumentedAttribute[UUID], value: UUID
) -> bool:
    """Keep the row whose key this is from being deleted until the transaction ends; return whether
    it is there."""
    statement = select(key).where(key == value).with_for_update(key_share=True, read=True)
    return run(connection, statement).one_or_none() is not None


def _seconds(timeout: str) -> float:
    """Return a time limit as PostgreSQL writes it, such as `5min`; infinity for 0, which is none.

    A number without a unit is one of milliseconds.
    """
    number = timeout.rstrip("mins")
    return int(number) * _UNITS[timeout.removeprefix(number)] or inf
