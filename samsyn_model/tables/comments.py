"""Comments."""

import uuid
from datetime import datetime

from geoalchemy2 import Geometry, WKBElement
from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    func,
)
from sqlalchemy.orm import Mapped, mapped_column

from samsyn_model.tables.base import Base, Row


class Comment(Row, Base):
    """A comment on a map, a layer, a layer as seen on a map, a feature, a point or an area."""

    __tablename__ = "comments"
    __table_args__ = (
        CheckConstraint("map_id IS NOT NULL OR layer_id IS NOT NULL", name="subject"),
        CheckConstraint("feature_id IS NULL OR layer_id IS NOT NULL", name="feature_id"),
        CheckConstraint(
            "deleted_at IS NOT NULL OR char_length(content) BETWEEN 1 AND 10000", name="content"
        ),
        CheckConstraint(
            "area IS NULL"
            " OR (GeometryType(area) IN ('POLYGON', 'MULTIPOLYGON') AND position IS NULL)",
            name="area",
        ),
        CheckConstraint("feature_change IS NULL OR feature_id IS NOT NULL", name="feature_change"),
        Index("ix_comments_map_id_created_at", "map_id", "created_at"),
        Index("ix_comments_layer_id_created_at", "layer_id", "created_at"),
    )

    map_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("maps.id", ondelete="CASCADE"))
    layer_id: Mapped[uuid.UUID | None]
    """Without a foreign key: a comment outlives its layer, which may be restored."""
    feature_id: Mapped[int | None]
    feature_change: Mapped[int | None]
    """The change set that made the version of the feature that the comment is about; null: nobody
    knows."""
    position: Mapped[WKBElement | None] = mapped_column(
        Geometry("POINT", srid=4326, spatial_index=False)
    )
    area: Mapped[WKBElement | None] = mapped_column(
        Geometry("GEOMETRY", srid=4326, spatial_index=False)
    )
    parent_id: Mapped[uuid.UUID | None] = mapped_column(
        ForeignKey("comments.id", ondelete="CASCADE"), index=True
    )
    author_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"), index=True)
    content: Mapped[str]
    number: Mapped[int] = mapped_column(Identity(), unique=True)
    """Its id as a feature of a collection of comments."""
    resolved_at: Mapped[datetime | None]
    resolved_by: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id"))
    edited_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]


class CommentMention(Base):
    """A user whom a comment mentions."""

    __tablename__ = "comment_mentions"

    comment_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("comments.id", ondelete="CASCADE"), primary_key=True
    )
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"), primary_key=True, index=True)
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
