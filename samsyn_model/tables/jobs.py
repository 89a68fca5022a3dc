"""Jobs, and the imports that they carry out; the queue itself is procrastinate's."""

import uuid
from datetime import datetime
from typing import Any

from geoalchemy2 import Geometry, WKBElement
from sqlalchemy import CheckConstraint, ForeignKey, Index, SmallInteger, text
from sqlalchemy.dialects.postgresql import INT8MULTIRANGE, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from samsyn_model.tables.base import Base, Row, one_of

JOB_STATUSES = ("accepted", "running", "successful", "failed", "dismissed")
"""The words of OGC API - Processes (OGC 18-062r2, 7.12)."""
JOB_KINDS = ("inspect", "import", "undo", "export_layer", "export_map")


class Import(Row, Base):
    """Files that a user uploads, what they were found to hold, and what was made of them.

    A file stays as it was uploaded until it is imported and `IMPORT_RETENTION` is over.
    """

    __tablename__ = "imports"
    __table_args__ = (
        CheckConstraint(
            one_of("status", "uploading", "uploaded", "inspected", "imported", "undone", "failed"),
            name="status",
        ),
        CheckConstraint("char_length(name) BETWEEN 1 AND 255", name="name"),
        Index("ix_imports_user_id_created_at", "user_id", "created_at"),
    )

    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    name: Mapped[str]
    """The name of the file, or of the first of several, for people."""
    status: Mapped[str] = mapped_column(server_default="uploading")
    files: Mapped[list[Any]] = mapped_column(JSONB, server_default=text("'[]'"))
    """`{"name", "key", "size"}` each: its name for people, its key in the storage, its bytes."""
    size: Mapped[int] = mapped_column(server_default=text("0"))
    """The bytes of all files, which count towards the user's quota while they are stored."""
    inspection: Mapped[dict[str, Any] | None]
    choices: Mapped[dict[str, Any] | None]
    report: Mapped[dict[str, Any] | None]
    faults: Mapped[list[Any] | None] = mapped_column(JSONB)
    """The first 1,000 faults, as the API shows them."""
    imported_at: Mapped[datetime | None]
    undone_at: Mapped[datetime | None]


class ImportLayer(Base):
    """What an import did to a layer; without a foreign key, since the layer may be deleted."""

    __tablename__ = "import_layers"
    __table_args__ = (
        CheckConstraint(one_of("mode", "create", "append", "replace", "update"), name="mode"),
    )

    import_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("imports.id", ondelete="CASCADE"), primary_key=True
    )
    layer_id: Mapped[uuid.UUID] = mapped_column(primary_key=True, index=True)
    mode: Mapped[str]
    inserted: Mapped[Any | None] = mapped_column(INT8MULTIRANGE)
    """The ids of the features that were inserted into a layer that existed already."""
    data_version: Mapped[int | None]
    """The layer's data version after the import: while it has it nothing has changed."""
    layer_updated_at: Mapped[datetime | None]
    """The same of the layer's definition."""
    property_schema: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    """The layer's schema before the import, where fields without a type got one."""
    rasters: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    """`source_config`, `legend_config` and `files` (rows of `raster_files`) of a layer before its
    rasters were replaced."""


class ImportChange(Base):
    """A feature as it was before an import updated or deleted it."""

    __tablename__ = "import_changes"

    layer_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    feature_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    import_id: Mapped[uuid.UUID] = mapped_column(primary_key=True, index=True)
    version: Mapped[int]
    """The feature's version after the import; of one that it deleted, that which it has again."""
    was_deleted: Mapped[bool]
    geom: Mapped[WKBElement | None] = mapped_column(
        Geometry(geometry_type=None, srid=-1, spatial_index=False)
    )
    properties: Mapped[dict[str, Any]]
    created_by: Mapped[uuid.UUID | None]
    updated_by: Mapped[uuid.UUID | None]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class Job(Row, Base):
    """Work that takes longer than a request, seen by the user who asked for it alone."""

    __tablename__ = "jobs"
    __table_args__ = (
        CheckConstraint(one_of("status", *JOB_STATUSES), name="status"),
        CheckConstraint(one_of("kind", *JOB_KINDS), name="kind"),
        CheckConstraint("progress BETWEEN 0 AND 100", name="progress"),
        Index("ix_jobs_user_id_created_at", "user_id", "created_at"),
    )

    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    kind: Mapped[str]
    status: Mapped[str] = mapped_column(server_default="accepted")
    progress: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    """Percent."""
    message: Mapped[str | None]
    """What is being done, in a sentence for people."""
    parameters: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    result: Mapped[dict[str, Any] | None]
    problem: Mapped[dict[str, Any] | None]
    """A problem document (RFC 9457), of a job that failed."""
    import_id: Mapped[uuid.UUID | None] = mapped_column(
        ForeignKey("imports.id", ondelete="CASCADE"), index=True
    )
    queue_id: Mapped[int | None]
    """The id of procrastinate's job."""
    attempts: Mapped[int] = mapped_column(SmallInteger, server_default=text("0"))
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
