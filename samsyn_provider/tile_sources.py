"""What tiles are made of: the collections that a principal may read, and the query of a tile."""

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any

from sqlalchemy import ColumnElement, Connection, literal_column, select
from werkzeug.datastructures import MultiDict

from samsyn_model.database import run
from samsyn_model.errors import NotFoundError
from samsyn_model.permissions import Action, Principal, find_layer, find_map, readable_layers
from samsyn_model.tables import Layer, MapLayer
from samsyn_provider.collections import Collection, collection_of
from samsyn_provider.parameters import (
    ItemsQuery,
    parse_items_query,
    parse_uuid,
    single_values,
)
from samsyn_provider.statements import LAYER_VERSION
from samsyn_provider.tile_matrix_sets import Edges, Tile
from samsyn_provider.tile_statements import select_layer_bounds, select_observed_fields

TILE_PARAMETERS = frozenset({"f", "datetime", "properties", "filter", "filter-lang", "filter-crs"})
MAP_TILE_PARAMETERS = frozenset({"f", "datetime"})

_VERSION: ColumnElement[int] = literal_column(LAYER_VERSION.format(layer="layers.id")).label(
    "version"
)


@dataclass(frozen=True, slots=True)
class TiledCollection:
    """A collection, and the version of its features."""

    collection: Collection
    version: int


@dataclass(frozen=True, slots=True)
class TiledMap:
    """A map by name, with those of its vector layers that the reader may read."""

    id: uuid.UUID
    title: str
    layers: Sequence[TiledCollection]
    """In the order of the map, the topmost first."""


def find_tiled_collection(
    connection: Connection, principal: Principal, collection_id: str
) -> TiledCollection:
    """Return a collection as the principal sees it; one statement, errors as `find_collection`."""
    layer_id = parse_uuid(collection_id)
    if layer_id is None:
        raise NotFoundError("There is no such collection.")
    row = find_layer(
        connection, principal, layer_id, Action.READ_LAYER, _VERSION, source_type="vector"
    )
    return TiledCollection(collection_of(row), row.version)


def find_tiled_map(connection: Connection, principal: Principal, map_id: str) -> TiledMap:
    """Return a map as the principal sees it, in two statements.

    Raises NotFoundError when it may not read the map.
    """
    key = parse_uuid(map_id)
    if key is None:
        raise NotFoundError("There is no such map.")
    found = find_map(connection, principal, key, Action.READ_MAP)
    statement = (
        select(Layer.__table__, _VERSION)
        .join(MapLayer, MapLayer.layer_id == Layer.id)
        .where(MapLayer.map_id == key, Layer.source_type == "vector", readable_layers(principal))
        .order_by(MapLayer.order)
    )
    layers = [
        TiledCollection(collection_of(row), row.version) for row in run(connection, statement)
    ]
    return TiledMap(key, found.name, layers)


def with_all_fields(connection: Connection, collections: Sequence[Collection]) -> list[Collection]:
    """Return the collections with the schemas of their properties, as `with_fields` does; at most
    one statement."""
    bare = [collection.id for collection in collections if collection.property_schema is None]
    observed: dict[uuid.UUID, dict[str, Any]] = {layer_id: {} for layer_id in bare}
    if bare:
        statement = select_observed_fields(bare)
        for row in run(connection, statement.text, statement.values):
            kind = row.types[0] if len(row.types) == 1 else "string"
            observed[row.layer_id][row.name] = {"type": kind}
    return [
        replace(
            collection, property_schema={"type": "object", "properties": observed[collection.id]}
        )
        if collection.id in observed
        else collection
        for collection in collections
    ]


def common_bounds(connection: Connection, collections: Sequence[Collection]) -> Edges | None:
    """Return the extent of all collections in degrees, None where nothing has a place."""
    statement = select_layer_bounds([collection.id for collection in collections])
    row = run(connection, statement.text, statement.values).one()
    return None if row.west is None else (row.west, row.south, row.east, row.north)


def parse_tile_query(
    arguments: MultiDict[str, str],
    known: frozenset[str],
    fields: Mapping[str, Mapping[str, Any]],
) -> ItemsQuery:
    """Return the query of a tile of collections with these property schemas.

    Raises InvalidParameterError for what is not among `known`, or malformed.
    """
    values = single_values(arguments, known)
    values.pop("f", None)
    return parse_items_query(MultiDict(values), fields)


def tile_tag(layers: Sequence[TiledCollection], tile: Tile, arguments: MultiDict[str, str]) -> str:
    """Return the entity tag of a tile: what it is made from, without making it."""
    parts = [
        (tile.grid.id, tile.level, tile.row, tile.col),
        sorted(arguments.items()),
        [
            (
                str(layer.collection.id),
                layer.version,
                layer.collection.time_field,
                layer.collection.property_schema,
            )
            for layer in layers
        ],
    ]
    return blake2b(json.dumps(parts).encode(), digest_size=12).hexdigest()
