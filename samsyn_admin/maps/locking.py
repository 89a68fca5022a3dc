"""Locks of map rows: the changes of one map, its layers and collaborators run in turn."""

import uuid
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, exists, func, select

from samsyn_admin.maps.schemas import Person
from samsyn_model.database.execution import run
from samsyn_model.database.transactions import LOCK_TIMEOUT, set_in_transaction
from samsyn_model.errors import NotFoundError
from samsyn_model.permissions.actions import Action
from samsyn_model.permissions.checks import require_user
from samsyn_model.permissions.lookup import find_map
from samsyn_model.permissions.principal import Principal
from samsyn_model.tables.maps import Map
from samsyn_model.tables.users import User
from samsyn_provider.query.parameters import parse_key

_LOCK = "SELECT id FROM maps WHERE id = %(map)s FOR NO KEY UPDATE"
_TOUCH = "UPDATE maps SET updated_at = now() WHERE id = %(map)s"


def map_key(text: str) -> uuid.UUID:
    """Return the id of a map in a path; raises NotFoundError unless it is a UUID."""
    return parse_key(text, "map")


def lock_map(
    connection: Connection, principal: Principal, map_id: uuid.UUID, action: Action
) -> Row[Any]:
    """Return the map's row, locked until the transaction ends.

    Permission is checked before the wait, so that only permitted callers wait, and after it. Errors
    as `find_map`.
    """
    set_in_transaction(connection, lock_timeout=LOCK_TIMEOUT)
    find_map(connection, principal, map_id, action)
    run(connection, _LOCK, {"map": map_id})
    return find_map(connection, principal, map_id, action)


def lock_ownerless_map(
    connection: Connection, principal: Principal, map_id: uuid.UUID
) -> Row[Any] | None:
    """Return a map whose owner's account has been deleted to an administrator, locked.

    None where there is no such map, and to others. Raises PermissionDeniedError when the token may
    only read.
    """
    if not principal.is_admin:
        return None
    require_user(principal, Action.OWN_MAP)
    set_in_transaction(connection, lock_timeout=LOCK_TIMEOUT)
    is_deleted = exists().where(User.id == Map.created_by, User.deleted_at.is_not(None))
    statement = select(Map.__table__).where(Map.id == map_id, is_deleted)
    locked = statement.with_for_update(key_share=True, of=Map)
    return run(connection, locked).one_or_none()


def touch_map(connection: Connection, map_id: uuid.UUID) -> None:
    """Update a map's `updated_at`, after a change that all of its readers may see."""
    run(connection, _TOUCH, {"map": map_id})


def find_user_id(
    connection: Connection, person: Person, *conditions: ColumnElement[bool]
) -> uuid.UUID:
    """Return the id of the live user of an email, ignoring case, or of an id.

    Raises NotFoundError where there is none that meets the conditions: call it only for callers who
    may add users.
    """
    has_key = User.id == person.user_id
    if person.email is not None:
        has_key = func.lower(User.email) == func.lower(person.email)
    statement = select(User.id).where(has_key, User.deleted_at.is_(None), *conditions)
    key: uuid.UUID | None = run(
        connection, statement.with_for_update(key_share=True, read=True)
    ).scalar_one_or_none()
    if key is None:
        named = "that email" if person.email is not None else "that id"
        raise NotFoundError(
            f"There is no account with {named}; they have to sign in once before they can be"
            " invited."
        )
    return key
