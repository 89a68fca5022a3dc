"""Creating and deleting comments, so that no thread loses a reply or keeps an empty root.

Both lock first the thread's subject (its map and layer), then its root: a deletion waits for
concurrent replies and they wait for it, without deadlocks.
"""

import uuid
from typing import Any, Literal

import shapely
from geoalchemy2 import WKBElement
from sqlalchemy import Connection, delete, exists, func, insert, select, update
from sqlalchemy.orm import aliased

from samsyn_admin.comments.mentions import chosen, few
from samsyn_admin.comments.schemas import CommentCreate, area_shape
from samsyn_admin.comments.serializer import root_of
from samsyn_admin.http.request_body import refuse
from samsyn_admin.http.responses import check_if_match, version_of
from samsyn_model.comments.mentions import find_people, select_mentioned_ids, set_mentions
from samsyn_model.database.execution import run
from samsyn_model.database.transactions import lock_against_deletion
from samsyn_model.errors import (
    ConflictError,
    Fault,
    InvalidBodyError,
    NotFoundError,
    PermissionDeniedError,
)
from samsyn_model.permissions.actions import Action
from samsyn_model.permissions.comments import (
    deletable_comments,
    find_comment,
    readable_comments,
)
from samsyn_model.permissions.lookup import find_layer, find_map
from samsyn_model.permissions.principal import Principal
from samsyn_model.quotas.rows import Quota, refuse_excess
from samsyn_model.tables.comments import Comment
from samsyn_model.tables.layers import Layer
from samsyn_model.tables.maps import Map, MapLayer
from samsyn_provider.http.deployment import deployment

# By its number, which the client has as the feature's entity tag, any version of the feature.
_VERSION = """
SELECT coalesce(change_set, 0) AS change FROM layer_features
WHERE layer_id = %(layer)s AND id = %(feature)s
    AND (version = %(version)s::bigint OR %(version)s::bigint IS NULL)
UNION ALL
SELECT from_change FROM feature_versions
WHERE layer_id = %(layer)s AND feature_id = %(feature)s AND version = %(version)s::bigint
LIMIT 1"""


def insert_comment(
    connection: Connection, principal: Principal, comment: CommentCreate, author_id: uuid.UUID
) -> uuid.UUID:
    """Store a comment and return its id; a reply is on what its thread is on.

    Raises NotFoundError when the principal may not read its subject, InvalidBodyError when the
    layer is not on the map, the feature or its version not in the layer, the parent not on a map or
    layer that the comment names, or a user cannot be mentioned there, LimitReachedError where there
    are too many comments.
    """
    if comment.map_id is not None:
        find_map(connection, principal, comment.map_id, Action.READ_MAP)
    if comment.layer_id is not None:
        find_layer(connection, principal, comment.layer_id, Action.READ_LAYER)
    if comment.parent_id is None:
        _lock_subject(connection, comment.map_id, comment.layer_id)
        refuse(_subject_faults(connection, comment))
        change = _feature_change(connection, comment)
    else:
        comment, parent = _in_thread(connection, principal, comment, comment.parent_id)
        change = _feature_change(connection, comment, parent)
    subject = (comment.map_id, comment.layer_id)
    people = find_people(connection, *subject, comment.content, comment.mentions)
    mentioned = few(people.named | chosen(people, comment.mentions))
    values = {
        **comment.model_dump(include={"content", "map_id", "layer_id", "feature_id", "parent_id"}),
        "feature_change": change,
        **_place(comment),
    }
    statement = insert(Comment).values(author_id=author_id, **values).returning(Comment.id)
    comment_id: uuid.UUID = run(connection, statement).scalar_one()
    if mentioned:
        set_mentions(connection, comment_id, mentioned)
    counted = [(Quota.COMMENTS_OF_USER, author_id)]
    if comment.map_id is not None:
        counted.append((Quota.COMMENTS_OF_MAP, comment.map_id))
    if comment.layer_id is not None:
        counted.append((Quota.COMMENTS_OF_LAYER, comment.layer_id))
    refuse_excess(connection, deployment().settings, *counted)
    return comment_id


def delete_comment(connection: Connection, principal: Principal, comment_id: uuid.UUID) -> None:
    """Delete a comment; one with replies remains as a tombstone until the last of them is deleted.

    Raises NotFoundError, PermissionDeniedError, PreconditionFailedError, and ConflictError when
    it is a tombstone already.
    """
    subject = find_comment(
        *(connection, principal, comment_id),
        *(Comment.map_id, Comment.layer_id, root_of(comment_id).label("root_id")),
    )
    _lock_subject(connection, subject.map_id, subject.layer_id, may_be_gone=True)
    _lock_root(connection, subject.root_id, "UPDATE")
    reply = aliased(Comment)
    has_replies = exists().where(reply.parent_id == Comment.id).correlate(Comment)
    row = find_comment(
        *(connection, principal, comment_id),
        *(Comment.deleted_at, Comment.updated_at, has_replies.label("has_replies")),
        select_mentioned_ids().label("mentioned"),
        deletable_comments(principal).label("is_allowed"),
        lock=True,
    )
    if row.deleted_at is not None:
        raise ConflictError("This comment is deleted already.")
    if not row.is_allowed:
        raise PermissionDeniedError("You may not delete this comment.")
    check_if_match(version_of(row.updated_at))
    if row.has_replies:
        statement = update(Comment).where(Comment.id == comment_id)
        run(connection, statement.values(content="", deleted_at=func.now()))
        if row.mentioned:
            set_mentions(connection, comment_id, ())
    else:
        _remove(connection, comment_id)


