"""What others have done to a map or in a thread between two positions, as a follower may read it.

Every text is that of now: what has been changed again or deleted meanwhile is as it is now, or not
there.
"""

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, SQLColumnExpression, any_, exists, func, select
from sqlalchemy.dialects.postgresql import ARRAY, UUID
from sqlalchemy.sql.expression import bindparam

from samsyn_model.comments.threads import members_of
from samsyn_model.database.execution import run
from samsyn_model.identity.names import display_name
from samsyn_model.live.notices import SubjectChange
from samsyn_model.permissions.comments import readable_comments
from samsyn_model.permissions.compiled import CompiledStatement, compile_statement
from samsyn_model.permissions.layers import readable_layers
from samsyn_model.permissions.principal import ANY_USER, Principal
from samsyn_model.tables.comments import Comment, CommentMention
from samsyn_model.tables.layers import Layer

MAX_CHANGES = 1_000
"""Changes of what is no feature that are read; of more, the first."""
MAX_FEATURE_CHANGES = 200
"""Layers with changed features, each by the people who have changed them; of more, the largest."""
MAX_TEXT = 500
"""Characters of a comment that are read."""
_MAX_THREAD = 10_000  # as many comments as there may be on a map

_OTHERS = """
FROM change_notices AS n JOIN change_sets AS c ON c.id = n.change_set_id
{join}
WHERE n.subject_id = ANY(%(subjects)s) AND n.position > %(after)s AND n.position <= %(until)s
    AND c.user_id IS DISTINCT FROM %(user_id)s"""

_FEATURES = f"""
SELECT n.subject_id AS layer_id, c.user_id, sum(n.inserted)::bigint AS inserted,
    sum(n.updated)::bigint AS updated, sum(n.deleted)::bigint AS deleted,
    max(n.committed_at) AS committed_at
{_OTHERS.format(join="")} AND n.inserted + n.updated + n.deleted > 0
GROUP BY n.subject_id, c.user_id
ORDER BY sum(n.inserted + n.updated + n.deleted) DESC, n.subject_id, c.user_id
LIMIT {MAX_FEATURE_CHANGES + 1}"""

_SUBJECTS = f"""
SELECT c.user_id, n.committed_at, s.kind, s.action, s.subject_id AS id, s.map_id, s.layer_id,
    s.details -> 'changed' AS changed
{
    _OTHERS.format(
        join='''JOIN subject_changes AS s ON s.change_set_id = n.change_set_id
    AND coalesce(s.map_id, s.layer_id, s.subject_id) = n.subject_id'''
    )
} AND s.kind = ANY(%(kinds)s)
    AND (%(members)s::uuid[] IS NULL OR s.subject_id = ANY(%(members)s::uuid[]))
ORDER BY n.position, s.id LIMIT {MAX_CHANGES + 1}"""

_NAMES = f"""
SELECT id, {display_name("users")} AS name FROM users WHERE id = ANY(%(ids)s)"""


@dataclass(frozen=True, slots=True)
class Span:
    """The notices between two positions, but those of what a user has done."""

    after: int
    until: int
    user_id: uuid.UUID


@dataclass(frozen=True, slots=True)
class FeatureChanges:
    """How many features of a layer somebody has changed, and when the last time."""

    layer_id: uuid.UUID
    user_id: uuid.UUID | None
    inserted: int
    updated: int
    deleted: int
    committed_at: datetime


@dataclass(frozen=True, slots=True)
class OtherChange:
    """A change of what is no feature: by whom, and when."""

    user_id: uuid.UUID | None
    committed_at: datetime
    subject: SubjectChange


def feature_changes(
    connection: Connection, layers: Collection[uuid.UUID], span: Span
) -> list[FeatureChanges]:
    """Return the changes of features of these layers, summed up by who has made them;
    MAX_FEATURE_CHANGES and one more at most."""
    rows = run(connection, _FEATURES, _values(layers, span))
    return [FeatureChanges(**row._asdict()) for row in rows]


def other_changes(
    connection: Connection,
    subjects: Collection[uuid.UUID],
    kinds: Collection[str],
    span: Span,
    members: Collection[uuid.UUID] | None = None,
) -> list[OtherChange]:
    """Return the changes of these kinds among the notices of maps or layers, in their order; by
    default of all things, else of `members` alone. MAX_CHANGES and one more at most."""
    values = _values(subjects, span) | {
        "kinds": list(kinds),
        "members": None if members is None else list(members),
    }
    return [
        OtherChange(
            row.user_id,
            row.committed_at,
            SubjectChange(
                *(row.kind, row.action, row.id, row.map_id, row.layer_id),
                frozenset(row.changed or ()),
            ),
        )
        for row in run(connection, _SUBJECTS, values)
    ]


def user_names(connection: Connection, users: Collection[uuid.UUID]) -> dict[uuid.UUID, str]:
    """Return the display names of users; who has none is absent, and emails are no names."""
    rows = run(connection, _NAMES, {"ids": list(users)})
    return {row.id: row.name for row in rows if row.name}


def layer_names(
    connection: Connection, user_id: uuid.UUID, layers: Collection[uuid.UUID]
) -> dict[uuid.UUID, tuple[str, str]]:
    """Return the names and source types of those layers that a user may read now."""
    rows = _layers().run(connection, Principal(user_id), keys=list(layers))
    return {row.id: (row.name, row.source_type) for row in rows}


def comments_of(
    connection: Connection, user_id: uuid.UUID, comments: Collection[uuid.UUID]
) -> Sequence[Any]:
    """Return those comments that a user may read now, oldest first; one that is deleted has no
    `content`, one that is long the first MAX_TEXT characters. `mentions_reader`: it has them."""
    rows: Sequence[Any] = _comments().run(connection, Principal(user_id), keys=list(comments)).all()
    return rows


def thread_members(connection: Connection, comment_id: uuid.UUID) -> list[uuid.UUID]:
    """Return the ids of a thread's comments, by its first one."""
    members = members_of(Comment.id == comment_id)
    return list(run(connection, select(members.c.id).limit(_MAX_THREAD)).scalars())


def _values(subjects: Collection[uuid.UUID], span: Span) -> dict[str, Any]:
    return {
        "subjects": list(subjects),
        "after": span.after,
        "until": span.until,
        "user_id": span.user_id,
    }


_KEYS = bindparam("keys", type_=ARRAY(UUID(as_uuid=True)))


@cache
def _layers() -> CompiledStatement:
    columns: tuple[SQLColumnExpression[Any], ...] = (Layer.id, Layer.name, Layer.source_type)
    statement = select(*columns).where(Layer.id == any_(_KEYS), readable_layers(ANY_USER))
    return compile_statement(statement)


@cache
def _comments() -> CompiledStatement:
    mention = exists().where(
        CommentMention.comment_id == Comment.id,
        CommentMention.user_id == bindparam("principal", type_=UUID(as_uuid=True)),
    )
    columns = (
        mention.label("mentions_reader"),
        *(Comment.id, Comment.author_id, Comment.map_id, Comment.layer_id, Comment.feature_id),
        *(Comment.parent_id, Comment.resolved_at, Comment.deleted_at, Comment.created_at),
        func.left(func.nullif(Comment.content, ""), MAX_TEXT).label("content"),
    )
    statement = select(*columns).where(Comment.id == any_(_KEYS), readable_comments(ANY_USER))
    return compile_statement(statement.order_by(Comment.created_at, Comment.id))
