"""Layers as collections: finding them as a principal sees them, describing them to pygeoapi."""

import json
import math
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from types import SimpleNamespace
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Label,
    Text,
    bindparam,
    case,
    cast,
    func,
    literal_column,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB

from samsyn_model.database import run
from samsyn_model.errors import NotFoundError
from samsyn_model.permissions import Action, Lock, Principal, find_layer, readable_layers
from samsyn_model.property_roles import Times, times_of
from samsyn_model.tables import Layer
from samsyn_provider.collection_metadata import MEMBERS, keywords
from samsyn_provider.crs import CRS84, SUPPORTED, covering, epsg_uri
from samsyn_provider.parameters import CollectionsQuery, parse_uuid
from samsyn_provider.statements import (
    LAYER_BOUNDS,
    LAYER_COUNT,
    LAYER_TIMES,
    LAYER_VERSION,
    in_bounds,
    select_observed_properties,
)

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

_STATE: Label[str] = literal_column("layers.xmin::text").label("state")
"""The column that tells versions of a layer's row apart."""
_MOST_KNOWN = 256
_LONGEST_KNOWN = 32 * 1024  # characters


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
    def times(self) -> Times | None:
        """The properties that tell when a feature is, None where none does."""
        return times_of(self.property_schema, self.time_field)

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
        version=_version(row) if hasattr(row, "data_version") else None,
        feature_count=getattr(row, "feature_count", None),
        bounds=tuple(bounds) if bounds and None not in bounds else None,
        time_bounds=_moments(times) if times else None,
        colour=_colour(row.style_config),
    )


def _moments(seconds: Sequence[float | None]) -> tuple[datetime, datetime] | None:
    """Return the moments that many seconds after 1970, rounded apart."""
    first, last = seconds
    if first is None or last is None:
        return None
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    return epoch + timedelta(seconds=math.floor(first)), epoch + timedelta(seconds=math.ceil(last))


def _version(row: Any) -> str:
    return f"{row.data_version:x}.{int(row.updated_at.timestamp() * 1_000_000):x}"


def _colour(style: Mapping[str, Any]) -> str | None:
    colour = style.get("color") or style.get("fillColor")
    if isinstance(colour, str) and re.fullmatch(r"#[0-9a-fA-F]{6}", colour):
        return colour
    return None


def find_collection(
    connection: Connection,
    principal: Principal,
    collection_id: str,
    action: Action,
    *,
    lock: Lock | None = None,
) -> Collection:
    """Return the collection with this id as the principal sees it, without count and bounds.

    One statement; `lock` as in `find_layer`. Raises NotFoundError when there is none that the
    principal may read, else the errors of `find_layer`.
    """
    sought = SoughtCollection.of(collection_id)
    row = find_layer(
        connection,
        principal,
        sought.layer_id,
        action,
        sought_columns,
        values=sought.values,
        whole=False,
        lock=lock,
        source_type="vector",
    )
    return sought.found(row)


@dataclass(frozen=True, slots=True)
class SoughtCollection:
    """A collection that is looked for by a statement with `sought_columns`."""

    layer_id: uuid.UUID
    known: tuple[str, Collection] | None

    @classmethod
    def of(cls, collection_id: str) -> "SoughtCollection":
        """Return what an id stands for; raises NotFoundError when it is none."""
        layer_id = parse_uuid(collection_id)
        if layer_id is None:
            raise NotFoundError("There is no such collection.")
        return cls(layer_id, _known.get(layer_id))

    @property
    def values(self) -> dict[str, Any]:
        """What the columns bind."""
        return {"known": self.known and self.known[0]}

    def found(self, row: Any) -> Collection:
        """Return the collection of the row that was found."""
        if row.described is None and self.known:
            collection = self.known[1]
        else:
            described = json.loads(row.described)
            collection = collection_of(SimpleNamespace(id=self.layer_id, **described))
            if len(row.described) <= _LONGEST_KNOWN:
                _remember(row.state, collection)
        return collection.at_version(_version(row))


_known: dict[uuid.UUID, tuple[str, Collection]] = {}
"""Collections that this process has described, with the state of their row: they are used only
where the statement that finds the layer says that it is in this state still."""


def _remember(state: str, collection: Collection) -> None:
    _known.pop(collection.id, None)
    _ = collection.fields, collection.times  # made here, once for all requests
    while len(_known) >= _MOST_KNOWN:
        _known.pop(next(iter(_known)), None)
    _known[collection.id] = (state, collection)


