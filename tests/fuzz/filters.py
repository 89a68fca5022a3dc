"""Filters in CQL2, as JSON and as text: of every operator, most valid, some deep or wide."""

import json
from collections.abc import Callable
from typing import Any

from tests.fuzz import odd_values
from tests.fuzz.geometries import geometry
from tests.fuzz.odd_values import Random

_COMPARISONS = ("=", "<>", "<", "<=", ">", ">=")
_ARITHMETIC = ("+", "-", "*", "/", "%", "div", "^")
_SPATIAL = (
    *("s_intersects", "s_equals", "s_disjoint", "s_touches", "s_within", "s_overlaps"),
    *("s_crosses", "s_contains"),
)
_TEMPORAL = (
    *("t_after", "t_before", "t_contains", "t_disjoint", "t_during", "t_equals", "t_finishedBy"),
    *("t_finishes", "t_intersects", "t_meets", "t_metBy", "t_overlappedBy", "t_overlaps"),
    *("t_startedBy", "t_starts"),
)
_ARRAYS = ("a_equals", "a_contains", "a_containedBy", "a_overlaps")
_FUNCTIONS = ("AREA", "LENGTH", "DISTANCE", "nosuch", "casei", "accenti")
_MAX_DEPTH = 4
_USUAL = (
    "name LIKE 'H%'",
    "name IS NOT NULL AND NOT name IN ('a', 'b')",
    "CASEI(name) = CASEI('hanö') OR ACCENTI(name) LIKE ACCENTI('%o%')",
    "S_INTERSECTS(geometry, BBOX(10, 54, 13, 58))",
    "S_WITHIN(geometry, POLYGON((10 54, 13 54, 13 58, 10 58, 10 54)))",
    "S_DWITHIN(geometry, POINT(11 57), 20000) AND AREA(geometry) / 1000000 > 5",
    "DISTANCE(geometry, LINESTRING(10 54, 13 58)) < 9000 OR LENGTH(geometry) > 10",
    "updated > TIMESTAMP('2024-01-01T00:00:00Z') AND name <> ''",
    "S_DISJOINT(geometry, GEOMETRYCOLLECTION(POINT(11 57), POLYGON((1 1, 2 1, 2 2, 1 1))))",
    "S_TOUCHES(geometry, BBOX(10, 54, 13, 58)) OR S_CROSSES(geometry, LINESTRING(10 54, 13 58))",
)
"""Filters that suit the layers here."""


def filter_query(random: Random) -> dict[str, str]:
    """Return the parameters `filter` and `filter-lang`, now and then `filter-crs`."""
    if random.random() < 0.3:
        return {"filter": random.choice(_USUAL)}
    tree = condition(random)
    if random.random() < 0.02:
        tree = _deep(random, tree)
    if random.random() < 0.5:
        if random.random() < 0.15:
            tree = odd_values.changed(random, tree)
        query = {"filter": json.dumps(tree), "filter-lang": "cql2-json"}
    else:
        words = cql2_text(tree)
        if random.random() < 0.15:
            words = odd_values.cut(random, words.encode(errors="replace")).decode(errors="replace")
        query = {"filter": words}
    if random.random() < 0.1:
        query["filter-crs"] = random.choice(odd_values.SYSTEMS)
    return query


def condition(random: Random, depth: int = 0) -> Any:
    """Return a condition in CQL2 JSON."""
    if depth < _MAX_DEPTH and random.random() < 0.3:
        operator = random.choice(("and", "or", "not"))
        count = 1 if operator == "not" else random.choice((2, 2, 3, 10))
        return _call(operator, *(condition(random, depth + 1) for _ in range(count)))
    return random.choice(_CONDITIONS)(random, depth)


def _compared(random: Random, depth: int) -> Any:
    return _call(random.choice(_COMPARISONS), _scalar(random, depth), _scalar(random, depth))


def _like(random: Random, depth: int) -> Any:
    text, pattern = _property(random), random.choice(("a%", "%n%", "_", "\\%", "%" * 50, ""))
    if random.random() < 0.3:
        return _call("like", _call("casei", text), _call("casei", pattern))
    return _call("like", text, pattern)


def _between(random: Random, depth: int) -> Any:
    return _call("between", *(_scalar(random, depth) for _ in range(3)))


def _in(random: Random, depth: int) -> Any:
    several = [_scalar(random, depth) for _ in range(random.choice((0, 1, 3, 3, 200)))]
    return _call("in", _property(random), several)


def _is_null(random: Random, depth: int) -> Any:
    return _call("isNull", _scalar(random, depth))


def _related(random: Random, depth: int) -> Any:
    return _call(random.choice(_SPATIAL), _place(random), _place(random))


