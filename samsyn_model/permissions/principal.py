"""Principals: who makes a request."""

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy import (
    ColumnElement,
)
from sqlalchemy.dialects.postgresql import UUID
from sqlalchemy.sql.expression import bindparam


@dataclass(frozen=True, slots=True)
class Principal:
    """Who makes a request: anonymous, or a user with a Clerk session or an API token."""

    user_id: uuid.UUID | None = None
    is_admin: bool = False
    scope: Literal["read", "write"] = "write"
    token_id: uuid.UUID | None = field(default=None, compare=False)
    """The API token that was sent: tickets are void with it."""

    @property
    def is_anonymous(self) -> bool:
        """Whether there is no user."""
        return self.user_id is None


ANONYMOUS = Principal()

ANY_USER = Principal(uuid.UUID(int=0))
"""Stands, where a statement is compiled, for every user but administrators."""


def principal_kind(principal: Principal) -> Principal:
    """Return the principal as far as a statement's text depends on it: a key to keep it by."""
    return Principal(None if principal.is_anonymous else ANY_USER.user_id, principal.is_admin)


def principal_parameter(principal: Principal) -> ColumnElement[uuid.UUID]:
    """Return the value that is the principal's user in whichever statement it stands."""
    return bindparam("principal", principal.user_id, UUID(as_uuid=True), unique=False)


Columns = Callable[[Principal], tuple[ColumnElement[Any], ...]]
"""A module's function that returns further columns of a statement, for a principal."""
