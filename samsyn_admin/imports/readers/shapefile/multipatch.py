"""Multipatches, the surfaces of a shapefile, as multipolygons."""

from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from samsyn_admin.imports.readers.shapefile.records import DamagedShapeError, Shape

_STRIP, _FAN, _OUTER, _INNER, _FIRST, _RING = range(6)
_TRIANGLE = 3


def multipolygon(shape: Shape) -> shapely.MultiPolygon:
    """Return a multipatch as a multipolygon with heights; raises DamagedShapeError."""
    heights = np.zeros(len(shape.positions)) if shape.heights is None else shape.heights
    positions = np.column_stack((shape.positions, heights))
    parts = np.split(positions, shape.parts[1:])
    types = [] if shape.patches is None else shape.patches.tolist()
    triangles: list[NDArray[np.float64]] = []
    polygons: list[list[NDArray[np.float64]]] = []
    has_shell = False
    for kind, part in zip(types, parts, strict=True):
        if len(part) < _TRIANGLE:
            raise DamagedShapeError("it has a part of fewer than three positions")
        if kind in {_STRIP, _FAN}:
            triangles.append(part[_triangle_rows(kind, len(part))])
            has_shell = False
        elif has_shell and kind in {_INNER, _RING}:
            polygons[-1].append(part)
        elif kind in {_OUTER, _FIRST, _RING}:
            polygons.append([part])
            has_shell = kind != _RING
        else:
            raise DamagedShapeError("it has a part that is no triangles and in no ring")
    try:
        made = [shapely.Polygon(rings[0], rings[1:]) for rings in polygons]
        for group in triangles:
            surfaces: Any = shapely.polygons(group)
            made.extend(surfaces)
        return shapely.MultiPolygon(made)
    except (ValueError, shapely.errors.ShapelyError) as error:
        raise DamagedShapeError("it has a ring of too few positions") from error


def _triangle_rows(kind: int, count: int) -> NDArray[np.int64]:
    """Return the rows of the positions of each triangle, of which the last is the first."""
    index = np.arange(count - _TRIANGLE + 1)
    first = np.zeros_like(index) if kind == _FAN else index
    return np.column_stack((first, index + 1, index + 2, first))
