"""A gateway on this machine that stands for Global Fishing Watch: vector tiles for a token."""

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import parse_qs, urlsplit

from tests.api.outgoing.remote_server import Remote, remote_server, respond

TOKEN = "token-of-the-server"
_TILE = re.compile(r"/v3/4wings/tile/heatmap/\d+/\d+/\d+")
_EXTENT = 4096
_CELLS = 8
"""Columns and rows of a tile: squares with more hours from the north-west to the south-east."""


@contextmanager
def fishing_watch() -> Iterator[Remote]:
    """Run it until the block ends."""
    with remote_server(_answer) as running:
        yield running


def _answer(client: socket.socket, head: str) -> None:
    address = urlsplit(head.split(" ")[1])
    query = parse_qs(address.query)
    if f"authorization: bearer {TOKEN}\r\n" not in head.lower():
        respond(b"{}", status="401 Unauthorized")(client, head)
    elif not _TILE.fullmatch(address.path) or query.get("format") != ["MVT"]:
        respond(b"{}", status="422 Unprocessable Entity")(client, head)
    else:
        names = _names(query["interval"][0], *query["date-range"][0].split(","))
        tile = _tile(names)
        respond(tile, "Content-Type: application/vnd.mapbox-vector-tile")(client, head)


def _names(interval: str, first: str, last: str) -> list[str]:
    """Return the names of the values in a time: of years, or of months counted from year 0."""
    years = [int(day[:4]) for day in (first, last)]
    if interval == "YEAR":
        begin, end = years
    else:
        months = [int(day[5:7]) for day in (first, last)]
        begin, end = (12 * year + month - 1 for year, month in zip(years, months, strict=True))
    return [str(name) for name in range(begin, end + 1)]


def _tile(names: list[str]) -> bytes:
    """Return a Mapbox Vector Tile 2.1 of squares that have the same hours by every name."""
    layer = _text(1, b"main") + _number(15, 2) + _number(5, _EXTENT)
    layer += b"".join(_text(3, name.encode()) for name in names)
    hours = range(_CELLS * _CELLS)
    layer += b"".join(_text(4, _number(5, 1 + value * value)) for value in hours)
    for cell in hours:
        tags = b"".join(_varint(key) + _varint(cell) for key in range(len(names)))
        feature = _text(2, tags) + _number(3, 3) + _text(4, _square(cell))
        layer += _text(2, feature)
    return _text(3, layer)


def _square(cell: int) -> bytes:
    side = _EXTENT // _CELLS
    x, y = side * (cell % _CELLS), side * (cell // _CELLS)
    commands = [9, _zigzag(x), _zigzag(y), 26, _zigzag(side), 0, 0, _zigzag(side)]
    return b"".join(map(_varint, [*commands, _zigzag(-side), 0, 15]))


def _zigzag(number: int) -> int:
    return number << 1 if number >= 0 else -number * 2 - 1


def _varint(number: int) -> bytes:
    parts = bytearray()
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*parts, number])


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _text(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content
