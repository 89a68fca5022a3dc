"""The tables (PostgreSQL with PostGIS); `docs/architecture.md` draws them.

Rules that the database can hold are held here or, where they need a trigger, in the migrations.
"""

import uuid
from datetime import datetime
from typing import Any, ClassVar

from geoalchemy2 import Geometry, WKBElement
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    MetaData,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

GEOMETRY_TYPES = (
    "Point",
    "LineString",
    "Polygon",
    "MultiPoint",
    "MultiLineString",
    "MultiPolygon",
    "GeometryCollection",
)
"""What `layers.geometry_type` may say; a Multi type admits its single counterpart too."""


def _one_of(column: str, *values: str) -> str:
    return f"{column} IN ({', '.join(f"'{value}'" for value in values)})"


def _text_index(table: str) -> Index:
    """Return the index of trigrams by which a table's names and descriptions are searched."""
    searched = text("(name || ' ' || coalesce(description, '')) gin_trgm_ops")
    return Index(f"ix_{table}_text", searched, postgresql_using="gin")


class Base(DeclarativeBase):
    """Declarative base: every constraint gets a name, every time has a zone."""

    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        }
    )
    type_annotation_map: ClassVar = {
        datetime: DateTime(timezone=True),
        dict[str, Any]: JSONB,
        int: BigInteger,
    }


class Timestamps:
    """`created_at` and `updated_at`; triggers keep the latter."""

    created_at: Mapped[datetime] = mapped_column(server_default=func.now(), sort_order=900)
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), sort_order=901)


class Row(Timestamps):
    """What all tables with a UUID key have in common."""

    id: Mapped[uuid.UUID] = mapped_column(
        primary_key=True, server_default=func.gen_random_uuid(), sort_order=-1
    )


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


class Map(Row, Base):
    """A shared map: a view of the sea, its collaborators and its layers."""

    __tablename__ = "maps"
    __table_args__ = (
        CheckConstraint("char_length(name) BETWEEN 1 AND 255", name="name"),
        CheckConstraint(
            _one_of("view_permission", "private", "collaborators", "public"),
            name="view_permission",
        ),
        CheckConstraint(
            _one_of("edit_permission", "private", "collaborators", "public"),
            name="edit_permission",
        ),
        CheckConstraint("center_lat BETWEEN -90 AND 90", name="center_lat"),
        CheckConstraint("center_lng BETWEEN -180 AND 180", name="center_lng"),
        CheckConstraint("zoom BETWEEN 0 AND 22", name="zoom"),
        CheckConstraint("jsonb_typeof(map_metadata) = 'object'", name="map_metadata"),
        _text_index("maps"),
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
    """A user's role on somebody else's map."""

    __tablename__ = "map_collaborators"
    __table_args__ = (
        UniqueConstraint("map_id", "user_id"),
        CheckConstraint(_one_of("role", "viewer", "editor"), name="role"),
    )

    map_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("maps.id", ondelete="CASCADE"))
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"), index=True)
    role: Mapped[str] = mapped_column(server_default="viewer")
    invited_by: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id"))


class Layer(Row, Base):
    """A layer: vector features of our own, an external WMS, or a GeoTIFF."""

    __tablename__ = "layers"
    __table_args__ = (
        CheckConstraint("char_length(name) BETWEEN 1 AND 255", name="name"),
        CheckConstraint("char_length(category) <= 100", name="category"),
        CheckConstraint(_one_of("source_type", "wms", "geotiff", "vector"), name="source_type"),
        CheckConstraint(_one_of("editable", "creator-only", "everyone"), name="editable"),
        CheckConstraint(_one_of("visibility", "private", "public"), name="visibility"),
        CheckConstraint(
            _one_of("creation_source", "layer_creator", "admin_panel", "system"),
            name="creation_source",
        ),
        CheckConstraint(_one_of("geometry_type", *GEOMETRY_TYPES), name="geometry_type"),
        CheckConstraint(
            "source_type = 'vector' OR"
            " (property_schema IS NULL AND geometry_type IS NULL AND time_field IS NULL)",
            name="vector_only",
        ),
        CheckConstraint(
            "cardinality(additional_crs) <= CASE source_type WHEN 'vector' THEN 16 ELSE 0 END",
            name="additional_crs",
        ),
        CheckConstraint(
            "cardinality(indexed_properties) <= CASE source_type WHEN 'vector' THEN 10 ELSE 0 END",
            name="indexed_properties",
        ),
        CheckConstraint("jsonb_typeof(property_schema) = 'object'", name="property_schema"),
        *(
            CheckConstraint(f"jsonb_typeof({column}) = 'object'", name=column)
            for column in ("source_config", "style_config", "legend_config", "layer_metadata")
        ),
        _text_index("layers"),
        Index("ix_layers_created_at_id", "created_at", "id"),
        Index(
            "ix_layers_open",
            "created_at",
            "id",
            postgresql_where=text("is_global OR visibility = 'public'"),
        ),
    )

    name: Mapped[str]
    description: Mapped[str | None]
    category: Mapped[str | None]
    source_type: Mapped[str]
    created_by: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"), index=True)
    editable: Mapped[str] = mapped_column(server_default="creator-only")
    is_global: Mapped[bool] = mapped_column(server_default=text("false"))
    visibility: Mapped[str] = mapped_column(server_default="private")
    creation_source: Mapped[str] = mapped_column(server_default="system")
    source_config: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    style_config: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    legend_config: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    layer_metadata: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    property_schema: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    geometry_type: Mapped[str | None]
    time_field: Mapped[str | None]
    additional_crs: Mapped[list[int]] = mapped_column(ARRAY(Integer), server_default=text("'{}'"))
    indexed_properties: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default=text("'{}'"))


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


