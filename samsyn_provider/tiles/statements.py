"""The SQL that makes vector tiles: pure functions from a query to text and bound values.

The content of a tile is bounded, however large its layers are: see `thinning.py`.
"""

import re
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from samsyn_model.database.statement import Statement
from samsyn_model.properties.roles import TemporalProperties
from samsyn_provider.cache.tile_cache import CACHED_TILE, slot_of
from samsyn_provider.collections.statements import LAYER_BOUNDS
from samsyn_provider.features.geojson_sql import may_be_prepared, properties_column, shown_names
from samsyn_provider.query.conditions import feature_conditions
from samsyn_provider.query.items_query import ItemsQuery
from samsyn_provider.query.version_set import relation_of
from samsyn_provider.tiles.drawing import (
    attribute_columns,
    attributes_expression,
    drawn_features,
)
from samsyn_provider.tiles.matrix_sets import EXTENT, MARGIN, Tile
from samsyn_provider.tiles.thinning import VERTEX_BYTES, load_bounds, load_of, thinned_ids

MAX_ATTRIBUTE_BYTES = 2 * 1024 * 1024
"""The stored size of a tile's attributes at most; features beyond it have only their id."""

_PLACEHOLDER = re.compile(r"%\((\w+)\)s")

_MIN_PREPARED_LEVEL = 8  # tiles are small from this level on


@dataclass(frozen=True, slots=True)
class TileSource:
    """A layer of a tile, and the query of its features."""

    layer_id: uuid.UUID
    times: TemporalProperties | None
    query: ItemsQuery
    names: tuple[str, ...] = ()
    """The attributes in the order of the layer's schema; others follow."""


@dataclass(frozen=True, slots=True)
class _Expressions:
    """The SQL of a layer's features in a tile, of the relation that they are in, of their
    attributes, of the columns that the tile takes these from, and of whether all are named."""

    features: str
    relation: str
    properties: str
    attributes: str
    columns: str
    are_named: str


def select_small_tile(
    sources: Sequence[TileSource], tile: Tile, tag: str | None = None
) -> Statement:
    """Return the statement for a tile of layers in their order that is within the bounds, as most
    are: `tile` (bytes, empty for no features), null where it exceeds them.

    Each layer's features are in a layer of the tile named by its id. With a `tag` the statement
    first reads the tile cached in the database under it; `was_cached` is whether there was one.
    """
    parts, values = _parts(sources, tile, _small_text)
    content = " || ".join(["''::bytea", *parts])
    prepared = _is_plain(sources)
    if tag is None:
        return Statement(f"SELECT {content} AS tile, false AS was_cached", values, prepared)
    values |= {"slot": slot_of(tag), "tag": tag}
    text = f"""
SELECT coalesce(cached, {content}) AS tile, cached IS NOT NULL AS was_cached
FROM (SELECT {CACHED_TILE} AS cached OFFSET 0) AS lookup"""
    return Statement(text, values, prepared)


def select_bounded_tile(sources: Sequence[TileSource], tile: Tile) -> Statement:
    """Return the statement for the same `tile`, thinned and simplified to the bounds."""
    parts, values = _parts(sources, tile, _bounded_text)
    content = " || ".join(["''::bytea", *(f"coalesce({part}, '')" for part in parts)])
    return Statement(
        f"SELECT {content} AS tile",
        values,
        prepared=tile.level >= _MIN_PREPARED_LEVEL and _is_plain(sources),
    )


def _parts(
    sources: Sequence[TileSource], tile: Tile, text_of: Callable[..., str]
) -> tuple[list[str], dict[str, Any]]:
    """Return an expression for each layer's part of a tile, and the values of all."""
    texts, values = [], dict[str, Any]()
    for number, source in enumerate(sources):
        part = _part(source, tile, len(sources), text_of)
        if len(sources) > 1:
            part = _with_numbered_values(part, number)
        texts.append(f"({part.text})")
        values |= part.values
    return texts, values


def _with_numbered_values(part: Statement, number: int) -> Statement:
    """Return a statement with a number appended to the names of its values, unique among parts."""
    values = {f"{name}_{number}": value for name, value in part.values.items()}
    return Statement(_PLACEHOLDER.sub(rf"%(\1_{number})s", part.text), values)


def _is_plain(sources: Sequence[TileSource]) -> bool:
    """Return whether the tile is of one layer, unfiltered. Planning its statement takes longer than
    running it where a tile is small, and one generic plan suits all small tiles."""
    return (
        len(sources) == 1
        and sources[0].query == ItemsQuery(crs=sources[0].query.crs)
        and may_be_prepared(sources[0].names)
    )


def _part(source: TileSource, tile: Tile, shares: int, text_of: Callable[..., str]) -> Statement:
    """Return the statement for one of `shares` layers, which share the bounds of the tile."""
    values: dict[str, Any] = {
        "layer": source.layer_id,
        "name": str(source.layer_id),
        **load_bounds(shares),
        "max_attribute_bytes": MAX_ATTRIBUTE_BYTES // shares,
        **_tile_values(tile),
    }
    conditions = feature_conditions(source.query, source.times, values)
    properties = properties_column(source.query)
    relation = relation_of(source.query.versions)
    columns, are_named, named = attribute_columns(shown_names(source.query, source.names))
    values |= named
    expressions = _Expressions(
        _features_in_tile(relation, conditions, properties),
        relation,
        properties,
        attributes_expression(source.query, values),
        columns,
        are_named,
    )
    text = text_of(expressions, tile.grid.is_mercator, shares)
    return Statement(text, values)


