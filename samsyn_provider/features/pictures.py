"""Pictures of large layers: all that can be seen of them at a glance, as GeoJSON of bounded size.

A picture has the layer's larger features, one small feature for each cell of a grid, simplified
geometries without heights, and the properties that a map is coloured and labelled by. Its features
have no ids, and geometries of Multi types: no editor takes them for the layer's own.
"""

import math
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from samsyn_model.database.execution import run
from samsyn_provider.cache.response_cache import CachedResponse, ResponseCache

MAX_PICTURE = 1024 * 1024
"""The maximum size of a picture in bytes."""
_MIN_PICTURE = 1024
_MAX_READ = 200_000  # features; of larger layers every nth is read
_FEATURE, _VERTEX = 200, 25  # bytes of GeoJSON, about
_ATTEMPTS = 4
_PROPERTIES = (
    *("name", "description", "featureType", "color", "fill", "stroke", "marker-color"),
    "intensity",
)
_EMPTY = b'{"type":"FeatureCollection","features":[]}'

# OFFSET 0: the features are looked up by id, also where the planner takes a layer that was just
# filled for one of few features and would read all of it for each of those chosen.
_SELECT = """
WITH measured AS (
    SELECT id, greatest(ST_XMax(box) - ST_XMin(box), ST_YMax(box) - ST_YMin(box)) AS size,
        floor((ST_XMin(box) + ST_XMax(box)) / 2 / %(cell)s) AS x,
        floor((ST_YMin(box) + ST_YMax(box)) / 2 / %(cell)s) AS y
    FROM (
        SELECT id, box3d(box2d(geom)) AS box FROM layer_features
        WHERE layer_id = %(layer)s AND NOT ST_IsEmpty(geom) AND id %% %(nth)s = 0 OFFSET 0
    ) AS boxed
), chosen AS (
    SELECT id, size FROM measured WHERE size > %(cell)s
    UNION ALL
    (SELECT DISTINCT ON (x, y) id, size FROM measured WHERE size <= %(cell)s
     ORDER BY x, y, size DESC, id)
), drawn AS (
    SELECT id, size, '{"type":"Feature","geometry":' || ST_AsGeoJSON(
            ST_Multi(ST_Simplify(ST_Force2D(geom), %(tolerance)s, true)), %(decimals)s, 0
        ) || ',"properties":' || coalesce((
            SELECT jsonb_object_agg(key, value) FROM jsonb_each(properties)
            WHERE key = ANY(%(properties)s) AND octet_length(value::text) <= 100
        ), '{}')::text || '}' AS feature
    FROM (SELECT id, size FROM chosen ORDER BY size DESC, id LIMIT %(features)s) AS largest
    CROSS JOIN LATERAL (
        SELECT geom, properties FROM layer_features
        WHERE layer_id = %(layer)s AND layer_features.id = largest.id OFFSET 0
    ) AS stored
), summed AS (
    SELECT id, feature, sum(octet_length(feature) + 1) OVER (ORDER BY size DESC, id) AS total
    FROM drawn
)
SELECT ('{"type":"FeatureCollection","features":[' ||
    coalesce(string_agg(feature, ',' ORDER BY id) FILTER (WHERE total <= %(size)s), '') ||
    ']}')::bpchar AS picture, coalesce(bool_or(total > %(size)s), false) AS is_cut
FROM summed"""


_cache = ResponseCache(max_response_size=2 * MAX_PICTURE)


@dataclass(frozen=True, slots=True)
class PicturedLayer:
    """A layer to draw: its data version, number of features and bounds, None without geometries."""

    id: uuid.UUID
    version: int
    feature_count: int
    bounds: Sequence[float] | None


def picture_size(budget: int, pictures: int) -> int:
    """Return the maximum size of each of some pictures that share a budget: a power of two.

    Pictures are cached by it, so that there are few sizes.
    """
    share = max(_MIN_PICTURE, min(MAX_PICTURE, budget // max(1, pictures)))
    return 1 << (share.bit_length() - 1)


def layer_picture(
    connection: Connection, layer: PicturedLayer, size: int, *, is_committed: bool
) -> bytes:
    """Return a layer's picture of at most `size` bytes, a GeoJSON feature collection.

    One of the same version of the layer is taken from the process's cache. `is_committed`: whether
    the version cannot be undone any more, and stands for this state of the layer alone.
    """
    tag = f"picture {layer.id} {layer.version} {size}"
    cached = _cache.get(tag)
    if cached is not None:
        return cached.body
    picture = _EMPTY if layer.bounds is None else _drawn(connection, layer, layer.bounds, size)
    if is_committed:
        _cache.put(tag, CachedResponse(picture))
    return picture


def _drawn(
    connection: Connection, layer: PicturedLayer, bounds: Sequence[float], size: int
) -> bytes:
    west, south, east, north = bounds
    extent = max(east - west if west <= east else east - west + 360, north - south, 1e-5)
    available = size - len(_EMPTY)
    tolerance = extent / math.sqrt(available / _VERTEX) / 10
    cell = extent / math.sqrt(available / _FEATURE)
    for _ in range(_ATTEMPTS):
        values = {
            "layer": layer.id,
            "nth": -(-layer.feature_count // _MAX_READ) or 1,
            "cell": cell,
            "tolerance": tolerance,
            "decimals": max(0, min(9, math.ceil(-math.log10(tolerance)))),
            "properties": list(_PROPERTIES),
            "features": available // 100,
            "size": available,
        }
        row = run(connection, _SELECT, values).one()
        if not row.is_cut:
            break
        tolerance, cell = tolerance * 4, cell * 2
    picture: bytes = row.picture
    return picture
