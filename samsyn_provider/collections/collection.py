"""Collections: vector layers as OGC clients see them."""

import math
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from sqlalchemy import (
    ColumnElement,
    literal_column,
)

from samsyn_model.properties.roles import TemporalProperties, temporal_properties
from samsyn_provider.collections.statements import LAYER_VERSION
from samsyn_provider.geography.crs import SUPPORTED, epsg_uri

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
"""The column that gives a collection its version."""


@dataclass(frozen=True)
class Collection:
    """A vector layer as OGC clients see it."""

    id: uuid.UUID
    title: str
    description: str | None
    category: str | None
    geometry_type: str | None
    time_field: str | None
    property_schema: Mapping[str, Any] | None
    metadata: Mapping[str, Any]
    crs: tuple[str, ...] = SUPPORTED
    """What it can be read and written in, the default first."""

    indexed: frozenset[str] = frozenset()
    """The properties that an index is kept of; none in a list."""

    version: str | None = None
    """Of its features and its description, but in a list: it never comes back."""
    feature_count: int | None = None
    bounds: tuple[float, float, float, float] | None = None
    """West, south, east, north in degrees, when it was asked for and anything has a place."""

    time_bounds: tuple[datetime, datetime] | None = None
    """When the first feature starts and the last one ends, to the second; None as `bounds`."""

    colour: str | None = None
    """The colour (`#rrggbb`) that its style draws it in."""

    @cached_property
    def times(self) -> TemporalProperties | None:
        """The properties that tell when a feature is, None where none does."""
        return temporal_properties(self.property_schema, self.time_field)

    @cached_property
    def fields(self) -> dict[str, dict[str, Any]]:
        """The schemas of the properties by name, in the order of `x-ogc-propertySeq`.

        Each has one `type`; a property of a schema that says none is taken for text.
        """
        properties = (self.property_schema or {}).get("properties", {})
        order = {
            name: schema.get("x-ogc-propertySeq", len(properties))
            for name, schema in properties.items()
        }
        return {
            name: {**properties[name], "type": _single_type(properties[name].get("type"))}
            for name in sorted(properties, key=lambda name: (order[name], name))
        }

    def at_version(self, version: str) -> "Collection":
        """Return the same with its features in a version; what has been made of it is kept."""
        changed = object.__new__(Collection)
        vars(changed).update(vars(self), version=version)
        return changed


def _single_type(types: object) -> str:
    """Return the one type that clients understand; absent values are allowed in any case."""
    named = [types] if isinstance(types, str) else types if isinstance(types, list) else []
    return next((kind for kind in named if kind != "null"), "string")


def collection_of(row: Any) -> Collection:
    """Return the collection of a row of `layers`, with count and bounds where it has them."""
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
        colour=_colour(row.style_config),
    )


def time_bounds(seconds: Sequence[float | None]) -> tuple[datetime, datetime] | None:
    """Return the moments that many seconds after 1970, rounded apart."""
    first, last = seconds
    if first is None or last is None:
        return None
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return epoch + timedelta(seconds=math.floor(first)), epoch + timedelta(seconds=math.ceil(last))


def version_of_row(row: Any) -> str:
    """Return the version of a collection whose row has `data_version` and `updated_at`."""
    return f"{row.data_version:x}.{int(row.updated_at.timestamp() * 1_000_000):x}"


def _colour(style: Mapping[str, Any]) -> str | None:
    colour = style.get("color") or style.get("fillColor")
    if isinstance(colour, str) and re.fullmatch(r"#[0-9a-fA-F]{6}", colour):
        return colour
    return None
