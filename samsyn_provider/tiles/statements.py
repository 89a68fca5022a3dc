"""The SQL that makes vector tiles: pure functions from a query to text and bound values.

What a tile holds is bounded whatever its layer holds. Where more features, or larger ones, meet a
tile than it may hold, a grid is laid over it for each size that features have, its cells half as
wide as the features: one feature stays for each cell that holds the middle of any. The number of
all such cells is bounded, and no part of the sea that holds features is left without any.
"""

import re
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from samsyn_model.database.statement import Statement
from samsyn_model.properties.roles import TemporalProperties
from samsyn_provider.cache.tile_cache import KEPT, slot_of
from samsyn_provider.collections.statements import LAYER_BOUNDS
from samsyn_provider.query.conditions import feature_conditions
from samsyn_provider.query.items_query import ItemsQuery
from samsyn_provider.tiles.drawing import (
    EXTENT,
    MARGIN,
    TOLERANCE,
    VERTEX_BYTES,
    attributes_expression,
    drawn_features,
    measured_features,
    thinned_ids,
    vertices_expression,
)
from samsyn_provider.tiles.matrix_sets import Tile

MOST_FEATURES = 10_000
"""How many features a tile holds unthinned."""

MOST_ATTRIBUTES = 2 * 1024 * 1024
"""How many bytes, as stored, of attributes a tile holds; features beyond have their id alone."""

_PLACEHOLDER = re.compile(r"%\((\w+)\)s")

_MOST_VERTICES = 200_000  # before shapes are simplified

_MOST_SIMPLIFIED_VERTICES = 600_000  # before features are thinned

_CELLS = 128  # of the finest grid, across a tile

_NEAR = 8  # level from which tiles are small


@dataclass(frozen=True, slots=True)
class TileSource:
    """A layer that a tile shows, and what of it."""

    layer_id: uuid.UUID
    times: TemporalProperties | None
    query: ItemsQuery


def select_small_tile(
    sources: Sequence[TileSource], tile: Tile, tag: str | None = None
) -> Statement:
    """Return the statement for a tile of layers in their order, where these hold little in it, as
    most do: `tile` (bytes, empty for none), null where it has to be bounded.

    Each layer's features are in a layer of the tile that is named by its id. With a `tag` the
    database is asked first for the tile that it keeps under that; `was_cached` tells.
    """
    parts, values = _parts(sources, tile, _light_text)
    made = " || ".join(["''::bytea", *parts])
    prepared = _is_plain(sources)
    if tag is None:
        return Statement(f"SELECT {made} AS tile, false AS was_cached", values, prepared)
    values |= {"slot": slot_of(tag), "tag": tag}
    text = f"""
SELECT coalesce(kept, {made}) AS tile, kept IS NOT NULL AS was_cached
FROM (SELECT {KEPT} AS kept OFFSET 0) AS looked"""
    return Statement(text, values, prepared)


def select_bounded_tile(sources: Sequence[TileSource], tile: Tile) -> Statement:
    """Return the statement for the same `tile` whatever the layers hold in it."""
    parts, values = _parts(sources, tile, _bounded_text)
    made = " || ".join(["''::bytea", *(f"coalesce({part}, '')" for part in parts)])
    return Statement(
        f"SELECT {made} AS tile", values, prepared=tile.level >= _NEAR and _is_plain(sources)
    )


def _parts(
    sources: Sequence[TileSource], tile: Tile, text_of: Callable[..., str]
) -> tuple[list[str], dict[str, Any]]:
    """Return an expression for each layer's part of a tile, and the values of all."""
    texts, values = [], dict[str, Any]()
    for number, source in enumerate(sources):
        part = _part(source, tile, len(sources), text_of)
        if len(sources) > 1:
            part = _numbered(part, number)
        texts.append(f"({part.text})")
        values |= part.values
    return texts, values


def _numbered(part: Statement, number: int) -> Statement:
    """Return a statement whose values have other names than those of the parts beside it."""
    values = {f"{name}_{number}": value for name, value in part.values.items()}
    return Statement(_PLACEHOLDER.sub(rf"%(\1_{number})s", part.text), values)


def _is_plain(sources: Sequence[TileSource]) -> bool:
    """Return whether one layer is drawn as it is. Its statement takes longer to plan than to run
    where a tile is small, and one plan does for all that are."""
    return len(sources) == 1 and sources[0].query == ItemsQuery(crs=sources[0].query.crs)


