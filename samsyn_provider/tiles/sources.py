"""The sources of tiles: the collections that a principal may read, and the query of a tile."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, select
from werkzeug.datastructures import MultiDict

from samsyn_model.database.execution import run
from samsyn_model.permissions.actions import Action
from samsyn_model.permissions.layers import HOLDS_FEATURES, readable_layers
from samsyn_model.permissions.lookup import find_map
from samsyn_model.permissions.principal import Principal
from samsyn_model.tables.layers import Layer
from samsyn_model.tables.maps import MapLayer
from samsyn_provider.collections.collection import DATA_VERSION, Collection, collection_of
from samsyn_provider.cql2.parsing import UPDATED
from samsyn_provider.geography.extents import union
from samsyn_provider.query.items_query import Capabilities, names_properties, parse_items_query
from samsyn_provider.query.parameters import parse_key, single_values
from samsyn_provider.tiles.matrix_sets import Edges
from samsyn_provider.tiles.statements import TileSource, select_layer_bounds, select_observed_fields
from samsyn_provider.tiles.tags import VERSION
from samsyn_provider.versions.parameters import VERSION_DATETIME, parse_version_instant
from samsyn_provider.versions.states import with_state

TILE_PARAMETERS = frozenset(
    {
        *("f", VERSION, "datetime", VERSION_DATETIME),
        *("properties", "filter", "filter-lang", "filter-crs"),
    }
)


@dataclass(frozen=True, slots=True)
class TiledMap:
    """A map with its vector layers that the principal may read."""

    id: uuid.UUID
    title: str
    layers: Sequence[Collection]
    """In the order of the map, the topmost first."""


def find_tiled_map(connection: Connection, principal: Principal, map_id: str) -> TiledMap:
    """Return a map as the principal sees it, in two statements.

    Raises NotFoundError when the principal may not read the map.
    """
    key = parse_key(map_id, "map")
    row = find_map(connection, principal, key, Action.READ_MAP)
    statement = (
        select(Layer.__table__, DATA_VERSION)
        .join(MapLayer, MapLayer.layer_id == Layer.id)
        .where(MapLayer.map_id == key, HOLDS_FEATURES, readable_layers(principal))
        .order_by(MapLayer.order)
    )
    return TiledMap(key, row.name, [collection_of(layer) for layer in run(connection, statement)])


def with_all_fields(connection: Connection, collections: Sequence[Collection]) -> list[Collection]:
    """Return the collections with the schemas of their properties, as `with_fields` does; at most
    one statement."""
    schemaless = [collection.id for collection in collections if collection.property_schema is None]
    observed: dict[uuid.UUID, dict[str, Any]] = {layer_id: {} for layer_id in schemaless}
    if schemaless:
        statement = select_observed_fields(schemaless)
        for row in run(connection, statement.text, statement.values):
            kind = row.types[0] if len(row.types) == 1 else "string"
            observed[row.layer_id][row.name] = {"type": kind}
    return [
        replace(
            collection,
            property_schema={"type": "object", "properties": observed[collection.id]},
            is_observed=True,
        )
        if collection.id in observed
        else collection
        for collection in collections
    ]


def common_bounds(connection: Connection, collections: Sequence[Collection]) -> Edges | None:
    """Return the extent of all collections in degrees, None where no feature has a geometry."""
    statement = select_layer_bounds([collection.id for collection in collections])
    extents = [tuple(row.edges) for row in run(connection, statement.text, statement.values)]
    return union(extents) if extents else None


def tile_sources(
    connection: Connection,
    collections: Sequence[Collection],
    arguments: MultiDict[str, str],
    *,
    is_map: bool,
) -> list[TileSource]:
    """Return the sources of a tile: each collection with the query of the parameters.

    In a tile of several collections, a property that one of them lacks is absent from its features,
    not an error. Of a map (`is_map`), `datetime` is the time that features have themselves, and
    versions are asked for by `version-datetime` alone. One statement at most, and one for each
    collection whose versions are read. Raises InvalidParameterError for an unknown or malformed
    parameter, NotFoundError where there is no history of that time.
    """
    single_values(arguments, TILE_PARAMETERS)
    others, moment = parse_version_instant(
        arguments, has_own_time=is_map or collections[0].has_own_time
    )
    values = others.to_dict()
    for name in ("f", VERSION):
        values.pop(name, None)
    if names_properties(arguments):
        collections = with_all_fields(connection, collections)
    fields: dict[str, Any] = {}
    for collection in collections:
        fields = {**collection.fields, **fields}
    fields.pop(UPDATED, None)  # which every collection has, as its own property or the last change
    return [
        TileSource(
            collection.id,
            collection.times,
            with_state(
                connection,
                collection,
                parse_items_query(
                    MultiDict(values), Capabilities({**fields, **collection.fields}, collection.crs)
                ),
                moment,
            ),
            collection.names,
        )
        for collection in collections
    ]
