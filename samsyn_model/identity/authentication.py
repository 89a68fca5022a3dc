"""Credentials to principals: API tokens, and Clerk sessions of users known or new."""

import logging
from collections.abc import Mapping
from functools import cache
from typing import Any

import psycopg
from sqlalchemy import Connection, Engine

from samsyn_model.database.execution import run
from samsyn_model.database.transactions import concern, reading, writing
from samsyn_model.errors import CredentialsError, SamsynError
from samsyn_model.identity.api_tokens import TOKEN_PATTERN, TOKEN_PREFIX, hash_token
from samsyn_model.identity.clerk_sessions import ClerkSession, ClerkVerifier
from samsyn_model.identity.clerk_users import ClerkUsers
from samsyn_model.permissions.compiled import CompiledStatement
from samsyn_model.permissions.principal import Principal
from samsyn_model.settings import Settings

LOGGER = logging.getLogger(__name__)

_FIND_HOLDER = """
SELECT u.id AS holder_id, u.is_admin, t.scope, t.id AS token_id,
    t.revoked_at IS NOT NULL OR u.deleted_at IS NOT NULL AS revoked,
    coalesce(t.expires_at <= now(), false) AS expired,
    coalesce(t.last_used_at < now() - interval '5 minutes', true)
        AND NOT current_setting('transaction_read_only')::boolean AS unmarked
FROM api_tokens t JOIN users u ON u.id = t.user_id
WHERE t.token_hash = %(token_hash)s"""

# A locked row is skipped: another transaction marks or revokes the token.
_MARK_USED = """
UPDATE api_tokens SET last_used_at = now()
WHERE id = (SELECT id FROM api_tokens WHERE id = %(token_id)s
    AND coalesce(last_used_at < now() - interval '5 minutes', true) FOR UPDATE SKIP LOCKED)"""

_IS_INCOMPLETE = """deleted_at IS NULL AND (
    email IS NULL OR btrim(concat(first_name, last_name, username)) = '') AS is_incomplete"""

_COLUMNS = f"id, is_admin, clerk_updated_at, deleted_at, sessions_after, {_IS_INCOMPLETE}"

_FIND_BY_CLERK_ID = f"SELECT {_COLUMNS} FROM users WHERE clerk_id = %(clerk_id)s"

_LINK_BY_EMAIL = f"""
UPDATE users SET clerk_id = %(clerk_id)s
WHERE lower(email) = lower(%(email)s) AND clerk_id IS NULL AND deleted_at IS NULL
    AND NOT EXISTS (SELECT FROM users WHERE clerk_id = %(clerk_id)s)
RETURNING {_COLUMNS}"""

_INSERT_USER = f"""
INSERT INTO users (clerk_id, email) VALUES (%(clerk_id)s, %(email)s)
ON CONFLICT DO NOTHING RETURNING {_COLUMNS}"""

# The tombstone gives up its clerk_id to the person's next account.
_RELEASE_CLERK_ID = """
UPDATE users SET clerk_id = NULL
WHERE clerk_id = %(clerk_id)s AND deleted_at < to_timestamp(%(begun_at)s)
RETURNING deleted_at"""

_LINK_NEXT = f"""
UPDATE users SET clerk_id = %(clerk_id)s, sessions_after = %(deleted_at)s
WHERE lower(email) = lower(%(email)s) AND clerk_id IS NULL AND deleted_at IS NULL
RETURNING {_COLUMNS}"""

_INSERT_NEXT = f"""
INSERT INTO users (clerk_id, email, sessions_after)
VALUES (%(clerk_id)s, (SELECT %(email)s::text WHERE NOT EXISTS (
    SELECT FROM users WHERE lower(email) = lower(%(email)s) AND deleted_at IS NULL
)), %(deleted_at)s) RETURNING {_COLUMNS}"""

_SET_ADMIN = """
UPDATE users SET is_admin = %(is_admin)s WHERE id = %(user_id)s AND deleted_at IS NULL"""


