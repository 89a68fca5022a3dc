"""Random filters over random features, against the same conditions evaluated in Python.

The reference evaluates the tree that Hypothesis drew, with None for NULL. Each filter is run
without the indexes on properties and with them.
"""

import json
import operator
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, text

from samsyn_provider.cql2.parsing import parse_filter
from samsyn_provider.features.count_statements import select_hits
from samsyn_provider.features.page_statements import select_page
from samsyn_provider.geography.crs import CRS84, reference_system
from samsyn_provider.query.items_query import ItemsQuery

FIELDS: dict[str, dict[str, Any]] = {
    "n": {"type": "number"},
    "m": {"type": "integer"},
    "s": {"type": "string"},
    "t": {"type": "string"},
    "b": {"type": "boolean"},
    "d": {"type": "string", "format": "date"},
    "e": {"type": "string", "format": "date-time"},
    "tags": {"type": "array"},
}
TYPES: dict[str, type | tuple[type, ...]] = {
    "n": (int, float), "m": (int, float), "s": str, "t": str, "b": bool, "tags": list,
}  # fmt: skip
LAYER = uuid.UUID(int=7)
CRS = reference_system(CRS84, "crs")

NUMBERS = st.sampled_from([0, 1, 2, 3, -1, -2, 7, 0.5, -0.25, 2**53 + 1, 1e-3])
TEXTS = st.sampled_from(["", "a", "A", "b", "ab", "Ab", "é", "z", "Z", "_", "%", "a%", "\\", "🐟"])
DATES = st.sampled_from(["2024-02-29", "2026-05-01", "2026-05-31", "2026-06-01"])
MOMENTS = st.sampled_from(
    [
        "2026-05-01T00:00:00Z",
        "2026-05-01T12:00:00Z",
        "2026-05-31T23:59:59.5Z",
        "2026-06-01T00:00:00Z",
    ]
)
MISTYPED = st.sampled_from([None, "x", 5, True, [], {}, "2026-02-30", "2026-02-30T00:00:00Z"])
GEOMETRIES = st.builds(shapely.Point, st.integers(0, 4), st.integers(0, 4)) | st.builds(
    lambda x, y, w, h: shapely.box(x, y, x + w, y + h),
    st.integers(0, 3), st.integers(0, 3), st.integers(1, 2), st.integers(1, 2),
)  # fmt: skip


