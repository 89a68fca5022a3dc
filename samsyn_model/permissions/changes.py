"""Who may read what of the history of things that are no features: conditions on
`subject_changes`."""

from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    exists,
    false,
    literal,
    literal_column,
    not_,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import array

from samsyn_model.permissions.comments import readable_comments
from samsyn_model.permissions.layers import owned_by, readable_layers
from samsyn_model.permissions.maps import collaborates, owned_maps, readable_maps
from samsyn_model.permissions.principal import ANONYMOUS, Principal
from samsyn_model.tables.comments import Comment
from samsyn_model.tables.history import SubjectChange
from samsyn_model.tables.layers import Layer
from samsyn_model.tables.maps import Map

Condition = ColumnElement[bool]

PERMISSIONS = (
    *("created_by", "view_permission", "edit_permission"),
    *("editable", "visibility", "is_global"),
)
"""The members of maps and layers that say who may do what with them."""

_CHANGED: ColumnElement[Any] = SubjectChange.details["changed"]
_OLD: ColumnElement[Any] = SubjectChange.details["old"]
_ALL_PERMISSIONS: ColumnElement[Any] = literal_column(
    f"'[{', '.join(f'"{name}"' for name in PERMISSIONS)}]'::jsonb"
)
_LAYER_ORDER: ColumnElement[Any] = literal_column("""'{"changed": ["layer_order"]}'::jsonb""")
_ADMINISTRATION = ("user", "wms_server")


def readable_changes(principal: Principal) -> Condition:
    """Return the condition under which the principal may read a change, but for what it changed of
    PERMISSIONS.

    It has to be of what the principal may read now; one of collaborators is for the map's owner.
    The order of layers is for those who may read all layers of the map. Of a deleted comment
    nothing is told: its author would be known.
    """
    kind = SubjectChange.kind
    on_map = _of_map(readable_maps(principal))
    on_layer = _of_layer(readable_layers(principal))
    comment = select(literal(True)).where(
        Comment.id == SubjectChange.subject_id,
        Comment.deleted_at.is_(None),
        readable_comments(principal),
    )
    return or_(
        and_(
            kind == "map",
            _changes_more(),
            or_(_keeps_order(), _of_map(_members(principal))),
            on_map,
        ),
        and_(kind == "layer", _changes_more(), on_layer),
        and_(kind == "map_layer", on_map, on_layer),
        and_(kind == "collaborator", _of_map(owned_maps(principal))),
        and_(kind == "comment", _one(comment)),
    )


def readable_permission_changes(principal: Principal) -> Condition:
    """Return the condition under which the principal may read what a change did to PERMISSIONS:
    of their own maps and layers."""
    return _permissions_of(owned_maps(principal), owned_by(principal))


def audited_changes() -> Condition:
    """Return the condition on changes that administrators may read, but for what they changed of
    PERMISSIONS: of what everybody may read, of administration, and deletions of what was public."""
    kind, was_public = SubjectChange.kind, _OLD["visibility"].astext == "public"
    was_global = _OLD["is_global"].astext == "true"
    is_back = exists().where(Layer.id == SubjectChange.layer_id).correlate(SubjectChange)
    deleted = or_(
        and_(kind == "map", _OLD["view_permission"].astext == "public"),
        and_(kind == "layer", or_(was_public, was_global), not_(is_back)),
    )
    return or_(
        or_(*(kind == administered for administered in _ADMINISTRATION)),
        readable_changes(ANONYMOUS),
        and_(SubjectChange.action == "delete", deleted),
    )


def audited_permission_changes() -> Condition:
    """Return the condition on changes of PERMISSIONS that administrators may read: of what
    everybody may read."""
    return _permissions_of(readable_maps(ANONYMOUS), readable_layers(ANONYMOUS))


def _permissions_of(maps: Condition, layers: Condition) -> Condition:
    kind = SubjectChange.kind
    return and_(
        SubjectChange.action == "update",
        _CHANGED.op("?|")(array(PERMISSIONS)),
        or_(and_(kind == "map", _of_map(maps)), and_(kind == "layer", _of_layer(layers))),
    )


def _changes_more() -> Condition:
    """Return the condition that a change is not of PERMISSIONS alone."""
    is_less = and_(SubjectChange.action == "update", _CHANGED.op("<@")(_ALL_PERMISSIONS))
    return not_(is_less)


def _keeps_order() -> Condition:
    return SubjectChange.details != _LAYER_ORDER


def _members(principal: Principal) -> Condition:
    """Return the condition on `maps` that the principal owns a map or collaborates on it."""
    if principal.is_anonymous:
        return false()
    return or_(owned_maps(principal), collaborates(principal))


def _of_map(rule: Condition) -> Condition:
    return _one(select(literal(True)).where(Map.id == SubjectChange.map_id, rule))


def _of_layer(rule: Condition) -> Condition:
    return _one(select(literal(True)).where(Layer.id == SubjectChange.layer_id, rule))


def _one(found: Select[bool]) -> Condition:
    """Return whether a thing is found by its key, which is looked up for each change.

    Where many changes are expected PostgreSQL reads all layers for the hash of an EXISTS.
    """
    return found.correlate(SubjectChange).scalar_subquery()