def _part(source: TileSource, tile: Tile, shares: int, text_of: Callable[..., str]) -> Statement:
    """Return the statement for one of as many layers as share what the tile may hold."""
    values: dict[str, Any] = {
        "layer": source.layer_id,
        "name": str(source.layer_id),
        "most": max(MOST_FEATURES // shares, 1),
        "vertices": _MOST_VERTICES // shares,
        "simplified_vertices": _MOST_SIMPLIFIED_VERTICES // shares,
        "attributes": MOST_ATTRIBUTES // shares,
        **_places(tile),
    }
    conditions = feature_conditions(source.query, source.times, values)
    attributes = attributes_expression(source.query, values)
    return Statement(text_of(_found(conditions), attributes, tile.grid.is_mercator, shares), values)


def _found(conditions: Sequence[str]) -> str:
    area = "ST_MakeEnvelope(%(west)s, %(south)s, %(east)s, %(north)s, 4326)"
    return f"""(
        SELECT id, geom, properties FROM layer_features
        WHERE {" AND ".join([*conditions, f"geom && {area}"])}
    ) AS found"""


@lru_cache(maxsize=64)  # writing it out takes a tenth of a small tile's time
def _light_text(found: str, attributes: str, is_mercator: bool, _: int) -> str:
    drawn = (
        f"(SELECT id, geom, {attributes} AS attributes FROM {drawn_features(found, is_mercator)})"
    )
    return f"""
SELECT CASE WHEN (
    SELECT coalesce(
        count(*) <= %(most)s AND sum(pg_column_size(geom)) <= {VERTEX_BYTES} * %(vertices)s
            AND sum(pg_column_size(properties)) <= %(attributes)s, true
    ) FROM (SELECT geom, properties FROM {found} LIMIT %(most)s + 1) AS first_found
) THEN coalesce(({_encoded(drawn)}), '') END"""


def _encoded(drawn: str) -> str:
    """Return the statement for the tile of drawn features."""
    return f"""
SELECT ST_AsMVT(feature, %(name)s, {EXTENT}, 'geom', 'id')
FROM (
    SELECT id, geom, attributes FROM {drawn} AS drawn WHERE geom IS NOT NULL ORDER BY id
) AS feature"""


@lru_cache(maxsize=64)
def _bounded_text(found: str, attributes: str, is_mercator: bool, shares: int) -> str:
    cell = EXTENT / max(round(_CELLS / shares**0.5), 1)
    limited = f"""(
    SELECT id, geom, CASE
        WHEN sum(pg_column_size(properties)) OVER (ORDER BY id) <= %(attributes)s
        THEN {attributes}
    END AS attributes
    FROM drawn
    WHERE geom IS NOT NULL
)"""
    return f"""
WITH load AS MATERIALIZED (
    SELECT count(*) > %(most)s OR sum({vertices_expression(TOLERANCE)}) > %(simplified_vertices)s
               AS is_thinned,
           count(*) > %(most)s OR sum({vertices_expression(1)}) > %(vertices)s AS is_simplified
    FROM (
        SELECT size, stored FROM {measured_features(found, is_mercator)} LIMIT %(most)s + 1
    ) AS first_found
), chosen AS (
    SELECT id, geom, properties FROM {found} WHERE NOT (SELECT is_thinned FROM load)
    UNION ALL
    SELECT kept.*
    FROM ({thinned_ids(found, is_mercator, cell)}) AS representative
    CROSS JOIN LATERAL (
        SELECT id, geom, properties FROM layer_features
        WHERE layer_id = %(layer)s AND id = representative.id OFFSET 0
    ) AS kept
), drawn AS MATERIALIZED (
    SELECT * FROM {drawn_features("chosen", is_mercator, "(SELECT is_simplified FROM load)")}
)
{_encoded(limited)}"""


def _places(tile: Tile) -> dict[str, Any]:
    west, south, east, north = tile.degrees(MARGIN / EXTENT)
    left, lower, right, upper = tile.edges
    return {
        **{"west": west, "south": south, "east": east, "north": north},
        **{"left": left, "right": right, "box": f"BOX({left} {lower}, {right} {upper})"},
        "unit": 360 / tile.grid.columns / 2**tile.level / EXTENT,  # in degrees of longitude
    }


def select_layer_bounds(layer_ids: Sequence[uuid.UUID]) -> Statement:
    """Return the statement for the common extent of layers: `west`, `south`, `east`, `north` in
    degrees, nulls where nothing has a place."""
    text = f"""
SELECT min(edges[1]) AS west, min(edges[2]) AS south, max(edges[3]) AS east, max(edges[4]) AS north
FROM unnest(%(layers)s::uuid[]) AS layer
CROSS JOIN LATERAL (SELECT {LAYER_BOUNDS.format(layer="layer")} AS edges) AS bounds"""
    return Statement(text, {"layers": list(layer_ids)})


def select_observed_fields(layer_ids: Sequence[uuid.UUID]) -> Statement:
    """Return the statement that tells `layer_id`, `name` and `types` of the properties in the first
    thousand features of each layer."""
    text = """
SELECT layer_id, entry.key AS name, array_agg(DISTINCT jsonb_typeof(entry.value)) AS types
FROM unnest(%(layers)s::uuid[]) AS wanted (layer)
CROSS JOIN LATERAL (
    SELECT layer_id, properties FROM layer_features WHERE layer_id = layer ORDER BY id LIMIT 1000
) AS sample
CROSS JOIN LATERAL jsonb_each(properties) AS entry
WHERE entry.value <> 'null'
GROUP BY layer_id, name
ORDER BY layer_id, name"""
    return Statement(text, {"layers": list(layer_ids)})
