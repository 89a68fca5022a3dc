"""The layers that the clients read: their features, the GeoPackages they come from, a comparison.

Coordinates are WGS 84 longitude and latitude in degrees, heights in metres.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pyogrio
import shapely
from shapely.geometry import MultiPolygon, Point, Polygon
from shapely.geometry.base import BaseGeometry

TOLERANCE = 1e-7
SCHEMA = pa.schema(
    {
        "number": pa.int64(),
        "permit": pa.int64(),
        "name": pa.string(),
        "remark": pa.string(),
        "depth": pa.float64(),
        "protected": pa.bool_(),
        "designated": pa.date32(),
        "surveyed": pa.timestamp("ms", tz="UTC"),
    }
)
"""The columns of every layer here; `number` tells a layer's features apart."""

type Bbox = tuple[float, float, float, float]
"""West, south, east, north."""

REMARKS = (
    "Hänö bukt – smörgåsbord för ejder",
    "a < b & c > d, it's 50 %",
    "two\nlines\tand a \\ backslash",
    "Вячеслав, 日本海, ⚓🐟",
    "",
)
KATTEGAT: Bbox = (10.4, 55.9, 11.3, 56.7)
"""A bbox that holds a part of the areas."""


@dataclass(frozen=True)
class Feature:
    """A feature as a client gave it, or as it was written."""

    geometry: BaseGeometry | None
    properties: dict[str, Any]


def _ring(x: float, y: float, radius: float) -> list[tuple[float, float]]:
    angles = [0.1 + step * math.tau / 7 for step in range(7)]
    return [(x + radius * math.cos(a), y + 0.6 * radius * math.sin(a)) for a in angles]


def _area(number: int) -> MultiPolygon | None:
    if number % 100 == 0:
        return None
    x, y = 9.5 + number % 40 * 0.08, 55.5 + number // 40 * 0.05
    holes = [_ring(x, y, 0.01)] if number % 3 == 0 else []
    parts = [Polygon(_ring(x, y, 0.025), holes)]
    if number % 5 == 0:
        parts.append(Polygon(_ring(x + 0.04, y, 0.008)))
    return MultiPolygon(parts)


def _properties(number: int, kind: str) -> dict[str, Any]:
    """Each nullable column is null in some features and not in others, row by row differently."""
    surveyed = datetime(2019, 12, 31, 22, 15, tzinfo=UTC) + timedelta(hours=7.25 * number)
    return {
        "number": number,
        "permit": None if number % 11 == 0 else 4_000_000_000 + number,
        "name": f"{kind} {number}",
        "remark": None if number % 7 == 0 else REMARKS[number % len(REMARKS)],
        "depth": None if number % 4 == 0 else number / 7 - 40,
        "protected": None if number % 6 == 0 else number % 2 == 1,
        "designated": None if number % 9 == 0 else date(1995, 1, 1) + timedelta(days=number),
        "surveyed": None if number % 5 == 0 else surveyed + timedelta(milliseconds=number),
    }


AREAS = [Feature(_area(n), _properties(n, "Område")) for n in range(1, 1235)]
MOORINGS = [
    Feature(Point(11 + n / 190, 57 + n / 210, -n / 3), _properties(n, "Förtöjning"))
    for n in range(1, 151)
]

QUOTES = [
    Feature(Point(11, 57 + n / 100), {**_properties(n, "Citat"), "remark": remark})
    for n, remark in enumerate(
        ['say "hello"', '"', '{"a": "b"}', "ends in a backslash \\", 'C:\\u0022 "x\\"', "\\\\"], 1
    )
]


def within(features: Iterable[Feature], bbox: Bbox) -> list[Feature]:
    """Return the features whose geometry meets the bbox."""
    box = shapely.box(*bbox)
    return [f for f in features if f.geometry is not None and f.geometry.intersects(box)]


