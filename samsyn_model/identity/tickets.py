"""Tickets: signed texts that stand in addresses, where browsers send no credentials.

A ticket is for one action on one thing, and worth no more than what its maker may do when it is
used: who made it is looked up again, and it is void with their account or their API token. An
address with a ticket is as secret as a credential: no log has it.
"""

import base64
import hashlib
import hmac
import re
import secrets
import struct
import time
import uuid
from datetime import UTC, datetime, timedelta
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine

from samsyn_model.database.execution import run
from samsyn_model.database.transactions import writing
from samsyn_model.permissions.principal import ANONYMOUS, Principal

DAY = timedelta(days=1)

_PURPOSE = "tickets"
_KEY_SIZE = 32  # bytes
_FIELDS = struct.Struct(">H16s16s16sQ")  # form, subject, user, API token, seconds since 1970
_FORM = 1
_SIGNATURE_SIZE = hashlib.sha256().digest_size
_SIZE = _FIELDS.size + _SIGNATURE_SIZE
_TEXT = re.compile(rf"[A-Za-z0-9_-]{{{4 * _SIZE // 3}}}")  # base64, which needs no padding
_NOBODY = uuid.UUID(int=0)

_SELECT_KEY = "SELECT key FROM deployment_keys WHERE purpose = %(purpose)s"
_INSERT_KEY = """
INSERT INTO deployment_keys (purpose, key) VALUES (%(purpose)s, %(key)s)
ON CONFLICT (purpose) DO NOTHING"""
_FIND_MAKER = """
SELECT u.id, u.is_admin, t.id AS token_id
FROM users u LEFT JOIN api_tokens t ON t.user_id = u.id AND t.id = %(token_id)s
WHERE u.id = %(user_id)s AND u.deleted_at IS NULL
    AND (%(token_id)s::uuid IS NULL OR t.id IS NOT NULL)
    AND t.revoked_at IS NULL AND coalesce(t.expires_at > now(), true)"""

_KEYS: WeakKeyDictionary[Engine, bytes] = WeakKeyDictionary()


def expiry(life: timedelta = DAY, step: timedelta = DAY / 4) -> datetime:
    """Return when a ticket made now expires: after `life` at most, `life - step` at least.

    It is the same moment for all tickets of a step, so that an address stays the same as long.
    """
    seconds = int(step.total_seconds())
    begun = int(time.time()) // seconds * seconds
    return datetime.fromtimestamp(begun, UTC) + life


def make_ticket(
    connection: Connection,
    principal: Principal,
    action: str,
    subject: uuid.UUID,
    expires_at: datetime,
) -> str:
    """Return a ticket with which `action` is done on `subject` as this principal; it only reads.

    The text is URL-safe. Equal arguments give equal tickets, in all processes of a deployment.
    The key is read, or made, when a process first needs it; no statement is run after that.
    """
    fields = _FIELDS.pack(
        _FORM,
        subject.bytes,
        (principal.user_id or _NOBODY).bytes,
        (principal.token_id or _NOBODY).bytes,
        int(expires_at.timestamp()),
    )
    signature = _signature(_key(connection), action, fields)
    return base64.urlsafe_b64encode(fields + signature).decode()


def ticket_holder(
    connection: Connection, ticket: str, action: str, subject: uuid.UUID
) -> Principal | None:
    """Return who made a ticket, as they are now, with the scope `read`: what they may is theirs to
    be looked up.

    None for a ticket that is malformed, forged or expired, is for another action or subject, or
    whose maker's account is deleted or API token is revoked, expired or gone.
    """
    if not _TEXT.fullmatch(ticket):
        return None
    content = base64.urlsafe_b64decode(ticket)
    fields, signature = content[: _FIELDS.size], content[_FIELDS.size :]
    if not hmac.compare_digest(signature, _signature(_key(connection), action, fields)):
        return None
    form, signed_subject, user, token, expires_at = _FIELDS.unpack(fields)
    if form != _FORM or signed_subject != subject.bytes or expires_at <= time.time():
        return None
    user_id, token_id = uuid.UUID(bytes=user), uuid.UUID(bytes=token)
    if user_id == _NOBODY:
        return ANONYMOUS
    values = {"user_id": user_id, "token_id": None if token_id == _NOBODY else token_id}
    maker = run(connection, _FIND_MAKER, values, prepared=True).one_or_none()
    if maker is None:
        return None
    return Principal(maker.id, maker.is_admin, "read", maker.token_id)


def _signature(key: bytes, action: str, fields: bytes) -> bytes:
    return hmac.digest(key, action.encode() + b"\x00" + fields, "sha256")


def _key(connection: Connection) -> bytes:
    """Return the key of the deployment, which whoever needs it first makes."""
    engine = connection.engine
    key = _KEYS.get(engine)
    if key is None:
        key = _KEYS[engine] = _stored_key(connection) or _new_key(engine)
    return key


def _stored_key(connection: Connection) -> bytes | None:
    stored: bytes | None = run(connection, _SELECT_KEY, {"purpose": _PURPOSE}, binary=True).scalar()
    return stored


def _new_key(engine: Engine) -> bytes:
    # in a transaction of its own: the caller's may be rolled back, after tickets are signed
    with writing(engine) as connection:
        values = {"purpose": _PURPOSE, "key": secrets.token_bytes(_KEY_SIZE)}
        run(connection, _INSERT_KEY, values)
    with writing(engine) as connection:
        stored = _stored_key(connection)
        assert stored is not None  # noqa: S101 - it was inserted, by this process or another
        return stored
