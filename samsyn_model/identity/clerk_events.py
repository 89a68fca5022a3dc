"""What Clerk's webhook tells of users: read, and applied once and in the order of its making."""

import json
import logging
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import psycopg
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import Connection, Engine, Row

from samsyn_model.database.execution import run
from samsyn_model.database.transactions import writing
from samsyn_model.errors import DatabaseUnavailableError, MalformedBodyError
from samsyn_model.identity.accounts import close_account, merge_accounts

LOGGER = logging.getLogger(__name__)

_ATTEMPTS = 5
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_NOTE = """
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
    %(profile_image_url)s, %(told_at)s, %(is_admin)s)"""

_UPDATE = """
UPDATE users SET clerk_id = %(clerk_id)s, email = %(email)s, username = %(username)s,
    first_name = %(first_name)s, last_name = %(last_name)s,
    profile_image_url = %(profile_image_url)s, clerk_updated_at = %(told_at)s,
    is_admin = %(is_admin)s
WHERE id = %(user)s"""

_TAKE_EMAIL = "UPDATE users SET email = NULL WHERE id = %(user)s"

_INSERT_TOMBSTONE = """
INSERT INTO users (clerk_id, deleted_at) VALUES (%(clerk_id)s, now()) ON CONFLICT DO NOTHING"""

_FIND = "SELECT id FROM users WHERE clerk_id = %(clerk_id)s"


@dataclass(frozen=True, slots=True)
class UserUpdate:
    """A Clerk user as of `told_at`; what Clerk does not know is None."""

    clerk_id: str
    told_at: datetime
    is_first: bool
    """Whether this tells of the user's making: the oldest of all news of the same time."""
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
    """One event; those that concern nothing here have no news."""

    type: str
    news: UserUpdate | UserDeletion | None = None


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
            return ClerkEvent(event.type, _news(event))
        if event.type == "user.deleted":
            return ClerkEvent(event.type, UserDeletion(_Deleted.model_validate(event.data).id))
    except ValidationError as error:
        place = "/".join(str(part) for part in error.errors()[0]["loc"])
        raise MalformedBodyError(f"The event has an unexpected shape at {place!r}.") from error
    except (ValueError, RecursionError) as error:
        raise MalformedBodyError("The event is not JSON.") from error
    return ClerkEvent(event.type)


def _news(event: _Envelope) -> UserUpdate:
    user = _User.model_validate(event.data)
    is_admin = (user.public_metadata or {}).get("isAdmin")
    return UserUpdate(
        clerk_id=user.id,
        told_at=_EPOCH + timedelta(milliseconds=user.updated_at),
        is_first=event.type == "user.created",
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

    Raises DatabaseUnavailableError when others keep making the same user meanwhile.
    """
    for _ in range(_ATTEMPTS):
        try:
            with writing(engine) as connection:
                note = {"svix_id": svix_id, "type": event.type}
                if run(connection, _NOTE, note).one_or_none() is not None:
                    _apply(connection, event.news)
            return
        except psycopg.IntegrityError as error:  # a session, or a command, made the user
            cause = error
    raise DatabaseUnavailableError("This user is being changed by others: try again.") from cause


def _apply(connection: Connection, news: UserUpdate | UserDeletion | None) -> None:
    if news is None:
        return
    values = {"clerk_id": news.clerk_id}
    run(connection, _LOCK_CLERK_ID, values)
    if isinstance(news, UserUpdate):
        _apply_news(connection, news)
        return
    # Also where nothing is known of the user yet: the news of its making may come later.
    run(connection, _INSERT_TOMBSTONE, values)
    close_account(connection, run(connection, _FIND, values).scalar_one())


def _apply_news(connection: Connection, news: UserUpdate) -> None:
    values = {"clerk_id": news.clerk_id, "email": news.email}
    found = run(connection, _LOCK_USERS, values).all()
    own = next((user for user in found if user.clerk_id == news.clerk_id), None)
    if own is not None and (own.deleted_at is not None or _is_known(own, news)):
        return
    holder = next((user for user in found if user.clerk_id != news.clerk_id), None)
    email, same = news.email, [] if own is None else [own]
    if holder is not None and holder.clerk_id is None:
        same.append(holder)
    elif holder is not None and not _take_email(connection, holder, news):
        email = None
    _store(connection, news, email, same)


def _is_known(user: Row[Any], news: UserUpdate) -> bool:
    """Whether what is stored of the user is as new as this, or newer."""
    if user.clerk_updated_at is None:
        return False
    if news.told_at == user.clerk_updated_at:
        return news.is_first
    return bool(news.told_at < user.clerk_updated_at)


def _take_email(connection: Connection, holder: Row[Any], news: UserUpdate) -> bool:
    """Take the email from another Clerk user, unless what is known of that one is newer.

    At any time Clerk lets one user have an email, so the other's claim is out of date.
    """
    if news.told_at < (holder.clerk_updated_at or holder.created_at):
        LOGGER.warning(
            "%s keeps an email that older news gives to %s.", holder.clerk_id, news.clerk_id
        )
        return False
    LOGGER.warning("The email of %s is now that of %s.", holder.clerk_id, news.clerk_id)
    run(connection, _TAKE_EMAIL, {"user": holder.id})
    return True


def _store(
    connection: Connection, news: UserUpdate, email: str | None, same: list[Row[Any]]
) -> None:
    """Keep the news in the oldest of the accounts that are the user's, which takes in the others.

    An administrator's account makes an administrator, unless the news says what the user is.
    """
    was_admin = any(user.is_admin for user in same)
    values: dict[str, Any] = {
        "clerk_id": news.clerk_id,
        "email": email,
        "username": news.username,
        "first_name": news.first_name,
        "last_name": news.last_name,
        "profile_image_url": news.profile_image_url,
        "told_at": news.told_at,
        "is_admin": was_admin if news.is_admin is None else news.is_admin,
    }
    if not same:
        run(connection, _INSERT, values)
        return
    kept: uuid.UUID
    kept, *others = (user.id for user in sorted(same, key=lambda user: user.created_at))
    for gone in others:
        merge_accounts(connection, kept=kept, gone=gone)
        LOGGER.info("Two accounts of %s have become one.", news.clerk_id)
    run(connection, _UPDATE, values | {"user": kept})
