"""Users, their API tokens and sessions, and the webhook deliveries that tell of them."""

import uuid
from datetime import datetime

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from samsyn_model.tables.base import Base, Row, one_of


class User(Row, Base):
    """A person; one deleted is a tombstone that keeps maps and layers attributable."""

    __tablename__ = "users"
    __table_args__ = (
        Index(
            "uq_users_email_live",
            text("lower(email)"),
            unique=True,
            postgresql_where=text("deleted_at IS NULL"),
        ),
    )

    clerk_id: Mapped[str | None] = mapped_column(unique=True)
    email: Mapped[str | None]
    username: Mapped[str | None]
    first_name: Mapped[str | None]
    last_name: Mapped[str | None]
    profile_image_url: Mapped[str | None]
    is_admin: Mapped[bool] = mapped_column(server_default=text("false"))
    clerk_updated_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]
    sessions_after: Mapped[datetime | None]
    """When the person's former account was deleted: sessions begun before are not valid."""


class ApiToken(Row, Base):
    """A user's long-lived credential; only the SHA-256 of the random token is kept."""

    __tablename__ = "api_tokens"
    __table_args__ = (
        CheckConstraint(one_of("scope", "read", "write"), name="scope"),
        CheckConstraint("octet_length(token_hash) = 32", name="token_hash"),
        CheckConstraint("char_length(name) BETWEEN 1 AND 255", name="name"),
    )

    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"), index=True)
    name: Mapped[str]
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    prefix: Mapped[str]
    scope: Mapped[str] = mapped_column(server_default="read")
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class BrowserSession(Base):
    """A browser that is signed in to the pages; only the SHA-256 of the cookie's id is kept."""

    __tablename__ = "browser_sessions"
    __table_args__ = (CheckConstraint("octet_length(session_hash) = 32", name="session_hash"),)

    session_hash: Mapped[bytes] = mapped_column(primary_key=True)
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"), index=True)
    token_id: Mapped[uuid.UUID | None] = mapped_column(
        ForeignKey("api_tokens.id", ondelete="CASCADE"), index=True
    )
    """The API token that the session came from; null for one of the web app."""
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    expires_at: Mapped[datetime] = mapped_column(index=True)


class BlockedUser(Base):
    """A user who may not invite another one to maps."""

    __tablename__ = "blocked_users"
    __table_args__ = (CheckConstraint("user_id <> blocked_user_id", name="others"),)

    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"), primary_key=True)
    """The one who is not to be invited."""
    blocked_user_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("users.id"), primary_key=True, index=True
    )
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class WebhookEvent(Base):
    """A delivery already taken, so that a repeated one changes nothing."""

    __tablename__ = "webhook_events"

    svix_id: Mapped[str] = mapped_column(primary_key=True)
    type: Mapped[str]
    received_at: Mapped[datetime] = mapped_column(server_default=func.now())