class Authenticator:
    """Finds out who presents a token; one a process, safe for threads.

    Raises ValueError when the settings name keys of Clerk that cannot be read. `clerk_users` are
    fetched from Clerk where the name or the email of a session's user is not known.
    """

    def __init__(self, settings: Settings) -> None:
        self._sessions = ClerkVerifier(settings)
        self.clerk_users = ClerkUsers(settings)

    @property
    def knows_clerk(self) -> bool:
        """Whether sessions of Clerk can be valid here."""
        return self._sessions.is_configured

    def principal(self, engine: Engine, token: str) -> Principal:
        """Return the user behind an API token or a session JWT, in one statement as a rule.

        The caller holds no connection: Clerk may be asked for the user meanwhile. The database is
        queried every time, so that a revocation takes effect in every process at once. Raises
        CredentialsError when the token is not valid.
        """
        if is_api_token(token):
            values = {"token_hash": hash_token(token)}
            with reading(engine, on_primary=True) as connection:
                holder_row = run(connection, _FIND_HOLDER, values, prepared=True).one_or_none()
                return _holder(connection, holder_row)
        return _principal_of_session(engine, self._sessions.verify(token), self.clerk_users)


def is_api_token(token: str) -> bool:
    """Return whether credentials are an API token; raises CredentialsError for half of one."""
    if not token.startswith(TOKEN_PREFIX):
        return False
    if not TOKEN_PATTERN.fullmatch(token):
        raise CredentialsError("The API token is not valid.")
    return True


def find_token_holder_and_layer(
    connection: Connection,
    token: str,
    lookup: CompiledStatement,
    values: Mapping[str, Any],
) -> tuple[Principal, Any]:
    """Return the holder of an API token, and a layer's row as the holder sees it: one statement.

    The row is None where there is no such layer. `lookup` is compiled for ANY_USER; `values` are
    those that it binds, `connection` is one for reading. Raises CredentialsError as
    `Authenticator.principal`.
    """
    bound = {**lookup.values, **values, "token_hash": hash_token(token)}
    row = run(connection, _with_holder(lookup.text), bound, prepared=True).one_or_none()
    return _holder(connection, row), row if row is not None and row.is_found else None


@cache  # one entry for each statement that looks up a layer
def _with_holder(lookup: str) -> str:
    return f"""
SELECT holder.holder_id, holder.is_admin, holder.scope, holder.token_id, holder.revoked,
    holder.expired, holder.unmarked, layer.*, layer.may_act IS NOT NULL AS is_found
FROM ({_FIND_HOLDER}) AS holder
LEFT JOIN LATERAL ({lookup.replace("%(principal)s::UUID", "holder.holder_id")}) AS layer ON true"""


def _holder(connection: Connection, holder_row: Any) -> Principal:
    """Return the principal of a row of _FIND_HOLDER; notes now and then that its token is used."""
    if holder_row is None:
        raise CredentialsError("The API token is not valid.")
    if holder_row.revoked:
        raise CredentialsError("The API token has been revoked.")
    if holder_row.expired:
        raise CredentialsError("The API token has expired.")
    if holder_row.unmarked:
        mark_used(connection, holder_row.token_id)
    return Principal(
        holder_row.holder_id, holder_row.is_admin, holder_row.scope, holder_row.token_id
    )


def mark_used(connection: Connection, token_id: object) -> None:
    """Note that an API token is used; nothing happens where that cannot be written.

    `connection` is one for reading, whose statements are transactions of their own.
    """
    # On the connection that the caller holds: a pool of which each request takes two runs dry.
    try:
        run(connection, _MARK_USED, {"token_id": token_id})
    except (SamsynError, psycopg.Error) as error:
        reason = type(error).__name__
        LOGGER.warning("The use of an API token cannot be recorded: %s.", reason)


