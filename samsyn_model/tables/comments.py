"""Comments."""

import uuid
from datetime import datetime

from geoalchemy2 import Geometry, WKBElement
from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
)
from sqlalchemy.orm import Mapped, mapped_column

from samsyn_model.tables.base import Base, Row


class Comment(Row, Base):
    """A comment on a map, a layer, a layer as seen on a map, a feature or a point."""

    __tablename__ = "comments"
    __table_args__ = (
        CheckConstraint("map_id IS NOT NULL OR layer_id IS NOT NULL", name="subject"),
        CheckConstraint("feature_id IS NULL OR layer_id IS NOT NULL", name="feature_id"),
        CheckConstraint(
            "deleted_at IS NOT NULL OR char_length(content) BETWEEN 1 AND 10000", name="content"
        ),
        Index("ix_comments_map_id_created_at", "map_id", "created_at"),
        Index("ix_comments_layer_id_created_at", "layer_id", "created_at"),
    )

    map_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("maps.id", ondelete="CASCADE"))
    layer_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("layers.id", ondelete="CASCADE"))
    feature_id: Mapped[int | None]
    position: Mapped[WKBElement | None] = mapped_column(
        Geometry("POINT", srid=4326, spatial_index=False)
    )
    parent_id: Mapped[uuid.UUID | None] = mapped_column(
        ForeignKey("comments.id", ondelete="CASCADE"), index=True
    )
    author_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"), index=True)
    content: Mapped[str]
    resolved_at: Mapped[datetime | None]
    resolved_by: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id"))
    edited_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]
