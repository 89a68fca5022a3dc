"""The `bbox` parameter: four or six numbers in the axis order of their CRS."""

import math
import re
from dataclasses import dataclass

import numpy as np
import shapely

from samsyn_model.errors import InvalidParameterError
from samsyn_provider.crs import ReferenceSystem, to_crs84

_NUMBER = re.compile(r"\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?\s*")
_SEGMENTS = 16


@dataclass(frozen=True, slots=True)
class Bbox:
    """The area asked for, as polygons in CRS84 (two across the antimeridian), and heights."""

    polygons: tuple[str, ...]
    """EWKB in hexadecimal."""
    heights: tuple[float, float] | None = None


def parse_bbox(text: str, crs: ReferenceSystem) -> Bbox:
    """Return the area that a bbox in `crs` covers (OGC API Features Part 1, 7.15.3).

    A western edge east of the eastern one means a box across the antimeridian. Raises
    InvalidParameterError when the text is no bbox, or lies outside what the CRS covers.
    """
    parts = text.split(",")
    if len(parts) not in {4, 6} or not all(_NUMBER.fullmatch(part) for part in parts):
        raise InvalidParameterError("bbox is four or six numbers with commas between them.")
    numbers = [float(part) for part in parts]
    if not all(map(math.isfinite, numbers)):
        raise InvalidParameterError("bbox holds a number that is not finite.")
    heights = None
    if len(numbers) == 6:
        heights = (numbers[2], numbers[5])
        numbers = [numbers[0], numbers[1], numbers[3], numbers[4]]
        if heights[0] > heights[1]:
            raise InvalidParameterError("bbox: the lowest height is above the highest.")
    if crs.y_first:
        numbers = [numbers[1], numbers[0], numbers[3], numbers[2]]
    west, south, east, north = numbers
    if south > north:
        raise InvalidParameterError("bbox: the southern edge is north of the northern one.")
    if not crs.is_geographic and west > east:
        raise InvalidParameterError("bbox: the western edge is east of the eastern one.")
    return Bbox(tuple(map(_ewkb, _polygons(west, south, east, north, crs))), heights)


def _polygons(
    west: float, south: float, east: float, north: float, crs: ReferenceSystem
) -> list[shapely.Geometry]:
    if crs.is_geographic and west > east:
        return [
            _box(west, south, max(180.0, west), north),
            _box(min(-180.0, east), south, east, north),
        ]
    if crs.srid == 4326:
        return [_box(west, south, east, north)]
    # the straight edges of a projected box are curves in longitude and latitude
    steps = np.linspace(0, 1, _SEGMENTS, endpoint=False)
    corners = np.array([[west, south], [east, south], [east, north], [west, north]])
    edges = np.roll(corners, -1, axis=0) - corners
    ring = (corners[:, None] + steps[None, :, None] * edges[:, None]).reshape(-1, 2)
    longitudes, latitudes = to_crs84(crs.srid).transform(ring[:, 0], ring[:, 1])
    if not (np.isfinite(longitudes).all() and np.isfinite(latitudes).all()):
        raise InvalidParameterError("bbox lies outside the area that its CRS covers.")
    return [shapely.Polygon(np.column_stack((longitudes, latitudes)))]


def _box(west: float, south: float, east: float, north: float) -> shapely.Geometry:
    if west == east or south == north:
        # a polygon without an area meets nothing
        return shapely.LineString([(west, south), (east, north)])
    return shapely.box(west, south, east, north)


def _ewkb(polygon: shapely.Geometry) -> str:
    text: str = shapely.to_wkb(shapely.set_srid(polygon, 4326), hex=True, include_srid=True)
    return text