def _lock_subject(
    connection: Connection,
    map_id: uuid.UUID | None,
    layer_id: uuid.UUID | None,
    *,
    may_be_gone: bool = False,
) -> None:
    """Lock the map and the layer against deletion; raises NotFoundError when one is gone, of a
    thread that is there already only when that is the map."""
    for kind, table, key in (("map", Map, map_id), ("layer", Layer, layer_id)):
        if key is None:
            continue
        is_there = lock_against_deletion(connection, table.id, key)
        if not is_there and not (may_be_gone and table is Layer):
            raise NotFoundError(f"There is no such {kind}.")


def _lock_root(
    connection: Connection, root_id: uuid.UUID, lock: Literal["UPDATE", "KEY SHARE"]
) -> None:
    statement = select(Comment.id).where(Comment.id == root_id)
    share = lock == "KEY SHARE"
    run(connection, statement.with_for_update(key_share=share, read=share))


def _subject_faults(connection: Connection, comment: CommentCreate) -> list[Fault]:
    """Return the faults of a thread's subject, whose map and layer are readable."""
    if comment.map_id is None or comment.layer_id is None:
        return []
    on_map = exists().where(
        MapLayer.map_id == comment.map_id, MapLayer.layer_id == comment.layer_id
    )
    if run(connection, select(on_map)).scalar_one():
        return []
    return [Fault("/layer_id", "This layer is not on the map.")]


def _feature_change(
    connection: Connection, comment: CommentCreate, parent: Any = None
) -> int | None:
    """Return the change set that made the version of the feature that a comment is about, None
    where that is not known or there is none.

    A reply may be on the feature of its `parent` also where that is gone. Raises InvalidBodyError
    where the layer has no such feature, or that no such version.
    """
    if comment.feature_id is None:
        return None
    values = {
        "layer": comment.layer_id,
        "feature": comment.feature_id,
        "version": comment.feature_version,
    }
    found = run(connection, _VERSION, values).one_or_none()
    if found is not None:
        return int(found.change)
    if comment.feature_version is not None:
        refuse([Fault("/feature_version", "The feature has no such version.")])
    if parent is None or parent.feature_id != comment.feature_id:
        refuse([Fault("/feature_id", "The layer has no such feature.")])
    inherited: int | None = parent.feature_change
    return inherited


def _place(comment: CommentCreate) -> dict[str, Any]:
    """Return the columns of where a comment is."""
    if comment.position is not None:
        longitude, latitude = comment.position["coordinates"][:2]
        return {"position": func.ST_SetSRID(func.ST_MakePoint(longitude, latitude), 4326)}
    if comment.geometry is not None:
        return {"area": WKBElement(shapely.to_wkb(area_shape(comment.geometry)), srid=4326)}
    return {}


def _in_thread(
    connection: Connection, principal: Principal, reply: CommentCreate, parent_id: uuid.UUID
) -> tuple[CommentCreate, Any]:
    """Return a reply on the map and the layer of its thread, which is locked from here on, and the
    row of its parent.

    Raises InvalidBodyError when there is no such thread for the principal, or when the reply names
    neither its map nor its layer, or others.
    """
    columns = (
        *(Comment.map_id, Comment.layer_id, Comment.feature_id, Comment.feature_change),
        root_of(parent_id).label("root_id"),
    )
    lookup = select(*columns).where(Comment.id == parent_id, readable_comments(principal))
    thread = run(connection, lookup).one_or_none()
    if thread is None:
        raise _no_parent("There is no such comment to reply to.")
    named = [(reply.map_id, thread.map_id), (reply.layer_id, thread.layer_id)]
    is_named = any(key is not None and key == own for key, own in named)
    if not is_named or any(None not in pair and pair[0] != pair[1] for pair in named):
        raise _no_parent("The comment to reply to is on another map or layer.")
    _lock_subject(connection, thread.map_id, thread.layer_id, may_be_gone=True)
    _lock_root(connection, thread.root_id, "KEY SHARE")
    is_there = select(Comment.id).where(Comment.id == parent_id, Comment.deleted_at.is_(None))
    if run(connection, is_there).one_or_none() is None:
        raise _no_parent("The comment to reply to has been deleted.")
    subject = {"map_id": thread.map_id, "layer_id": thread.layer_id}
    return reply.model_copy(update=subject), thread


def _no_parent(reason: str) -> InvalidBodyError:
    return InvalidBodyError(reason, (Fault("/parent_id", reason),))


def _remove(connection: Connection, comment_id: uuid.UUID) -> None:
    """Delete a comment without replies, and the tombstones whose last reply it was."""
    start = select(Comment.id, Comment.parent_id).where(Comment.id == comment_id)
    deleted = start.cte("deleted", recursive=True)
    parent, sibling = aliased(Comment), aliased(Comment)
    others = exists().where(sibling.parent_id == parent.id, sibling.id != deleted.c.id)
    deleted = deleted.union_all(
        select(parent.id, parent.parent_id)
        .join(deleted, deleted.c.parent_id == parent.id)
        .where(parent.deleted_at.is_not(None), ~others.correlate(parent, deleted))
    )
    run(connection, delete(Comment).where(Comment.id.in_(select(deleted.c.id))))
