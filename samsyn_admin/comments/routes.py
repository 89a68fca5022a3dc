"""`/api/v1/comments`: comments on maps, layers and features, their threads."""

import uuid
from http import HTTPStatus

from flask import Blueprint, Response, request
from sqlalchemy import Connection, func, update

from samsyn_admin.comments.listing import parse_comments_query, select_list
from samsyn_admin.comments.mentions import change_comment
from samsyn_admin.comments.schemas import parse_comment, read_comment_change
from samsyn_admin.comments.serializer import comment_document, serialize_comment, serialize_thread
from samsyn_admin.comments.writing import delete_comment, insert_comment
from samsyn_admin.http.pagination import run_page
from samsyn_admin.http.request_body import read_json, refuse_content
from samsyn_admin.http.responses import (
    check_if_match,
    no_content,
    respond,
    respond_list,
    version_of,
)
from samsyn_model.database.execution import run
from samsyn_model.database.transactions import reading, writing
from samsyn_model.errors import (
    ConflictError,
    InvalidParameterError,
    PermissionDeniedError,
)
from samsyn_model.permissions.actions import Action
from samsyn_model.permissions.checks import require_user
from samsyn_model.permissions.comments import find_comment, resolvable_comments
from samsyn_model.permissions.lookup import find_layer, find_map
from samsyn_model.tables.comments import Comment
from samsyn_provider.http.deployment import deployment, public_url
from samsyn_provider.http.guard import principal, requires
from samsyn_provider.query.parameters import parse_boolean, parse_key, single_values

bp = Blueprint("comments", __name__, url_prefix="/api/v1/comments")

MAX_DEPTH = 100
"""The maximum and the default of `max_depth`, the levels of replies in a thread."""


@bp.get("")
@requires(Action.READ_MAP)
def list_comments() -> Response:
    """List the comments on a map or a layer that the caller may read, oldest first."""
    query = parse_comments_query(request.args)
    with reading(deployment().engine) as connection:
        if query.map_id is not None:
            find_map(connection, principal(), query.map_id, Action.READ_MAP)
        if query.layer_id is not None:
            find_layer(connection, principal(), query.layer_id, Action.READ_LAYER)
        rows, total = run_page(connection, select_list(principal(), query), query.page)
    return respond_list([comment_document(row) for row in rows], query.page, total)


@bp.post("")
@requires(Action.SIGNED_IN)
def create_comment() -> Response:
    """Create a comment or a reply."""
    single_values(request.args, ())
    user_id = require_user(principal())
    comment = parse_comment(read_json())
    with writing(deployment().engine) as connection:
        comment_id = insert_comment(connection, principal(), comment, user_id)
        document, version = serialize_comment(connection, principal(), comment_id)
    location = f"{public_url()}{bp.url_prefix}/{comment_id}"
    return respond(document, version, HTTPStatus.CREATED, location)


@bp.get("/<comment_id>")
@requires(Action.READ_MAP)
def read_comment(comment_id: str) -> Response:
    """Return a comment."""
    single_values(request.args, ())
    with reading(deployment().engine) as connection:
        return respond(
            *serialize_comment(connection, principal(), parse_key(comment_id, "comment"))
        )


@bp.get("/<comment_id>/thread")
@requires(Action.READ_MAP)
def read_thread(comment_id: str) -> Response:
    """Return a comment with its replies nested `max_depth` levels deep."""
    depth = _max_depth()
    with reading(deployment().engine) as connection:
        return respond(
            *serialize_thread(connection, principal(), parse_key(comment_id, "comment"), depth)
        )


@bp.put("/<comment_id>")
@bp.patch("/<comment_id>")
@requires(Action.SIGNED_IN)
def update_comment(comment_id: str) -> Response:
    """Change the text of a comment, or whom it mentions; only its author may."""
    single_values(request.args, ())
    key, change = parse_key(comment_id, "comment"), read_comment_change()
    with writing(deployment().engine) as connection:
        change_comment(connection, principal(), key, change)
        return respond(*serialize_comment(connection, principal(), key))


@bp.put("/<comment_id>/resolve")
@requires(Action.SIGNED_IN)
def resolve_comment(comment_id: str) -> Response:
    """Resolve or reopen a thread by its first comment."""
    text = single_values(request.args, {"is_resolved"}).get("is_resolved", "true")
    key, is_resolved = parse_key(comment_id, "comment"), parse_boolean("is_resolved", text)
    refuse_content()
    with writing(deployment().engine) as connection:
        _resolve(connection, key, is_resolved=is_resolved)
        return respond(*serialize_comment(connection, principal(), key))


@bp.delete("/<comment_id>")
@requires(Action.SIGNED_IN)
def remove_comment(comment_id: str) -> tuple[str, HTTPStatus]:
    """Delete a comment; one with replies remains without its text and author."""
    single_values(request.args, ())
    with writing(deployment().engine) as connection:
        delete_comment(connection, principal(), parse_key(comment_id, "comment"))
    return no_content()


def _resolve(connection: Connection, key: uuid.UUID, *, is_resolved: bool) -> None:
    row = find_comment(
        *(connection, principal(), key),
        *(Comment.parent_id, Comment.resolved_at, Comment.deleted_at, Comment.updated_at),
        resolvable_comments(principal()).label("is_allowed"),
        lock=True,
    )
    if row.parent_id is not None:
        raise ConflictError("This is a reply: resolve the first comment of its thread.")
    if row.deleted_at is not None:
        raise ConflictError("This comment is deleted.")
    if not row.is_allowed:
        raise PermissionDeniedError("You may not resolve or reopen this thread.")
    check_if_match(version_of(row.updated_at))
    if is_resolved == (row.resolved_at is not None):
        return
    if is_resolved:
        state = {"resolved_at": func.clock_timestamp(), "resolved_by": principal().user_id}
    else:
        state = {"resolved_at": None, "resolved_by": None}
    run(connection, update(Comment).where(Comment.id == key).values(state))


def _max_depth() -> int:
    text = single_values(request.args, {"max_depth"}).get("max_depth", str(MAX_DEPTH))
    # the length first: Python refuses to convert thousands of digits
    if not (text.isascii() and text.isdigit() and len(text) <= 3) or int(text) > MAX_DEPTH:
        raise InvalidParameterError(f"max_depth is a whole number from 0 to {MAX_DEPTH}.")
    return int(text)
