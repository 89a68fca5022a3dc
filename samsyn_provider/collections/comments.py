"""Collections of comments: those on a map or on a layer, read as features."""

import re
import uuid
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Select, case, exists, func, or_, select, true
from sqlalchemy.dialects.postgresql import UUID
from sqlalchemy.sql.expression import bindparam
from sqlalchemy.types import NullType

from samsyn_model.comments.threads import (
    DELETED,
    THREAD_START,
    about,
    members_of,
    on_map,
    point_about,
)
from samsyn_model.database.execution import run
from samsyn_model.permissions.actions import Action
from samsyn_model.permissions.comments import readable_comments
from samsyn_model.permissions.compiled import compile_statement
from samsyn_model.permissions.lookup import find_layer, find_map
from samsyn_model.permissions.maps import collaborates, owned_maps
from samsyn_model.permissions.principal import Principal, principal_kind
from samsyn_model.tables.comments import Comment
from samsyn_model.tables.layers import Layer
from samsyn_model.tables.maps import Map
from samsyn_model.tables.users import User
from samsyn_provider.collections.collection import Collection, time_bounds
from samsyn_provider.http.links import Link, collection_url, link
from samsyn_provider.http.media_types import JSON
from samsyn_provider.query.collections_query import CollectionsQuery
from samsyn_provider.query.parameters import parse_uuid
from samsyn_provider.query.version_set import VersionSet

_ID = re.compile(r"comments-of-(map|layer)-(.+)")
_SUBJECT = bindparam("subject", type_=UUID(as_uuid=True))
_PLACEHOLDER = re.compile(r"%\((\w+)\)s")
_TITLE = "Comments on "
_MOMENT = 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'

_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "comment_id": {"type": "string", "format": "uuid", "title": "Id in the management API"},
        "thread_id": {"type": "string", "format": "uuid", "title": "First comment of the thread"},
        "parent_id": {"type": "string", "format": "uuid", "title": "Comment that it replies to"},
        "map_id": {"type": "string", "format": "uuid", "title": "Map"},
        "layer_id": {"type": "string", "format": "uuid", "title": "Layer"},
        "feature_id": {"type": "integer", "title": "Feature"},
        "author": {"type": "string", "title": "Author"},
        "content": {"type": "string", "title": "Text"},
        "resolved": {"type": "boolean", "title": "Whether the thread is resolved"},
        "target_state": {
            "type": "string",
            "enum": ["current", "changed", "gone"],
            "title": "What has become of that which the comment is about",
        },
        "created": {"type": "string", "format": "date-time", "title": "Written"},
        "updated": {"type": "string", "format": "date-time", "title": "Last change"},
        "deleted": {"type": "boolean", "title": "Whether the comment is deleted"},
    },
}


@dataclass(frozen=True, slots=True)
class CommentsSubject:
    """What the comments of a collection are on."""

    kind: Literal["map", "layer"]
    id: uuid.UUID

    @classmethod
    def of(cls, collection_id: str) -> "CommentsSubject | None":
        """Return the subject in a collection's id, None for one of any other form."""
        match = _ID.fullmatch(collection_id)
        subject_id = parse_uuid(match[2]) if match else None
        if match is None or subject_id is None:
            return None
        return cls("map" if match[1] == "map" else "layer", subject_id)


def find_comments(
    connection: Connection, principal: Principal, subject: CommentsSubject
) -> Collection:
    """Return the comments on a map or a layer as a collection: those that the principal may read,
    as `GET /api/v1/comments` lists them. One statement.

    Raises NotFoundError when the principal may not read the map or layer.
    """
    if subject.kind == "map":
        row = find_map(connection, principal, subject.id, Action.READ_MAP)
    else:
        values = (connection, principal, subject.id, Action.READ_LAYER, _name)
        row = find_layer(*values, all_columns=False)
    return _collection(principal, subject, row.name)


def list_comments(
    connection: Connection, principal: Principal, query: CollectionsQuery
) -> tuple[list[Collection], int]:
    """Return a page of the comments on those of the principal's maps that have any, newest map
    first, and how many collections these are in all; of nobody else's maps, which may be many.

    None of them is in a `bbox`. One statement at most.
    """
    if principal.is_anonymous or query.bbox is not None:
        return [], 0
    has_comments = exists().where(Comment.map_id == Map.id).correlate(Map)
    own = select(Map.id, Map.name, Map.created_at).where(
        or_(owned_maps(principal), collaborates(principal)), has_comments
    )
    for word in query.words:
        own = own.where(func.concat(_TITLE, Map.name).icontains(word, autoescape=True))
    maps = own.cte("own")
    order = (maps.c.created_at.desc(), maps.c.id)
    page = select(maps).order_by(*order).limit(query.limit).offset(query.offset).subquery()
    total = select(func.count().label("total")).select_from(maps).subquery()
    statement = (
        select(total.c.total, page.c.id, page.c.name)
        .select_from(total.outerjoin(page, true()))
        .order_by(page.c.created_at.desc(), page.c.id)
    )
    rows = run(connection, statement).all()
    listed = [
        _collection(principal, CommentsSubject("map", row.id), row.name) for row in rows if row.id
    ]
    return listed, rows[0].total


