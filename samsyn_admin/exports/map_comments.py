"""The comments of a map, as rows of a table."""

import uuid
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
from sqlalchemy import Connection, Row, Select, and_, func, or_, select, tuple_

from samsyn_admin.exports.package_tables import COMMENTS_COLUMNS
from samsyn_model.database.execution import run
from samsyn_model.permissions.comments import readable_comments
from samsyn_model.permissions.principal import Principal
from samsyn_model.tables.comments import Comment
from samsyn_model.tables.users import User

_ROWS = 1_000


def comment_batches(
    connection: Connection, principal: Principal, map_id: uuid.UUID, layer_ids: Sequence[uuid.UUID]
) -> Iterator[pa.RecordBatch]:
    """Yield the comments that the principal may read on a map and on these layers of it, older
    ones first."""
    statement = _select(principal, map_id, layer_ids)
    key = tuple_(Comment.created_at, Comment.id)
    last: Row[Any] | None = None
    while True:
        page = statement if last is None else statement.where(key > (last.created_at, last.id))
        rows = run(connection, page).all()
        yield pa.RecordBatch.from_pylist([_document(row, map_id) for row in rows], COMMENTS_COLUMNS)
        if len(rows) < _ROWS:
            return
        last = rows[-1]


def _select(principal: Principal, map_id: uuid.UUID, layer_ids: Sequence[uuid.UUID]) -> Select[Any]:
    on_layer_alone = and_(Comment.map_id.is_(None), Comment.layer_id.in_(layer_ids))
    return (
        select(
            Comment.__table__,
            func.ST_AsBinary(func.coalesce(Comment.position, Comment.area)).label("wkb"),
            *(User.username, User.first_name, User.last_name),
        )
        .join(User, User.id == Comment.author_id)
        .where(or_(Comment.map_id == map_id, on_layer_alone), readable_comments(principal))
        .order_by(Comment.created_at, Comment.id)
        .limit(_ROWS)
    )


def _document(row: Row[Any], map_id: uuid.UUID) -> dict[str, Any]:
    is_deleted = row.deleted_at is not None
    full_name = " ".join(filter(None, (row.first_name, row.last_name)))
    return {
        "comment_id": str(row.id),
        "parent_id": row.parent_id and str(row.parent_id),
        "layer_id": row.layer_id and str(row.layer_id),
        "feature_id": row.feature_id,
        "on_map": row.map_id == map_id,
        "author": None if is_deleted else row.username or full_name or None,
        "author_id": None if is_deleted else str(row.author_id),
        "content": None if is_deleted else row.content,
        "created_at": row.created_at,
        "edited_at": row.edited_at,
        "deleted_at": row.deleted_at,
        "resolved_at": row.resolved_at,
        "geometry": row.wkb and bytes(row.wkb),
    }