class LayerFeature(Timestamps, Base):
    """A feature of a vector layer: geometry in WGS 84 longitude/latitude (any type, Z kept).

    There is no foreign key to `layers`, which would cost a look-up a row: a statement trigger
    writes to `layer_changes`, whose foreign key holds the same rule once a statement.
    `docs/decisions/feature-counts.md` tells how.
    """

    __tablename__ = "layer_features"
    __table_args__ = (
        CheckConstraint("ST_SRID(geom) = 4326 AND ST_Zmflag(geom) IN (0, 2)", name="geom"),
        CheckConstraint("jsonb_typeof(properties) = 'object'", name="properties"),
        Index("ix_layer_features_layer_id_geom", "layer_id", "geom", postgresql_using="gist"),
    )

    layer_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    geom: Mapped[WKBElement | None] = mapped_column(
        Geometry(geometry_type=None, srid=-1, spatial_index=False)
    )
    properties: Mapped[dict[str, Any]] = mapped_column(server_default=text("'{}'"))
    version: Mapped[int] = mapped_column(server_default=text("1"))
    created_by: Mapped[uuid.UUID | None]
    updated_by: Mapped[uuid.UUID | None]


class PropertyValue(Base):
    """What a feature has in one of its layer's `indexed_properties`, rounded so that it fits an
    index: a number (also of a boolean or a moment), the beginning of a text, or both.

    Triggers keep it. `docs/decisions/property-indexes.md` tells how, and what it is asked.
    """

    __tablename__ = "property_values"
    __table_args__ = tuple(
        Index(
            f"ix_property_values_{column}",
            *("layer_id", "property", column, "feature_id"),
            postgresql_where=text(f"{column} IS NOT NULL"),
        )
        for column in ("number", "text")
    )

    layer_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    feature_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    property: Mapped[str] = mapped_column(Text, primary_key=True)
    number: Mapped[float | None] = mapped_column(Double)
    text: Mapped[str | None] = mapped_column(Text(collation="C"))


class LayerChange(Base):
    """What statements did to a layer's features, one row a statement, folded now and then.

    The sum of `feature_count` is the layer's number of features; the sum of `changes` its data
    version, which grows with every committed write.
    """

    __tablename__ = "layer_changes"

    layer_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("layers.id", ondelete="CASCADE"), primary_key=True
    )
    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    feature_count: Mapped[int]
    changes: Mapped[int]


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


class ApiToken(Row, Base):
    """A user's long-lived credential; only the SHA-256 of the random token is kept."""

    __tablename__ = "api_tokens"
    __table_args__ = (
        CheckConstraint(_one_of("scope", "read", "write"), name="scope"),
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


class WebhookEvent(Base):
    """A delivery already taken, so that a repeated one changes nothing."""

    __tablename__ = "webhook_events"

    svix_id: Mapped[str] = mapped_column(primary_key=True)
    type: Mapped[str]
    received_at: Mapped[datetime] = mapped_column(server_default=func.now())


class KeptTile(Base):
    """A tile that took long to make, in the place of its tag: see `samsyn_provider.tile_cache`."""

    __tablename__ = "tile_cache"

    slot: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    tag: Mapped[str]
    content: Mapped[bytes]
