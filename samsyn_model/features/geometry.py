"""GeoJSON geometries (RFC 7946), checked before the database sees them."""

import sys
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


def geometry_faults(
    geometry: Any, prefix: str = "", geometry_type: str | None = None
) -> Iterator[Fault]:
    """Yield what is wrong with a GeoJSON geometry in longitudes and latitudes; null is right.

    `prefix` is the JSON pointer to it. `geometry_type` is the layer's; a Multi type admits its
    single counterpart. Positions have two or three finite numbers, within ±180 and ±90 degrees;
    lines have two positions, rings four and end where they began.
    """
    if geometry is None:
        return
    yield from _faults(geometry, prefix, 0)
    if isinstance(geometry, dict) and geometry_type:
        found = geometry.get("type")
        if found not in (geometry_type, geometry_type.removeprefix("Multi")):
            yield Fault(f"{prefix}/type", f"The layer takes geometries of type {geometry_type}.")


def _faults(geometry: Any, prefix: str, nesting: int) -> Iterator[Fault]:
    if not isinstance(geometry, dict):
        yield Fault(prefix, "A geometry is an object or null.")
        return
    kind = geometry.get("type")
    if kind == "GeometryCollection":
        members = geometry.get("geometries")
        if not isinstance(members, list):
            yield Fault(f"{prefix}/geometries", "This is an array of geometries.")
        elif nesting:  # RFC 7946, 3.1.8 advises against it, and PostGIS cannot write it
            yield Fault(prefix, "A collection of geometries holds no other collections.")
        else:
            for number, member in enumerate(members):
                yield from _faults(member, f"{prefix}/geometries/{number}", nesting + 1)
    elif not isinstance(kind, str) or kind not in _DEPTHS:
        yield Fault(f"{prefix}/type", "This is not a type of GeoJSON geometry.")
    else:
        yield from _coordinate_faults(
            geometry.get("coordinates"), f"{prefix}/coordinates", _DEPTHS[kind], kind
        )


def _coordinate_faults(value: Any, prefix: str, depth: int, kind: str) -> Iterator[Fault]:
    if depth == 0:
        fault = _position_fault(value)
        if fault:
            yield Fault(prefix, fault)
        return
    if not isinstance(value, list):
        yield Fault(prefix, "This is an array.")
        return
    for number, member in enumerate(value):
        if depth > 1 or _position_fault(member):
            yield from _coordinate_faults(member, f"{prefix}/{number}", depth - 1, kind)
    if depth == 1 and kind.endswith("LineString") and len(value) < 2:
        yield Fault(prefix, "A line has at least two positions.")
    if depth == 1 and kind.endswith("Polygon") and (len(value) < 4 or value[0] != value[-1]):
        yield Fault(prefix, "A ring has at least four positions and ends where it began.")


def _position_fault(position: Any) -> str | None:
    if not isinstance(position, list) or len(position) not in {2, 3}:
        return "A position is an array of two or three numbers."
    for number in position:
        # NaN is never within; comparing, unlike converting, also takes integers of any length
        if type(number) not in {int, float} or not abs(number) <= sys.float_info.max:
            return "A position has finite numbers, within the area of its CRS."
    if abs(position[0]) > 180 or abs(position[1]) > 90:
        return "A position is a longitude within ±180 and a latitude within ±90 degrees."
    return None
