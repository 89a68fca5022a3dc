"""Who may read, change and own a map: conditions on `maps`, used to check and to list."""

from sqlalchemy import (
    ColumnElement,
    and_,
    exists,
    false,
    or_,
)

from samsyn_model.permissions.principal import Principal, principal_parameter
from samsyn_model.tables.maps import Map, MapCollaborator


def collaborates(principal: Principal, role: str | None = None) -> ColumnElement[bool]:
    """Return the condition on `maps` that the principal collaborates on a map, in a role or any."""
    rule = and_(
        MapCollaborator.map_id == Map.id, MapCollaborator.user_id == principal_parameter(principal)
    )
    if role is not None:
        rule = and_(rule, MapCollaborator.role == role)
    return exists().where(rule).correlate(Map)


def readable_maps(principal: Principal) -> ColumnElement[bool]:
    """Return the condition on `maps` under which the principal may read a map."""
    public = Map.view_permission == "public"
    if principal.is_anonymous:
        return public
    return or_(public, Map.created_by == principal_parameter(principal), collaborates(principal))


def changeable_maps(principal: Principal) -> ColumnElement[bool]:
    """Return the condition under which the principal may change a map that it may read."""
    if principal.is_anonymous:
        return false()
    return or_(
        Map.created_by == principal_parameter(principal),
        and_(Map.edit_permission == "public", readable_maps(principal)),
        and_(Map.edit_permission == "collaborators", collaborates(principal, "editor")),
    )


def owned_maps(principal: Principal) -> ColumnElement[bool]:
    """Return the condition under which the principal owns a map."""
    return false() if principal.is_anonymous else Map.created_by == principal_parameter(principal)
