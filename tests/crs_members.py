"""`crs` members of GeoJSON that name no CRS: refused wherever GeoJSON is sent or read."""

from typing import Any


def named(name: str) -> dict[str, Any]:
    return {"type": "name", "properties": {"name": name}}


NAMELESS: list[Any] = [
    named("EPSG:999999"),
    named("somewhere"),
    named(""),
    {"type": "link", "properties": {"href": "http://example.org/crs"}},
    {"type": "name"},
    {"type": "name", "properties": {"name": 3857}},
    {"type": "name", "properties": None},
    {"type": "EPSG", "properties": {"code": True}},
    "EPSG:3857",
    [],
    {},
    "",
    0,
    None,
]
