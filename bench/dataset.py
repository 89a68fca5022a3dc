"""The data of the benchmarks: generated polygons, bboxes and tiles.

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
    """Write `count` polygons to a FlatGeobuf file, in an order independent of their
    positions."""
    batches = list(_batches(count))
    pyogrio.write_arrow(
        pa.Table.from_batches(batches),
        path,
        driver="FlatGeobuf",
        geometry_name="geometry",
        geometry_type="Polygon",
        crs="EPSG:4326",
        SPATIAL_INDEX="NO",  # it would sort them by position
    )


def _batches(count: int) -> Iterator[pa.RecordBatch]:
    generator = np.random.default_rng(20)
    for start in range(0, count, _BATCH):
        size = min(_BATCH, count - start)
        days = generator.integers(10_000, 20_000, size).astype("datetime64[D]")
        category = np.array(CATEGORIES)[generator.integers(0, len(CATEGORIES), size)]
        columns = {
            "geometry": shapely.to_wkb(_polygons(generator, size)),
            "name": [f"Area {start + number}" for number in range(size)],
            "category": category,
            "status": np.array(_STATUS)[generator.integers(0, len(_STATUS), size)],
            "depth": generator.integers(-400, 0, size).astype("int32"),
            "area": np.round(generator.uniform(1, 100, size), 3),
            "surveyed": days,
            "active": generator.random(size) < 0.5,
        }
        yield pa.RecordBatch.from_pydict(
            {name: pa.array(values) for name, values in columns.items()}
        )


def _polygons(generator: np.random.Generator, count: int) -> Any:
    """Return polygons whose radius is 0.02 to 0.06 degrees of latitude, uneven at the edge."""
    middle_x = generator.uniform(WEST, EAST, (count, 1))
    middle_y = generator.uniform(SOUTH, NORTH, (count, 1))
    angle = np.linspace(0, 2 * math.pi, POINTS)
    radius = generator.uniform(0.02, 0.06, (count, 1)) * generator.uniform(
        0.85, 1.15, (count, POINTS)
    )
    radius[:, -1] = radius[:, 0]
    x = middle_x + radius * np.cos(angle) / np.cos(np.radians(middle_y))
    y = middle_y + radius * np.sin(angle)
    rings = np.stack([x, y], axis=-1)
    rings[:, -1] = rings[:, 0]
    return shapely.polygons(np.round(rings, 7))


def boxes(count: int) -> list[str]:
    """Return bboxes of 0.4 to 0.8 degrees that hold more than 100 polygons of 300,000 each."""
    generator = random.Random(21)
    bboxes = []
    for _ in range(count):
        width, height = generator.uniform(0.4, 0.8), generator.uniform(0.4, 0.8)
        west, south = (
            generator.uniform(WEST, EAST - width),
            generator.uniform(SOUTH, NORTH - height),
        )
        bboxes.append(f"{west:.4f},{south:.4f},{west + width:.4f},{south + height:.4f}")
    return bboxes


def tiles(level: int) -> list[tuple[int, int, int]]:
    """Return the tiles (level, column, row) of Web Mercator that intersect the polygons' area:
    first those inside it, shuffled."""
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
    """Return the distance of a latitude from the north of Web Mercator's square, 0 to 1."""
    return 0.5 - math.asinh(math.tan(math.radians(latitude))) / _MERCATOR_SPAN
