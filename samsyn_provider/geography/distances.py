"""Geometries on the ellipsoid, and boxes around everything within a distance of one.

Between two positions of a geometry the line is straight in longitude and latitude (RFC 7946,
3.1.1), and PostGIS's is a geodesic. Edges longer than a degree are therefore divided: the two then
differ by at most some hundred metres, and no edge is one of 180 degrees, which has no geodesic.
PostGIS takes a polygon for the smaller part of the globe that its rings bound, so that one that is
wider than 120 degrees is divided too, along meridians.
"""

import math
from typing import Any

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

_SLICES = ((-180, -90), (-90, 0), (0, 90), (90, 180))
_SLICE_BOXES = ", ".join(f"('BOX({west} -90, {east} 90)'::box2d)" for west, east in _SLICES)
_WIDEST = 120  # degrees
_MAX_FEATURE_PARTS = 10_000  # that the edges of a geometry are divided into
_MAX_SHAPE_PARTS = 1_000  # the same of a geometry in a request, which may have hundreds

_DIVIDED_POLYGONS = f"""(
    SELECT ST_Collect(part) FROM (
        SELECT ST_ClipByBox2D(
            ST_CollectionExtract(ST_MakeValid(ST_Force2D(geom)), 3), slice
        ) AS part
        FROM (VALUES {_SLICE_BOXES}) AS slices (slice)
        UNION ALL SELECT ST_Force2D(ST_CollectionExtract(geom, 2))
        UNION ALL SELECT ST_Force2D(ST_CollectionExtract(geom, 1))
    ) AS parts
)"""
_EDGE_LENGTH = f"greatest(1, (ST_Length(geom) + ST_Perimeter(geom)) / {_MAX_FEATURE_PARTS})"

GEODETIC_GEOMETRY = f"""(CASE
    WHEN ST_XMax(geom) - ST_XMin(geom) > {_WIDEST} AND ST_Dimension(geom) = 2
        THEN ST_Segmentize({_DIVIDED_POLYGONS}, {_EDGE_LENGTH})
    WHEN ST_XMax(geom) - ST_XMin(geom) > 1 OR ST_YMax(geom) - ST_YMin(geom) > 90
        THEN ST_Segmentize(geom, {_EDGE_LENGTH})
    ELSE geom END)::geography"""
"""The SQL of a feature's geometry on the ellipsoid. Only edges along parallels bend away from
their geodesics, so that a narrow geometry stays as it is."""

Box = tuple[float, float, float, float]
"""West, south, east and north in degrees."""

_LONGEST_EDGE = 1.0  # degrees
_BOX_PARTS = 200  # of a shape's size, between the positions that a box is computed from
_EQUATORIAL_RADIUS = 6_378_137.0  # metres, of WGS 84
_SHORTEST_RADIUS = 6_335_439.0  # of curvature: along a meridian, at the equator
_LONGEST_RADIUS = 6_399_594.0  # at the poles
_TOLERANCE = 1.0  # metres


def divided_geometry(shape: BaseGeometry) -> BaseGeometry:
    """Return a geometry in degrees, divided in the same way."""
    west, _, east, _ = shapely.bounds(shape)
    if east - west > _WIDEST:
        parts = shapely.get_parts(shape)
        is_polygon = shapely.get_dimensions(parts) == 2
        slices = (
            shapely.clip_by_rect(polygon, west, -90, east, 90)
            for polygon in parts[is_polygon]
            for west, east in _SLICES
        )
        divided = [*parts[~is_polygon], *(part for part in slices if not part.is_empty)]
        return shapely.segmentize(shapely.GeometryCollection(divided), _edge_length(shape))
    return shapely.segmentize(shape, _edge_length(shape))


def boxes_within(shape: BaseGeometry, metres: float) -> tuple[Box, ...]:
    """Return boxes that contain every geometry within a distance of a shape in degrees, wholly or
    in part; two where they cross the antimeridian, none where everything may be within it.
    """
    length = float(shapely.length(shape))
    edge = max(_size(shape) / _BOX_PARTS, length / _MAX_SHAPE_PARTS)
    positions = shapely.get_coordinates(shapely.segmentize(shape, edge) if length else shape)
    # how far the shape is from its positions, and geodesics from its and the features' edges
    spacing = math.radians(min(edge, length)) / 2
    bends = _bend(min(_edge_length(shape), length)) + _bend(_LONGEST_EDGE)
    reach = metres + (spacing + bends) * _LONGEST_RADIUS + _TOLERANCE
    longitudes, latitudes = positions[:, 0], positions[:, 1]
    height = math.degrees(reach / _SHORTEST_RADIUS)
    south, north = float(latitudes.min()) - height, float(latitudes.max()) + height
    edges = (-180.0, 180.0)
    if south > -90 and north < 90:
        # a path of this length comes no closer to a pole
        cosines = np.cos(np.radians(np.abs(latitudes) + height))
        edges = _longitudes(longitudes, np.degrees(reach / _EQUATORIAL_RADIUS / cosines))
    south, north = max(-90.0, south), min(90.0, north)
    west, east = edges
    if (west, south, east, north) == (-180.0, -90.0, 180.0, 90.0):
        return ()
    if east > 180:
        return (west, south, 180.0, north), (-180.0, south, east - 360, north)
    return ((west, south, east, north),)


def _longitudes(centres: np.ndarray[Any, Any], widths: np.ndarray[Any, Any]) -> tuple[float, float]:
    """Return the western and the eastern edge of the shortest range of longitudes that contains
    every centre with its width on either side; the eastern one may be beyond the antimeridian."""
    if widths.max() >= 180:
        return -180.0, 180.0
    starts = np.mod(centres - widths, 360.0)
    order = np.argsort(starts)
    starts, ends = starts[order], (starts + 2 * widths)[order]
    # how far the ranges before each start reach, those of the turn before included
    reached = np.maximum.accumulate(np.append(ends.max() - 360, ends[:-1]))
    gaps = starts - reached
    widest = int(gaps.argmax())
    if gaps[widest] <= 0:
        return -180.0, 180.0
    west = math.remainder(float(starts[widest]), 360.0)
    return west, west + 360 - float(gaps[widest])


def _bend(degrees: float) -> float:
    """Return how far the geodesic of an edge is from it at most, in radians."""
    return math.radians(degrees) ** 2 / 4


def _edge_length(shape: BaseGeometry) -> float:
    return max(_LONGEST_EDGE, float(shapely.length(shape)) / _MAX_SHAPE_PARTS)


def _size(shape: BaseGeometry) -> float:
    west, south, east, north = shapely.bounds(shape)
    return float(math.hypot(east - west, north - south))