def _near(random: Random, depth: int) -> Any:
    if random.random() < 0.5:
        return _call("S_DWITHIN", _place(random), _place(random), odd_values.number(random))
    size = _call(random.choice(_FUNCTIONS), *(_place(random) for _ in range(random.choice((1, 2)))))
    return _call(random.choice(_COMPARISONS), size, odd_values.number(random))


def _timed(random: Random, depth: int) -> Any:
    return _call(random.choice(_TEMPORAL), _time(random), _time(random))


def _arrays(random: Random, depth: int) -> Any:
    other = [_scalar(random, depth) for _ in range(random.randrange(4))]
    return _call(random.choice(_ARRAYS), _property(random), other)


_CONDITIONS: tuple[Callable[[Random, int], Any], ...] = (
    *(_compared, _compared, _like, _between, _in, _is_null, _related, _related, _near, _timed),
    _arrays,
)


def _scalar(random: Random, depth: int) -> Any:
    kind = random.randrange(10)
    if kind < 4:
        return _property(random)
    if kind < 6:
        return odd_values.number(random)
    if kind < 8:
        return odd_values.text(random)
    if kind == 8 and depth < _MAX_DEPTH:
        parts = (_scalar(random, depth + 1) for _ in range(2))
        return _call(random.choice(_ARITHMETIC), *parts)
    return _time(random)


def _property(random: Random) -> Any:
    name = random.choice(odd_values.NAMES) if random.random() < 0.9 else odd_values.text(random)
    return {"property": name}


def _place(random: Random) -> Any:
    kind = random.randrange(10)
    if kind < 5:
        return {"property": "geometry"}
    if kind < 7:
        edges = odd_values.box(random).split(",")
        return {"bbox": [_number(edge) for edge in edges]}
    return geometry(random) if kind < 9 else _scalar(random, _MAX_DEPTH)


def _time(random: Random) -> Any:
    kind = random.randrange(4)
    if kind == 0:
        return {"date": odd_values.moment(random)}
    if kind == 1:
        return {"timestamp": odd_values.moment(random)}
    if kind == 2:
        return {"interval": [odd_values.moment(random) for _ in range(2)]}
    return {"property": random.choice(("updated", "surveyed_on"))}


def _number(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return text


def _call(operator: str, *arguments: Any) -> dict[str, Any]:
    return {"op": operator, "args": list(arguments)}


def _deep(random: Random, tree: Any) -> Any:
    for _ in range(random.choice((30, 100, 400))):
        tree = _call("not", tree)
    return tree


def cql2_text(tree: Any) -> str:
    """Return CQL2 JSON as CQL2 text; what has no such form as JSON."""
    if isinstance(tree, bool) or tree is None:
        return str(tree).upper()
    if isinstance(tree, int | float):
        return str(tree)
    if isinstance(tree, str):
        return _quoted(tree)
    if isinstance(tree, list):
        return f"({', '.join(map(cql2_text, tree))})"
    if "property" in tree:
        return _name(tree["property"])
    if "op" in tree:
        return _operation(str(tree["op"]), [cql2_text(argument) for argument in tree["args"]])
    for keyword in ("date", "timestamp"):
        if keyword in tree:
            return f"{keyword.upper()}({_quoted(tree[keyword])})"
    if "interval" in tree:
        return f"INTERVAL{cql2_text(tree['interval'])}"
    if "bbox" in tree:
        return f"BBOX({','.join(str(edge) for edge in tree['bbox'])})"
    return _wkt(tree)


def _operation(operator: str, parts: list[str]) -> str:
    if operator == "not":
        return f"NOT ({parts[0]})"
    if operator in {"and", "or"}:
        return "(" + f" {operator.upper()} ".join(parts) + ")"
    if operator == "isNull":
        return f"{parts[0]} IS NULL"
    if operator == "between":
        return f"{parts[0]} BETWEEN {parts[1]} AND {parts[2]}"
    if operator in {"like", "in", *_COMPARISONS, *_ARITHMETIC}:
        return f"({parts[0]} {operator.upper()} {parts[1]})"
    return f"{operator.upper()}({', '.join(parts)})"


def _wkt(tree: Any) -> str:
    if not isinstance(tree, dict):
        return str(tree)
    kind = str(tree.get("type"))
    if kind == "GeometryCollection" and isinstance(tree.get("geometries"), list):
        return f"GEOMETRYCOLLECTION({','.join(_wkt(part) for part in tree['geometries'])})"
    return kind.upper() + _positions(tree.get("coordinates"))


def _positions(value: Any) -> str:
    if not isinstance(value, list):
        return str(value)
    if value and not isinstance(value[0], list):
        return " ".join(map(str, value))
    return f"({','.join(map(_positions, value))})"


def _quoted(text: Any) -> str:
    return "'" + str(text).replace("'", "''") + "'"


def _name(text: Any) -> str:
    return str(text) if str(text).isidentifier() else '"' + str(text).replace('"', '""') + '"'
