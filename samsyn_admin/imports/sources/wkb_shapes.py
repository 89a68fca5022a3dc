"""WKB of the kinds that GEOS does not read: curves, surfaces of patches, nested collections."""

from collections.abc import Callable
from itertools import pairwise
from struct import error, unpack_from
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

MAX_DEPTH = 100
"""The maximum depth of geometries within geometries; those of GeoJSON have three levels."""
CURVES = "Curves were turned into lines of many points."
SURFACES = "Surfaces of triangles or patches (TIN, multipatch) were turned into polygons."
NESTED = "Collections within collections were flattened."
_STEP = np.radians(4)  # of an arc, as in GDAL
_MIN_RING = 4
_SRID, _Z, _M = 0x20000000, 0x80000000, 0x40000000  # of EWKB
type _Positions = NDArray[np.float64]


class UnreadableWKBError(ValueError):
    """WKB that is no geometry; the message is a sentence for the user."""


def shape_of_wkb(wkb: bytes) -> tuple[Any, set[str]]:
    """Return the geometry of WKB or EWKB, and what of CURVES, SURFACES and NESTED was changed.

    It has no M. Raises UnreadableWKBError.
    """
    reading = _Reading(wkb)
    try:
        return reading.geometry(0), reading.changes
    except (error, IndexError) as cause:
        raise UnreadableWKBError("The geometry's bytes (WKB) end too early.") from cause
    except shapely.errors.ShapelyError as cause:
        raise UnreadableWKBError("The geometry's bytes (WKB) are damaged.") from cause


