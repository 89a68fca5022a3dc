"""Who may see a user's email."""

from typing import Any

from sqlalchemy import (
    ColumnElement,
    false,
    or_,
    select,
    union_all,
)

from samsyn_model.permissions.principal import Principal, principal_parameter
from samsyn_model.tables.maps import Map, MapCollaborator
from samsyn_model.tables.users import User


def may_see_email(principal: Principal, user_id: Any = User.id) -> ColumnElement[bool]:
    """Return the condition on a user's id under which the principal may see the user's email.

    That is the principal, and the owners and collaborators of maps that the principal owns or
    collaborates on.
    """
    if principal.is_anonymous:
        return false()
    # Evaluated once per statement; their size does not depend on other people's maps.
    ours = union_all(
        select(Map.id).where(Map.created_by == principal_parameter(principal)).correlate(None),
        select(MapCollaborator.map_id)
        .where(MapCollaborator.user_id == principal_parameter(principal))
        .correlate(None),
    )
    theirs = union_all(
        select(Map.created_by).where(Map.id.in_(ours)).correlate(None),
        select(MapCollaborator.user_id).where(MapCollaborator.map_id.in_(ours)).correlate(None),
    )
    return or_(user_id == principal_parameter(principal), user_id.in_(theirs))
