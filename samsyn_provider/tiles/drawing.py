"""SQL expressions that draw features in a tile: simplified, clipped, with their attributes."""

from functools import lru_cache
from typing import Any

from samsyn_provider.features.geojson_sql import array_literal
from samsyn_provider.query.items_query import ItemsQuery
from samsyn_provider.tiles.matrix_sets import EXTENT, MARGIN, MERCATOR_LATITUDE
from samsyn_provider.tiles.thinning import TOLERANCE, measured_features

_PIXEL = 8  # units: a tile is drawn 512 pixels wide

_MIN_CLIPPED_VERTICES = 500

_MAX_PAIRS = 50  # of names and values: a function has 100 arguments at most
_MIN_OUTLINE_VERTICES = 20_000  # of shapes for `tile_outline`, which ends in bounded time

_MAX_WIDENED_VERTICES = 2_000


def drawn_features(features: str, is_mercator: bool, is_simplified: str = "false") -> str:
    """Return the features: their ids, their properties, and their geometries in units of the tile,
    null outside of it."""
    in_tile = f"ST_AsMVTGeom({{}}, %(box)s::box2d, {EXTENT}, {MARGIN})"
    unit = f"(%(right)s - %(left)s) / {EXTENT}"
    # a polygon thinner than a unit would vanish: it is widened to one
    widened = f"ST_Buffer(ST_ClipByBox2D(shape, %(box)s::box2d), {unit})"
    # ST_AsMVTGeom takes long with a large geometry before it clips it
    clipped = f"ST_ClipByBox2D(projected, ST_Expand(%(box)s::box2d, {MARGIN} * {unit}))"
    return f"""(
        SELECT id, properties, coalesce(
            {in_tile.format("shape")},
            CASE WHEN ST_Dimension(shape) = 2 AND ST_NPoints(shape) <= {_MAX_WIDENED_VERTICES}
            THEN {in_tile.format(widened)} END
        ) AS geom
        FROM (
            SELECT id, properties,
                   CASE WHEN stored BETWEEN {_MIN_CLIPPED_VERTICES} AND {_MIN_OUTLINE_VERTICES}
                   THEN {clipped} ELSE projected END AS shape
            FROM (
                SELECT id, properties, stored, {_shape(is_mercator, is_simplified)} AS projected
                FROM {measured_features(features, is_mercator)}
                OFFSET 0
            ) AS shapes
            OFFSET 0
        ) AS clipped
        OFFSET 0
    ) AS drawn"""


def _shape(is_mercator: bool, is_simplified: str) -> str:
    """Return the expression for a geometry in the CRS of the tiles; one smaller than a pixel is
    drawn as large as one."""
    half = f"{_PIXEL / 2} * %(unit)s"
    edges = f"longitude - {half}, latitude - {half} * cosine, longitude + {half}"
    geometry = "ST_Force2D(geom)"
    tolerance = f"%(unit)s * cosine * CASE WHEN {is_simplified} THEN {TOLERANCE} ELSE 1 END"
    area = "box2d(ST_MakeEnvelope(%(west)s, %(south)s, %(east)s, %(north)s))"
    if is_mercator:
        edge = MERCATOR_LATITUDE
        world = f"'BOX(-180 -{edge}, 180 {edge})'::box2d"
        # beyond these edges the projection has no plane coordinates
        geometry = f"""CASE
            WHEN geom @ {world}::geometry THEN {geometry}
            ELSE ST_ClipByBox2D({geometry}, {world}) END"""
    shape = f"""CASE
        WHEN size >= {_PIXEL} OR ST_Dimension(geom) = 0 THEN
            CASE WHEN stored > {_MIN_OUTLINE_VERTICES}
            THEN tile_outline({geometry}, {area}, {tolerance})
            WHEN stored > size OR {is_simplified}
            THEN ST_Simplify({geometry}, {tolerance}, true)
            ELSE {geometry} END
        WHEN ST_Dimension(geom) = 1 THEN ST_SetSRID(ST_MakeLine(
            ST_MakePoint(longitude - {half}, latitude), ST_MakePoint(longitude + {half}, latitude)
        ), 4326)
        ELSE ST_MakeEnvelope({edges}, latitude + {half} * cosine, 4326) END"""
    return f"ST_Transform({shape}, 3857)" if is_mercator else shape


def attributes_expression(query: ItemsQuery, values: dict[str, Any]) -> str:
    """Return the expression for a feature's attributes: objects and arrays as JSON text."""
    where, nested = "", "strict $.* ? ((@ == @) is unknown)"
    if query.properties is not None:
        values["properties"] = list(query.properties)
        where = " WHERE key = ANY(%(properties)s)"
    attributes = f"""(
        SELECT jsonb_object_agg(key, CASE
            WHEN jsonb_typeof(value) IN ('object', 'array') THEN to_jsonb(value::text)
            ELSE value END)
        FROM jsonb_each(properties){where}
    )"""
    if where:
        return attributes
    return (
        f"CASE WHEN jsonb_path_exists(properties, '{nested}') THEN {attributes} ELSE properties END"
    )


@lru_cache(maxsize=256)  # composing it takes as long as some features do
def attribute_columns(names: tuple[str, ...]) -> tuple[str, str, dict[str, str]]:
    """Return the columns of `attributes` from which a tile gets the attributes in the order of
    `names`, then all others; the aggregate of `properties` that says whether there are no others,
    which the columns find as `are_named`; and the values of both.

    A tile has the attributes of a jsonb value in their order there, by length and then by bytes,
    and those of one column before those of the next. Names that ascend share a column. Where all
    attributes are named a column is what remains without those of the other columns, which takes
    half of the time that composing it does.
    """
    columns: list[list[str]] = []
    for name in names:
        if not columns or len(columns[-1]) == _MAX_PAIRS or _rank(name) <= _rank(columns[-1][-1]):
            columns.append([])
        columns[-1].append(name)
    if len(columns) <= 1:
        return "attributes", "bool_and(true)", {}
    texts, values = list[str](), {"attributes": array_literal(names)}
    is_short = len(names) <= _MAX_PAIRS
    for number, column in enumerate(columns):
        pairs: list[str] = []
        for name in column:
            parameter = f"%(attribute{len(pairs)}_{number})s::text"
            values[f"attribute{len(pairs)}_{number}"] = name
            pairs.append(f"{parameter}, attributes -> {parameter}")
        text = f"jsonb_build_object({', '.join(pairs)})"
        if is_short:
            values[f"beside{number}"] = array_literal([one for one in names if one not in column])
            remaining = f"attributes - %(beside{number})s::text[]"
            text = f"CASE WHEN are_named THEN {remaining} ELSE {text} END"
        texts.append(f"{text} AS attributes{number}")
    others = "attributes - %(attributes)s::text[]"
    texts.append(f"CASE WHEN NOT are_named THEN {others} END AS others")
    are_named = "coalesce(bool_and(properties - %(attributes)s::text[] = '{}'), true)"
    return ", ".join(texts), are_named if is_short else "bool_and(false)", values


def _rank(name: str) -> tuple[int, bytes]:
    encoded = name.encode()
    return len(encoded), encoded
