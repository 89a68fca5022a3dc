"""Values that a request may hold: most of them usual, some at the edge, some impossible."""

import random
from collections.abc import Sequence
from typing import Any

Random = random.Random

TEXTS = (
    *("", " ", "name", "Hanö", "wind farm", "null", "true", "0", "-1", "1e309", "NaN", "٣", "😀"),
    *("'", '"', "\\", "%", "%%", "_", "%_'", "a,b", ",", "+", "&", "=", "?", "#", "/", "..", "*"),
    *("\x00", "\x01", "\x7f", "\ud800", "\u202e", "\ufeff", "é", "e\u0301", "\r\nX: y"),
    *("<script>alert(1)</script>", "{}", "[]", "[[]]", '{"a":1}', "a" * 300, "😀" * 100),
    *("../../etc/passwd", "$(id)", "{{7*7}}", "' OR 1=1 --", "\\x", "javascript:alert(1)"),
)
NUMBERS = (
    *(0, 1, -1, 2, 10, 100, 1000, 10_001, 2**31, 2**53 + 1, 2**63 - 1, 2**63, 10**30, -(2**63)),
    *(0.5, -0.0, 1e-9, 1e308, 1e-400, 180, 90, -180, 181, 85.06),
)
MOMENTS = (
    *("2024-05-01", "2024-05-01T10:00:00Z", "2024-05-01T10:00:00+02:00", "2024-05-01T10:00:00"),
    *("2024-02-29", "2023-02-29", "2024-05-01T24:00:00Z", "2020-02-29T23:59:60Z", "0000-01-01"),
    *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "10000-01-01", "2024-13-01"),
    *("2024-05-01T10:00:00.123456789Z", "-2024-01-01", "20240501", "now", "..", "", "24-5-1"),
)
SYSTEMS = (
    *("http://www.opengis.net/def/crs/OGC/1.3/CRS84", "EPSG:4326", "EPSG:3857", "[EPSG:3035]"),
    *("http://www.opengis.net/def/crs/EPSG/0/25832", "urn:ogc:def:crs:EPSG::25833", "CRS84"),
    *("EPSG:2154", "EPSG:0", "EPSG:999999", "http://www.opengis.net/def/crs/EPSG/0/4979", "x", ""),
)
NAMES = ("name", "depth", "gear", "area_km2", "surveyed_on", "updated", "geometry", "id", "nosuch")
"""Names of properties: of the demo plan and of the layers that are made here, and none."""


def text(random: Random) -> str:
    """Return a short text; one in five is of random characters."""
    if random.random() < 0.8:
        return random.choice(TEXTS)
    alphabet = random.choice(("abc '\"%_\\", "0123456789.-+eE", "[]{}(),:;<>=!", "åß漢😀\u0301"))
    return "".join(random.choices(alphabet, k=random.randrange(12)))


def number(random: Random) -> Any:
    """Return a number of JSON, now and then one that is none."""
    if random.random() < 0.5:
        return random.choice(NUMBERS)
    if random.random() < 0.02:
        return random.choice((float("nan"), float("inf"), True, None, "1"))
    return round(random.uniform(-200, 200), random.randrange(10))


def moment(random: Random) -> str:
    """Return a date or date-time, or nearly one."""
    if random.random() < 0.6:
        return random.choice(MOMENTS)
    day = f"20{random.randrange(100):02}-{random.randrange(14):02}-{random.randrange(33):02}"
    return random.choice((day, f"{day}T{random.randrange(26):02}:00:00{random.choice(('Z', ''))}"))


def interval(random: Random) -> str:
    """Return a value of `datetime`."""
    parts = random.choice((1, 1, 2, 2, 2, 3))
    return "/".join(moment(random) for _ in range(parts))


def box(random: Random) -> str:
    """Return a value of `bbox`, most of them valid."""
    if random.random() < 0.1:
        count = random.randrange(9)
        return ",".join(str(number(random)) for _ in range(count)) + random.choice(("", ",", " "))
    west, south = random.uniform(-200, 200), random.uniform(-95, 95)
    width, height = (random.choice((0, 1e-9, 1, 30, 400)) for _ in range(2))
    edges = [west, south, west + width, south + height]
    if random.random() < 0.1:
        edges = [*edges[:2], -10, *edges[2:], 10]
    return ",".join(f"{edge:.{random.randrange(8)}f}" for edge in edges)


def value(random: Random, nesting: int = 0) -> Any:
    """Return any JSON value."""
    kind = random.randrange(8 if nesting < 3 else 6)
    if kind == 6:
        return [value(random, nesting + 1) for _ in range(random.randrange(4))]
    if kind == 7:
        return {text(random): value(random, nesting + 1) for _ in range(random.randrange(4))}
    return text(random) if kind < 2 else number(random) if kind < 4 else random.choice((None, True))


def changed(random: Random, document: Any) -> Any:
    """Return a copy of a JSON document, with a member of it replaced, removed or added."""
    if isinstance(document, dict) and document and random.random() < 0.9:
        name = random.choice(list(document))
        if random.random() < 0.7:
            return {**document, name: changed(random, document[name])}
        rest = {other: member for other, member in document.items() if other != name}
        return rest if random.random() < 0.5 else {**rest, text(random): value(random)}
    if isinstance(document, list) and document and random.random() < 0.9:
        place = random.randrange(len(document))
        middle = [] if random.random() < 0.2 else [changed(random, document[place])]
        return [*document[:place], *middle, *document[place + 1 :]]
    return value(random)


def cut(random: Random, content: bytes) -> bytes:
    """Return bytes with some of them lost, doubled or changed."""
    if not content:
        return random.randbytes(20)
    first = random.randrange(len(content))
    last = min(len(content), first + random.choice((1, 1, 2, 50)))
    middle = random.choice((b"", random.randbytes(last - first), content[first:last] * 2))
    return content[:first] + middle + (content[last:] if random.random() < 0.8 else b"")


def pick(random: Random, known: Sequence[Any]) -> str:
    """Return one of the ids that there are, nine times out of ten, the first ones more often."""
    if known and random.random() < 0.9:
        return str(known[int(random.random() ** 2 * len(known))])
    other = random.choice(
        (
            *("00000000-0000-0000-0000-000000000000", "x", "0", "-1", "1", "2147483648", "1.0"),
            *("9223372036854775808", "99999999999999999999999", "bulk", "reorder", "me", "%00"),
        )
    )
    return other if random.random() < 0.7 else text(random)
