"""What Clerk says of users, in events or when asked: parsed, and applied in its order."""

import json
import logging
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import psycopg
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import Connection, Engine, Row

from samsyn_model.database.execution import run
from samsyn_model.database.transactions import concern, writing
from samsyn_model.errors import DatabaseUnavailableError, MalformedBodyError
from samsyn_model.identity.accounts import close_account, merge_accounts

LOGGER = logging.getLogger(__name__)

_ATTEMPTS = 5
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_RECORD_DELIVERY = """
INSERT INTO webhook_events (svix_id, type) VALUES (%(svix_id)s, %(type)s)
ON CONFLICT DO NOTHING RETURNING svix_id"""

# A user that does not exist yet has no row to lock.
_LOCK_CLERK_ID = "SELECT pg_advisory_xact_lock(hashtextextended('clerk ' || %(clerk_id)s, 0))"

_LOCK_USERS = """
SELECT id, clerk_id, is_admin, created_at, clerk_updated_at, deleted_at FROM users
WHERE clerk_id = %(clerk_id)s OR (lower(email) = lower(%(email)s) AND deleted_at IS NULL)
ORDER BY id FOR UPDATE"""

_INSERT = """
INSERT INTO users (clerk_id, email, username, first_name, last_name, profile_image_url,
    clerk_updated_at, is_admin)
VALUES (%(clerk_id)s, %(email)s, %(username)s, %(first_name)s, %(last_name)s,
    %(profile_image_url)s, %(updated_at)s, %(is_admin)s)
RETURNING id"""

_UPDATE = """
UPDATE users SET clerk_id = %(clerk_id)s, email = %(email)s, username = %(username)s,
    first_name = %(first_name)s, last_name = %(last_name)s,
    profile_image_url = %(profile_image_url)s, clerk_updated_at = %(updated_at)s,
    is_admin = %(is_admin)s
WHERE id = %(user)s"""

_TAKE_EMAIL = "UPDATE users SET email = NULL WHERE id = %(user)s"

_INSERT_TOMBSTONE = """
INSERT INTO users (clerk_id, deleted_at) VALUES (%(clerk_id)s, now()) ON CONFLICT DO NOTHING"""

_FIND = "SELECT id FROM users WHERE clerk_id = %(clerk_id)s"


@dataclass(frozen=True, slots=True)
class UserUpdate:
    """A Clerk user as of `updated_at`; what Clerk does not know is None."""

    clerk_id: str
    updated_at: datetime
    is_creation: bool
    """Whether this is `user.created`: the oldest of all updates of the same time."""
    email: str | None = None
    """The primary email, only when it is verified."""
    username: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    profile_image_url: str | None = None
    is_admin: bool | None = None


@dataclass(frozen=True, slots=True)
class UserDeletion:
    """A Clerk user that is no more."""

    clerk_id: str


@dataclass(frozen=True, slots=True)
class ClerkEvent:
    """One event; those that do not concern users have no update."""

    type: str
    update: UserUpdate | UserDeletion | None = None


def _storable(text: str) -> str:
    if "\x00" in text:
        raise ValueError("has a NUL character")
    return text


Text = Annotated[str, Field(max_length=4096), AfterValidator(_storable)]
ClerkId = Annotated[str, Field(pattern=r"^[\x21-\x7e]{1,255}$")]


class _Part(BaseModel):
    model_config = ConfigDict(strict=True)


class _Envelope(_Part):
    type: Annotated[Text, Field(min_length=1, max_length=255)]
    data: dict[str, Any]


class _Deleted(_Part):
    id: ClerkId


class _Verification(_Part):
    status: str


class _EmailAddress(_Part):
    id: str
    email_address: Annotated[Text, Field(min_length=1, max_length=320)]
    verification: _Verification | None = None


class _User(_Part):
    id: ClerkId
    # milliseconds, up to the year 9999
    updated_at: Annotated[int, Field(ge=0, le=253_402_300_799_999)]
    email_addresses: list[_EmailAddress] = Field(default_factory=list)
    primary_email_address_id: str | None = None
    username: Text | None = None
    first_name: Text | None = None
    last_name: Text | None = None
    image_url: Text | None = None
    public_metadata: dict[str, Any] | None = None


def parse_event(body: bytes) -> ClerkEvent:
    """Return the event in a delivery's body; raises MalformedBodyError when it has another shape.

    An unverified email is left out: others give rights by email, so it has to be the user's.
    """
    try:
        event = _Envelope.model_validate(json.loads(body))
        if event.type in {"user.created", "user.updated"}:
            is_creation = event.type == "user.created"
            return ClerkEvent(event.type, parse_user(event.data, is_creation=is_creation))
        if event.type == "user.deleted":
            return ClerkEvent(event.type, UserDeletion(_Deleted.model_validate(event.data).id))
    except ValidationError as error:
        path = "/".join(str(part) for part in error.errors()[0]["loc"])
        raise MalformedBodyError(f"The event has an unexpected shape at {path!r}.") from error
    except (ValueError, RecursionError) as error:
        raise MalformedBodyError("The event is not JSON.") from error
    return ClerkEvent(event.type)


