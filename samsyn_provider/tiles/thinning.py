"""SQL expressions that decide which features a tile has.

Where a tile would exceed the bounds, it is divided by a grid for each size of features, with cells
half as wide as the features: one feature remains for each cell that contains the centre of any. The
total number of cells is bounded, and no area with features is left without any.
"""

from samsyn_provider.tiles.matrix_sets import EXTENT

MAX_FEATURES = 10_000
"""The most features of a tile that is not thinned."""

VERTEX_BYTES = 16
"""The size of a stored vertex without height."""

TOLERANCE = 4
"""The tolerance in units to which the shapes of a full tile are simplified."""

_MAX_VERTICES = 200_000  # with more, shapes are simplified

_MAX_SIMPLIFIED_VERTICES = 600_000  # with more, features are thinned

_CELLS = 128  # of the finest grid, across a tile

_MAX_CELLS = 2  # width of the features of a grid, in its cells


def load_bounds(shares: int) -> dict[str, int]:
    """Return the values of the bounds for one of `shares` layers of a tile."""
    return {
        "max_features": max(MAX_FEATURES // shares, 1),
        "max_vertices": _MAX_VERTICES // shares,
        "max_simplified_vertices": _MAX_SIMPLIFIED_VERTICES // shares,
    }


def load_of(features: str, is_mercator: bool) -> str:
    """Return the statement for the load of a tile: whether its features have to be thinned
    (`is_thinned`), and whether their shapes have to be simplified (`is_simplified`)."""
    return f"""SELECT count(*) > %(max_features)s
               OR sum({_vertices(TOLERANCE)}) > %(max_simplified_vertices)s AS is_thinned,
           count(*) > %(max_features)s
               OR sum({_vertices(1)}) > %(max_vertices)s AS is_simplified
    FROM (
        SELECT size, stored FROM {measured_features(features, is_mercator)}
        LIMIT %(max_features)s + 1
    ) AS limited"""


def thinned_ids(features: str, is_mercator: bool, shares: int) -> str:
    """Return the statement for the ids of the features of one of `shares` layers that remain after
    thinning, if the tile's `load` is too large."""
    cell = EXTENT / max(round(_CELLS / shares**0.5), 1)
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


def _vertices(tolerance: int) -> str:
    """Return the expression for the most vertices of a drawn feature: those stored, or as many as
    its outline can have at a distance of `tolerance` units."""
    return f"least(stored, 4 * least(size, {EXTENT}) / {tolerance})"
