"""The mentions of comments: chosen in a body, and changed with the text."""

import uuid
from collections.abc import Collection

from sqlalchemy import Connection, func, update

from samsyn_admin.comments.schemas import CommentChange
from samsyn_admin.http.request_body import refuse
from samsyn_admin.http.responses import check_if_match, version_of
from samsyn_model.comments.mentions import (
    MAX_MENTIONS,
    Mentioned,
    find_people,
    select_mentioned_ids,
    set_mentions,
)
from samsyn_model.database.execution import run
from samsyn_model.errors import ConflictError, Fault, PermissionDeniedError
from samsyn_model.permissions.comments import find_comment, written_comments
from samsyn_model.permissions.principal import Principal
from samsyn_model.tables.comments import Comment


def change_comment(
    connection: Connection, principal: Principal, comment_id: uuid.UUID, change: CommentChange
) -> None:
    """Change the text of a comment, and whom it mentions.

    Whom the text mentions follows the text; who was chosen otherwise stays unless the change says
    who is. Raises NotFoundError, ConflictError for a deleted comment, PermissionDeniedError,
    PreconditionFailedError, and InvalidBodyError where a user cannot be mentioned there.
    """
    row = find_comment(
        *(connection, principal, comment_id),
        *(Comment.content, Comment.deleted_at, Comment.updated_at, Comment.map_id),
        *(Comment.layer_id, select_mentioned_ids().label("mentioned")),
        written_comments(principal).label("is_allowed"),
        lock=True,
    )
    if row.deleted_at is not None:
        raise ConflictError("This comment is deleted.")
    if not row.is_allowed:
        raise PermissionDeniedError("Only its author may change a comment.")
    check_if_match(version_of(row.updated_at))
    content = change.content or row.content
    former = frozenset(row.mentioned or ())
    if content == row.content and "mentions" not in change.model_fields_set:
        return
    subject = (row.map_id, row.layer_id)
    people = find_people(connection, *subject, content, change.mentions)
    if "mentions" in change.model_fields_set:
        others = chosen(people, change.mentions, former)
    else:
        others = former - find_people(connection, *subject, row.content).named
    mentioned = few(people.named | others)
    if content == row.content and mentioned == former:
        return
    statement = update(Comment).where(Comment.id == comment_id)
    run(connection, statement.values(content=content, edited_at=func.clock_timestamp()))
    if mentioned != former:
        set_mentions(connection, comment_id, mentioned)


def chosen(
    people: Mentioned, ids: Collection[uuid.UUID], former: frozenset[uuid.UUID] = frozenset()
) -> frozenset[uuid.UUID]:
    """Return the users that a body mentions by their ids; raises InvalidBodyError where one is
    nobody that can be mentioned there, and was not before."""
    allowed = people.chosen | former
    refuse(
        [
            Fault(f"/mentions/{number}", "This is nobody whom you can mention here.")
            for number, user_id in enumerate(ids)
            if user_id not in allowed
        ]
    )
    return frozenset(ids)


def few(mentioned: frozenset[uuid.UUID]) -> frozenset[uuid.UUID]:
    """Return those who are mentioned; raises InvalidBodyError where they are too many."""
    if len(mentioned) > MAX_MENTIONS:
        refuse([Fault("/mentions", f"A comment mentions at most {MAX_MENTIONS} people.")])
    return mentioned