def _mostly(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(values, values, values, MISTYPED)


FEATURES = st.tuples(
    st.none() | GEOMETRIES,
    st.fixed_dictionaries(
        {},
        optional={
            "n": _mostly(NUMBERS), "m": _mostly(NUMBERS),
            "s": _mostly(TEXTS), "t": _mostly(TEXTS),
            "b": st.booleans() | MISTYPED, "d": _mostly(DATES), "e": _mostly(MOMENTS),
            "tags": st.lists(TEXTS | NUMBERS | st.booleans(), max_size=3) | MISTYPED,
        },
    ),
)  # fmt: skip


def _call(name: str, *arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.tuples(*arguments).map(lambda operands: {"op": name, "args": list(operands)})


def _named(*names: str) -> st.SearchStrategy[Any]:
    return st.sampled_from(names).map(lambda name: {"property": name})


NUMERIC = st.recursive(
    NUMBERS | _named("n", "m"),
    lambda parts: st.sampled_from(["+", "-", "*", "/", "div", "%"]).flatmap(
        lambda name: _call(name, parts, parts)
    ),
    max_leaves=4,
)
TEXTUAL = TEXTS | _named("s", "t")
DAYS = DATES.map(lambda day: {"date": day}) | _named("d")
INSTANTS = MOMENTS.map(lambda moment: {"timestamp": moment}) | _named("e")
BOUNDS = DATES | MOMENTS | st.just("..") | _named("d", "e")
TIMES = DAYS | INSTANTS | st.tuples(BOUNDS, BOUNDS).map(lambda both: {"interval": list(both)})
SETS = st.lists(TEXTS | NUMBERS | st.booleans(), max_size=3) | _named("tags")
AREAS = GEOMETRIES.map(lambda geometry: json.loads(shapely.to_geojson(geometry))) | st.just(
    {"property": "geometry"}
)
ORDERED = (NUMERIC, TEXTUAL, DAYS, INSTANTS)
PATTERNS = st.lists(st.sampled_from(["a", "A", "b", "%", "_", "\\%", "\\_", "é"]), max_size=3).map(
    "".join
)


COMPARED: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq, "<>": operator.ne, "<": operator.lt,
    "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
TEMPORAL: dict[str, Callable[[Any, Any, Any, Any], bool]] = {
    "t_after": lambda a, b, c, d: a > d,
    "t_before": lambda a, b, c, d: b < c,
    "t_contains": lambda a, b, c, d: a < c and d < b,
    "t_disjoint": lambda a, b, c, d: b < c or d < a,
    "t_during": lambda a, b, c, d: c < a and b < d,
    "t_equals": lambda a, b, c, d: (a, b) == (c, d),
    "t_finishedBy": lambda a, b, c, d: a < c and b == d,
    "t_finishes": lambda a, b, c, d: c < a and b == d,
    "t_intersects": lambda a, b, c, d: not (b < c or d < a),
    "t_meets": lambda a, b, c, d: b == c,
    "t_metBy": lambda a, b, c, d: a == d,
    "t_overlappedBy": lambda a, b, c, d: c < a < d < b,
    "t_overlaps": lambda a, b, c, d: a < c < b < d,
    "t_startedBy": lambda a, b, c, d: a == c and d < b,
    "t_starts": lambda a, b, c, d: a == c and b < d,
}
SPATIAL = {
    "s_intersects": shapely.intersects,
    "s_disjoint": shapely.disjoint,
    "s_equals": shapely.equals,
    "s_touches": shapely.touches,
    "s_within": shapely.within,
    "s_contains": shapely.contains,
    "s_overlaps": shapely.overlaps,
    "s_crosses": shapely.crosses,
}
SET_OPERATORS: dict[str, Callable[[set[Any], set[Any]], bool]] = {
    "a_equals": lambda a, b: a == b,
    "a_contains": lambda a, b: a >= b,
    "a_containedBy": lambda a, b: a <= b,
    "a_overlaps": lambda a, b: bool(a & b),
}


def _one_of(*strategies: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(strategies)


FAMILIES = {
    "comparisons": _one_of(
        *(_call(name, values, values) for values in ORDERED for name in COMPARED),
        *(_call("between", values, values, values) for values in ORDERED),
        *(_call("in", values, st.lists(values, min_size=1, max_size=3)) for values in ORDERED),
        *(_call("isNull", values) for values in ORDERED),
        _call("like", TEXTUAL, PATTERNS),
        _named("b"),
        st.booleans(),
    ),
    "temporal": _one_of(*(_call(name, TIMES, TIMES) for name in TEMPORAL)),
    "spatial": _one_of(*(_call(name, AREAS, AREAS) for name in SPATIAL)),
    "arrays": _one_of(*(_call(name, SETS, SETS) for name in SET_OPERATORS)),
}
FAMILIES["all"] = _one_of(*FAMILIES.values())


def _combined(predicates: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(
        predicates,
        lambda parts: (
            _call("not", parts)
            | st.sampled_from(["and", "or"]).flatmap(
                lambda name: st.lists(parts, min_size=2, max_size=3).map(
                    lambda operands: {"op": name, "args": operands}
                )
            )
        ),
        max_leaves=4,
    ).filter(lambda tree: not _has_endless_digits(tree))


class Evaluation:
    """The value of CQL2 trees for one feature."""

    def __init__(self, geometry: Any, properties: dict[str, Any]) -> None:
        self.geometry = geometry
        self.properties = properties

    def value(self, tree: Any) -> Any:
        if isinstance(tree, bool | str):
            return tree
        if isinstance(tree, int | float):
            return Fraction(Decimal(repr(tree)))
        if isinstance(tree, list):
            return {_element(member) for member in tree}
        if "property" in tree:
            return self._property(tree["property"])
        if "date" in tree:
            return tree["date"]
        if "timestamp" in tree:
            return _moment(tree["timestamp"])
        if "type" in tree:
            return shapely.from_geojson(json.dumps(tree))
        return self._operation(tree["op"], tree["args"])

    def _property(self, name: str) -> Any:
        if name == "geometry":
            return self.geometry
        value = self.properties.get(name)
        if name == "d":
            return value if _is_valid(value, 10) else None
        if name == "e":
            return _moment(value) if _is_valid(value, 30) and len(value) > 10 else None
        if not isinstance(value, TYPES[name]) or isinstance(value, bool) != (name == "b"):
            return None
        return value if name in "stb" else self.value(value)

    def _operation(self, name: str, trees: list[Any]) -> Any:
        if name == "isNull":
            tree = trees[0]
            if isinstance(tree, dict) and "property" in tree:
                return self.properties.get(tree["property"]) is None
            return self.value(tree) is None
        if name in TEMPORAL:
            return self._relation(name, *trees)
        if name == "in":
            first = self.value(trees[0])
            alternatives = [_known(operator.eq, first, self.value(tree)) for tree in trees[1]]
            return _any(alternatives)
        values = [self.value(tree) for tree in trees]
        if name == "not":
            return None if values[0] is None else not values[0]
        if name in {"and", "or"}:
            return _any(values) if name == "or" else _all(values)
        if name == "between":
            return _all(
                [
                    _known(operator.ge, values[0], values[1]),
                    _known(operator.le, values[0], values[2]),
                ]
            )
        if name in SPATIAL:
            related = _known(SPATIAL[name], *values)
            return None if related is None else bool(related)
        functions = COMPARED | SET_OPERATORS | {"like": _like} | ARITHMETIC
        return _known(functions[name], *values)

    def _relation(self, name: str, one: Any, other: Any) -> bool | None:
        in_days = self._is_of_days(one) and self._is_of_days(other)
        bounds = [*self._span(one, in_days), *self._span(other, in_days)]
        needed = {"t_after": (0, 3), "t_before": (1, 2), "t_meets": (1, 2), "t_metBy": (0, 3)}
        if any(bounds[bound_index] is None for bound_index in needed.get(name, range(4))):
            return None
        return TEMPORAL[name](*bounds)

    def _is_of_days(self, tree: Any) -> bool:
        if "interval" in tree:
            return all(
                bound in ("..", {"property": "d"}) or (isinstance(bound, str) and len(bound) == 10)
                for bound in tree["interval"]
            )
        return "date" in tree or tree == {"property": "d"}

    def _span(self, tree: Any, in_days: bool) -> tuple[Any, Any]:
        bounds = tree.get("interval", [tree, tree])
        start, end = (
            self._bound(bound, bound_index, in_days)
            for bound_index, bound in zip((0, 1), bounds, strict=True)
        )
        return (None, None) if start is None or end is None else (start, end)

    def _bound(self, bound: Any, bound_index: int, in_days: bool) -> Any:
        if bound == "..":
            return ["", "~"][bound_index] if in_days else [-1e30, 1e30][bound_index]
        if isinstance(bound, str):
            bound = {"date" if len(bound) == 10 else "timestamp": bound}
        value = self.value(bound)
        if value is None or in_days:
            return value
        if isinstance(value, str):
            return _moment(f"{value}T00:00:00Z") + bound_index * (86_400_000_000 - 1)
        return value


def _is_valid(value: Any, longest: int) -> bool:
    if not isinstance(value, str) or not 10 <= len(value) <= longest:
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


def _moment(value: str) -> int:
    """Return microseconds since 1970."""
    return round(Fraction(Decimal(repr(datetime.fromisoformat(value).timestamp()))) * 1_000_000)


def _element(value: Any) -> Any:
    return (type(value) is bool, value)


def _known(function: Callable[..., Any], *values: Any) -> Any:
    return None if any(value is None for value in values) else function(*values)


def _any(values: list[Any]) -> bool | None:
    if any(value is True for value in values):
        return True
    return None if None in values else False


def _all(values: list[Any]) -> bool | None:
    if any(value is False for value in values):
        return False
    return None if None in values else True


def _like(value: str, pattern: str) -> bool:
    if not pattern:
        return not value
    if pattern[0] == "%":
        return any(_like(value[start:], pattern[1:]) for start in range(len(value) + 1))
    size = 2 if pattern[0] == "\\" else 1
    character = pattern[size - 1]
    is_wildcard = size == 1 and character == "_"
    if not value or (character != value[0] and not is_wildcard):
        return False
    return _like(value[1:], pattern[size:])


def _quotient(one: Fraction, other: Fraction) -> Fraction | None:
    return one / other if other else None


def _integer_quotient(one: Fraction, other: Fraction) -> Fraction | None:
    return Fraction(int(one / other)) if other else None


def _remainder(one: Fraction, other: Fraction) -> Fraction | None:
    return one - other * int(one / other) if other else None


ARITHMETIC: dict[str, Callable[..., Any]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul,
    "/": _quotient, "div": _integer_quotient, "%": _remainder,
}  # fmt: skip


def _has_endless_digits(tree: Any) -> bool:
    """Return whether a tree divides: PostgreSQL's quotients have about twenty digits."""
    if isinstance(tree, list):
        return any(map(_has_endless_digits, tree))
    if isinstance(tree, dict):
        return tree.get("op") == "/" or _has_endless_digits(tree.get("args", []))
    return False


@pytest.fixture(scope="module")
def database(engine: Engine) -> Iterator[Connection]:
    """A connection whose work is rolled back after all examples."""
    with engine.connect() as connection:
        transaction = connection.begin()
        connection.execute(
            text(
                "WITH owner AS (INSERT INTO users DEFAULT VALUES RETURNING id)"
                " INSERT INTO layers (id, name, source_type, created_by, indexed_properties)"
                " SELECT :layer, 'A layer', 'vector', id, :indexed FROM owner"
            ),
            {"layer": LAYER, "indexed": list(FIELDS)},
        )
        # a large count, so that candidates are always few in proportion
        connection.execute(
            text(
                "INSERT INTO layer_changes (layer_id, feature_count, changes) VALUES (:l, 1000, 1)"
            ),
            {"l": LAYER},
        )
        yield connection
        transaction.rollback()


@pytest.mark.parametrize("family", FAMILIES)
@settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[
        *(HealthCheck.too_slow, HealthCheck.filter_too_much),
        HealthCheck.function_scoped_fixture,
    ],
)
@given(data=st.data())
def test_random_filters(database: Connection, family: str, data: st.DataObject) -> None:
    features = data.draw(st.lists(FEATURES, min_size=1, max_size=8))
    tree = data.draw(_combined(FAMILIES[family]))
    _store(database, features)
    expression = parse_filter(json.dumps(tree), "cql2-json", CRS, FIELDS)
    expected = [
        number
        for number, (geometry, properties) in enumerate(features)
        if Evaluation(geometry, properties).value(tree) is True
    ]
    _assert_matches(database, ItemsQuery(crs=CRS, filter=expression, limit=100), expected)


@settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_random_equalities(database: Connection, data: st.DataObject) -> None:
    features = data.draw(st.lists(FEATURES, min_size=1, max_size=8))
    named = st.tuples(st.sampled_from(list(FIELDS)), NUMBERS | TEXTS | DATES | st.booleans())
    equals = data.draw(st.lists(named, min_size=1, max_size=2))
    _store(database, features)
    expected = [
        number
        for number, (_, properties) in enumerate(features)
        if all(
            name in properties and _element(properties[name]) == _element(value)
            for name, value in equals
        )
    ]
    _assert_matches(database, ItemsQuery(crs=CRS, equals=tuple(equals), limit=100), expected)


def _store(database: Connection, features: list[Any]) -> None:
    database.execute(text("DELETE FROM layer_features WHERE layer_id = :layer"), {"layer": LAYER})
    database.execute(
        text(
            "INSERT INTO layer_features (layer_id, geom, properties) OVERRIDING USER VALUE"
            " VALUES (:layer, ST_GeomFromText(:wkt, 4326), :properties)"
        ),
        [
            {
                "layer": LAYER,
                "wkt": geometry.wkt if geometry else None,
                "properties": json.dumps({**properties, "number": number}),
            }
            for number, (geometry, properties) in enumerate(features)
        ],
    )


def _assert_matches(database: Connection, query: ItemsQuery, expected: list[int]) -> None:
    for indexed in (frozenset[str](), frozenset(FIELDS)):
        page = select_page(LAYER, query, None, indexed=indexed)
        row = database.exec_driver_sql(page.text, page.values).one()
        features = json.loads(b"[%b]" % (row.features or b""))
        numbers = [feature["properties"]["number"] for feature in features]
        assert numbers == expected
        assert row.matched == len(expected)
        hits = select_hits(LAYER, query, None, indexed=indexed)
        assert database.exec_driver_sql(hits.text, hits.values).scalar_one() == len(expected)
