"""What the tests of authentication share: an authenticator, plain SQL, statements seen."""

from typing import Any

from sqlalchemy import Engine, Row, text

from samsyn_model.identity.authentication import Authenticator
from samsyn_model.permissions.principal import Principal
from tests.clerk_instance import ISSUER, public_pem, settings
from tests.statements import statements

__all__ = ["AUTHENTICATOR", "DELETE_USER", "principal", "rows", "statements"]

DELETE_USER = "UPDATE users SET deleted_at = now(), email = NULL"

AUTHENTICATOR = Authenticator(settings(clerk_jwt_key=public_pem(), clerk_issuer=ISSUER))


def principal(engine: Engine, token: str) -> Principal:
    return AUTHENTICATOR.principal(engine, token)


def rows(engine: Engine, sql: str, **values: Any) -> list[Row[Any]]:
    with engine.begin() as connection:
        result = connection.execute(text(sql), values)
        return list(result.all()) if result.returns_rows else []
