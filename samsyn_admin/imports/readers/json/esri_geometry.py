"""Geometries of Esri JSON as GeoJSON."""

import math
from itertools import pairwise
from typing import Any

import shapely

_ARC_STEPS = 32  # of a full circle's quarter
_BEZIER_STEPS = 32


def esri_geometry(value: Any) -> dict[str, Any] | None:
    """Return the GeoJSON geometry of one of Esri JSON; None for null and for an empty point.

    Measures are left out. Exterior rings run clockwise there, and holes lie in one of them.
    Arcs and Bézier curves become lines. Raises ValueError for other curves; TypeError, KeyError or
    IndexError for what is no geometry.
    """
    if not value:
        return None
    if not isinstance(value, dict):
        raise TypeError
    has_m = bool(value.get("hasM")) and not value.get("hasZ")
    if "x" in value:
        return _point(value)
    if "points" in value:
        return {"type": "MultiPoint", "coordinates": _positions(value["points"], has_m)}
    for name, is_curved in (("paths", False), ("curvePaths", True)):
        if name in value:
            lines = [_path(path, is_curved, has_m) for path in value[name]]
            return _single_or_multi("LineString", lines)
    for name, is_curved in (("rings", False), ("curveRings", True)):
        if name in value:
            return _polygons([_path(ring, is_curved, has_m) for ring in value[name]])
    if "xmin" in value:
        west, south, east, north = (value[name] for name in ("xmin", "ymin", "xmax", "ymax"))
        ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
        return {"type": "Polygon", "coordinates": [ring]}
    raise ValueError("its geometry is none of Esri JSON")


def _point(value: dict[str, Any]) -> dict[str, Any] | None:
    if value["x"] in {None, "NaN"}:
        return None
    position = [value["x"], value.get("y")]
    if value.get("z") not in {None, "NaN"}:
        position.append(value["z"])
    return {"type": "Point", "coordinates": position}


def _positions(values: list[list[float]], has_m: bool) -> list[list[float]]:
    most = 2 if has_m else 3
    return [position[:most] for position in values]


def _path(values: list[Any], is_curved: bool, has_m: bool) -> list[list[float]]:
    if not is_curved:
        return _positions(values, has_m)
    positions: list[list[float]] = []
    for value in values:
        if isinstance(value, list):
            positions.append(value[:2])
        elif "b" in value:
            end, one, two = value["b"][:3]
            positions += _bezier(positions[-1], one, two, end)
        elif "c" in value:
            positions += _arc(positions[-1], value["c"][1], value["c"][0])
        else:
            raise ValueError("it has an elliptic curve: turn it into lines (Densify of ArcGIS)")
    return positions


def _bezier(
    start: list[float], one: list[float], two: list[float], end: list[float]
) -> list[list[float]]:
    positions = []
    for step in range(1, _BEZIER_STEPS + 1):
        t = step / _BEZIER_STEPS
        weights = ((1 - t) ** 3, 3 * (1 - t) ** 2 * t, 3 * (1 - t) * t * t, t**3)
        points = (start, one, two, end)
        positions.append(
            [sum(w * p[axis] for w, p in zip(weights, points, strict=True)) for axis in (0, 1)]
        )
    return [*positions[:-1], end[:2]]


def _arc(start: list[float], middle: list[float], end: list[float]) -> list[list[float]]:
    """Return the positions after `start` of the arc through `middle` to `end`."""
    (ax, ay), (bx, by), (cx, cy) = start[:2], middle[:2], end[:2]
    d = 2 * (ax * (by - cy) + bx * (cy - ay) + cx * (ay - by))
    if not d:
        return [middle[:2], end[:2]]
    a2, b2, c2 = ax * ax + ay * ay, bx * bx + by * by, cx * cx + cy * cy
    ox = (a2 * (by - cy) + b2 * (cy - ay) + c2 * (ay - by)) / d
    oy = (a2 * (cx - bx) + b2 * (ax - cx) + c2 * (bx - ax)) / d
    radius = math.hypot(ax - ox, ay - oy)
    begin, through, stop = (math.atan2(y - oy, x - ox) for x, y in ((ax, ay), (bx, by), (cx, cy)))
    turn = (stop - begin) % math.tau
    if (through - begin) % math.tau > turn:
        turn -= math.tau
    steps = max(2, math.ceil(abs(turn) / (math.pi / 2) * _ARC_STEPS))
    angles = (begin + turn * step / steps for step in range(1, steps))
    return [
        *([ox + radius * math.cos(angle), oy + radius * math.sin(angle)] for angle in angles),
        end[:2],
    ]


def _polygons(rings: list[list[list[float]]]) -> dict[str, Any]:
    """Return the polygons of rings in any order: clockwise ones are exterior."""
    exteriors = [[ring] for ring in rings if _area(ring) <= 0]
    holes = [ring for ring in rings if _area(ring) > 0]
    shapes = [_shape(polygon[0]) for polygon in exteriors]
    for hole in holes:
        owners = [index for index, shape in enumerate(shapes) if _holds(shape, hole)]
        if owners:
            owner = min(owners, key=lambda index: abs(_area(exteriors[index][0])))
            exteriors[owner].append(hole)
        else:
            exteriors.append([hole])
            shapes.append(None)
    return _single_or_multi("Polygon", exteriors)


def _area(ring: list[list[float]]) -> float:
    """Return twice the area, negative for a clockwise ring."""
    return sum(one[0] * two[1] - two[0] * one[1] for one, two in pairwise([*ring, ring[0]]))


def _shape(ring: list[list[float]]) -> Any:
    if len(ring) < 4:
        return None
    shape = shapely.Polygon([position[:2] for position in ring])
    shapely.prepare(shape)
    return shape


def _holds(shape: Any, hole: list[list[float]]) -> bool:
    return shape is not None and all(
        shape.intersects(shapely.Point(position[:2])) for position in hole
    )


def _single_or_multi(kind: str, parts: list[Any]) -> dict[str, Any]:
    if len(parts) == 1:
        return {"type": kind, "coordinates": parts[0]}
    return {"type": f"Multi{kind}", "coordinates": parts}
