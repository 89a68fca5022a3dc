"""Connections for reading and transactions for writing."""

from collections.abc import Iterator
from contextlib import contextmanager
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


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Yield a connection in which every statement is a transaction of its own."""
    with translated_errors(), engine.connect() as connection:
        yield connection.execution_options(**{READING_OPTION: True})


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
