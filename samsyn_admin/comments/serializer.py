"""Comments as JSON of the management API: one, a list, a thread."""

import uuid
from collections.abc import Sequence
from datetime import datetime
from types import SimpleNamespace
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Connection,
    Row,
    Select,
    SQLColumnExpression,
    cast,
    func,
    literal,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import aliased

from samsyn_admin.http.responses import iso, version_of
from samsyn_model.comments.mentions import select_mentioned
from samsyn_model.comments.threads import DELETED, THREAD_START, about
from samsyn_model.database.execution import run
from samsyn_model.errors import NotFoundError
from samsyn_model.permissions.comments import readable_comments
from samsyn_model.permissions.principal import Principal
from samsyn_model.tables.comments import Comment
from samsyn_model.tables.users import User
from samsyn_provider.versions.links import FeatureAddress
from samsyn_provider.versions.parameters import VERSION_DATETIME

MAX_THREAD = 1_000
"""The maximum number of comments in a thread's response; the deepest are left out."""

_DECIMALS = 15  # of the coordinates of an area: as they were sent
_AUTHOR = ("username", "first_name", "last_name", "profile_image_url")


def select_comments(
    principal: Principal, thread_id: ColumnElement[Any], members: CTE | None = None
) -> Select[Any]:
    """Return a statement for comments that the principal may read, for `comment_document`.

    `thread_id` is the column with the id of a comment's root; `members` are the comments, by `id`,
    that others are left out of.
    """
    reply = aliased(Comment)
    replies = select(func.count()).select_from(reply)
    replies = replies.where(reply.parent_id == Comment.id, reply.deleted_at.is_(None))
    columns: tuple[SQLColumnExpression[Any], ...] = (
        *(Comment.id, Comment.content, Comment.author_id, Comment.map_id, Comment.layer_id),
        *(Comment.feature_id, Comment.parent_id, Comment.resolved_at, Comment.resolved_by),
        *(Comment.edited_at, Comment.deleted_at, Comment.created_at, Comment.updated_at),
        *(User.username, User.first_name, User.last_name, User.profile_image_url),
        func.ST_X(Comment.position).label("longitude"),
        func.ST_Y(Comment.position).label("latitude"),
        cast(func.ST_AsGeoJSON(Comment.area, _DECIMALS, 0), JSONB).label("area"),
        about(with_difference=True).label("target"),
        select_mentioned().scalar_subquery().label("mentions"),
        replies.correlate(Comment).scalar_subquery().label("reply_count"),
        thread_id.label("thread_id"),
    )
    statement = select(*columns).join(User, User.id == Comment.author_id)
    if members is not None:
        statement = statement.join(members, members.c.id == Comment.id)
    statement = statement.join(THREAD_START, THREAD_START.id == thread_id)
    return statement.where(readable_comments(principal))


def root_of(comment_id: uuid.UUID) -> ColumnElement[Any]:
    """Return the expression for the id of a comment's root, null when there is no comment."""
    start = select(Comment.id, Comment.parent_id).where(Comment.id == comment_id)
    ancestors = start.cte("ancestors", recursive=True)
    parent = aliased(Comment)
    ancestors = ancestors.union_all(
        select(parent.id, parent.parent_id).join(ancestors, ancestors.c.parent_id == parent.id)
    )
    return select(ancestors.c.id).where(ancestors.c.parent_id.is_(None)).scalar_subquery()


def serialize_comment(
    connection: Connection, principal: Principal, comment_id: uuid.UUID
) -> tuple[dict[str, Any], str]:
    """Return a comment as the principal may read it, and its version; one statement.

    Raises NotFoundError when there is none that the principal may read.
    """
    statement = select_comments(principal, root_of(comment_id)).where(Comment.id == comment_id)
    row = run(connection, statement).one_or_none()
    if row is None:
        raise NotFoundError("There is no such comment.")
    return comment_document(row), version_of(row.updated_at)