def sought_columns(_: Principal) -> tuple[Any, ...]:
    """Return the columns for versions, and for a description unless its state is `known`."""
    columns = (
        *(Layer.name, Layer.description, Layer.category, Layer.geometry_type, Layer.time_field),
        *(Layer.property_schema, Layer.layer_metadata, Layer.style_config),
        *(Layer.additional_crs, Layer.indexed_properties),
    )
    members = (part for column in columns for part in (column.key, column))
    described = cast(func.json_build_object(*members), Text)
    is_known = _STATE.element == bindparam("known", None, Text)
    return (
        *(DATA_VERSION, Layer.updated_at, _STATE),
        case((is_known, None), else_=described).label("described"),
    )


def with_fields(connection: Connection, collection: Collection) -> Collection:
    """Return the collection with the schemas of its properties.

    Where its layer has no schema they are those of its first features, at one statement more.
    """
    if collection.property_schema is not None:
        return collection
    statement = select_observed_properties(collection.id)
    properties = {
        row.name: {"type": row.types[0] if len(row.types) == 1 else "string"}
        for row in run(connection, statement.text, statement.values)
    }
    return replace(collection, property_schema={"type": "object", "properties": properties})


def described(connection: Connection, collection: Collection) -> Collection:
    """Return the collection with its number of features and its bounds."""
    row = run(
        connection,
        f"SELECT {LAYER_COUNT} AS feature_count, {LAYER_BOUNDS} AS bounds,"
        f" (SELECT {LAYER_TIMES} FROM layers WHERE id = {{layer}}) AS time_bounds".format(
            layer="%(layer)s"
        ),
        {"layer": collection.id},
    ).one()
    bounds = tuple(row.bounds) if None not in row.bounds else None
    times = _moments(row.time_bounds) if row.time_bounds else None
    return replace(collection, feature_count=row.feature_count, bounds=bounds, time_bounds=times)


def _picked(column: str, *names: str) -> ColumnElement[Any]:
    """Return the members of a jsonb column that a list needs: the rest may be large."""
    members = ", ".join(f"'{name}', layers.{column} -> '{name}'" for name in names)
    return literal_column(f"jsonb_build_object({members})", JSONB).label(column)


def list_collections(
    connection: Connection, principal: Principal, query: CollectionsQuery
) -> tuple[list[Collection], bool]:
    """Return a page of the collections that the principal may read, and whether more follow.

    Newest first; one statement whatever their number.
    """
    statement = (
        select(
            *(Layer.id, Layer.name, Layer.description, Layer.category),
            *(Layer.geometry_type, Layer.time_field, Layer.additional_crs, Layer.created_at),
            literal_column("NULL").label("property_schema"),
            _picked("layer_metadata", *MEMBERS),
            _picked("style_config", "color", "fillColor"),
            literal_column(LAYER_COUNT.format(layer="layers.id")).label("feature_count"),
            literal_column(LAYER_BOUNDS.format(layer="layers.id")).label("bounds"),
            literal_column(LAYER_TIMES).label("time_bounds"),
        )
        .where(Layer.source_type == "vector", readable_layers(principal))
        .order_by(Layer.created_at.desc(), Layer.id)
        .limit(query.limit + 1)
        .offset(query.offset)
    )
    for word in query.words:
        statement = statement.where(
            or_(
                Layer.name.icontains(word, autoescape=True),
                Layer.description.icontains(word, autoescape=True),
            )
        )
    if query.bbox:
        statement = statement.where(in_bounds(query.bbox))
    rows = run(connection, statement).all()
    return [collection_of(row) for row in rows[: query.limit]], len(rows) > query.limit


def _listed_crs(collection: Collection) -> tuple[str, ...]:
    """Return what shows all of the collection, and what its layer asks for."""
    if collection.bounds is None:
        return collection.crs
    return (*covering(collection.bounds), *collection.crs[len(SUPPORTED) :])


def resource_definition(collection: Collection, request: object = None) -> dict[str, Any]:
    """Return the collection as an entry of pygeoapi's `resources`.

    `request` reaches the provider untouched: the connection and the parsed query that it answers.
    """
    bounds = collection.bounds or (-180.0, -90.0, 180.0, 90.0)
    return {
        "type": "collection",
        "title": collection.title,
        "description": collection.description or "",
        "keywords": keywords(collection.metadata, collection.category),
        "links": [],
        "extents": {"spatial": {"bbox": list(bounds), "crs": CRS84}},
        "providers": [
            {
                "type": "feature",
                "name": "samsyn_provider.provider.PostGISProvider",
                "data": str(collection.id),
                "id_field": "id",
                "time_field": collection.time_field,
                "crs": list(_listed_crs(collection)),
                "storage_crs": CRS84,
                "collection": collection,
                "request": request,
            }
        ],
    }