def quoted_filter(length: int) -> str:
    """Return a filter that matches every feature, of this many characters once it is quoted."""
    text = "name <> '"
    return quote(text + "x" * (length - len(quote(f"{text}'"))) + "'")


def write_geopackage(path: Path, features: Sequence[Feature], geometry_type: str) -> Path:
    """Write the features as the one layer of a new GeoPackage, named as the file."""
    columns = [pa.array([f.properties[c.name] for f in features], c.type) for c in SCHEMA]
    wkb = [f.geometry and shapely.to_wkb(f.geometry, flavor="iso") for f in features]
    table = pa.table([*columns, pa.array(wkb, pa.binary())], names=[*SCHEMA.names, "geom"])
    pyogrio.write_arrow(
        table, path, geometry_name="geom", geometry_type=geometry_type, crs="EPSG:4326"
    )
    return path


def read_table(table: pa.Table) -> list[Feature]:
    """Return the features of a table as GDAL gives it: WKB in its last binary column."""
    geometry_column = [c.name for c in table.schema if pa.types.is_binary(c.type)][-1]
    return [
        Feature(
            shapely.from_wkb(row[geometry_column]),
            {name: row[name] for name in SCHEMA.names if name in row},
        )
        for row in table.to_pylist()
    ]


def read_geojson(features: Iterable[dict[str, Any]]) -> list[Feature]:
    """Return the features of GeoJSON, their times parsed."""
    found = []
    for feature in features:
        geometry = feature["geometry"] and shapely.geometry.shape(feature["geometry"])
        found.append(Feature(geometry, _parse_times(feature["properties"])))
    return found


def _parse_times(properties: dict[str, Any]) -> dict[str, Any]:
    parsers = {"designated": date.fromisoformat, "surveyed": datetime.fromisoformat}
    return {
        name: parsers[name](value) if name in parsers and value is not None else value
        for name, value in properties.items()
    }


def assert_same(found: Sequence[Feature], expected: Sequence[Feature]) -> None:
    """Assert that a client has just these features, in any order, with all that they hold."""
    numbers = [f.properties["number"] for f in found]
    assert sorted(numbers) == sorted(f.properties["number"] for f in expected)
    by_number = {f.properties["number"]: f for f in found}
    for feature in expected:
        got = by_number[feature.properties["number"]]
        theirs, ours = _typed(got.properties), _typed(feature.properties)
        differing = {
            name: (theirs[name], ours[name]) for name in ours if theirs[name] != ours[name]
        }
        assert not differing, f"found and expected: {differing}"
        assert_same_geometry(got.geometry, feature.geometry)


def _typed(properties: dict[str, Any]) -> dict[str, tuple[str, Any]]:
    """Pair values with their kind, for Python holds True, 1 and 1.0 to be equal."""
    typed: dict[str, tuple[str, Any]] = {}
    for name in SCHEMA.names:
        value = properties[name]
        if name == "depth" and isinstance(value, int):
            value = float(value)
        typed[name] = (type(value).__name__, value)
    return typed


def assert_same_geometry(found: BaseGeometry | None, expected: BaseGeometry | None) -> None:
    """Assert the same type, dimension and rings, with coordinates to 1e-7 degrees."""
    if found is None or expected is None:
        assert found is expected
        return
    assert (found.geom_type, found.has_z) == (expected.geom_type, expected.has_z)
    assert [len(p) for p in _rings(found)] == [len(p) for p in _rings(expected)]
    for ours, theirs in zip(_rings(found), _rings(expected), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=TOLERANCE)


def _rings(geometry: BaseGeometry) -> list[Any]:
    """Return the coordinates of each ring, line or point, in an order that writers cannot vary."""
    parts = shapely.get_parts(geometry.normalize())
    if geometry.geom_type.endswith("Polygon"):
        parts = shapely.get_rings(parts)
    return [shapely.get_coordinates(part, include_z=geometry.has_z) for part in parts]
