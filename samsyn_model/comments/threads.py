"""Comments found by what their threads are on, and what they are about."""

from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Function,
    and_,
    case,
    func,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import aliased

from samsyn_model.tables.comments import Comment
from samsyn_model.tables.maps import MapLayer

DELETED = "[deleted]"
"""The text and the author's name of a deleted comment."""
THREAD_START = aliased(Comment, name="thread_start")
"""The first comment of a comment's thread, for `about` and `point_about`."""


def on_map(map_id: Any) -> ColumnElement[bool]:
    """Return the condition on a thread's first comment that it is on a map, or outside of any map
    on one of its layers."""
    on_it = select(MapLayer.layer_id).where(MapLayer.map_id == map_id)
    return or_(
        Comment.map_id == map_id, and_(Comment.map_id.is_(None), Comment.layer_id.in_(on_it))
    )


def members_of(*conditions: ColumnElement[bool], nesting: bool = False) -> CTE:
    """Return the comments of the threads whose first one meets all conditions: `id`, `thread_id`.

    A reply has the same subject as its parent. With `nesting` it stands in the subquery that reads
    from it, not before the whole statement.
    """
    threads = select(Comment.id, Comment.id.label("thread_id")).where(
        Comment.parent_id.is_(None), *conditions
    )
    members = threads.cte("members", recursive=True, nesting=nesting)
    reply = aliased(Comment)
    return members.union_all(
        select(reply.id, members.c.thread_id).join(members, reply.parent_id == members.c.id)
    )


def about(*, with_difference: bool) -> Function[Any]:
    """Return the expression for what a comment is about, compared with what is there now: the JSON
    of the function `comment_target`, in a statement on `comments` and THREAD_START.

    A reply that names no feature is about that of its thread. Of ten thousand comments it takes
    about a second, and less where only those of a page are compared.
    """
    return func.comment_target(Comment.layer_id, *_feature(), with_difference, type_=JSONB)


def point_about() -> Function[Any]:
    """Return the expression for a point of the feature that a comment is about, null without."""
    return func.comment_point(Comment.layer_id, *_feature())


def _feature() -> tuple[ColumnElement[Any], ColumnElement[Any]]:
    is_of_thread = Comment.feature_id.is_(None)
    return (
        case((is_of_thread, THREAD_START.feature_id), else_=Comment.feature_id),
        case((is_of_thread, THREAD_START.feature_change), else_=Comment.feature_change),
    )
