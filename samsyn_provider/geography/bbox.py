"""The `bbox` parameter: four or six numbers in the axis order of their CRS."""

import math
import re
from dataclasses import dataclass
from struct import Struct

import numpy as np
import shapely

from samsyn_model.errors import InvalidParameterError
from samsyn_provider.geography.crs import ReferenceSystem
from samsyn_provider.geography.transformation import epsg_to_degrees

_NUMBER = re.compile(r"\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?\s*")
_SRID = 4326
_POINT_TYPE, _LINE_TYPE, _POLYGON_TYPE = 0x20000001, 0x20000002, 0x20000003  # EWKB with an SRID
_POINT, _LINE, _POLYGON = Struct("<BII2d"), Struct("<BIII4d"), Struct("<BIIII10d")
_SEGMENTS = 16
_MERCATOR = 3857
_RADIUS = 6_378_137.0
_TOLERANCE = 1e-9
"""Degrees, a tenth of a millimetre: a position on the edge of a box in another CRS is inside."""


@dataclass(frozen=True, slots=True)
class Bbox:
    """An area, as geometries in CRS84 (two across the antimeridian), and heights."""

    areas: tuple[str, ...]
    """EWKB in hexadecimal: a polygon, a line where a box has no width or no height, or a point."""
    heights: tuple[float, float] | None = None


def parse_bbox(text: str, crs: ReferenceSystem) -> Bbox:
    """Return the area of a bbox in `crs` (OGC API Features Part 1, 7.15.3).

    A western edge east of the eastern one means a box across the antimeridian. Longitudes beyond
    ±180 degrees wrap. Raises InvalidParameterError when the text is no bbox, or lies outside the
    area of the CRS.
    """
    parts = text.split(",")
    if len(parts) not in {4, 6} or not all(_NUMBER.fullmatch(part) for part in parts):
        raise InvalidParameterError("bbox is four or six numbers separated by commas.")
    numbers = [float(part) for part in parts]
    if not all(map(math.isfinite, numbers)):
        raise InvalidParameterError("bbox holds a number that is not finite.")
    heights = None
    if len(numbers) == 6:
        heights = (numbers[2], numbers[5])
        numbers = [numbers[0], numbers[1], numbers[3], numbers[4]]
        if heights[0] > heights[1]:
            raise InvalidParameterError("bbox: the lowest height is above the highest.")
    if crs.y_first and not (crs.is_geographic and _is_longitude_first(numbers)):
        numbers = [numbers[1], numbers[0], numbers[3], numbers[2]]
    if crs.srid == _MERCATOR:
        numbers = _from_mercator(numbers)
    west, south, east, north = numbers
    is_degrees = crs.is_geographic or crs.srid == _MERCATOR
    if south > north:
        raise InvalidParameterError("bbox: the southern edge is north of the northern one.")
    if not is_degrees and west > east:
        raise InvalidParameterError("bbox: the western edge is east of the eastern one.")
    if crs.is_geographic:
        west, east = _wrapped(west, east)
    if is_degrees:
        return Bbox(_degree_boxes(west, south, east, north), heights)
    return Bbox((_projected_box(west, south, east, north, crs),), heights)


def _is_longitude_first(numbers: list[float]) -> bool:
    """Return whether degrees are valid only in the order longitude, latitude.

    Clients that ignore the CRS's axis order send them so, the official test suite among them.
    """
    return max(abs(numbers[0]), abs(numbers[2])) > 90 >= max(abs(numbers[1]), abs(numbers[3]))


def _from_mercator(numbers: list[float]) -> list[float]:
    """Return a box of EPSG:3857 in degrees, where it is a box too; longitudes wrap."""
    west, south, east, north = numbers
    if west > east:
        raise InvalidParameterError("bbox: the western edge is east of the eastern one.")
    west, east = _wrapped(math.degrees(west / _RADIUS), math.degrees(east / _RADIUS))
    return [
        west - _TOLERANCE,
        _latitude(south) - _TOLERANCE,
        east + _TOLERANCE,
        _latitude(north) + _TOLERANCE,
    ]


def _wrapped(west: float, east: float) -> tuple[float, float]:
    """Return the edges of a box, in degrees, within ±180; the western one may be the larger."""
    if east - west >= 360:
        return -180.0, 180.0
    if max(abs(west), abs(east)) > 180:
        return math.remainder(west, 360.0), math.remainder(east, 360.0)
    return west, east


def _latitude(y: float) -> float:
    return math.degrees(math.atan(math.sinh(max(-20.0, min(20.0, y / _RADIUS)))))


def _degree_boxes(west: float, south: float, east: float, north: float) -> tuple[str, ...]:
    if west <= east:
        return (_box(west, south, east, north),)
    return (
        _box(west, south, max(180.0, west), north),
        _box(min(-180.0, east), south, east, north),
    )


def _projected_box(
    west: float, south: float, east: float, north: float, crs: ReferenceSystem
) -> str:
    # the straight edges of a projected box are curves in longitude and latitude
    steps = np.linspace(0, 1, _SEGMENTS, endpoint=False)
    corners = np.array([[west, south], [east, south], [east, north], [west, north]])
    edges = np.roll(corners, -1, axis=0) - corners
    ring = (corners[:, None] + steps[None, :, None] * edges[:, None]).reshape(-1, 2)
    longitudes, latitudes = epsg_to_degrees(crs.srid).transform(ring[:, 0], ring[:, 1])
    if not (np.isfinite(longitudes).all() and np.isfinite(latitudes).all()):
        raise InvalidParameterError("bbox lies outside the area that its CRS covers.")
    polygon = shapely.Polygon(np.column_stack((longitudes, latitudes)))
    widened = shapely.set_srid(polygon.buffer(_TOLERANCE, quad_segs=1), _SRID)
    text: str = shapely.to_wkb(widened, hex=True, include_srid=True)
    return text


def _box(west: float, south: float, east: float, north: float) -> str:
    # packed here: GEOS would take longer to make the box than PostgreSQL to plan the statement
    if west == east and south == north:  # what PostGIS returns for a line without a length depends
        return _POINT.pack(1, _POINT_TYPE, _SRID, west, south).hex()  # on the order of the rows
    if west == east or south == north:  # a polygon without an area intersects nothing
        return _LINE.pack(1, _LINE_TYPE, _SRID, 2, west, south, east, north).hex()
    ring = (east, south, east, north, west, north, west, south, east, south)
    return _POLYGON.pack(1, _POLYGON_TYPE, _SRID, 1, 5, *ring).hex()