def serialize_thread(
    connection: Connection, principal: Principal, comment_id: uuid.UUID, max_depth: int
) -> tuple[dict[str, Any], str]:
    """Return a comment with its replies nested `max_depth` levels deep, and its version.

    One statement. Each level is in the order of creation. Raises
    NotFoundError when there is no such comment that the principal may read.
    """
    top = select(Comment.id, literal(0).label("depth")).where(Comment.id == comment_id)
    replies = top.cte("replies", recursive=True)
    reply = aliased(Comment)
    replies = replies.union_all(
        select(reply.id, replies.c.depth + 1)
        .join(replies, reply.parent_id == replies.c.id)
        .where(replies.c.depth < max_depth)
    )
    statement = (
        select_comments(principal, root_of(comment_id), replies)
        .order_by(replies.c.depth, Comment.created_at, Comment.id)
        .limit(MAX_THREAD)
    )
    rows = run(connection, statement).all()
    if not rows:
        raise NotFoundError("There is no such comment.")
    return _nest(rows), version_of(rows[0].updated_at)


def _nest(rows: Sequence[Row[Any]]) -> dict[str, Any]:
    """Return the first row's comment_document with the others, level by level, in `replies`."""
    documents: dict[uuid.UUID, dict[str, Any]] = {}
    for row in rows:
        documents[row.id] = {**comment_document(row), "replies": []}
        if row.parent_id in documents:
            documents[row.parent_id]["replies"].append(documents[row.id])
    return documents[rows[0].id]


def comment_document(row: Row[Any]) -> dict[str, Any]:
    """Return a row of `select_comments` as JSON; one that is deleted has no text and no author."""
    author = None if row.deleted_at else {"id": str(row.author_id)}
    if author is not None:
        author |= {name: getattr(row, name) for name in _AUTHOR}
    target = row.target
    position = None
    if row.longitude is not None:
        position = {"type": "Point", "coordinates": [row.longitude, row.latitude]}
    return {
        "id": str(row.id),
        "content": row.content if author else DELETED,
        "author_id": author and author["id"],
        "author_name": display_name(row) if author else DELETED,
        "author": author,
        "map_id": _text(row.map_id),
        "layer_id": _text(row.layer_id),
        "feature_id": row.feature_id,
        "feature_version": target.get("version"),
        "feature_version_url": _version_url(row.layer_id, target),
        "target_state": target["state"],
        "difference": target.get("difference"),
        "position": position,
        "geometry": row.area,
        "parent_id": _text(row.parent_id),
        "thread_id": str(row.thread_id),
        "mentions": [_person(mention) for mention in (author and row.mentions) or ()],
        "is_resolved": row.resolved_at is not None,
        "resolved_at": iso(row.resolved_at),
        "resolved_by": _text(row.resolved_by),
        "reply_count": row.reply_count,
        "edited_at": iso(row.edited_at),
        "deleted_at": iso(row.deleted_at),
        "created_at": iso(row.created_at),
        "updated_at": iso(row.updated_at),
    }


def _person(mention: dict[str, Any]) -> dict[str, Any]:
    return {"id": mention["id"], "name": display_name(SimpleNamespace(**mention))}


def _version_url(layer_id: uuid.UUID | None, target: dict[str, Any]) -> str | None:
    """Return the address of the version of a feature that a comment is about, if it is known."""
    if "began" not in target:
        return None
    # the parameter that layers of every kind take
    address = FeatureAddress(layer_id, target["feature"], VERSION_DATETIME)
    return address.memento(datetime.fromisoformat(target["began"]))


def display_name(row: Any) -> str | None:
    """Return a user's display name: the full name, else the user name, else None."""
    names = [name.strip() for name in (row.first_name, row.last_name) if name]
    return " ".join(filter(None, names)) or row.username or None


def _text(key: uuid.UUID | None) -> str | None:
    return None if key is None else str(key)
