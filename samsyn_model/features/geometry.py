"""GeoJSON geometries (RFC 7946), checked before the database sees them."""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from samsyn_model.errors import Fault
from samsyn_model.settings import get_settings

_DEPTHS = {
    "Point": 0,
    "MultiPoint": 1,
    "LineString": 1,
    "MultiLineString": 2,
    "Polygon": 2,
    "MultiPolygon": 3,
}

_MAX_NUMBER = 9e18
"""The largest height: PostGIS reads a longer number without a point as another one."""


def geometry_faults(
    geometry: Any, prefix: str = "", geometry_type: str | None = None
) -> Iterator[Fault]:
    """Yield what is wrong with a GeoJSON geometry in longitudes and latitudes; null is right.

    `prefix` is the JSON pointer to it. `geometry_type` is the layer's; a Multi type admits its
    single counterpart. Positions have two or three finite numbers, within ±180 and ±90 degrees;
    lines have two positions, rings four and end where they began; a geometry has heights in all
    its positions or in none, and at most MAX_VERTICES of them.
    """
    if geometry is None:
        return
    lengths = Counter[int]()
    yield from _faults(geometry, prefix, 0, lengths)
    most = get_settings().max_vertices
    if lengths.total() > most:
        yield Fault(prefix, f"A geometry has at most {most:,} positions.")
    if len(lengths) > 1:
        yield Fault(prefix, "Its positions must all have two, or all have three numbers.")
    if isinstance(geometry, dict) and geometry_type:
        found = geometry.get("type")
        if found not in (geometry_type, geometry_type.removeprefix("Multi")):
            yield Fault(f"{prefix}/type", f"The layer takes geometries of type {geometry_type}.")


def without_empty_parts(geometry: Any) -> Any:
    """Return a GeoJSON geometry without the parts, rings and members that have no positions.

    `MULTIPOLYGON(EMPTY, …)` and its like are the same shape without them, and programs read them
    in different ways. A geometry that is empty as a whole remains, and so does what is not valid,
    such as a polygon whose exterior ring alone is empty, for `geometry_faults`.
    """
    if not isinstance(geometry, dict):
        return geometry
    members, coordinates = geometry.get("geometries"), geometry.get("coordinates")
    if geometry.get("type") == "GeometryCollection" and isinstance(members, list):
        parts = [without_empty_parts(member) for member in members]
        return {**geometry, "geometries": [part for part in parts if not _is_empty(part)]}
    if geometry.get("type") == "MultiPolygon" and isinstance(coordinates, list):
        return {**geometry, "coordinates": _without_empty(map(_without_empty_rings, coordinates))}
    if geometry.get("type") == "Polygon":
        return {**geometry, "coordinates": _without_empty_rings(coordinates)}
    if geometry.get("type") in ("MultiLineString", "MultiPoint") and isinstance(coordinates, list):
        return {**geometry, "coordinates": _without_empty(coordinates)}
    return geometry


def _without_empty_rings(rings: Any) -> Any:
    if not isinstance(rings, list) or [] not in rings:
        return rings
    others = _without_empty(rings)
    return others if rings[0] or not others else rings


def _without_empty(parts: Iterable[Any]) -> list[Any]:
    return [part for part in parts if part != []]


def _is_empty(geometry: Any) -> bool:
    return isinstance(geometry, dict) and [] in (
        geometry.get("coordinates"),
        geometry.get("geometries"),
    )


def _faults(geometry: Any, prefix: str, nesting: int, lengths: Counter[int]) -> Iterator[Fault]:
    """Yield the faults of a geometry; `lengths` counts its positions by how long they are."""
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
                yield from _faults(member, f"{prefix}/geometries/{number}", nesting + 1, lengths)
    elif not isinstance(kind, str) or kind not in _DEPTHS:
        yield Fault(f"{prefix}/type", "This is not a type of GeoJSON geometry.")
    else:
        yield from _coordinate_faults(
            geometry.get("coordinates"), f"{prefix}/coordinates", _DEPTHS[kind], kind, lengths
        )


def _coordinate_faults(
    value: Any, prefix: str, depth: int, kind: str, lengths: Counter[int]
) -> Iterator[Fault]:
    if depth == 0:
        fault = _position_fault(value)
        if fault:
            yield Fault(prefix, fault)
        else:
            lengths[len(value)] += 1
        return
    if not isinstance(value, list):
        yield Fault(prefix, "This is an array.")
        return
    for number, member in enumerate(value):
        if depth > 1 or _position_fault(member):
            yield from _coordinate_faults(member, f"{prefix}/{number}", depth - 1, kind, lengths)
        else:
            lengths[len(member)] += 1
    if depth == 1 and kind.endswith("LineString") and len(value) < 2:
        yield Fault(prefix, "A line has at least two positions.")
    if depth == 1 and kind.endswith("Polygon") and (len(value) < 4 or value[0] != value[-1]):
        yield Fault(prefix, "A ring has at least four positions and ends where it began.")


def _position_fault(position: Any) -> str | None:
    if not isinstance(position, list) or len(position) not in {2, 3}:
        return "A position is an array of two or three numbers."
    for number in position:
        # NaN is never within; comparing, unlike converting, also takes integers of any length
        if type(number) not in {int, float} or not abs(number) <= _MAX_NUMBER:
            return "A position has finite numbers, within the area of its CRS."
    if abs(position[0]) > 180 or abs(position[1]) > 90:
        return "A position is a longitude within ±180 and a latitude within ±90 degrees."
    return None
