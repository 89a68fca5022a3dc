"""What is measured: generated polygons, the boxes and the tiles that they are asked for by.

The same at every run: 33 points a polygon, seven attributes, between 0 and 32° east, 50 and 67°
north. A tile of Web Mercator at level 8 has about 680 of 300,000, one at level 10 about 70.
"""

import math
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyogrio
import shapely

WEST, SOUTH, EAST, NORTH = 0.0, 50.0, 32.0, 67.0
POINTS = 33
CATEGORIES = tuple(f"use-{number:02}" for number in range(20))
ATTRIBUTES = {
    "name": "text",
    "category": "text",
    "status": "text",
    "depth": "integer",
    "area": "double precision",
    "surveyed": "date",
    "active": "boolean",
}
"""The attributes and their types in a plain table."""
_STATUS = ("planned", "permitted", "built", "closed")
_BATCH = 10_000
_MERCATOR_SPAN = 2 * math.pi


def write_polygons(path: Path, count: int) -> None:
    """Write that many polygons to a FlatGeobuf file, in an order that has nothing to do with
    where they are."""
    batches = list(_batches(count))
    pyogrio.write_arrow(
        pa.Table.from_batches(batches),
        path,
        driver="FlatGeobuf",
        geometry_name="geometry",
        geometry_type="Polygon",
        crs="EPSG:4326",
        SPATIAL_INDEX="NO",  # it would put them in the order of their places
    )


def _batches(count: int) -> Iterator[pa.RecordBatch]:
    chance = np.random.default_rng(20)
    for start in range(0, count, _BATCH):
        size = min(_BATCH, count - start)
        days = chance.integers(10_000, 20_000, size).astype("datetime64[D]")
        category = np.array(CATEGORIES)[chance.integers(0, len(CATEGORIES), size)]
        columns = {
            "geometry": shapely.to_wkb(_polygons(chance, size)),
            "name": [f"Area {start + number}" for number in range(size)],
            "category": category,
            "status": np.array(_STATUS)[chance.integers(0, len(_STATUS), size)],
            "depth": chance.integers(-400, 0, size).astype("int32"),
            "area": np.round(chance.uniform(1, 100, size), 3),
            "surveyed": days,
            "active": chance.random(size) < 0.5,
        }
        yield pa.RecordBatch.from_pydict({name: pa.array(some) for name, some in columns.items()})


def _polygons(chance: np.random.Generator, count: int) -> Any:
    """Return polygons whose radius is 0.02 to 0.06 degrees of latitude, uneven at the edge."""
    middle_x = chance.uniform(WEST, EAST, (count, 1))
    middle_y = chance.uniform(SOUTH, NORTH, (count, 1))
    angle = np.linspace(0, 2 * math.pi, POINTS)
    radius = chance.uniform(0.02, 0.06, (count, 1)) * chance.uniform(0.85, 1.15, (count, POINTS))
    radius[:, -1] = radius[:, 0]
    x = middle_x + radius * np.cos(angle) / np.cos(np.radians(middle_y))
    y = middle_y + radius * np.sin(angle)
    rings = np.stack([x, y], axis=-1)
    rings[:, -1] = rings[:, 0]
    return shapely.polygons(np.round(rings, 7))


def boxes(count: int) -> list[str]:
    """Return bboxes of 0.4 to 0.8 degrees that hold more than 100 polygons of 300,000 each."""
    chance = random.Random(21)
    found = []
    for _ in range(count):
        width, height = chance.uniform(0.4, 0.8), chance.uniform(0.4, 0.8)
        west, south = chance.uniform(WEST, EAST - width), chance.uniform(SOUTH, NORTH - height)
        found.append(f"{west:.4f},{south:.4f},{west + width:.4f},{south + height:.4f}")
    return found


def tiles(level: int) -> list[tuple[int, int, int]]:
    """Return the tiles (level, column, row) of Web Mercator that meet the polygons' area: first
    those wholly inside it, in no order."""
    across = 1 << level
    west, east = (across * (degrees + 180) / 360 for degrees in (WEST, EAST))
    north, south = (across * _mercator(degrees) for degrees in (NORTH, SOUTH))
    columns = range(math.floor(west), math.ceil(east))
    rows = range(math.floor(north), math.ceil(south))
    inside: list[tuple[int, int, int]] = []
    at_edge: list[tuple[int, int, int]] = []
    for column in columns:
        for row in rows:
            is_inside = west <= column and column + 1 <= east and north <= row and row + 1 <= south
            (inside if is_inside else at_edge).append((level, column, row))
    random.Random(22).shuffle(inside)
    return inside + at_edge


def _mercator(latitude: float) -> float:
    """Return how far from the north a latitude is on Web Mercator's square, 0 to 1."""
    return 0.5 - math.asinh(math.tan(math.radians(latitude))) / _MERCATOR_SPAN
