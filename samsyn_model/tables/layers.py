"""Layers and their features; `docs/tables.md` draws the tables.

Rules that the database can hold are held here or, where they need a trigger, in the migrations.
"""

import uuid
from typing import Any

from geoalchemy2 import Geometry, WKBElement
from sqlalchemy import (
    CheckConstraint,
    Double,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from samsyn_model.tables.base import Base, Row, Timestamps, one_of, text_index

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


class Layer(Row, Base):
    """A layer: vector features of our own, an external WMS, or a GeoTIFF."""

    __tablename__ = "layers"
    __table_args__ = (
        CheckConstraint("char_length(name) BETWEEN 1 AND 255", name="name"),
        CheckConstraint("char_length(category) <= 100", name="category"),
        CheckConstraint(one_of("source_type", "wms", "geotiff", "vector"), name="source_type"),
        CheckConstraint(one_of("editable", "creator-only", "everyone"), name="editable"),
        CheckConstraint(one_of("visibility", "private", "public"), name="visibility"),
        CheckConstraint(
            one_of("creation_source", "layer_creator", "admin_panel", "system"),
            name="creation_source",
        ),
        CheckConstraint(one_of("geometry_type", *GEOMETRY_TYPES), name="geometry_type"),
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
        text_index("layers"),
        Index("ix_layers_created_at_id", "created_at", "id"),
        Index(
            "ix_layers_open",
            "created_at",
            "id",
            postgresql_where=text("is_global OR visibility = 'public'"),
        ),
        Index(
            "ix_layers_source_addresses",
            text("source_addresses(source_config)"),
            postgresql_using="gin",
            postgresql_where=text("source_type <> 'vector'"),
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


class LayerFeature(Timestamps, Base):
    """A feature of a vector layer: geometry in WGS 84 longitude/latitude (any type, with Z).

    There is no foreign key to `layers`, which would cost a look-up a row, and which a distributed
    table cannot have: a statement trigger holds the layer's row until the transaction ends.
    `docs/decisions/feature-counts.md` describes it.
    """

    __tablename__ = "layer_features"
    __table_args__ = (
        CheckConstraint("ST_SRID(geom) = 4326 AND ST_Zmflag(geom) IN (0, 2)", name="geom"),
        CheckConstraint("jsonb_typeof(properties) = 'object'", name="properties"),
        Index("ix_layer_features_layer_id_geom", "layer_id", "geom", postgresql_using="gist"),
        Index("ix_layer_features_layer_id_updated_at_id", "layer_id", "updated_at", "id"),
        Index("ix_layer_features_change_set", "change_set"),
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
    change_set: Mapped[int | None] = mapped_column(
        server_default=text("(NULLIF(current_setting('samsyn.change_set', true), ''))::bigint")
    )
    """The change set that made it what it is; null: it was so when history began."""


class PropertyValue(Base):
    """The value of a feature in one of its layer's `indexed_properties`, rounded to fit an index:
    a number (also of a boolean or a moment), the beginning of a text, or both.

    Triggers maintain it: `docs/decisions/property-indexes.md`.
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

    layer_id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    id: Mapped[uuid.UUID] = mapped_column(
        primary_key=True, server_default=text("gen_random_uuid()")
    )
    feature_count: Mapped[int]
    changes: Mapped[int]
