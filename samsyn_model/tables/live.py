"""Notices of what was committed, who is told of them later, and who has a map open."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from samsyn_model.tables.base import Base, Row, one_of

FREQUENCIES = ("immediate", "hourly", "daily")
SUBSCRIPTION_STATUSES = ("active", "paused", "resting", "failed")
"""Paused by its owner; resting since they may not read it any more; failed to be delivered."""


class ChangeNotice(Base):
    """That a change set of a layer or a map was committed; removed after a week.

    A trigger writes it at the end of the transaction. Whoever has read up to a position has missed
    nothing before it: `docs/decisions/live-events.md`.
    """

    __tablename__ = "change_notices"

    subject_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    """A layer, a map, or an API token."""
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, index=True)
    """In the order of commits; one a transaction."""
    change_set_id: Mapped[int] = mapped_column(index=True)
    committed_at: Mapped[datetime]
    inserted: Mapped[int] = mapped_column(server_default=text("0"))
    updated: Mapped[int] = mapped_column(server_default=text("0"))
    deleted: Mapped[int] = mapped_column(server_default=text("0"))
    features: Mapped[list[Any] | None] = mapped_column(JSONB(none_as_null=True))
    """Which features, where they are few: `[["create" | "update" | "delete", id], …]`."""


class MapViewer(Base):
    """How many event streams of a map a person has at a companion process; lost with a crash."""

    __tablename__ = "map_viewers"

    map_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    companion_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    user_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    """The nil UUID for all that are not signed in."""
    viewers: Mapped[int]
    seen_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Subscription(Row, Base):
    """That somebody is told of a map or a thread of comments, by e-mail or at a webhook.

    `docs/decisions/notifications.md` describes how nothing is lost, and nothing told twice.
    """

    __tablename__ = "subscriptions"
    __table_args__ = (
        CheckConstraint("num_nonnulls(map_id, comment_id) = 1", name="subject"),
        CheckConstraint(one_of("frequency", *FREQUENCIES), name="frequency"),
        CheckConstraint(one_of("status", *SUBSCRIPTION_STATUSES), name="status"),
        CheckConstraint("(webhook_url IS NULL) = (webhook_secret IS NULL)", name="webhook"),
        Index(
            "uq_subscriptions_subject",
            *("user_id", text("coalesce(map_id, comment_id)")),
            text("md5(coalesce(webhook_url, ''))"),
            unique=True,
        ),
        Index(
            "ix_subscriptions_due_at",
            "due_at",
            postgresql_where=text("status = 'active' AND due_at IS NOT NULL"),
        ),
    )

    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    map_id: Mapped[uuid.UUID | None] = mapped_column(
        ForeignKey("maps.id", ondelete="CASCADE"), index=True
    )
    comment_id: Mapped[uuid.UUID | None] = mapped_column(
        ForeignKey("comments.id", ondelete="CASCADE"), index=True
    )
    """The first comment of a thread."""
    subject_id: Mapped[uuid.UUID] = mapped_column(index=True)
    """The map or layer whose notices there are: of a thread, what it is on."""
    frequency: Mapped[str]
    webhook_url: Mapped[str | None]
    """Null for e-mail."""
    webhook_secret: Mapped[bytes | None]
    status: Mapped[str] = mapped_column(server_default="active")
    reason: Mapped[str | None]
    """Why nothing is delivered, or was not the last time, in a sentence for its owner."""
    position: Mapped[int]
    """Notices up to here have been told, or need not be."""
    until: Mapped[int | None]
    """Up to where those are told that are being delivered: the same when it is tried again."""
    news_position: Mapped[int] = mapped_column(server_default=text("0"))
    """The position of a notice that may have to be told."""
    due_at: Mapped[datetime | None]
    """When to tell; null where there is nothing new."""
    claimed_until: Mapped[datetime | None]
    """How long a worker has it for delivering."""
    failures: Mapped[int] = mapped_column(server_default=text("0"))
    """How often the delivery has failed since the last one that did not."""
    failing_since: Mapped[datetime | None]
    delivered_at: Mapped[datetime | None]
