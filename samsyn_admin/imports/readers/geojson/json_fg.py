"""What JSON-FG adds to a feature of GeoJSON: a place in any CRS, and a time."""

from typing import Any

_OPEN = ".."


def is_json_fg(value: Any) -> bool:
    """Return whether an object of JSON has members that only JSON-FG gives it."""
    if not isinstance(value, dict):
        return False
    classes = value.get("conformsTo")
    is_declared = isinstance(classes, list) and any("json-fg" in str(name) for name in classes)
    return is_declared or bool(value.get("coordRefSys") or value.get("place"))


def with_time(feature: dict[str, Any]) -> dict[str, Any]:
    """Return the feature with its `time` as properties, except what they say already.

    An instant becomes `time`, an interval `time_start` and `time_end`, each with an underscore
    behind where the feature has another property of that name.
    """
    time, properties = feature.get("time"), feature.get("properties") or {}
    if not isinstance(time, dict) or not isinstance(properties, dict):
        return feature
    known = {value for value in properties.values() if isinstance(value, str)}
    added = {name: value for name, value in _times(time).items() if value not in known}
    if not added:
        return feature
    free = {name + "_" if name in properties else name: value for name, value in added.items()}
    return {**feature, "properties": {**properties, **free}}


def _times(time: dict[str, Any]) -> dict[str, str]:
    interval = time.get("interval")
    if isinstance(interval, list) and len(interval) == 2:
        bounds = zip(("time_start", "time_end"), interval, strict=True)
        return {name: at for name, at in bounds if isinstance(at, str) and at != _OPEN}
    instant = time.get("timestamp") or time.get("date")
    return {"time": instant} if isinstance(instant, str) else {}


def surfaces(place: Any) -> Any:
    """Return a polyhedron or prism of JSON-FG as a multipolygon of GeoJSON; others unchanged.

    A polyhedron becomes the polygons of its shells, a prism its base.
    """
    kind = place.get("type") if isinstance(place, dict) else None
    coordinates = place.get("coordinates") if isinstance(place, dict) else None
    if kind == "Prism":
        return surfaces(place.get("base"))
    if kind == "MultiPrism" and isinstance(place.get("prisms"), list):
        return {"type": "GeometryCollection", "geometries": [surfaces(p) for p in place["prisms"]]}
    depth = {"Polyhedron": 1, "MultiPolyhedron": 2}.get(kind or "", 0)
    for _ in range(depth):
        if not isinstance(coordinates, list) or not all(isinstance(p, list) for p in coordinates):
            return place
        coordinates = [part for parts in coordinates for part in parts]
    return {"type": "MultiPolygon", "coordinates": coordinates} if depth else place
