"""Web map servers that everybody may choose from, and the raster files of layers."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from samsyn_model.tables.base import Base, Row, one_of

RASTER_ADDRESSES = ("url", "cogUrl", "cogUrlTemplate")
"""The members of `source_config` that a GeoTIFF layer may be drawn from: one that has none of them
is drawn from files that are stored here."""


class WMSServer(Row, Base):
    """A web map server of the shared list, with its capabilities as they were parsed."""

    __tablename__ = "wms_servers"
    __table_args__ = (
        CheckConstraint("char_length(name) BETWEEN 1 AND 255", name="name"),
        CheckConstraint(one_of("version", "1.1.1", "1.3.0"), name="version"),
        Index("uq_wms_servers_base_url", text("md5(base_url)"), unique=True),
        Index("ix_wms_servers_created_at_id", "created_at", "id"),
    )

    name: Mapped[str]
    base_url: Mapped[str]
    description: Mapped[str | None]
    version: Mapped[str]
    service_title: Mapped[str | None]
    service_provider: Mapped[str | None]
    layer_count: Mapped[int]
    capabilities: Mapped[dict[str, Any]]
    cached_at: Mapped[datetime]
    created_by: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))


class RasterFile(Row, Base):
    """A raster that a layer of ours is drawn from, in the storage: one a moment of its time."""

    __tablename__ = "raster_files"
    __table_args__ = (
        Index(
            "uq_raster_files_layer_id_time",
            "layer_id",
            "time",
            unique=True,
            postgresql_nulls_not_distinct=True,
        ),
    )

    layer_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("layers.id", ondelete="CASCADE"))
    time: Mapped[datetime | None]
    name: Mapped[str]
    """Of the uploaded file, for people."""
    key: Mapped[str]
    """Of the cloud-optimised GeoTIFF in the storage."""
    original_key: Mapped[str]
    """Of the file as it was uploaded, from which values and statistics come."""
    size: Mapped[int]
    """Bytes of both."""
    info: Mapped[dict[str, Any]]
    """Bounds, bands, statistics."""


class DeploymentKey(Base):
    """A random key that all servers of a deployment sign with, made when it is first used."""

    __tablename__ = "deployment_keys"

    purpose: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[bytes]
