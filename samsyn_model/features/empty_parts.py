"""Geometries without empty parts, in bulk; `geometry.py` does the same to one in GeoJSON."""

from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import GeometryType

_MULTI = (
    *(GeometryType.MULTIPOINT, GeometryType.MULTILINESTRING, GeometryType.MULTIPOLYGON),
    GeometryType.GEOMETRYCOLLECTION,
)


def without_empty_parts(geometries: NDArray[Any]) -> NDArray[Any]:
    """Return shapely geometries without the parts, rings and members that have no positions.

    The same array is returned where there are none. A geometry that is empty as a whole remains.
    """
    rows = np.flatnonzero(_has_empty_parts(geometries))
    if not len(rows):
        return geometries
    result = geometries.copy()
    for row in rows:
        result[row] = _rebuilt(geometries[row])
    return result


def _has_empty_parts(geometries: NDArray[Any]) -> NDArray[np.bool_]:
    found = np.zeros(len(geometries), dtype=bool)
    parts, row_of = geometries, np.arange(len(geometries))
    for _ in range(3):  # the parts of a collection's members have rings
        holed = np.flatnonzero(shapely.get_num_interior_rings(parts) > 0)
        rings, polygon_of = shapely.get_rings(parts[holed], return_index=True)
        found[row_of[holed[polygon_of[shapely.is_empty(rings)]]]] = True
        is_multi = np.isin(shapely.get_type_id(parts), _MULTI)
        parts, multi_of = shapely.get_parts(parts[is_multi], return_index=True)
        row_of = row_of[is_multi][multi_of]
        found[row_of[shapely.is_empty(parts)]] = True
    return found


def _rebuilt(geometry: Any) -> Any:
    kind = shapely.get_type_id(geometry)
    if kind == GeometryType.POLYGON and not geometry.is_empty:
        return shapely.Polygon(
            geometry.exterior, [ring for ring in geometry.interiors if not ring.is_empty]
        )
    if kind not in _MULTI:
        return geometry
    parts = [_rebuilt(part) for part in geometry.geoms]
    parts = [part for part in parts if not part.is_empty]
    return type(geometry)(parts)
