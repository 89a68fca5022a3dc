"""`/api/v1/users`: the caller's account, and users by email."""

import uuid
from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response, request
from sqlalchemy import Connection, Row, func, select

from samsyn_admin.http.pagination import Page
from samsyn_admin.http.responses import (
    check_if_match,
    no_content,
    respond,
    respond_list,
    version_of,
)
from samsyn_admin.users.serializer import user_object
from samsyn_model.database.execution import run
from samsyn_model.database.transactions import reading, writing
from samsyn_model.errors import CredentialsError, InvalidParameterError
from samsyn_model.identity.accounts import close_account
from samsyn_model.permissions.actions import Action
from samsyn_model.permissions.checks import require_user
from samsyn_model.permissions.users import has_not_blocked
from samsyn_model.tables.users import User
from samsyn_provider.http.deployment import deployment
from samsyn_provider.http.guard import principal, requires, spend
from samsyn_provider.query.parameters import single_values
from samsyn_provider.rates.rate_limits import Rate

bp = Blueprint("users", __name__, url_prefix="/api/v1/users")


@bp.get("/me")
@requires(Action.SIGNED_IN)
def read_own_account() -> Response:
    """Return the caller's account."""
    single_values(request.args, ())
    with reading(deployment().engine) as connection:
        user = _find_own(connection, require_user(principal()))
    return respond({**user.document, "is_admin": user.is_admin}, version_of(user.updated_at))


@bp.delete("/me")
@requires(Action.SIGNED_IN)
def delete_own_account() -> tuple[str, HTTPStatus]:
    """Delete the caller's account, but not its maps, layers and comments.

    Then Clerk is asked to delete its user; where it does not, the account is deleted all the same.
    """
    single_values(request.args, ())
    user_id = require_user(principal())
    with writing(deployment().engine) as connection:
        user = _find_own(connection, user_id, lock=True)
        check_if_match(version_of(user.updated_at))
        close_account(connection, user_id)
    if user.clerk_id is not None:  # after the commit: an account that stays can still sign in
        deployment().authenticator.clerk_users.delete(user.clerk_id)
    return no_content()


@bp.get("")
@requires(Action.SIGNED_IN)
def find_users() -> Response:
    """List the live users with this email, ignoring case: one or none.

    One who has blocked the caller is not found.
    """
    spend(Rate.LOOKUPS)
    email = single_values(request.args, {"email"}).get("email", "").strip()
    if not email:
        raise InvalidParameterError("email is the address of the user to find.")
    has_email = func.lower(User.email) == func.lower(email)
    statement = select(user_object(principal())).where(
        has_email, User.deleted_at.is_(None), has_not_blocked(principal())
    )
    with reading(deployment().engine) as connection:
        users = run(connection, statement).scalars().all()
    return respond_list(users, Page(), len(users))


def _find_own(connection: Connection, user_id: uuid.UUID, *, lock: bool = False) -> Row[Any]:
    """Return the user; raises CredentialsError when the account has been deleted meanwhile."""
    document = user_object(principal()).label("document")
    columns = (User.clerk_id, User.is_admin, User.updated_at)
    statement = select(document, *columns).where(User.id == user_id, User.deleted_at.is_(None))
    if lock:
        statement = statement.with_for_update()
    user = run(connection, statement).one_or_none()
    if user is None:
        raise CredentialsError("This account has been deleted.")
    return user
