"""Queries of comments."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_
from werkzeug.datastructures import MultiDict

from samsyn_admin.comments.schemas import MAX_FEATURE_ID
from samsyn_admin.comments.serializer import select_comments
from samsyn_admin.http.pagination import PAGE_PARAMETERS, Page, parse_page
from samsyn_model.comments.threads import members_of, on_map
from samsyn_model.errors import InvalidParameterError
from samsyn_model.permissions.principal import Principal
from samsyn_model.tables.comments import Comment
from samsyn_provider.query.parameters import parse_boolean, parse_uuid_filter, single_values

_FILTERS = frozenset({"parent_id", "feature_id", "author", "include_resolved"})


@dataclass(frozen=True, slots=True)
class CommentsQuery:
    """The parameters of a request for comments; a map, a layer or both are set."""

    page: Page
    map_id: UUID | None
    layer_id: UUID | None
    parent_id: UUID | None
    feature_id: int | None
    author: UUID | None
    include_resolved: bool


def parse_comments_query(arguments: MultiDict[str, str]) -> CommentsQuery:
    """Return the query of a request for comments; raises InvalidParameterError."""
    values = single_values(arguments, {"map_id", "layer_id", *_FILTERS, *PAGE_PARAMETERS})
    if "map_id" not in values and "layer_id" not in values:
        raise InvalidParameterError("Send map_id, layer_id or both.")
    return CommentsQuery(
        page=parse_page(values),
        map_id=parse_uuid_filter(values, "map_id"),
        layer_id=parse_uuid_filter(values, "layer_id"),
        parent_id=parse_uuid_filter(values, "parent_id"),
        feature_id=_feature_id(values.get("feature_id")),
        author=parse_uuid_filter(values, "author"),
        include_resolved=parse_boolean("include_resolved", values.get("include_resolved", "true")),
    )


def select_list(principal: Principal, query: CommentsQuery) -> Select[Any]:
    """Return the statement for the comments of a query, oldest first, for `comment_document`."""
    conditions = _subject(query)
    if not query.include_resolved:
        conditions.append(Comment.resolved_at.is_(None))
    members = members_of(*conditions)
    statement = select_comments(principal, members.c.thread_id, members)
    statement = statement.where(*_conditions(query))
    return statement.order_by(Comment.created_at, Comment.id)


def _subject(query: CommentsQuery) -> list[ColumnElement[bool]]:
    """Return the conditions on a thread's first comment.

    A map alone has also the comments on its layers outside of any map.
    """
    if query.layer_id is None:
        return [on_map(query.map_id)]
    subjects = ((Comment.map_id, query.map_id), (Comment.layer_id, query.layer_id))
    return [column == value for column, value in subjects if value is not None]


def _conditions(query: CommentsQuery) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if query.parent_id is not None:
        conditions.append(Comment.parent_id == query.parent_id)
    if query.feature_id is not None:
        conditions.append(Comment.feature_id == query.feature_id)
    if query.author is not None:
        # the author of a deleted comment is not disclosed
        conditions.append(and_(Comment.author_id == query.author, Comment.deleted_at.is_(None)))
    return conditions


def _feature_id(text: str | None) -> int | None:
    if text is None:
        return None
    # the length first: Python refuses to convert thousands of digits
    if not (text.isascii() and text.isdigit() and len(text) <= 19) or int(text) > MAX_FEATURE_ID:
        raise InvalidParameterError("feature_id is the id of a feature, a whole number.")
    return int(text)
