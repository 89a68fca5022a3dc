"""GeoJSON geometries, many at a time."""

import json
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import GeometryType

from samsyn_admin.imports.readers.layer import object_array

_TYPES = {
    "Point": (GeometryType.POINT, 0),
    "LineString": (GeometryType.LINESTRING, 1),
    "MultiPoint": (GeometryType.MULTIPOINT, 1),
    "Polygon": (GeometryType.POLYGON, 2),
    "MultiLineString": (GeometryType.MULTILINESTRING, 2),
    "MultiPolygon": (GeometryType.MULTIPOLYGON, 3),
}
"""The type and how deep its positions lie in arrays of arrays."""
_NUMBERS = {int, float}


def parse_geometries(
    values: Sequence[Any], refuse: Callable[[int, str], Exception]
) -> tuple[NDArray[Any], bool]:
    """Return the geometries of GeoJSON values (None for null), and whether numbers were left out.

    Positions keep their first three numbers; a ring that is not closed is closed. What `refuse`
    makes of an index and a reason is raised for the first value that is not a geometry.
    """
    try:
        return _parsed(values)
    except (ValueError, TypeError, KeyError, OverflowError, shapely.errors.ShapelyError):
        left_out = False
        geometries = []
        for index, value in enumerate(values):
            try:
                one, had_more = _parsed([value])
            except KeyError as error:
                raise refuse(index, f"its geometry has no member {error}") from error
            except (ValueError, TypeError, OverflowError) as error:
                raise refuse(index, str(error).removesuffix(".")) from error
            except shapely.errors.ShapelyError as error:
                raise refuse(index, str(error).removesuffix(".")) from error
            geometries.append(one[0])
            left_out = left_out or had_more
        return object_array(geometries), left_out


def _parsed(values: Sequence[Any]) -> tuple[NDArray[Any], bool]:
    result = object_array([None] * len(values))
    rows_of: dict[str, list[int]] = {}
    for row, value in enumerate(values):
        if value is not None:
            rows_of.setdefault(_type_name(value), []).append(row)
    left_out = False
    for name, rows in rows_of.items():
        if name == "GeometryCollection":
            collections = [_collection(values[row]) for row in rows]
            result[rows] = object_array([collection for collection, _ in collections])
            had_more = any(more for _, more in collections)
        else:
            result[rows], had_more = _of_type(name, [values[row]["coordinates"] for row in rows])
        left_out = left_out or had_more
    return result, left_out


def _type_name(value: Any) -> str:
    name = value.get("type") if isinstance(value, dict) else None
    if name not in _TYPES and name != "GeometryCollection":
        raise ValueError(f"{json.dumps(name)} is not a type of geometry")
    return str(name)


def _collection(value: dict[str, Any]) -> tuple[Any, bool]:
    members = value["geometries"]
    if not isinstance(members, list) or None in members:
        raise ValueError("its `geometries` are not an array of geometries")
    geometries, left_out = _parsed(members)
    if shapely.has_z(geometries).any():
        geometries = shapely.force_3d(geometries)  # a collection has Z throughout
    return shapely.geometrycollections(list(geometries)), left_out


def _of_type(name: str, coordinates: list[Any]) -> tuple[NDArray[Any], bool]:
    kind, depth = _TYPES[name]
    if kind is GeometryType.POINT:
        return _points(coordinates)
    offsets: list[NDArray[np.int64]] = []
    parts = coordinates
    for _ in range(depth):
        if not set(map(type, parts)) <= {list}:
            raise ValueError(f"its coordinates are not those of a {name}")
        offsets.append(np.concatenate([[0], np.cumsum([len(part) for part in parts])]))
        parts = list(chain.from_iterable(parts))
    positions, left_out = _positions(parts)
    geometries: NDArray[Any] = shapely.from_ragged_array(kind, positions, tuple(offsets[::-1]))
    return geometries, left_out


def _points(coordinates: list[Any]) -> tuple[NDArray[Any], bool]:
    """Return points; one without coordinates is empty."""
    result = object_array([shapely.Point()] * len(coordinates))
    rows = [row for row, position in enumerate(coordinates) if position != []]
    positions, left_out = _positions([coordinates[row] for row in rows])
    result[rows] = shapely.points(positions)
    return result, left_out


def _positions(positions: list[Any]) -> tuple[NDArray[np.float64], bool]:
    if not set(map(type, positions)) <= {list}:
        raise ValueError("a position is not an array of numbers")
    lengths = set(map(len, positions)) or {2}
    numbers = list(chain.from_iterable(positions))
    if not set(map(type, numbers)) <= _NUMBERS:
        raise ValueError("a coordinate is not a number")
    if len(lengths) > 1 or min(lengths) < 2:
        raise ValueError("its positions have not two or three numbers throughout")
    length = lengths.pop()
    array = np.array(numbers, dtype=np.float64).reshape(-1, length)
    return array[:, :3], length > 3
