"""The SQL statements that are sent to the database."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import psycopg

from samsyn_model.database.sql_text import send_text


@contextmanager
def statements() -> Iterator[list[str]]:
    """The statements that this process sends meanwhile, but for those that begin transactions or
    ask an idle connection whether it is there."""
    seen: list[str] = []
    execute = psycopg.Cursor.execute

    def note(statement: Any) -> None:
        if statement and not str(statement).startswith("BEGIN"):
            seen.append(" ".join(str(statement).split()))

    def by_cursor(cursor: psycopg.Cursor[Any], statement: Any, *more: Any, **options: Any) -> Any:
        note(statement)
        return execute(cursor, statement, *more, **options)

    def by_libpq(driver: psycopg.Connection, statement: str, *more: Any, **options: Any) -> Any:
        note(statement)
        return send_text(driver, statement, *more, **options)

    with (
        patch.object(psycopg.Cursor, "execute", by_cursor),
        patch("samsyn_model.database.execution.send_text", by_libpq),
    ):
        yield seen
