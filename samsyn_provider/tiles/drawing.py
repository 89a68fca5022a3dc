"""SQL expressions that draw features in a tile: measured, thinned, simplified, cut off."""

from typing import Any

from samsyn_provider.query.items_query import ItemsQuery
from samsyn_provider.tiles.matrix_sets import MERCATOR_LATITUDE

EXTENT = 4096
"""Units that a tile is wide; coordinates in it are whole units."""

MARGIN = 64
"""Units around a tile in which what lies there is drawn too, so that its edges do not show."""

VERTEX_BYTES = 16  # bytes

_SHARE = 2  # how many cells wide the features of a grid are at most

_PIXEL = 8  # units: a tile is drawn 512 pixels wide

TOLERANCE = 4  # units by which a simplified shape may be off

_LARGE = 500  # vertices


def measured_features(features: str, is_mercator: bool) -> str:
    """Return the features with their `box`, the `longitude` and `latitude` of its middle, its
    larger side in units of the tile (`size`), how many vertices are `stored` at most, and how much
    shorter than a degree of longitude one of latitude is for the same length on the tile
    (`cosine`)."""
    cosine = "cos(radians(latitude))" if is_mercator else "1::float8"
    # OFFSET 0: each step is taken once, not wherever its result is used
    return f"""(
        SELECT *, greatest(
            ST_XMax(box) - ST_XMin(box), (ST_YMax(box) - ST_YMin(box)) / cosine
        ) / %(unit)s AS size
        FROM (
            SELECT *, {cosine} AS cosine
            FROM (
                SELECT *, pg_column_size(geom) / {VERTEX_BYTES}::float8 AS stored,
                       (ST_XMin(box) + ST_XMax(box)) / 2 AS longitude,
                       (ST_YMin(box) + ST_YMax(box)) / 2 AS latitude
                FROM (
                    SELECT id, geom, properties, box3d(box2d(geom)) AS box FROM {features} OFFSET 0
                ) AS boxed
                OFFSET 0
            ) AS centred
            OFFSET 0
        ) AS scaled
        OFFSET 0
    ) AS measured"""


def vertices_expression(tolerance: int) -> str:
    """Return the expression for how many vertices a feature has at most when it is drawn: those
    stored, or as many as its outline can have with that many units between them."""
    return f"least(stored, 4 * least(size, {EXTENT}) / {tolerance})"


def thinned_ids(found: str, is_mercator: bool, cell: float) -> str:
    """Return the statement for the ids that stay when features are thinned; the finest cells are
    `cell` units wide."""
    y = "degrees(asinh(tan(radians(latitude))))" if is_mercator else "latitude"
    return f"""
        SELECT min(id) AS id
        FROM (
            SELECT id, longitude / %(unit)s AS x, {y} / %(unit)s AS y, CASE
                WHEN size <= {_SHARE * cell} THEN {cell}
                ELSE {cell} * 2::float8 ^ ceil(ln(size / {_SHARE * cell}) / ln(2::float8))
            END AS width
            FROM {measured_features(found, is_mercator)}
            WHERE (SELECT is_thinned FROM load)
            OFFSET 0
        ) AS placed
        GROUP BY width, floor(x / width), floor(y / width)"""


def drawn_features(features: str, is_mercator: bool, is_simplified: str = "false") -> str:
    """Return the features with their geometries in units of the tile, null for none, and else
    their ids and properties alone."""
    in_tile = f"ST_AsMVTGeom({{}}, %(box)s::box2d, {EXTENT}, {MARGIN})"
    unit = f"(%(right)s - %(left)s) / {EXTENT}"
    # a shape thinner than a unit would be gone: it is widened to one
    widened = f"ST_Buffer(ST_ClipByBox2D(shape, %(box)s::box2d), {unit})"
    # what ST_AsMVTGeom does to a shape before it cuts it off takes long for a large one
    near = f"ST_ClipByBox2D(whole, ST_Expand(%(box)s::box2d, {MARGIN} * {unit}))"
    return f"""(
        SELECT id, properties, coalesce(
            {in_tile.format("shape")},
            CASE WHEN ST_Dimension(shape) = 2 THEN {in_tile.format(widened)} END
        ) AS geom
        FROM (
            SELECT id, properties,
                   CASE WHEN stored > {_LARGE} THEN {near} ELSE whole END AS shape
            FROM (
                SELECT id, properties, stored, {_shape(is_mercator, is_simplified)} AS whole
                FROM {measured_features(features, is_mercator)}
                OFFSET 0
            ) AS projected
            OFFSET 0
        ) AS shaped
        OFFSET 0
    ) AS drawn"""


def _shape(is_mercator: bool, is_simplified: str) -> str:
    """Return the expression for a geometry in the CRS of the tiles; one too small to be seen is
    drawn as large as a pixel."""
    half = f"{_PIXEL / 2} * %(unit)s"
    edges = f"longitude - {half}, latitude - {half} * cosine, longitude + {half}"
    geometry = "ST_Force2D(geom)"
    if is_mercator:
        edge = MERCATOR_LATITUDE
        world = f"'BOX(-180 -{edge}, 180 {edge})'::box2d"
        # beyond these edges the projection has no plane coordinates
        geometry = f"""CASE
            WHEN geom @ {world}::geometry THEN geom ELSE ST_ClipByBox2D(geom, {world}) END"""
    shape = f"""CASE
        WHEN size >= {_PIXEL} OR ST_Dimension(geom) = 0 THEN
            CASE WHEN stored > size OR {is_simplified}
            THEN ST_Simplify({geometry}, %(unit)s * cosine
                * CASE WHEN {is_simplified} THEN {TOLERANCE} ELSE 1 END, true)
            ELSE {geometry} END
        WHEN ST_Dimension(geom) = 1 THEN ST_SetSRID(ST_MakeLine(
            ST_MakePoint(longitude - {half}, latitude), ST_MakePoint(longitude + {half}, latitude)
        ), 4326)
        ELSE ST_MakeEnvelope({edges}, latitude + {half} * cosine, 4326) END"""
    return f"ST_Transform({shape}, 3857)" if is_mercator else shape


def attributes_expression(query: ItemsQuery, values: dict[str, Any]) -> str:
    """Return the expression for a feature's attributes: objects and arrays as JSON text."""
    chosen, nested = "", "strict $.* ? ((@ == @) is unknown)"
    if query.properties is not None:
        values["properties"] = list(query.properties)
        chosen = " WHERE key = ANY(%(properties)s)"
    every = f"""(
        SELECT jsonb_object_agg(key, CASE
            WHEN jsonb_typeof(value) IN ('object', 'array') THEN to_jsonb(value::text)
            ELSE value END)
        FROM jsonb_each(properties){chosen}
    )"""
    if chosen:
        return every
    return f"CASE WHEN jsonb_path_exists(properties, '{nested}') THEN {every} ELSE properties END"
