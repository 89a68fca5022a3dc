"""What a principal needs before any layer or map is looked up: an account, a scope."""

import uuid

from samsyn_model.errors import CredentialsError, PermissionDeniedError
from samsyn_model.permissions.actions import WRITING, Action
from samsyn_model.permissions.principal import Principal


def require_user(principal: Principal, action: Action = Action.SIGNED_IN) -> uuid.UUID:
    """Return the signed-in user's id.

    Raises CredentialsError for an anonymous principal, PermissionDeniedError when a token of scope
    `read` is used to write.
    """
    if principal.user_id is None:
        raise CredentialsError("Sign in to do this.")
    if action in WRITING:
        require_write_scope(principal)
    return principal.user_id


def require_write_scope(principal: Principal) -> None:
    """Raise PermissionDeniedError when the principal's token may only read."""
    if principal.scope != "write":
        raise PermissionDeniedError("This token may only read.")


def require_administrator(principal: Principal, action: Action) -> uuid.UUID:
    """Return the administrator's id.

    Raises as `require_user`, and PermissionDeniedError for every other user.
    """
    user_id = require_user(principal, action)
    if not principal.is_admin:
        raise PermissionDeniedError(f"Only administrators may {action.value}.")
    return user_id
