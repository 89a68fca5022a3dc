"""What the tests of the chain do and ask: everything sealed, and what verifying finds."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, text

from samsyn_model.audit.findings import Tally
from samsyn_model.audit.sealing import seal_all
from samsyn_model.audit.verification import verify

MakeLayer = Callable[[], uuid.UUID]

ORDER = "SELECT position, change_set_id FROM change_seals ORDER BY position"
"""The order of the chain."""


def rows(engine: Engine, statement: str, **values: Any) -> list[tuple[Any, ...]]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(statement), values)]


def head_of(engine: Engine) -> tuple[int, bytes]:
    """Seal everything, and return the last position and head."""
    seal_all(engine)
    (last,) = rows(engine, "SELECT position, head FROM change_seals ORDER BY position DESC LIMIT 1")
    return last[0], last[1]


def faults(engine: Engine, after: int = 0) -> list[str]:
    """Return what verifying finds, as lines."""
    return [str(finding) for finding in verify(engine, Tally(), after=after)]


def tally(engine: Engine, after: int = 0) -> Tally:
    """Verify what has to be without faults, and return what was gone through."""
    counted = Tally()
    assert [str(finding) for finding in verify(engine, counted, after=after)] == []
    return counted


@contextmanager
def tampering(engine: Engine) -> Iterator[Connection]:
    """Yield a connection in whose transaction no trigger is called: history keeps nothing of it."""
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        yield connection
