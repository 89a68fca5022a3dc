"""`/api/v1/tokens`: the API tokens of the caller."""

import uuid
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any, Literal

from flask import Blueprint, Response, request
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from sqlalchemy import Connection, Row, Select, select, update

from samsyn_admin.http.pagination import PAGE_PARAMETERS, parse_page, run_page
from samsyn_admin.http.request_body import read_json, validated
from samsyn_admin.http.responses import (
    check_if_match,
    iso,
    no_content,
    respond,
    respond_list,
    version_of,
)
from samsyn_model.database.execution import run
from samsyn_model.database.transactions import reading, writing
from samsyn_model.errors import NotFoundError
from samsyn_model.identity.api_tokens import MAX_NAME, create_token, hash_token
from samsyn_model.permissions.actions import Action
from samsyn_model.permissions.checks import require_user
from samsyn_model.quotas.rows import Quota, refuse_excess
from samsyn_model.tables.users import ApiToken
from samsyn_provider.http.deployment import deployment, public_url
from samsyn_provider.http.guard import principal, requires
from samsyn_provider.query.parameters import parse_uuid, single_values

bp = Blueprint("tokens", __name__, url_prefix="/api/v1/tokens")


def _future(value: Any) -> Any:
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise ValueError
        moment = moment.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        raise ValueError("This is not a time in ISO 8601 with a zone") from None
    if moment <= datetime.now(UTC):
        raise ValueError("This is not in the future")
    return moment


class TokenCreate(BaseModel):
    """The body of a request that creates a token."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: Annotated[str, Field(min_length=1, max_length=MAX_NAME)]
    scope: Literal["read", "write"] = "read"
    expires_at: Annotated[datetime | None, BeforeValidator(_future)] = None


@bp.get("")
@requires(Action.SIGNED_IN)
def list_tokens() -> Response:
    """List the caller's tokens that are not revoked, newest first."""
    page = parse_page(single_values(request.args, PAGE_PARAMETERS))
    statement = _own_tokens().order_by(ApiToken.created_at.desc(), ApiToken.id)
    with reading(deployment().engine) as connection:
        rows, total = run_page(connection, statement, page)
    return respond_list([_document(row) for row in rows], page, total)


@bp.post("")
@requires(Action.SIGNED_IN)
def make_token() -> Response:
    """Create a token of the caller: only this response contains its text."""
    single_values(request.args, ())
    user_id = require_user(principal())
    body = validated(TokenCreate, read_json())
    with writing(deployment().engine) as connection:
        token = create_token(connection, user_id, **body.model_dump())
        statement = _own_tokens().where(ApiToken.token_hash == hash_token(token))
        row = run(connection, statement).one()
        refuse_excess(connection, deployment().settings, (Quota.TOKENS_OF_USER, user_id))
    location = f"{public_url()}{bp.url_prefix}/{row.id}"
    document = {**_document(row), "token": token}
    response = respond(document, version_of(row.updated_at), HTTPStatus.CREATED, location)
    response.headers["Cache-Control"] = "no-store"
    return response


@bp.get("/<token_id>")
@requires(Action.SIGNED_IN)
def read_token(token_id: str) -> Response:
    """Return a token of the caller, without its text."""
    single_values(request.args, ())
    with reading(deployment().engine) as connection:
        row = _find(connection, _own_tokens(), token_id)
    return respond(_document(row), version_of(row.updated_at))


@bp.delete("/<token_id>")
@requires(Action.SIGNED_IN)
def revoke_token(token_id: str) -> tuple[str, HTTPStatus]:
    """Revoke a token of the caller: the next request with it is refused."""
    single_values(request.args, ())
    with writing(deployment().engine) as connection:
        row = _find(connection, _own_tokens().with_for_update(), token_id)
        check_if_match(version_of(row.updated_at))
        revoked = {"revoked_at": datetime.now(UTC)}
        run(connection, update(ApiToken).where(ApiToken.id == row.id).values(revoked))
    return no_content()


def _own_tokens() -> Select[Any]:
    owner = require_user(principal())
    return select(ApiToken.__table__).where(
        ApiToken.user_id == owner, ApiToken.revoked_at.is_(None)
    )


def _find(connection: Connection, tokens: Select[Any], token_id: str) -> Row[Any]:
    key: uuid.UUID | None = parse_uuid(token_id)
    row = key and run(connection, tokens.where(ApiToken.id == key)).one_or_none()
    if not row:
        raise NotFoundError("There is no such token.")
    return row


def _document(row: Row[Any]) -> dict[str, Any]:
    return {
        "id": str(row.id),
        "name": row.name,
        "prefix": row.prefix,
        "scope": row.scope,
        "created_at": iso(row.created_at),
        "expires_at": iso(row.expires_at),
        "last_used_at": iso(row.last_used_at),
    }