def _features_in_tile(relation: str, conditions: Sequence[str], properties: str) -> str:
    area = "ST_MakeEnvelope(%(west)s, %(south)s, %(east)s, %(north)s, 4326)"
    return f"""(
        SELECT id, geom, {properties} FROM {relation}
        WHERE {" AND ".join([*conditions, f"geom && {area}"])}
    ) AS features"""


@lru_cache(maxsize=64)  # composing it takes a tenth of a small tile's time
def _small_text(sql: _Expressions, is_mercator: bool, _: int) -> str:
    # OFFSET 0: the attributes are computed once, not for each column that is taken from them
    drawn = f"""(
    SELECT id, geom, {sql.attributes} AS attributes,
           (SELECT {sql.are_named} FROM found) AS are_named
    FROM {drawn_features("found", is_mercator)} OFFSET 0
)"""
    return f"""
WITH found AS MATERIALIZED (
    SELECT id, geom, properties FROM {sql.features} LIMIT %(max_features)s + 1
)
SELECT CASE WHEN is_small THEN coalesce(({_mvt_statement(drawn, sql.columns)}), '') END
FROM (
    SELECT coalesce(
        count(*) <= %(max_features)s
            AND sum(pg_column_size(geom)) <= {VERTEX_BYTES} * %(max_vertices)s
            AND sum(pg_column_size(properties)) <= %(max_attribute_bytes)s, true
    ) AS is_small
    FROM found
) AS load"""


def _mvt_statement(drawn: str, columns: str) -> str:
    """Return the statement for the tile of drawn features."""
    return f"""
SELECT ST_AsMVT(feature, %(name)s, {EXTENT}, 'geom', 'id')
FROM (
    SELECT id, geom, {columns} FROM {drawn} AS drawn WHERE geom IS NOT NULL ORDER BY id
) AS feature"""


@lru_cache(maxsize=64)
def _bounded_text(sql: _Expressions, is_mercator: bool, shares: int) -> str:
    limited = f"""(
    SELECT id, geom, CASE
        WHEN sum(pg_column_size(properties)) OVER (ORDER BY id) <= %(max_attribute_bytes)s
        THEN {sql.attributes}
    END AS attributes, false AS are_named
    FROM drawn
    WHERE geom IS NOT NULL
)"""
    return f"""
WITH load AS MATERIALIZED (
    {load_of(sql.features, is_mercator)}
), selected AS (
    SELECT id, geom, properties FROM {sql.features} WHERE NOT (SELECT is_thinned FROM load)
    UNION ALL
    {_thinned(sql, is_mercator, shares)}
), drawn AS MATERIALIZED (
    SELECT * FROM {drawn_features("selected", is_mercator, "(SELECT is_simplified FROM load)")}
)
{_mvt_statement(limited, sql.columns)}"""


def _thinned(sql: _Expressions, is_mercator: bool, shares: int) -> str:
    """Return the statement for the features that remain after thinning."""
    representatives = f"({thinned_ids(sql.features, is_mercator, shares)}) AS representative"
    if sql.relation != "layer_features":  # versions have no key that a join by id could use
        return f"""SELECT features.*
    FROM {sql.features} JOIN {representatives} USING (id)"""
    return f"""SELECT feature.*
    FROM {representatives}
    CROSS JOIN LATERAL (
        SELECT id, geom, {sql.properties} FROM layer_features
        WHERE layer_id = %(layer)s AND id = representative.id OFFSET 0
    ) AS feature"""


def _tile_values(tile: Tile) -> dict[str, Any]:
    west, south, east, north = tile.degrees(MARGIN / EXTENT)
    left, lower, right, upper = tile.edges
    return {
        **{"west": west, "south": south, "east": east, "north": north},
        **{"left": left, "right": right, "box": f"BOX({left} {lower}, {right} {upper})"},
        "unit": 360 / tile.grid.columns / 2**tile.level / EXTENT,  # in degrees of longitude
    }


def select_layer_bounds(layer_ids: Sequence[uuid.UUID]) -> Statement:
    """Return the statement for the extents of layers: `edges` (west, south, east, north in degrees)
    of each that has a feature with a geometry."""
    text = f"""
SELECT edges FROM unnest(%(layers)s::uuid[]) AS layer
CROSS JOIN LATERAL (SELECT {LAYER_BOUNDS.format(layer="layer")} AS edges) AS bounds
WHERE edges[1] IS NOT NULL"""
    return Statement(text, {"layers": list(layer_ids)})


def select_observed_fields(layer_ids: Sequence[uuid.UUID]) -> Statement:
    """Return the statement for the properties in the first thousand features of each layer:
    `layer_id`, `name` and `types`."""
    text = """
SELECT layer_id, name, types
FROM unnest(%(layers)s::uuid[]) AS layer_id
CROSS JOIN LATERAL layer_properties(layer_id)
ORDER BY layer_id, name"""
    return Statement(text, {"layers": list(layer_ids)})