def parse_user(document: object, *, is_creation: bool = False) -> UserUpdate:
    """Return what a user object of Clerk says, in an event or in a response of its backend API.

    Raises ValueError when it has another shape. An unverified email is left out.
    """
    user = _User.model_validate(document)
    is_admin = (user.public_metadata or {}).get("isAdmin")
    return UserUpdate(
        clerk_id=user.id,
        updated_at=_EPOCH + timedelta(milliseconds=user.updated_at),
        is_creation=is_creation,
        email=_verified_email(user),
        username=user.username,
        first_name=user.first_name,
        last_name=user.last_name,
        profile_image_url=user.image_url,
        is_admin=is_admin if isinstance(is_admin, bool) else None,
    )


def _verified_email(user: _User) -> str | None:
    for address in user.email_addresses:
        if address.id == user.primary_email_address_id:
            status = address.verification.status if address.verification else None
            return address.email_address if status == "verified" else None
    return None


def apply_event(engine: Engine, svix_id: str, event: ClerkEvent) -> None:
    """Apply an event in one transaction, unless the delivery `svix_id` has been taken before.

    Raises DatabaseUnavailableError when others keep creating the same user meanwhile.
    """

    def apply(connection: Connection) -> None:
        delivery = {"svix_id": svix_id, "type": event.type}
        if run(connection, _RECORD_DELIVERY, delivery).one_or_none() is not None:
            _apply(connection, event.update)

    _write(engine, apply)


def apply_update(engine: Engine, update: UserUpdate) -> None:
    """Store a user as of `update.updated_at`, unless what is stored is newer: one transaction.

    Errors as `apply_event`.
    """
    _write(engine, lambda connection: _apply(connection, update))


def _write(engine: Engine, change: Callable[[Connection], None]) -> None:
    for _ in range(_ATTEMPTS):
        try:
            with writing(engine) as connection:
                change(connection)
            return
        except psycopg.IntegrityError as error:  # a session, or a command, made the user
            cause = error
    raise DatabaseUnavailableError("This user is being changed by others: try again.") from cause


def _apply(connection: Connection, update: UserUpdate | UserDeletion | None) -> None:
    if update is None:
        return
    values = {"clerk_id": update.clerk_id}
    run(connection, _LOCK_CLERK_ID, values)
    if isinstance(update, UserUpdate):
        _apply_update(connection, update)
        return
    # Also for an unknown user: the event of its creation may come later.
    run(connection, _INSERT_TOMBSTONE, values)
    close_account(connection, run(connection, _FIND, values).scalar_one())


def _apply_update(connection: Connection, update: UserUpdate) -> None:
    values = {"clerk_id": update.clerk_id, "email": update.email}
    candidates = run(connection, _LOCK_USERS, values).all()
    current = next((user for user in candidates if user.clerk_id == update.clerk_id), None)
    if current is not None and (current.deleted_at is not None or _is_outdated(current, update)):
        return
    other = next((user for user in candidates if user.clerk_id != update.clerk_id), None)
    email, accounts = update.email, [] if current is None else [current]
    if other is not None and other.clerk_id is None:
        accounts.append(other)
    elif other is not None and not _take_email(connection, other, update):
        email = None
    _store(connection, update, email, accounts)


def _is_outdated(user: Row[Any], update: UserUpdate) -> bool:
    """Whether the stored user is as new as this update, or newer."""
    if user.clerk_updated_at is None:
        return False
    if update.updated_at == user.clerk_updated_at:
        return update.is_creation
    return bool(update.updated_at < user.clerk_updated_at)


def _take_email(connection: Connection, other: Row[Any], update: UserUpdate) -> bool:
    """Take the email from another Clerk user, unless what is known of that one is newer.

    At any time Clerk lets one user have an email, so the other's claim is out of date.
    """
    if update.updated_at < (other.clerk_updated_at or other.created_at):
        LOGGER.warning(
            "%s keeps an email that an older update assigns to %s.", other.clerk_id, update.clerk_id
        )
        return False
    LOGGER.warning("The email of %s is now that of %s.", other.clerk_id, update.clerk_id)
    run(connection, _TAKE_EMAIL, {"user": other.id})
    return True


def _store(
    connection: Connection, update: UserUpdate, email: str | None, accounts: list[Row[Any]]
) -> None:
    """Store the update in the oldest of the user's accounts, and merge the others into it.

    The user is an administrator if one of the accounts is, unless the update says otherwise.
    """
    was_admin = any(user.is_admin for user in accounts)
    values: dict[str, Any] = {
        "clerk_id": update.clerk_id,
        "email": email,
        "username": update.username,
        "first_name": update.first_name,
        "last_name": update.last_name,
        "profile_image_url": update.profile_image_url,
        "updated_at": update.updated_at,
        "is_admin": was_admin if update.is_admin is None else update.is_admin,
    }
    if not accounts:
        concern(connection, run(connection, _INSERT, values).scalar_one())
        return
    target: uuid.UUID
    target, *others = (user.id for user in sorted(accounts, key=lambda user: user.created_at))
    for source in others:
        merge_accounts(connection, target=target, source=source)
        LOGGER.info("Two accounts of %s have become one.", update.clerk_id)
    run(connection, _UPDATE, values | {"user": target})
    concern(connection, target)
