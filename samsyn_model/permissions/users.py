"""Who may see a user's email and Clerk id, and who may find and invite a user."""

from typing import Any

from sqlalchemy import (
    ColumnElement,
    exists,
    false,
    func,
    not_,
    or_,
    select,
    tuple_,
    union_all,
)

from samsyn_model.permissions.principal import Principal, principal_parameter
from samsyn_model.tables.maps import Map, MapCollaborator
from samsyn_model.tables.users import BlockedUser, User


def is_oneself(principal: Principal, user: Any = User) -> ColumnElement[bool]:
    """Return the condition on `users`, or an alias of it, that a user is the principal."""
    return false() if principal.is_anonymous else user.id == principal_parameter(principal)


def may_see_email(principal: Principal, user: Any = User) -> ColumnElement[bool]:
    """Return the condition on `users`, or an alias of it, to see a user's email.

    That is the user, and the owner and the editors of a map to which the user was invited by this
    email: who was invited by id, or by a former email, shows them nothing.
    """
    if principal.is_anonymous:
        return false()
    # Evaluated once per statement; their size does not depend on other people's maps.
    ours = union_all(
        select(Map.id).where(Map.created_by == principal_parameter(principal)).correlate(None),
        select(MapCollaborator.map_id)
        .where(
            MapCollaborator.user_id == principal_parameter(principal),
            MapCollaborator.role == "editor",
        )
        .correlate(None),
    )
    invited = (
        select(MapCollaborator.user_id, func.lower(MapCollaborator.invited_email))
        .where(MapCollaborator.map_id.in_(ours), MapCollaborator.invited_email.is_not(None))
        .correlate(None)
    )
    return or_(is_oneself(principal, user), tuple_(user.id, func.lower(user.email)).in_(invited))


def has_not_blocked(principal: Principal) -> ColumnElement[bool]:
    """Return the condition on `users` under which the principal may find and invite a user."""
    blocks = exists().where(
        BlockedUser.user_id == User.id,
        BlockedUser.blocked_user_id == principal_parameter(principal),
    )
    return not_(blocks.correlate(User))
