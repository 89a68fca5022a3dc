"""Boxes around everything within a distance: nothing near lies outside, by pyproj's geodesics."""

import math
import random
from collections.abc import Iterator
from itertools import pairwise

import pytest
import shapely
from pyproj import Geod
from shapely.geometry.base import BaseGeometry

from samsyn_provider.geography.distances import Box, boxes_within, divided_geometry

WGS84 = Geod(ellps="WGS84")
SHAPES = [
    "POINT(10 55)",
    "POINT(0 0)",
    "POINT(180 12)",
    "POINT(-180 12)",
    "POINT(179.9999 -60)",
    "POINT(20 89.99)",
    "POINT(20 -89.5)",
    "POINT(77 90)",
    "POINT(3 -90)",
    "LINESTRING(10 60, 70 60)",
    "LINESTRING(10 -75, 120 -80)",
    "LINESTRING(-179 60, 179 61)",
    "LINESTRING(12 -80, 12.5 85)",
    "MULTIPOINT(179.5 10, -179.5 12)",
    "MULTIPOINT(0 10, 120 12, -120 14)",
    "POLYGON((9 54, 13 54, 13 58, 9 58, 9 54))",
    "POLYGON((9 54, 9.1 54, 9.1 54.1, 9 54.1, 9 54))",
    "MULTIPOLYGON(((170 60, 180 60, 180 65, 170 65, 170 60)),"
    " ((-180 60, -175 60, -175 65, -180 65, -180 60)))",
    "POLYGON((-180 80, 180 80, 180 90, -180 90, -180 80))",
    "POLYGON((-100 -10, 100 -10, 100 10, -100 10, -100 -10))",
]
DISTANCES = [0, 1, 900, 20_000, 300_000, 2_500_000]


def _contains(boxes: tuple[Box, ...], longitude: float, latitude: float) -> bool:
    return not boxes or any(
        west <= longitude <= east and south <= latitude <= north
        for west, south, east, north in boxes
    )


def _positions_on_geodesics(shape: BaseGeometry, chance: random.Random) -> Iterator[list[float]]:
    """Yield positions on the edges of a shape as PostGIS sees them, and its own."""
    yield from shapely.get_coordinates(shape).tolist()
    divided = divided_geometry(shape)
    polygons = shapely.get_parts(shapely.get_parts(divided))
    rings = shapely.get_rings(polygons)
    for line in rings if len(rings) else polygons:
        positions = shapely.get_coordinates(line).tolist()
        for first, last in pairwise(positions):
            azimuth, _, length = WGS84.inv(*first, *last)
            yield list(WGS84.fwd(*first, azimuth, length * chance.random())[:2])


@pytest.mark.parametrize("text", SHAPES)
def test_nothing_within_the_distance_is_outside_the_boxes(text: str) -> None:
    chance = random.Random(text)
    shape = shapely.from_wkt(text)
    for metres in DISTANCES:
        boxes = boxes_within(shape, metres)
        for west, south, east, north in boxes:
            assert -180 <= west <= east <= 180, boxes
            assert -90 <= south <= north <= 90, boxes
        for longitude, latitude in _positions_on_geodesics(shape, chance):
            for azimuth in (0, 90, 180, 270, chance.uniform(0, 360)):
                place = WGS84.fwd(longitude, latitude, azimuth, metres * chance.random() ** 0.1)
                assert _contains(boxes, *place[:2]), (metres, place)


@pytest.mark.parametrize(
    ("text", "metres", "area"),
    [
        ("POINT(10 0)", 10_000, 0.04),
        ("POINT(180 0)", 10_000, 0.04),
        ("POINT(10 60)", 10_000, 0.08),
        ("POLYGON((9 0, 9.1 0, 9.1 0.1, 9 0.1, 9 0))", 10_000, 0.1),
        ("MULTIPOINT(179.5 0, -179.5 0)", 1_000, 0.05),
    ],
)
def test_boxes_are_small(text: str, metres: float, area: float) -> None:
    boxes = boxes_within(shapely.from_wkt(text), metres)
    assert sum((east - west) * (north - south) for west, south, east, north in boxes) < area


@pytest.mark.parametrize("text", SHAPES)
def test_features_bulge_less_than_the_boxes_allow(text: str) -> None:
    """A feature's geodesics leave its own box, which the index has, by less than the boxes gain."""
    chance = random.Random(text)
    shape = shapely.from_wkt(text)
    west, south, east, north = shape.bounds
    for longitude, latitude in _positions_on_geodesics(shape, chance):
        nearest = (min(max(longitude, west), east), min(max(latitude, south), north))
        if abs(longitude) < 179.9:
            assert WGS84.inv(longitude, latitude, *nearest)[2] < 490


def test_everywhere_is_no_box() -> None:
    assert boxes_within(shapely.from_wkt("POINT(0 0)"), 2.1e7) == ()
    assert boxes_within(shapely.from_wkt("POINT(0 0)"), 1e30) == ()
    assert boxes_within(shapely.box(-180, -90, 180, 90), 0) == ()


def test_a_pole_within_reach_takes_every_longitude() -> None:
    ((west, south, east, north),) = boxes_within(shapely.from_wkt("POINT(30 89)"), 120_000)
    assert (west, east, north) == (-180, 180, 90)
    assert 87 < south < 89
    assert math.isclose(south, 89 - 121_500 / 111_700, abs_tol=0.01)
