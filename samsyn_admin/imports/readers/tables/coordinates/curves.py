"""WKT that the geometry library does not read: curves become lines of many points, triangles and
surfaces of them polygons."""

import math
import re
from collections.abc import Callable

_TOKEN = re.compile(r"\s*([(),]|[^\s(),]+)")
_WORD = re.compile(r"[A-Za-z]+")
_STEP = math.radians(4)
_EQUAL = 1e-12
_MAX_DEPTH = 20
_TYPES = {
    "CURVEPOLYGON": "POLYGON",
    "MULTICURVE": "MULTILINESTRING",
    "MULTISURFACE": "MULTIPOLYGON",
    "TIN": "MULTIPOLYGON",
    "POLYHEDRALSURFACE": "MULTIPOLYGON",
    "TRIANGLE": "POLYGON",
    "CIRCULARSTRING": "LINESTRING",
    "COMPOUNDCURVE": "LINESTRING",
}
_NAMES = re.compile(rf"\b({'|'.join(_TYPES)})(?:ZM|Z|M)?\b", re.IGNORECASE)

type _Position = tuple[float, ...]


def has_other_types(wkt: str) -> bool:
    """Return whether WKT has curves, triangles or surfaces of polygons."""
    return _NAMES.search(wkt) is not None


def plain_wkt(wkt: str) -> str:
    """Return WKT with lines and polygons in place of curves and triangles.

    An arc gets a point for each four degrees; a height changes evenly along it. Raises ValueError
    for what is not WKT.
    """
    parser = _Parser(wkt)
    text = parser.geometry(0)
    if parser.peek():
        raise ValueError("there is text after the geometry")
    return text


class _Parser:
    def __init__(self, wkt: str) -> None:
        self._tokens = _TOKEN.findall(wkt)
        self._next = 0

    def peek(self) -> str:
        return str(self._tokens[self._next]) if self._next < len(self._tokens) else ""

    def take(self, expected: str = "") -> str:
        token = self.peek()
        if not token or (expected and token.upper() != expected):
            raise ValueError(f"{expected or 'more text'} is expected before {token or 'the end'!r}")
        self._next += 1
        return token

    def geometry(self, depth: int) -> str:
        """Read a geometry with its type, and return its WKT."""
        if depth > _MAX_DEPTH:
            raise ValueError("it is nested too deeply")
        kind, dimensions = self._type()
        name = f"{_TYPES.get(kind, kind)}{dimensions}"
        if self.peek().upper() == "EMPTY":
            return f"{name} {self.take()}"
        if kind in {"GEOMETRYCOLLECTION"}:
            return f"{name} ({', '.join(self._list(lambda: self.geometry(depth + 1)))})"
        return f"{name} {self._body(kind, depth)}"

    def _type(self) -> tuple[str, str]:
        word = self.take().upper()
        if not _WORD.fullmatch(word):
            raise ValueError(f"{word[:20]!r} is not a type of geometry")
        known = word if word in _TYPES else word.rstrip("ZM")
        dimensions = word.removeprefix(known) if word not in _TYPES else ""
        kind = known if known in _TYPES or dimensions else word
        if self.peek().upper() in {"Z", "M", "ZM"}:
            dimensions = self.take().upper()
        return kind, f" {dimensions}" if dimensions else ""

    def _list[T](self, item: Callable[[], T]) -> list[T]:
        self.take("(")
        items = [item()]
        while self.peek() == ",":
            self.take()
            items.append(item())
        self.take(")")
        return items

    def _body(self, kind: str, depth: int) -> str:
        if kind in {"LINESTRING", "CIRCULARSTRING", "COMPOUNDCURVE"}:
            return _text(self._curve_of(kind))
        if kind in {"CURVEPOLYGON", "MULTICURVE", "POLYGON", "TRIANGLE", "MULTILINESTRING"}:
            return f"({', '.join(self._list(lambda: _text(self._curve())))})"
        if kind in {"MULTISURFACE", "TIN", "POLYHEDRALSURFACE", "MULTIPOLYGON"}:
            return f"({', '.join(self._list(lambda: self._surface(depth)))})"
        return self._verbatim()

    def _surface(self, depth: int) -> str:
        kind = "POLYGON" if self.peek() == "(" else self._type()[0]
        if kind not in {"POLYGON", "CURVEPOLYGON"}:
            raise ValueError(f"a surface cannot have a {kind[:20]}")
        return self._body(kind, depth + 1)

    def _curve(self) -> list[_Position]:
        return self._curve_of("LINESTRING" if self.peek() == "(" else self._type()[0])

    def _curve_of(self, kind: str) -> list[_Position]:
        if kind == "COMPOUNDCURVE":
            parts = self._list(self._curve)
            return [*parts[0], *(position for part in parts[1:] for position in part[1:])]
        if kind not in {"LINESTRING", "CIRCULARSTRING"}:
            raise ValueError(f"a curve cannot have a {kind[:20]}")
        positions = self._list(self._position)
        return _along_arcs(positions) if kind == "CIRCULARSTRING" else positions

    def _position(self) -> _Position:
        values = []
        while self.peek() not in {",", ")", ""}:
            values.append(float(self.take()))
        if not 2 <= len(values) <= 4:
            raise ValueError("a position has two to four numbers")
        return tuple(values)

    def _verbatim(self) -> str:
        """Return the parentheses that follow as they are."""
        depth, parts = 0, []
        while True:
            token = self.take()
            depth += (token == "(") - (token == ")")
            parts.append(token)
            if depth <= 0:
                return " ".join(parts)


