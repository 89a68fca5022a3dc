"""Collections: vector layers as OGC clients see them."""

import math
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, Literal

from sqlalchemy import (
    ColumnElement,
    literal_column,
)

from samsyn_model.properties.roles import TemporalProperties, temporal_properties
from samsyn_model.properties.schema import SEQUENCE, property_members
from samsyn_provider.collections.statements import LAYER_VERSION
from samsyn_provider.geography.crs import SUPPORTED, epsg_uri
from samsyn_provider.query.version_set import VersionSet

GEOMETRY_FORMATS = {
    "Point": "geometry-point",
    "LineString": "geometry-linestring",
    "Polygon": "geometry-polygon",
    "MultiPoint": "geometry-point-or-multipoint",
    "MultiLineString": "geometry-linestring-or-multilinestring",
    "MultiPolygon": "geometry-polygon-or-multipolygon",
    "GeometryCollection": "geometry-geometrycollection",
}
"""The format of a layer's geometry in its schema (OGC API Features Part 5, 7.4): a Multi type
admits its single counterpart."""

DATA_VERSION: ColumnElement[int] = literal_column(LAYER_VERSION.format(layer="layers.id")).label(
    "data_version"
)
"""The column with the version of a layer's features."""


@dataclass(frozen=True)
class Collection:
    """A vector layer as OGC clients see it, or the comments on a map or a layer."""

    id: uuid.UUID
    """That of the layer, or of what the comments are on."""
    title: str
    description: str | None
    category: str | None
    geometry_type: str | None
    time_field: str | None
    property_schema: Mapping[str, Any] | None
    metadata: Mapping[str, Any]
    is_observed: bool = False
    """Whether `property_schema` is that of the first features, and not the layer's own."""
    crs: tuple[str, ...] = SUPPORTED
    """The CRSs that it can be read and written in, the default first."""

    indexed: frozenset[str] = frozenset()
    """The properties that have an index; empty in a list."""

    version: str | None = None
    """The version of its features and its description, never used again; None in a list."""
    feature_count: int | None = None
    bounds: tuple[float, float, float, float] | None = None
    """West, south, east, north in degrees; None if not selected or no feature has a geometry."""

    time_bounds: tuple[datetime, datetime] | None = None
    """The start of the first feature and the end of the last, to the second; None as `bounds`."""

    style_config: Mapping[str, Any] = field(default_factory=dict)
    """The style as the layer has it, any JSON; in a list the colour alone."""

    comments_on: Literal["map", "layer"] | None = None
    """What its comments are on; None for a layer."""
    source: VersionSet | None = None
    """What is read of it in place of a layer's features; None for a layer."""

    @property
    def key(self) -> str:
        """Its id in addresses."""
        return str(self.id) if self.source is None else f"comments-of-{self.comments_on}-{self.id}"

    @cached_property
    def times(self) -> TemporalProperties | None:
        """The properties with the time of a feature, None where there are none."""
        return temporal_properties(self.property_schema, self.time_field)

    @property
    def has_own_time(self) -> bool:
        """Whether its features have a time of their own, beside that of their versions."""
        return self.times is not None

    @cached_property
    def fields(self) -> dict[str, dict[str, Any]]:
        """The schemas of the properties by name, in the order of `x-ogc-propertySeq`.

        Each has one `type`, `string` by default.
        """
        properties = property_members(self.property_schema)
        order = {name: schema.get(SEQUENCE, len(properties)) for name, schema in properties.items()}
        return {
            name: {**properties[name], "type": _single_type(properties[name].get("type"))}
            for name in sorted(properties, key=lambda name: (order[name], name))
        }

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The properties in the order of the layer's schema, none where it has no schema."""
        return () if self.is_observed else tuple(self.fields)

    def at_version(self, version: str) -> "Collection":
        """Return a copy with this version, without recomputing the cached properties."""
        copy = object.__new__(Collection)
        vars(copy).update(vars(self), version=version)
        return copy


def _single_type(types: object) -> str:
    """Return the first type but `null`: clients expect one, and values may be absent anyway."""
    names = [types] if isinstance(types, str) else types if isinstance(types, list) else []
    return next((kind for kind in names if kind != "null"), "string")


def collection_of(row: Any) -> Collection:
    """Return the collection of a row of `layers`, with count and extents where it has them."""
    bounds = getattr(row, "bounds", None)
    times = getattr(row, "time_bounds", None)
    return Collection(
        id=row.id,
        title=row.name,
        description=row.description,
        category=row.category,
        geometry_type=row.geometry_type,
        time_field=row.time_field,
        property_schema=row.property_schema,
        metadata=row.layer_metadata,
        crs=(*SUPPORTED, *map(epsg_uri, row.additional_crs)),
        indexed=frozenset(getattr(row, "indexed_properties", ())),
        version=version_of_row(row) if hasattr(row, "data_version") else None,
        feature_count=getattr(row, "feature_count", None),
        bounds=tuple(bounds) if bounds and None not in bounds else None,
        time_bounds=time_bounds(times) if times else None,
        style_config=row.style_config,
    )


def time_bounds(seconds: Sequence[float | None]) -> tuple[datetime, datetime] | None:
    """Return the times of seconds since 1970, rounded down and up."""
    first, last = seconds
    if first is None or last is None:
        return None
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return epoch + timedelta(seconds=math.floor(first)), epoch + timedelta(seconds=math.ceil(last))


def version_of_row(row: Any) -> str:
    """Return the version of a collection whose row has `data_version` and `updated_at`."""
    return f"{row.data_version:x}.{int(row.updated_at.timestamp() * 1_000_000):x}"
