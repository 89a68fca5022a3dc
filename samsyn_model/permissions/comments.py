"""Who may do what with comments: what a comment is on decides, by the rules of `permissions`."""

import uuid
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    SQLColumnExpression,
    and_,
    exists,
    false,
    or_,
    select,
    true,
)

from samsyn_model.database.execution import run
from samsyn_model.errors import NotFoundError
from samsyn_model.permissions.layers import owned_by, readable_layers
from samsyn_model.permissions.maps import (
    changeable_maps,
    collaborates,
    owned_maps,
    readable_maps,
)
from samsyn_model.permissions.principal import Principal, principal_parameter
from samsyn_model.tables.comments import Comment
from samsyn_model.tables.history import DeletedLayer, SubjectChange
from samsyn_model.tables.layers import Layer
from samsyn_model.tables.maps import Map

Condition = ColumnElement[bool]


def _on_map(rule: Condition) -> Condition:
    return exists().where(Map.id == Comment.map_id, rule).correlate(Comment)


def _on_layer(rule: Condition) -> Condition:
    return exists().where(Layer.id == Comment.layer_id, rule).correlate(Comment)


def readable_comments(principal: Principal) -> Condition:
    """Return the condition on `comments` under which the principal may read a comment.

    One with a map is for the map's readers; a map shows each of them just the layers that they
    may read, hence also the comments on those alone. Where a layer has been deleted, the map's
    readers who might read it there still read the comments made in the map's context; others are
    read by their author and the layer's creator, until the layer is restored.
    """
    return and_(
        or_(Comment.map_id.is_(None), _on_map(readable_maps(principal))),
        or_(
            Comment.layer_id.is_(None),
            _on_layer(readable_layers(principal)),
            _on_deleted_layer(principal),
        ),
    )


def _on_deleted_layer(principal: Principal) -> Condition:
    """Return the condition that a comment is on a layer that has been deleted, and whose comments
    the principal may read: by the rules of `readable_layers`, on the comment's map."""
    layer = DeletedLayer.definition
    is_open = or_(layer["is_global"].as_boolean(), layer["visibility"].as_string() == "public")
    through_map = and_(Map.view_permission == "public", Map.created_by == DeletedLayer.created_by)
    own: Condition = false()
    if not principal.is_anonymous:
        user_id = principal_parameter(principal)
        through_map = or_(through_map, Map.created_by == user_id, collaborates(principal))
        own = or_(DeletedLayer.created_by == user_id, written_comments(principal))
    # it was on the map until then: its place there was deleted with it
    was_on_map = exists().where(
        SubjectChange.map_id == Map.id,
        SubjectChange.change_set_id == DeletedLayer.change_set_id,
        SubjectChange.kind == "map_layer",
        SubjectChange.layer_id == DeletedLayer.id,
    )
    through_map = and_(through_map, was_on_map.correlate(Map, DeletedLayer))
    on_map = exists().where(Map.id == Comment.map_id, or_(is_open, through_map))
    readers = or_(own, on_map.correlate(Comment, DeletedLayer))
    return exists().where(DeletedLayer.id == Comment.layer_id, readers).correlate(Comment)


def written_comments(principal: Principal) -> Condition:
    """Return the condition under which a comment is the principal's own: it may be edited."""
    return (
        false() if principal.is_anonymous else Comment.author_id == principal_parameter(principal)
    )


def deletable_comments(principal: Principal) -> Condition:
    """Return the condition under which the principal may delete a comment that it may read."""
    if principal.is_admin:
        return true()
    return or_(
        written_comments(principal),
        _on_map(owned_maps(principal)),
        _on_layer(owned_by(principal)),
    )


def resolvable_comments(principal: Principal) -> Condition:
    """Return the condition under which the principal may resolve a readable thread, by its root."""
    return or_(
        written_comments(principal),
        _on_map(changeable_maps(principal)),
        and_(Comment.map_id.is_(None), _on_layer(owned_by(principal))),
    )


def find_comment(
    connection: Connection,
    principal: Principal,
    comment_id: uuid.UUID,
    *columns: SQLColumnExpression[Any],
    lock: bool = False,
) -> Row[Any]:
    """Return `columns` of a comment that the principal may read, in one statement.

    With `lock` the comment is locked until the transaction ends. Raises NotFoundError.
    """
    statement = select(*columns).where(Comment.id == comment_id, readable_comments(principal))
    if lock:
        statement = statement.with_for_update(of=Comment, key_share=True)
    row = run(connection, statement).one_or_none()
    if row is None:
        raise NotFoundError("There is no such comment.")
    return row
