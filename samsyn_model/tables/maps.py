"""Maps, their collaborators, and the layers on them."""

import uuid
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from samsyn_model.tables.base import Base, Row, one_of, text_index


class Map(Row, Base):
    """A shared map: a view of the sea, its collaborators and its layers."""

    __tablename__ = "maps"
    __table_args__ = (
        CheckConstraint("char_length(name) BETWEEN 1 AND 255", name="name"),
        CheckConstraint(
            one_of("view_permission", "private", "collaborators", "public"),
            name="view_permission",
        ),
        CheckConstraint(
            one_of("edit_permission", "private", "collaborators", "public"),
            name="edit_permission",
        ),
        CheckConstraint("center_lat BETWEEN -90 AND 90", name="center_lat"),
        CheckConstraint("center_lng BETWEEN -180 AND 180", name="center_lng"),
        CheckConstraint("zoom BETWEEN 0 AND 22", name="zoom"),
        CheckConstraint("jsonb_typeof(map_metadata) = 'object'", name="map_metadata"),
        text_index("maps"),
        Index(
            "ix_maps_public",
            "updated_at",
            "id",
            postgresql_where=text("view_permission = 'public'"),
        ),
    )

    name: Mapped[str]
    description: Mapped[str | None]
    created_by: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"), index=True)
    view_permission: Mapped[str] = mapped_column(server_default="private")
    edit_permission: Mapped[str] = mapped_column(server_default="private")
    center_lat: Mapped[float] = mapped_column(server_default=text("0"))
    center_lng: Mapped[float] = mapped_column(server_default=text("0"))
    zoom: Mapped[float] = mapped_column(server_default=text("2"))
    map_metadata: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))


class MapCollaborator(Row, Base):
    """A user's role on another user's map."""

    __tablename__ = "map_collaborators"
    __table_args__ = (
        UniqueConstraint("map_id", "user_id"),
        CheckConstraint(one_of("role", "viewer", "editor"), name="role"),
    )

    map_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("maps.id", ondelete="CASCADE"))
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"), index=True)
    role: Mapped[str] = mapped_column(server_default="viewer")
    invited_by: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id"))
    invited_email: Mapped[str | None]
    """The email that the user was invited by, as it was written; null for one invited by id."""


class MapLayer(Row, Base):
    """A layer's place on a map; order 0 is drawn on top."""

    __tablename__ = "map_layers"
    __table_args__ = (
        UniqueConstraint("map_id", "layer_id"),
        UniqueConstraint("map_id", "order", deferrable=True, initially="DEFERRED"),
        CheckConstraint('"order" >= 0', name="order"),
        CheckConstraint("opacity BETWEEN 0 AND 100", name="opacity"),
        CheckConstraint("jsonb_typeof(style_override) = 'object'", name="style_override"),
    )

    map_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("maps.id", ondelete="CASCADE"))
    layer_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("layers.id", ondelete="CASCADE"), index=True
    )
    order: Mapped[int]
    visible: Mapped[bool] = mapped_column(server_default=text("true"))
    opacity: Mapped[int] = mapped_column(server_default=text("100"))
    style_override: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
