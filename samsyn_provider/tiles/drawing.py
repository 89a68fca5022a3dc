"""SQL expressions that draw features in a tile: measured, thinned, simplified, clipped."""

from typing import Any

from samsyn_provider.query.items_query import ItemsQuery
from samsyn_provider.tiles.matrix_sets import MERCATOR_LATITUDE

EXTENT = 4096
"""The width of a tile in units; its coordinates are integers."""

MARGIN = 64
"""The buffer of a tile in units: features are drawn beyond its edges, which do not show then."""

VERTEX_BYTES = 16

_MAX_CELLS = 2  # width of the features of a grid, in its cells

_PIXEL = 8  # units: a tile is drawn 512 pixels wide

TOLERANCE = 4  # units

_MIN_CLIPPED_VERTICES = 500


def measured_features(features: str, is_mercator: bool) -> str:
    """Return the features with their `box`, the `longitude` and `latitude` of its centre, its
    larger side in units of the tile (`size`), an upper bound of their `stored` vertices, and the
    ratio of degrees of latitude to degrees of longitude of the same length on the tile
    (`cosine`)."""
    cosine = "cos(radians(latitude))" if is_mercator else "1::float8"
    # OFFSET 0: each step is computed once, not wherever its result is used
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
    """Return the expression for the most vertices of a drawn feature: those stored, or as many as
    its outline can have at a distance of `tolerance` units."""
    return f"least(stored, 4 * least(size, {EXTENT}) / {tolerance})"


def thinned_ids(features: str, is_mercator: bool, cell: float) -> str:
    """Return the statement for the ids of the features that remain after thinning; the finest cells
    are `cell` units wide."""
    y = "degrees(asinh(tan(radians(latitude))))" if is_mercator else "latitude"
    return f"""
        SELECT min(id) AS id
        FROM (
            SELECT id, longitude / %(unit)s AS x, {y} / %(unit)s AS y, CASE
                WHEN size <= {_MAX_CELLS * cell} THEN {cell}
                ELSE {cell} * 2::float8 ^ ceil(ln(size / {_MAX_CELLS * cell}) / ln(2::float8))
            END AS width
            FROM {measured_features(features, is_mercator)}
            WHERE (SELECT is_thinned FROM load)
            OFFSET 0
        ) AS sized
        GROUP BY width, floor(x / width), floor(y / width)"""


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
            CASE WHEN ST_Dimension(shape) = 2 THEN {in_tile.format(widened)} END
        ) AS geom
        FROM (
            SELECT id, properties,
                   CASE WHEN stored > {_MIN_CLIPPED_VERTICES}
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
