"""GeoJSON geometries, parsed in bulk."""

import json
from collections.abc import Callable, Sequence
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
_NUMBERS = {int, float}


def parse_geometries(
    values: Sequence[Any], refuse: Callable[[int, str], Exception]
) -> tuple[NDArray[Any], bool]:
    """Return the geometries of GeoJSON values (None for null), and whether numbers were dropped.

    Positions keep their first three numbers; a ring that is not closed is closed. `refuse` makes
    the error that is raised from the index of the first value that is not a geometry and a reason.
    """
    try:
        return _parsed(values)
    except (ValueError, TypeError, KeyError, OverflowError, shapely.errors.ShapelyError):
        numbers_dropped = False
        geometries = []
        for index, value in enumerate(values):
            try:
                parsed, was_dropped = _parsed([value])
            except KeyError as error:
                raise refuse(index, f"its geometry has no member {error}") from error
            except (ValueError, TypeError, OverflowError) as error:
                raise refuse(index, str(error).removesuffix(".")) from error
            except shapely.errors.ShapelyError as error:
                raise refuse(index, str(error).removesuffix(".")) from error
            geometries.append(parsed[0])
            numbers_dropped = numbers_dropped or was_dropped
        return object_array(geometries), numbers_dropped


def _parsed(values: Sequence[Any]) -> tuple[NDArray[Any], bool]:
    result = object_array([None] * len(values))
    rows_of: dict[str, list[int]] = {}
    for row, value in enumerate(values):
        if value is not None:
            rows_of.setdefault(_type_name(value), []).append(row)
    numbers_dropped = False
    for name, rows in rows_of.items():
        if name == "GeometryCollection":
            collections = [_collection(values[row]) for row in rows]
            result[rows] = object_array([collection for collection, _ in collections])
            was_dropped = any(dropped for _, dropped in collections)
        else:
            result[rows], was_dropped = _of_type(name, [values[row]["coordinates"] for row in rows])
        numbers_dropped = numbers_dropped or was_dropped
    return result, numbers_dropped


def _type_name(value: Any) -> str:
    name = value.get("type") if isinstance(value, dict) else None
    if not isinstance(name, str) or (name not in _TYPES and name != "GeometryCollection"):
        raise ValueError(f"{json.dumps(name)} is not a geometry type")
    return name


def _collection(value: dict[str, Any]) -> tuple[Any, bool]:
    members = value["geometries"]
    if not isinstance(members, list) or None in members:
        raise ValueError("its `geometries` are not an array of geometries")
    geometries, numbers_dropped = _parsed(members)
    geometries = geometries[~shapely.is_empty(geometries)]
    if shapely.has_z(geometries).any():
        geometries = shapely.force_3d(geometries)  # all members of a collection have Z
    return shapely.geometrycollections(list(geometries)), numbers_dropped


def _of_type(name: str, coordinates: list[Any]) -> tuple[NDArray[Any], bool]:
    """Return geometries of one type; those without coordinates are empty."""
    kind, depth = _TYPES[name]
    result = object_array([shapely.from_wkt(f"{name} EMPTY")] * len(coordinates))
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
        return _of_type(name, fuller)
    positions, numbers_dropped = _positions(parts)
    if rows and kind is GeometryType.POINT:
        result[rows] = shapely.points(positions)
    elif rows:
        result[rows] = shapely.from_ragged_array(kind, positions, tuple(offsets[::-1]))
    return result, numbers_dropped


def _positions(positions: list[Any]) -> tuple[NDArray[np.float64], bool]:
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
    return array[:, :3], length > 3
