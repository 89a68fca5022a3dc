"""Geometries of KML as GeoJSON."""

import re
from collections.abc import Callable
from typing import Any

from samsyn_admin.imports.readers.kml.document import Element

_COMMA = re.compile(r"\s*,\s*")
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?", re.ASCII)


def placemark_geometry(placemark: Element) -> dict[str, Any] | None:
    """Return the GeoJSON geometry of a placemark, None without one.

    Rings of lines and tracks are lines. Positions have the numbers of the file: what is none is
    left for the parser of GeoJSON to refuse.
    """
    for child in placemark.children:
        if child.name in _READERS:
            return _READERS[child.name](child)
    return None


def has_element(placemark: Element, name: str) -> bool:
    """Return whether a geometry of a placemark is or holds an element of this name."""
    return any(_is_or_holds(child, name) for child in placemark.children)


def _is_or_holds(element: Element, name: str) -> bool:
    if element.name == name:
        return True
    return element.name in {"MultiGeometry", "MultiTrack"} and has_element(element, name)


def _positions(element: Element | None) -> list[list[Any]]:
    text = element.child("coordinates") if element else None
    if text is None:
        return []
    return [
        [_number(part) for part in position.split(",") if part]
        for position in _COMMA.sub(",", text.text).split()
    ]


def _number(text: str) -> float | str:
    return float(text) if _NUMBER.fullmatch(text) else text


def _point(element: Element) -> dict[str, Any] | None:
    positions = _positions(element)
    if not positions:
        return None
    return {"type": "Point", "coordinates": positions[0]}


def _line(element: Element) -> dict[str, Any]:
    return {"type": "LineString", "coordinates": _positions(element)}


def _polygon(element: Element) -> dict[str, Any]:
    outer = element.child("outerBoundaryIs")
    rings = [_positions(outer.child("LinearRing") if outer else None)]
    for inner in element.all("innerBoundaryIs"):
        rings += [_positions(ring) for ring in inner.all("LinearRing")]
    return {"type": "Polygon", "coordinates": rings if rings[0] or rings[1:] else []}


def _track(element: Element) -> dict[str, Any]:
    positions = [[_number(part) for part in coord.text.split()] for coord in element.all("coord")]
    if len(positions) == 1:
        return {"type": "Point", "coordinates": positions[0]}
    return {"type": "LineString", "coordinates": positions}


def _several(element: Element) -> dict[str, Any]:
    members = [
        member
        for child in element.children
        if child.name in _READERS and (member := _READERS[child.name](child))
    ]
    kinds = {member["type"] for member in members}
    if len(kinds) == 1 and (kind := kinds.pop()) in {"Point", "LineString", "Polygon"}:
        return {"type": f"Multi{kind}", "coordinates": [one["coordinates"] for one in members]}
    return {"type": "GeometryCollection", "geometries": members}


_READERS: dict[str, Callable[[Element], dict[str, Any] | None]] = {
    "Point": _point,
    "LineString": _line,
    "LinearRing": _line,
    "Polygon": _polygon,
    "MultiGeometry": _several,
    "Track": _track,
    "MultiTrack": _several,
}
