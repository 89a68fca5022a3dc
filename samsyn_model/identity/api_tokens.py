"""API tokens, and the users that the command line makes for them."""

import hashlib
import re
import secrets
import uuid
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection

from samsyn_model.database.execution import run
from samsyn_model.errors import Fault, InvalidBodyError

MAX_NAME = 255
"""The maximum length of a token's name in characters; the table has it too."""
MAX_ENDED = 100
"""How many tokens of a user are kept that have been revoked or have expired."""
TOKEN_PREFIX = "samsyn_"
TOKEN_PATTERN = re.compile(rf"{TOKEN_PREFIX}[A-Za-z0-9_-]{{43}}")
_PREFIX_LENGTH = len(TOKEN_PREFIX) + 5
_EMAIL = re.compile(r"[^\s@]+@[^\s@]+")

_INSERT = """
INSERT INTO api_tokens (user_id, name, token_hash, prefix, scope, expires_at)
VALUES (%(user_id)s, %(name)s, %(token_hash)s, %(prefix)s, %(scope)s, %(expires_at)s)"""

# Who has sent one of these is told so; of older ones the response is that they are not known.
_REMOVE_ENDED = f"""
DELETE FROM api_tokens WHERE id IN (
    SELECT id FROM api_tokens
    WHERE user_id = %(user_id)s AND (revoked_at IS NOT NULL OR expires_at <= now())
    ORDER BY coalesce(revoked_at, expires_at) DESC, id OFFSET {MAX_ENDED})"""

_FIND_BY_EMAIL = """
SELECT id FROM users WHERE lower(email) = lower(%(email)s) AND deleted_at IS NULL"""

_INSERT_USER = """
INSERT INTO users (email) VALUES (%(email)s) ON CONFLICT DO NOTHING RETURNING id"""

_SET_ADMIN = """
UPDATE users SET is_admin = true WHERE id = %(user_id)s AND NOT is_admin"""


def hash_token(token: str) -> bytes:
    """Return the 32 bytes by which the database knows a token.

    Tokens carry 256 random bits, so a plain SHA-256 cannot be searched backwards.
    """
    return hashlib.sha256(token.encode()).digest()


def create_token(
    connection: Connection,
    user_id: uuid.UUID,
    *,
    name: str,
    scope: Literal["read", "write"] = "read",
    expires_at: datetime | None = None,
) -> str:
    """Store the hash of a new token of the user and return the token, which cannot be read again.

    Removes the user's oldest tokens that are not valid any more, but for MAX_ENDED. Raises
    InvalidBodyError when the name is empty, longer than MAX_NAME or has control characters.
    """
    if not 1 <= len(name) <= MAX_NAME or not name.isprintable():
        raise InvalidBodyError(
            "A token needs a name.", (Fault("/name", f"1 to {MAX_NAME} printable characters."),)
        )
    token = TOKEN_PREFIX + secrets.token_urlsafe(32)
    values = {
        "user_id": user_id,
        "name": name,
        "token_hash": hash_token(token),
        "prefix": token[:_PREFIX_LENGTH],
        "scope": scope,
        "expires_at": expires_at,
    }
    run(connection, _INSERT, values)
    run(connection, _REMOVE_ENDED, {"user_id": user_id})
    return token


def find_or_create_user(connection: Connection, email: str) -> uuid.UUID:
    """Return the id of the live user with this email, in any case of letters; created if missing.

    Two callers at once get the same user. Raises InvalidBodyError when it is no email address.
    """
    values = {"email": email.strip()}
    printable = values["email"].isprintable() and len(values["email"]) <= 320
    if not printable or not _EMAIL.fullmatch(values["email"]):
        raise InvalidBodyError(
            "This is not an email address.", (Fault("/email", "Expected name@domain."),)
        )
    for statement in (_FIND_BY_EMAIL, _INSERT_USER):
        found = run(connection, statement, values).scalar()
        if found is not None:
            return uuid.UUID(str(found))
    # The insert met a user that another transaction had just committed.
    return uuid.UUID(str(run(connection, _FIND_BY_EMAIL, values).scalar_one()))


def set_admin(connection: Connection, email: str) -> None:
    """Make the user with this email an administrator; errors as `find_or_create_user`."""
    run(connection, _SET_ADMIN, {"user_id": find_or_create_user(connection, email)})
