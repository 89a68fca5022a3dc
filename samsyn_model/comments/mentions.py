"""Whom comments mention: people of a comment's map, or of its layer outside of maps."""

import re
import uuid
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, ScalarSelect, Select, func, select
from sqlalchemy.dialects.postgresql import aggregate_order_by

from samsyn_model.database.execution import run
from samsyn_model.tables.comments import Comment, CommentMention
from samsyn_model.tables.users import User

MAX_MENTIONS = 20
"""The most people that a comment mentions."""
_MAX_NAMES = 50
# neither an email nor a path; a full stop may end the sentence
_NAME = re.compile(r"(?<![\w@.+/-])@(\w(?:[\w.-]{0,98}\w)?)")

# Whom the author of the comment sees anyway: nobody learns who else has an account.
_PEOPLE = """
SELECT users.id, users.id = ANY(%(ids)s::uuid[]) AS is_chosen,
    lower(username) = ANY(ARRAY(SELECT lower(unnest(%(names)s::text[]))))
        AND count(*) OVER (PARTITION BY lower(username)) = 1 AS is_named
FROM users
WHERE users.deleted_at IS NULL
    AND (users.id = ANY(%(ids)s::uuid[])
        OR lower(users.username) = ANY(ARRAY(SELECT lower(unnest(%(names)s::text[])))))
    AND users.id IN (
        SELECT created_by FROM maps WHERE id = %(map)s
        UNION ALL SELECT user_id FROM map_collaborators WHERE map_id = %(map)s
        UNION ALL SELECT created_by FROM layers WHERE id = %(layer)s AND %(map)s::uuid IS NULL
        UNION ALL SELECT author_id FROM comments
            WHERE layer_id = %(layer)s AND map_id IS NULL AND %(map)s::uuid IS NULL
                AND deleted_at IS NULL)"""

_REMOVE = """
DELETE FROM comment_mentions WHERE comment_id = %(comment)s AND user_id <> ALL(%(users)s::uuid[])"""

_ADD = """
INSERT INTO comment_mentions (comment_id, user_id)
SELECT %(comment)s, user_id FROM unnest(%(users)s::uuid[]) AS user_id
ON CONFLICT DO NOTHING"""


@dataclass(frozen=True, slots=True)
class Mentioned:
    """The people that a text and a list of ids mention."""

    named: frozenset[uuid.UUID]
    """By `@` and their user name in the text."""
    chosen: frozenset[uuid.UUID]
    """Those of the ids that are people who can be mentioned there."""


def find_people(
    connection: Connection,
    map_id: uuid.UUID | None,
    layer_id: uuid.UUID | None,
    content: str,
    ids: Collection[uuid.UUID] = (),
) -> Mentioned:
    """Return who is mentioned, in one statement at most.

    Of a map these are its owner and collaborators; of a layer outside of maps its creator and those
    who have commented on it there. A user name that several of them have stays text.
    """
    names = list(dict.fromkeys(_NAME.findall(content)))[:_MAX_NAMES]
    if not names and not ids:
        return Mentioned(frozenset(), frozenset())
    values: dict[str, Any] = {"map": map_id, "layer": layer_id, "names": names, "ids": list(ids)}
    rows = run(connection, _PEOPLE, values).all()
    return Mentioned(
        frozenset(row.id for row in rows if row.is_named),
        frozenset(row.id for row in rows if row.is_chosen),
    )


def set_mentions(
    connection: Connection, comment_id: uuid.UUID, user_ids: Collection[uuid.UUID]
) -> None:
    """Let a comment mention these people and no others; who was mentioned already stays so."""
    values: dict[str, Any] = {"comment": comment_id, "users": sorted(user_ids)}
    run(connection, _REMOVE, values)
    if user_ids:
        run(connection, _ADD, values)


def select_mentioned() -> Select[Any]:
    """Return the statement for a comment's mentions in a statement on `comments`: a JSON array of
    `id`, `username`, `first_name` and `last_name`, in their order, null where there are none."""
    names = (User.username, User.first_name, User.last_name)
    members = (part for column in (User.id, *names) for part in (column.key, column))
    order = (CommentMention.created_at, User.id)
    people = func.jsonb_agg(aggregate_order_by(func.jsonb_build_object(*members), *order))
    return (
        select(people)
        .select_from(CommentMention)
        .join(User, User.id == CommentMention.user_id)
        .where(CommentMention.comment_id == Comment.id, User.deleted_at.is_(None))
        .correlate(Comment)
    )


def select_mentioned_ids() -> ScalarSelect[Any]:
    """Return the expression for the ids of those whom a comment mentions, null where there are
    none, in a statement on `comments`."""
    ids = select(func.array_agg(CommentMention.user_id))
    ids = ids.where(CommentMention.comment_id == Comment.id)
    return ids.correlate(Comment).scalar_subquery()
