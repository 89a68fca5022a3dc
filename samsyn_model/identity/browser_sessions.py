"""Sessions of browsers on the pages: a credential exchanged for a cookie."""

import re
import secrets
import uuid
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine

from samsyn_model.database.execution import run
from samsyn_model.database.transactions import reading
from samsyn_model.errors import CredentialsError
from samsyn_model.identity.api_tokens import hash_token
from samsyn_model.identity.authentication import is_api_token, mark_used
from samsyn_model.identity.names import display_name
from samsyn_model.permissions.principal import Principal

SESSION_HOURS = 12
"""The life of a session; it ends earlier with the API token that it came from."""

MAX_SESSIONS = 100
"""How many sessions a user has at most: another one ends the oldest."""

_ID = re.compile(r"[A-Za-z0-9_-]{43}")

_FIND = f"""
SELECT u.id AS user_id, u.is_admin, coalesce({display_name("u")}, u.email) AS name,
    coalesce(t.scope, 'write') AS scope, t.id AS token_id,
    coalesce(t.last_used_at < now() - interval '5 minutes', t.id IS NOT NULL)
        AND NOT current_setting('transaction_read_only')::boolean AS unmarked
FROM browser_sessions s
JOIN users u ON u.id = s.user_id
LEFT JOIN api_tokens t ON t.id = s.token_id
WHERE s.session_hash = %(session_hash)s AND s.expires_at > now() AND u.deleted_at IS NULL
    AND t.revoked_at IS NULL AND coalesce(t.expires_at > now(), true)"""

# A token that was moved to another account meanwhile begins no session that outlives it.
_BEGIN = f"""
INSERT INTO browser_sessions (session_hash, user_id, token_id, expires_at)
SELECT %(session_hash)s, u.id, t.id,
    least(now() + interval '{SESSION_HOURS} hours', t.expires_at)
FROM users u
LEFT JOIN api_tokens t ON t.user_id = u.id AND t.token_hash = %(token_hash)s
WHERE u.id = %(user_id)s AND u.deleted_at IS NULL
    AND (t.id IS NOT NULL OR %(token_hash)s::bytea IS NULL)
RETURNING expires_at"""

_END = "DELETE FROM browser_sessions WHERE session_hash = %(session_hash)s"

# Each session that begins removes more than itself, so that the table does not grow.
_REMOVE_EXPIRED = """
DELETE FROM browser_sessions WHERE session_hash IN (
    SELECT session_hash FROM browser_sessions WHERE expires_at <= now()
    ORDER BY expires_at LIMIT 100 FOR UPDATE SKIP LOCKED)"""

_END_OLDEST = f"""
DELETE FROM browser_sessions WHERE session_hash IN (
    SELECT session_hash FROM browser_sessions WHERE user_id = %(user_id)s
    ORDER BY created_at DESC, session_hash OFFSET {MAX_SESSIONS})"""


@dataclass(frozen=True, slots=True)
class BrowserSession:
    """Who is signed in on the pages: a principal that may only read, and the person's name.

    `importer` is the principal with the scope of the credential, which the page of imports has.
    """

    principal: Principal
    name: str
    importer: Principal


def find_session(engine: Engine, session_id: str) -> BrowserSession | None:
    """Return the session with this id, in one statement.

    None where there is none, or it has expired, or its account has been deleted, or the API token
    that it came from has been revoked or has expired.
    """
    if not _ID.fullmatch(session_id):
        return None
    with reading(engine, on_primary=True) as connection:
        row = run(connection, _FIND, _key(session_id), prepared=True).one_or_none()
        if row is not None and row.unmarked:
            mark_used(connection, row.token_id)
    if row is None:
        return None
    principal = Principal(row.user_id, row.is_admin, "read", row.token_id)
    importer = replace(principal, scope=row.scope)
    return BrowserSession(principal, row.name or "Signed in", importer)


def begin_session(
    connection: Connection, user_id: uuid.UUID, credential: str
) -> tuple[str, datetime]:
    """Store a session of the user, and return its id and when it expires.

    `credential` is what the user has been authenticated by; the session lives no longer than an
    API token. Removes some of the sessions that have expired, and the user's oldest beyond
    MAX_SESSIONS. Raises CredentialsError when the account is deleted meanwhile.
    """
    run(connection, _REMOVE_EXPIRED)
    session_id = secrets.token_urlsafe(32)
    values = {
        **_key(session_id),
        "user_id": user_id,
        "token_hash": hash_token(credential) if is_api_token(credential) else None,
    }
    expires_at: datetime | None = run(connection, _BEGIN, values).scalar()
    if expires_at is None:
        raise CredentialsError("The account has changed in this moment: try again.")
    run(connection, _END_OLDEST, {"user_id": user_id})
    return session_id, expires_at


def end_session(connection: Connection, session_id: str) -> None:
    """Delete the session with this id, if there is one."""
    if _ID.fullmatch(session_id):
        run(connection, _END, _key(session_id))


def _key(session_id: str) -> dict[str, Any]:
    return {"session_hash": hash_token(session_id)}
