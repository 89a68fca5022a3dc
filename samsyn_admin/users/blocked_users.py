"""`/api/v1/users/me/blocked-users`: the users who may not invite the caller to maps."""

import uuid
from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response, request
from sqlalchemy import Connection, Row, Select, delete, func, select
from sqlalchemy.dialects.postgresql import insert

from samsyn_admin.http.json_columns import utc
from samsyn_admin.http.pagination import PAGE_PARAMETERS, parse_page, run_page
from samsyn_admin.http.request_body import refuse_content
from samsyn_admin.http.responses import no_content, respond, respond_list, version_of
from samsyn_admin.users.serializer import user_object
from samsyn_model.database.execution import run
from samsyn_model.database.transactions import reading, writing
from samsyn_model.errors import ConflictError, NotFoundError
from samsyn_model.permissions.actions import Action
from samsyn_model.permissions.checks import require_user
from samsyn_model.tables.users import BlockedUser, User
from samsyn_provider.http.deployment import deployment, public_url
from samsyn_provider.http.guard import principal, requires
from samsyn_provider.query.parameters import parse_uuid, single_values

bp = Blueprint("blocked_users", __name__, url_prefix="/api/v1/users/me/blocked-users")


@bp.get("")
@requires(Action.SIGNED_IN)
def list_blocked_users() -> Response:
    """List the users who may not invite the caller, the last blocked first."""
    page = parse_page(single_values(request.args, PAGE_PARAMETERS))
    statement = _select_blocked().order_by(BlockedUser.created_at.desc(), User.id)
    with reading(deployment().engine) as connection:
        rows, total = run_page(connection, statement, page)
    return respond_list([row.document for row in rows], page, total)


@bp.get("/<user_id>")
@requires(Action.SIGNED_IN)
def read_blocked_user(user_id: str) -> Response:
    """Return a user who may not invite the caller."""
    single_values(request.args, ())
    with reading(deployment().engine) as connection:
        row = _find_blocked(connection, parse_uuid(user_id))
    return respond(row.document, version_of(row.created_at))


@bp.put("/<user_id>")
@requires(Action.SIGNED_IN)
def block_user(user_id: str) -> Response:
    """Block a user from inviting the caller to maps; maps that they share already stay shared."""
    single_values(request.args, ())
    refuse_content()
    own_id, blocked_id = require_user(principal()), parse_uuid(user_id)
    if blocked_id == own_id:
        raise ConflictError("You cannot block yourself.")
    with writing(deployment().engine) as connection:
        _lock_user(connection, blocked_id)
        block = {"user_id": own_id, "blocked_user_id": blocked_id}
        statement = insert(BlockedUser).values(block).on_conflict_do_nothing()
        is_new = run(connection, statement.returning(BlockedUser.user_id)).one_or_none() is not None
        row = _find_blocked(connection, blocked_id)
    version = version_of(row.created_at)
    if not is_new:
        return respond(row.document, version)
    location = f"{public_url()}{bp.url_prefix}/{blocked_id}"
    return respond(row.document, version, HTTPStatus.CREATED, location)


@bp.delete("/<user_id>")
@requires(Action.SIGNED_IN)
def unblock_user(user_id: str) -> tuple[str, HTTPStatus]:
    """Let a user invite the caller again."""
    single_values(request.args, ())
    blocked_id = parse_uuid(user_id)
    statement = delete(BlockedUser).where(
        BlockedUser.user_id == require_user(principal()), BlockedUser.blocked_user_id == blocked_id
    )
    with writing(deployment().engine) as connection:
        _find_blocked(connection, blocked_id)
        run(connection, statement)
    return no_content()


def _select_blocked() -> Select[Any]:
    document = func.jsonb_build_object(
        *("user_id", User.id),
        *("created_at", utc(BlockedUser.created_at)),
        *("user", user_object(principal())),
    )
    return (
        select(BlockedUser.created_at, document.label("document"))
        .join_from(BlockedUser, User, User.id == BlockedUser.blocked_user_id)
        .where(BlockedUser.user_id == require_user(principal()))
    )


def _find_blocked(connection: Connection, user_id: uuid.UUID | None) -> Row[Any]:
    row = run(connection, _select_blocked().where(User.id == user_id)).one_or_none()
    if row is None:
        raise NotFoundError("You have not blocked such a user.")
    return row


def _lock_user(connection: Connection, user_id: uuid.UUID | None) -> None:
    """Keep a user from being deleted in this moment; raises NotFoundError without a live one."""
    statement = select(User.id).where(User.id == user_id, User.deleted_at.is_(None))
    locked = statement.with_for_update(key_share=True, read=True)
    if run(connection, locked).one_or_none() is None:
        raise NotFoundError("There is no such user.")
