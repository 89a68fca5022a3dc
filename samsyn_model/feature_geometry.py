"""GeoJSON geometries (RFC 7946), checked before the database sees them."""

import math
from collections.abc import Iterator
from typing import Any

from samsyn_model.errors import Fault

_DEPTHS = {
    "Point": 0,
    "MultiPoint": 1,
    "LineString": 1,
    "MultiLineString": 2,
    "Polygon": 2,
    "MultiPolygon": 3,
}
_MAX_NESTING = 8


def geometry_faults(
    geometry: Any, pointer: str = "", geometry_type: str | None = None
) -> Iterator[Fault]:
    """Yield what is wrong with a GeoJSON geometry in longitudes and latitudes; null is right.

    `geometry_type` is the layer's; a Multi type admits its single counterpart. Positions have two
    or three finite numbers, within ±180 and ±90 degrees; lines have two positions, rings four and
    end where they began.
    """
    if geometry is None:
        return
    yield from _faults(geometry, pointer, 0)
    if isinstance(geometry, dict) and geometry_type:
        found = geometry.get("type")
        if found not in {geometry_type, geometry_type.removeprefix("Multi")}:
            yield Fault(f"{pointer}/type", f"The layer takes {geometry_type}, not {found}.")


def _faults(geometry: Any, pointer: str, nesting: int) -> Iterator[Fault]:
    if not isinstance(geometry, dict):
        yield Fault(pointer, "A geometry is an object or null.")
        return
    kind = geometry.get("type")
    if kind == "GeometryCollection":
        members = geometry.get("geometries")
        if not isinstance(members, list) or nesting >= _MAX_NESTING:
            yield Fault(f"{pointer}/geometries", "This is an array of geometries, not too deep.")
            return
        for number, member in enumerate(members):
            yield from _faults(member, f"{pointer}/geometries/{number}", nesting + 1)
    elif not isinstance(kind, str) or kind not in _DEPTHS:
        yield Fault(f"{pointer}/type", "This is not a type of GeoJSON geometry.")
    else:
        shape = kind.removeprefix("Multi")
        yield from _coordinates(
            geometry.get("coordinates"), f"{pointer}/coordinates", _DEPTHS[kind], shape
        )


def _coordinates(value: Any, pointer: str, depth: int, shape: str) -> Iterator[Fault]:
    if depth == 0:
        fault = _position_fault(value)
        if fault:
            yield Fault(pointer, fault)
        return
    if not isinstance(value, list):
        yield Fault(pointer, "This is an array.")
        return
    for number, member in enumerate(value):
        yield from _coordinates(member, f"{pointer}/{number}", depth - 1, shape)
    if depth == 1 and shape == "LineString" and len(value) < 2:
        yield Fault(pointer, "A line has at least two positions.")
    if depth == 1 and shape == "Polygon" and (len(value) < 4 or value[0] != value[-1]):
        yield Fault(pointer, "A ring has at least four positions and ends where it began.")


def _position_fault(position: Any) -> str | None:
    if not isinstance(position, list) or len(position) not in {2, 3}:
        return "A position is an array of two or three numbers."
    if not all(type(number) in {int, float} and math.isfinite(number) for number in position):
        return "A position has finite numbers."
    if abs(position[0]) > 180 or abs(position[1]) > 90:
        return "A position is a longitude within ±180 and a latitude within ±90 degrees."
    return None
