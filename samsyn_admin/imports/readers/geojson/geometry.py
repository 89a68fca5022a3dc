"""GeoJSON geometries, parsed in bulk."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import GeometryType

from samsyn_admin.imports.sources.layer import object_array
from samsyn_model.features.geometry import without_empty_parts

_TYPES = {
    "Point": (GeometryType.POINT, 0),
    "LineString": (GeometryType.LINESTRING, 1),
    "MultiPoint": (GeometryType.MULTIPOINT, 1),
    "Polygon": (GeometryType.POLYGON, 2),
    "MultiLineString": (GeometryType.MULTILINESTRING, 2),
    "MultiPolygon": (GeometryType.MULTIPOLYGON, 3),
}
"""The geometry type and the nesting depth of its positions."""
_LINES = {GeometryType.LINESTRING, GeometryType.MULTILINESTRING}
_POLYGONS = {GeometryType.POLYGON, GeometryType.MULTIPOLYGON}
_NUMBERS = {int, float}
_MIN_RING = 4
_ERRORS = (ValueError, TypeError, KeyError, OverflowError, shapely.errors.ShapelyError)


@dataclass(slots=True)
class ParsedGeometries:
    """Geometries of GeoJSON, and what was changed or cannot be read of them.

    `reasons` says by index why a value is not a geometry: it is None among the `geometries`.
    """

    geometries: NDArray[Any]
    reasons: dict[int, str] = field(default_factory=dict)
    shortened: int = 0
    """How many geometries had positions of more than three numbers."""
    closed_rings: int = 0
    """How many rings did not end where they began."""
    flattened: int = 0
    """How many collections were members of another."""

    def add(self, other: "ParsedGeometries") -> None:
        """Add the numbers of another one."""
        self.shortened += other.shortened
        self.closed_rings += other.closed_rings
        self.flattened += other.flattened


def parse_geometries(values: Sequence[Any]) -> ParsedGeometries:
    """Return the geometries of GeoJSON values; None for null.

    Positions keep their first three numbers, a ring that is not closed is closed, and the members
    of a collection within another become members of that.
    """
    try:
        return _parsed(values)
    except _ERRORS:
        result = ParsedGeometries(object_array([None] * len(values)))
        for index, value in enumerate(values):
            try:
                one = _parsed([value])
            except _ERRORS as error:
                result.reasons[index] = _reason(error)
                continue
            result.geometries[index] = one.geometries[0]
            result.add(one)
        return result


def _reason(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"its geometry has no member {error}"
    return str(error).removesuffix(".")


def _parsed(values: Sequence[Any]) -> ParsedGeometries:
    result = ParsedGeometries(object_array([None] * len(values)))
    rows_of: dict[str, list[int]] = {}
    for row, value in enumerate(values):
        if value is not None:
            rows_of.setdefault(_type_name(value), []).append(row)
    for name, rows in rows_of.items():
        if name == "GeometryCollection":
            collections = [_collection(values[row], result) for row in rows]
            result.geometries[rows] = object_array(collections)
        else:
            coordinates = [values[row]["coordinates"] for row in rows]
            result.geometries[rows] = _of_type(name, coordinates, result)
    return result


def _type_name(value: Any) -> str:
    name = value.get("type") if isinstance(value, dict) else None
    if not isinstance(name, str) or (name not in _TYPES and name != "GeometryCollection"):
        raise ValueError(f"{json.dumps(name)} is not a geometry type")
    return name


def _collection(value: dict[str, Any], result: ParsedGeometries) -> Any:
    parsed = _parsed(_members(value, result))
    result.add(parsed)
    geometries = parsed.geometries[~shapely.is_empty(parsed.geometries)]
    with_z = shapely.has_z(geometries)
    if with_z.any() and not with_z.all():
        raise ValueError("some members of its collection have heights and others have none")
    return shapely.geometrycollections(list(geometries))


def _members(value: dict[str, Any], result: ParsedGeometries) -> list[Any]:
    members = value["geometries"]
    if not isinstance(members, list) or None in members:
        raise ValueError("its `geometries` are not an array of geometries")
    flat: list[Any] = []
    for member in members:
        if _type_name(member) == "GeometryCollection":
            result.flattened += 1
            flat += _members(member, result)
        else:
            flat.append(member)
    return flat


def _of_type(name: str, coordinates: list[Any], result: ParsedGeometries) -> NDArray[Any]:
    """Return geometries of one type; those without coordinates are empty."""
    kind, depth = _TYPES[name]
    geometries = object_array([shapely.from_wkt(f"{name} EMPTY")] * len(coordinates))
    rows = [row for row, value in enumerate(coordinates) if value != []]
    parts = [coordinates[row] for row in rows]
    offsets: list[NDArray[np.int64]] = []
    has_empty_parts = False
    for _ in range(depth):
        if not set(map(type, parts)) <= {list}:
            raise ValueError(f"its coordinates are not those of a {name}")
        lengths = [len(part) for part in parts]
        has_empty_parts = has_empty_parts or 0 in lengths
        offsets.append(np.concatenate([[0], np.cumsum(lengths)]))
        parts = list(chain.from_iterable(parts))
    if kind is GeometryType.MULTIPOINT:
        has_empty_parts = has_empty_parts or [] in parts
    if has_empty_parts:  # GEOS ends the process at a polygon without an exterior ring
        values = ({"type": name, "coordinates": value} for value in coordinates)
        fuller = [without_empty_parts(value)["coordinates"] for value in values]
        if fuller == coordinates:
            raise ValueError("the exterior ring of a polygon has no positions")
        return _of_type(name, fuller, result)
    positions, length = _positions(parts)
    result.shortened += len(rows) if length > 3 else 0
    if rows and kind is GeometryType.POINT:
        geometries[rows] = shapely.points(positions)
    elif rows:
        if kind in _LINES and (np.diff(offsets[-1]) < 2).any():
            raise ValueError("a line has one position only")
        if kind in _POLYGONS:
            result.closed_rings += _unclosed_rings(positions, offsets[-1])
        geometries[rows] = shapely.from_ragged_array(kind, positions, tuple(offsets[::-1]))
    return geometries


def _unclosed_rings(positions: NDArray[np.float64], offsets: NDArray[np.int64]) -> int:
    """Return how many rings do not end where they begin; raise ValueError for one too short."""
    is_open = (positions[offsets[:-1]] != positions[offsets[1:] - 1]).any(axis=1)
    if (np.diff(offsets) + is_open < _MIN_RING).any():
        raise ValueError("a ring has fewer than four positions")
    return int(is_open.sum())


def _positions(positions: list[Any]) -> tuple[NDArray[np.float64], int]:
    """Return the positions, and how many numbers each had."""
    if not set(map(type, positions)) <= {list}:
        raise ValueError("a position is not an array of numbers")
    lengths = set(map(len, positions)) or {2}
    numbers = list(chain.from_iterable(positions))
    if not set(map(type, numbers)) <= _NUMBERS:
        raise ValueError("a coordinate is not a number")
    if len(lengths) > 1 or min(lengths) < 2:
        raise ValueError("its positions do not all have two or all have three numbers")
    length = lengths.pop()
    array = np.array(numbers, dtype=np.float64).reshape(-1, length)
    return array[:, :3], length