def _text(positions: list[_Position]) -> str:
    return f"({', '.join(' '.join(map(repr, position)) for position in positions)})"


def _along_arcs(positions: list[_Position]) -> list[_Position]:
    if len(positions) % 2 == 0 or len(positions) == 1:
        raise ValueError("an arc has three positions, each further one two")
    result = positions[:1]
    for start, middle, end in zip(
        positions[:-2:2], positions[1:-1:2], positions[2::2], strict=True
    ):
        result += _arc(start, middle, end)
    return result


def _arc(start: _Position, middle: _Position, end: _Position) -> list[_Position]:
    """Return the positions of an arc after its start."""
    if start == end:  # a full circle: the middle is opposite
        x, y = ((start[axis] + middle[axis]) / 2 for axis in (0, 1))
        first, sweep = math.atan2(start[1] - y, start[0] - x), 2 * math.pi
        share = 0.5
    else:
        centre = _centre(start, middle, end)
        if centre is None:
            return [middle, end]
        x, y = centre
        first, second, last = (
            math.atan2(position[1] - y, position[0] - x) for position in (start, middle, end)
        )
        sweep = (last - first) % (2 * math.pi)
        part = (second - first) % (2 * math.pi)
        if part > sweep:  # clockwise
            sweep, part = sweep - 2 * math.pi, part - 2 * math.pi
        share = part / sweep
    radius = math.hypot(start[0] - x, start[1] - y)
    result: list[_Position] = []
    steps = max(2, math.ceil(abs(sweep) / _STEP))
    at = {round(share * steps): middle, steps: end}
    for step in range(1, steps + 1):
        angle = first + sweep * step / steps
        exact = at.get(step)
        result.append(
            exact
            or (
                x + radius * math.cos(angle),
                y + radius * math.sin(angle),
                *_between(start[2:], end[2:], step / steps),
            )
        )
    return result


def _between(one: _Position, other: _Position, share: float) -> _Position:
    return tuple(a + (b - a) * share for a, b in zip(one, other, strict=False))


def _centre(a: _Position, b: _Position, c: _Position) -> tuple[float, float] | None:
    """Return the centre of the circle through three positions, or None where they are in line."""
    bx, by, cx, cy = b[0] - a[0], b[1] - a[1], c[0] - a[0], c[1] - a[1]
    cross = 2 * (bx * cy - by * cx)
    if abs(cross) <= _EQUAL * (bx * bx + by * by + cx * cx + cy * cy):
        return None
    b_square, c_square = bx * bx + by * by, cx * cx + cy * cy
    return (
        a[0] + (cy * b_square - by * c_square) / cross,
        a[1] + (bx * c_square - cx * b_square) / cross,
    )
