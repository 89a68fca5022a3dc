"""Notices of what was committed, and who has a map open."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from samsyn_model.tables.base import Base


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