def _principal_of_session(
    engine: Engine, session: ClerkSession, clerk_users: ClerkUsers
) -> Principal:
    user = _find_user(engine, session)
    if user is None and clerk_users.fetch(engine, session.clerk_id):
        user = _find_user(engine, session)
    user = user or _create_user(engine, session)
    if user.deleted_at is not None and session.begun_at > user.deleted_at.timestamp():
        user = _create_next_account(engine, session)
    if user.is_incomplete and clerk_users.fetch(engine, session.clerk_id):
        user = _find_user(engine, session) or user  # another row where two accounts are merged
    former = user.deleted_at or user.sessions_after
    if former is not None and session.begun_at <= former.timestamp():
        raise CredentialsError("This account has been deleted: sign in again to begin a new one.")
    is_admin = user.is_admin
    if session.is_admin is not None and session.is_admin != is_admin and _is_newer(session, user):
        is_admin = session.is_admin
        _set_admin(engine, user.id, is_admin)
    return Principal(user_id=user.id, is_admin=is_admin)


def _find_user(engine: Engine, session: ClerkSession) -> Any:
    with reading(engine, on_primary=True) as connection:
        values = {"clerk_id": session.clerk_id}
        return run(connection, _FIND_BY_CLERK_ID, values, prepared=True).one_or_none()


def _create_user(engine: Engine, session: ClerkSession) -> Any:
    """Return the user of a session seen for the first time, perhaps by two requests at once.

    A user without clerk_id whose email is the session's verified one becomes its user.
    """
    by_email = {"clerk_id": session.clerk_id, "email": session.email}
    without_email = {"clerk_id": session.clerk_id, "email": None}
    attempts = [(_INSERT_USER, without_email), (_FIND_BY_CLERK_ID, without_email)]
    if session.email:
        attempts = [(_LINK_BY_EMAIL, by_email), (_INSERT_USER, by_email), *attempts]
    for statement, values in attempts:
        try:
            with writing(engine) as connection:
                user = run(connection, statement, values).one_or_none()
                if user is not None:
                    concern(connection, user.id)
        except psycopg.IntegrityError:  # linked and inserted in the same moment
            continue
        if user is not None:
            return user
    raise CredentialsError("The session's user cannot be stored: try again.")


def _create_next_account(engine: Engine, session: ClerkSession) -> Any:
    """Return a new account of a person who has deleted theirs and signed in again.

    An account without clerk_id that has the session's verified email becomes theirs.
    """
    values: dict[str, Any] = {
        "clerk_id": session.clerk_id,
        "email": session.email,
        "begun_at": session.begun_at,
    }
    try:
        with writing(engine) as connection:
            released = run(connection, _RELEASE_CLERK_ID, values).one_or_none()
            if released is not None:
                values["deleted_at"] = released.deleted_at
                linked = run(connection, _LINK_NEXT, values).one_or_none()
                user = linked or run(connection, _INSERT_NEXT, values).one()
                concern(connection, user.id)
                return user
    except psycopg.IntegrityError:  # another request created an account in the same moment
        LOGGER.debug("The next account of %s exists already.", session.clerk_id)
    user = _find_user(engine, session)
    if user is None or user.deleted_at is not None:
        raise CredentialsError("This account has been deleted: sign in again to begin a new one.")
    return user


def _is_newer(session: ClerkSession, user: Any) -> bool:
    """Whether the session was issued after the webhook's last update (by Clerk's clock)."""
    updated_at = user.clerk_updated_at
    return updated_at is None or session.issued_at >= int(updated_at.timestamp())


def _set_admin(engine: Engine, user_id: object, is_admin: bool) -> None:
    try:
        with writing(engine) as connection:
            run(connection, _SET_ADMIN, {"user_id": user_id, "is_admin": is_admin})
    except (SamsynError, psycopg.Error) as error:
        # On a read-only database the session's claim still holds, for this request.
        reason = type(error).__name__
        LOGGER.warning("A session's claim about administrators cannot be stored: %s.", reason)