class _Reading:
    """One reading of a geometry; the position moves on."""

    def __init__(self, wkb: bytes) -> None:
        self._wkb = wkb
        self._position = 0
        self._order = "<"
        self.changes: set[str] = set()

    def geometry(self, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise UnreadableWKBError("The geometry is nested too deeply.")
        code = self._code()
        thousands, kind = divmod(code & 0xFFFF, 1000)
        if code & _SRID:
            self._position += 4
        has_z = bool(code & _Z) or thousands in {1, 3}
        has_m = bool(code & _M) or thousands in {2, 3}
        read = _KINDS.get(kind)
        if read is None or thousands > 3:
            raise UnreadableWKBError(f"The geometry has an unknown type ({code}).")
        return read(self, (has_z, has_m), depth)

    def _code(self) -> int:
        order = self._wkb[self._position]
        if order not in {0, 1}:
            raise UnreadableWKBError("The geometry's bytes (WKB) are damaged.")
        self._order = "><"[order]
        (code,) = unpack_from(f"{self._order}I", self._wkb, self._position + 1)
        self._position += 5
        return int(code)

    def _count(self) -> int:
        (count,) = unpack_from(f"{self._order}I", self._wkb, self._position)
        self._position += 4
        return int(count)

    def _positions(self, dimensions: tuple[bool, bool], count: int) -> _Positions:
        has_z, has_m = dimensions
        width = 2 + has_z + has_m
        if self._position + 8 * width * count > len(self._wkb):
            raise IndexError
        values = np.frombuffer(self._wkb, f"{self._order}f8", width * count, self._position)
        self._position += 8 * width * count
        return values.reshape(count, width)[:, : 2 + has_z].astype(np.float64)

    def point(self, dimensions: tuple[bool, bool], _: int) -> Any:
        position = self._positions(dimensions, 1)[0]
        return shapely.Point() if np.isnan(position[:2]).all() else shapely.Point(position)

    def line(self, dimensions: tuple[bool, bool], _: int) -> Any:
        return _line(self._positions(dimensions, self._count()))

    def polygon(self, dimensions: tuple[bool, bool], _: int) -> Any:
        rings = [self._positions(dimensions, self._count()) for _ in range(self._count())]
        return _polygon(rings)

    def circular(self, dimensions: tuple[bool, bool], _: int) -> Any:
        self.changes.add(CURVES)
        return _line(_arcs(self._positions(dimensions, self._count())))

    def compound(self, _: tuple[bool, bool], depth: int) -> Any:
        self.changes.add(CURVES)
        parts = [_coordinates(part) for part in self._members(depth)]
        joined = parts[:1] + [
            after[1:] if len(before) and np.array_equal(before[-1], after[0]) else after
            for before, after in pairwise(parts)
            if len(after)
        ]
        return _line(np.concatenate(joined) if joined else np.empty((0, 2)))

    def curve_polygon(self, _: tuple[bool, bool], depth: int) -> Any:
        self.changes.add(CURVES)
        return _polygon([_coordinates(ring) for ring in self._members(depth)])

    def lines(self, _: tuple[bool, bool], depth: int) -> Any:
        return shapely.MultiLineString(self._members(depth, shapely.LineString))

    def points(self, _: tuple[bool, bool], depth: int) -> Any:
        members = self._members(depth, shapely.Point)
        return shapely.MultiPoint([member for member in members if not member.is_empty])

    def polygons(self, _: tuple[bool, bool], depth: int) -> Any:
        return shapely.MultiPolygon(self._members(depth, shapely.Polygon))

    def triangle(self, dimensions: tuple[bool, bool], depth: int) -> Any:
        self.changes.add(SURFACES)
        return self.polygon(dimensions, depth)

    def surface(self, dimensions: tuple[bool, bool], depth: int) -> Any:
        self.changes.add(SURFACES)
        return self.polygons(dimensions, depth)

    def collection(self, _: tuple[bool, bool], depth: int) -> Any:
        members = []
        for member in self._members(depth):
            if member.geom_type == "GeometryCollection":
                self.changes.add(NESTED)
                members += member.geoms
            else:
                members.append(member)
        return shapely.GeometryCollection(members)

    def _members(self, depth: int, kind: type | None = None) -> list[Any]:
        members = [self.geometry(depth + 1) for _ in range(self._count())]
        if kind is not None and not all(isinstance(member, kind) for member in members):
            raise UnreadableWKBError("The geometry has a part of another type than it may have.")
        return members


_KINDS: dict[int, Callable[[_Reading, tuple[bool, bool], int], Any]] = {
    1: _Reading.point,
    2: _Reading.line,
    3: _Reading.polygon,
    4: _Reading.points,
    5: _Reading.lines,
    6: _Reading.polygons,
    7: _Reading.collection,
    8: _Reading.circular,
    9: _Reading.compound,
    10: _Reading.curve_polygon,
    11: _Reading.lines,
    12: _Reading.polygons,
    15: _Reading.surface,
    16: _Reading.surface,
    17: _Reading.triangle,
}


def _coordinates(geometry: Any) -> _Positions:
    positions: _Positions = shapely.get_coordinates(geometry, include_z=bool(geometry.has_z))
    return positions


def _line(positions: _Positions) -> Any:
    if len(positions) == 1:
        raise UnreadableWKBError("The line has one position only: a line needs at least two.")
    return shapely.LineString(positions)


def _polygon(rings: list[_Positions]) -> Any:
    rings = [ring for ring in rings if len(ring)]
    for ring in rings:
        if len(ring) < _MIN_RING:
            raise UnreadableWKBError(
                f"A ring of the polygon has {len(ring)} positions: a ring needs at least four."
            )
        if not np.array_equal(ring[0, :2], ring[-1, :2]):
            raise UnreadableWKBError("A ring of the polygon is not closed.")
    return shapely.Polygon(rings[0], rings[1:]) if rings else shapely.Polygon()


def _arcs(positions: _Positions) -> _Positions:
    """Return the positions of a circular string, of arcs through three positions each, as a line.

    Raises UnreadableWKBError.
    """
    if not len(positions):
        return positions
    if len(positions) % 2 == 0 or len(positions) == 1:
        raise UnreadableWKBError("A curve lacks a position: an arc has three.")
    parts = [positions[:1]]
    parts += [_arc(*positions[i : i + 3])[1:] for i in range(0, len(positions) - 2, 2)]
    return np.concatenate(parts)


def _arc(start: _Positions, middle: _Positions, end: _Positions) -> _Positions:
    closed = np.array_equal(start[:2], end[:2])
    first, second = middle[:2] - start[:2], end[:2] - start[:2]
    cross = float(first[0] * second[1] - first[1] * second[0])
    if closed:
        to_centre = first / 2  # a circle: the middle is opposite
    elif abs(cross) <= 1e-12 * float(np.hypot(*first) * np.hypot(*second)):
        return np.array([start, middle, end])
    else:
        a, b = float(first @ first), float(second @ second)
        to_centre = np.array([second[1] * a - first[1] * b, first[0] * b - second[0] * a]) / (
            2 * cross
        )
    centre, radius = start[:2] + to_centre, float(np.hypot(*to_centre))
    begin, via, stop = (
        float(np.arctan2(*(position[:2] - centre)[::-1])) for position in (start, middle, end)
    )
    turn = 1 if closed or cross > 0 else -1
    sweep = 2 * np.pi if closed else (turn * (stop - begin)) % (2 * np.pi)
    steps = max(2, int(np.ceil(sweep / _STEP)))
    share = np.linspace(0, 1, steps + 1)
    angles = begin + turn * sweep * share
    result = np.empty((steps + 1, len(start)))
    result[:, 0] = centre[0] + radius * np.cos(angles)
    result[:, 1] = centre[1] + radius * np.sin(angles)
    if len(start) > 2:
        at = (turn * (via - begin)) % (2 * np.pi) / sweep
        result[:, 2] = np.interp(share, [0, at, 1], [start[2], middle[2], end[2]])
    result[0], result[-1] = start, end
    return result
