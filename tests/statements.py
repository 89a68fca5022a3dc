"""The SQL statements that are sent to the database."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import psycopg


@contextmanager
def statements() -> Iterator[list[str]]:
    """The statements that this process sends meanwhile, but for those that begin transactions or
    ask an idle connection whether it is there."""
    seen: list[str] = []
    send = psycopg.Cursor.execute

    def note(cursor: psycopg.Cursor[Any], statement: Any, *arguments: Any, **options: Any) -> Any:
        if statement not in {"BEGIN", ""}:
            seen.append(" ".join(str(statement).split()))
        return send(cursor, statement, *arguments, **options)

    with patch.object(psycopg.Cursor, "execute", note):
        yield seen