def _collection(principal: Principal, subject: CommentsSubject, name: str) -> Collection:
    return Collection(
        id=subject.id,
        title=f"{_TITLE}{name}",
        description=None,
        category=None,
        geometry_type=None,
        time_field="created",
        property_schema=_SCHEMA,
        metadata={},
        comments_on=subject.kind,
        source=_source(principal, subject),
    )


def with_comments_extents(connection: Connection, collection: Collection) -> Collection:
    """Return a collection of comments with its number of comments and its extents."""
    source = collection.source
    if source is None:
        raise RuntimeError("this collection has no comments")
    text = f"""
SELECT count(*) AS feature_count, ST_Extent(geom) AS box,
    ARRAY[ST_XMin(ST_Extent(geom)), ST_YMin(ST_Extent(geom)),
          ST_XMax(ST_Extent(geom)), ST_YMax(ST_Extent(geom))] AS bounds,
    ARRAY[min(extract(epoch FROM created_at)), max(extract(epoch FROM created_at))]::float8[]
        AS times
FROM {source.relation} AS comments"""
    row = run(connection, text, {"layer": collection.id, **source.values}).one()
    return replace(
        collection,
        feature_count=row.feature_count,
        bounds=tuple(row.bounds) if row.box else None,
        time_bounds=time_bounds(row.times),
    )


def comments_link(kind: Literal["map", "layer"], subject_id: object) -> Link:
    """Return the link to the comments on a map or a layer as a collection."""
    href = f"{collection_url(f'comments-of-{kind}-{subject_id}')}"
    return link("comments", JSON, "Comments, as a collection", href)


def _name(_: Principal) -> tuple[ColumnElement[Any], ...]:
    return (Layer.name.expression,)


def _source(principal: Principal, subject: CommentsSubject) -> VersionSet:
    text, values = _relation(principal_kind(principal), subject.kind)
    bound = {**values, "of_principal": principal.user_id, "of_subject": subject.id}
    return VersionSet(*(text, text, text), tuple(bound.items()), time_member=None, is_small=True)


@cache
def _relation(kind: Principal, subject: str) -> tuple[str, dict[str, Any]]:
    """Return the SQL of the comments, whose names of values begin with `of_`, and its values."""
    compiled = compile_statement(_select(kind, subject))
    text = _PLACEHOLDER.sub(r"%(of_\1)s", compiled.text)
    own = {"principal", "subject"}
    values = {f"of_{name}": value for name, value in compiled.values.items() if name not in own}
    return f"({text})", values


def _select(kind: Principal, subject: str) -> Select[Any]:
    """Return the statement for comments with the columns of `layer_features` that queries use.

    A quota bounds their number. What a comment is about is looked up only where it is shown or
    compared with: PostgreSQL evaluates these expressions last.
    """
    on_it = on_map(_SUBJECT) if subject == "map" else Comment.layer_id == _SUBJECT
    found = members_of(on_it, nesting=True)
    # in a subquery: PostgreSQL would evaluate all columns of one that begins with WITH
    members = select(found.c.id, found.c.thread_id).subquery("members_of_threads")
    names = (User.first_name, User.last_name)
    full_name = func.concat_ws(" ", *(func.nullif(func.btrim(name), "") for name in names))
    is_deleted = Comment.deleted_at.is_not(None)
    author = func.coalesce(func.nullif(full_name, ""), func.nullif(User.username, ""))
    properties = {
        "comment_id": Comment.id,
        "thread_id": members.c.thread_id,
        "parent_id": Comment.parent_id,
        "map_id": Comment.map_id,
        "layer_id": Comment.layer_id,
        "feature_id": Comment.feature_id,
        "author": case((is_deleted, DELETED), else_=author),
        "content": case((is_deleted, DELETED), else_=Comment.content),
        "resolved": THREAD_START.resolved_at.is_not(None),
        "target_state": about(with_difference=False).op("->>")("state"),
        "created": _moment(Comment.created_at),
        "updated": _moment(Comment.updated_at),
        "deleted": is_deleted,
    }
    statement = (
        select(
            _SUBJECT.label("layer_id"),
            Comment.number.label("id"),
            _place().label("geom"),
            func.jsonb_build_object(*(part for pair in properties.items() for part in pair)).label(
                "properties"
            ),
            Comment.created_at,
            Comment.updated_at,
        )
        .join(members, members.c.id == Comment.id)
        .join(THREAD_START, THREAD_START.id == members.c.thread_id)
        .join(User, User.id == Comment.author_id)
    )
    return statement.where(readable_comments(kind))


def _place() -> ColumnElement[Any]:
    """Return the geometry of a comment: its own, that of its thread, that of its feature.

    None of these has a type here, by which it would be selected in another form.
    """
    place = (Comment.position, Comment.area, THREAD_START.position, THREAD_START.area)
    own, area, of_thread, area_of_thread = (func.ST_Force2D(one, type_=NullType()) for one in place)
    is_of_thread = or_(Comment.feature_id.is_(None), Comment.feature_id == THREAD_START.feature_id)
    inherited = func.coalesce(of_thread, area_of_thread, type_=NullType())
    return func.coalesce(
        *(own, area, case((is_of_thread, inherited)), point_about()), type_=NullType()
    )


def _moment(column: Any) -> ColumnElement[str]:
    return func.to_char(func.timezone("UTC", column), _MOMENT)
