"""What the tests of authentication share: an authenticator, plain SQL, statements seen."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, Row, event, text

from samsyn_model.permissions import Principal
from samsyn_model.principals import Authenticator
from tests.clerk_instance import ISSUER, public_pem, settings

DELETE_USER = "UPDATE users SET deleted_at = now(), email = NULL"

AUTHENTICATOR = Authenticator(settings(clerk_jwt_key=public_pem(), clerk_issuer=ISSUER))


def principal(engine: Engine, token: str) -> Principal:
    return AUTHENTICATOR.principal(engine, token)


def rows(engine: Engine, sql: str, **values: Any) -> list[Row[Any]]:
    with engine.begin() as connection:
        result = connection.execute(text(sql), values)
        return list(result.all()) if result.returns_rows else []


@contextmanager
def statements(engine: Engine) -> Iterator[list[str]]:
    """The statements that run on the engine meanwhile."""
    seen: list[str] = []

    def note(_c: Any, _cursor: Any, statement: str, *_: Any) -> None:
        seen.append(" ".join(statement.split()))

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)
