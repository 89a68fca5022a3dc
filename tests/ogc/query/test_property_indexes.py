"""Indexes on properties: their values have the order of comparisons, and plans use them."""

import json
import re
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, text
from werkzeug.datastructures import MultiDict

from samsyn_provider.cql2.temporal import moment_or_null
from samsyn_provider.features.page_statements import select_page
from samsyn_provider.query.items_query import Capabilities, ItemsQuery, parse_items_query
from samsyn_provider.query.position import encode_position
from tests.model.tables.features import add_layer

FIELDS = {
    "number": {"type": "number"},
    "rare": {"type": "string"},
    "often": {"type": "boolean"},
    "seen": {"type": "string", "format": "date-time"},
    "plain": {"type": "number"},
}
INDEXED = frozenset(FIELDS) - {"plain"}
NUMBERS = (
    st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.decimals(allow_nan=False, allow_infinity=False)
)
MOMENTS = st.from_regex(
    r"\d{4}-\d\d-\d\d([Tt]\d\d:\d\d:\d\d([.]\d{1,9})?([Zz]|[-+]\d\d:\d\d)?)?", fullmatch=True
) | st.datetimes().map(lambda moment: moment.isoformat())
LENIENT = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200
)


def scalar(connection: Connection, statement: str, **values: Any) -> Any:
    return connection.exec_driver_sql(statement, values).scalar_one()


@LENIENT
@given(NUMBERS, NUMBERS)
@example(10**400, 10**300)
@example(-(10**400), -(10**500))
@example(2**53, 2**53 + 1)
@example(10**300, 10**300 + 1)
def test_numbers_keep_their_order(connection: Connection, one: Any, other: Any) -> None:
    low, high = sorted([one, other])
    assert scalar(
        connection,
        "SELECT indexed_number(%(low)s::text::jsonb) <= indexed_number(%(high)s::text::jsonb)",
        low=_json(low),
        high=_json(high),
    )


def _json(number: Any) -> str:
    text = str(number)
    return text if re.fullmatch(r"-?\d+(\.\d+)?([eE][+-]?\d+)?", text) else "0"


@LENIENT
@given(st.text(st.characters(exclude_characters="\x00", codec="utf-8")), st.text("é\U0010ffff"))
def test_texts_keep_their_order(connection: Connection, one: str, other: str) -> None:
    low, high = sorted([one * 50, one * 50 + other])
    assert scalar(
        connection,
        'SELECT indexed_text(to_jsonb(%(low)s::text)) COLLATE "C"'
        " <= indexed_text(to_jsonb(%(high)s::text))",
        low=low,
        high=high,
    )


@LENIENT
@given(MOMENTS)
@example("2024-02-29")
@example("1900-02-29")
@example("0000-01-01")
@example("0001-01-01T00:00:00+15:59")
@example("9999-12-31T23:59:59.999999999-15:59")
def test_moments_are_those_of_filters(connection: Connection, value: str) -> None:
    indexed, compared = connection.exec_driver_sql(
        "SELECT indexed_number(to_jsonb(content)),"
        f" extract(epoch FROM {moment_or_null('content')})::float8"
        " FROM (SELECT %(value)s::text AS content OFFSET 0) AS values",
        {"value": value},
    ).one()
    assert indexed == compared


def test_moments_do_not_depend_on_the_session(connection: Connection) -> None:
    connection.execute(text("SET LOCAL timezone = 'Asia/Tokyo'"))
    indexed = scalar(connection, """SELECT indexed_number('"1970-01-01T00:00:01"')""")
    assert indexed == 1


@pytest.fixture(scope="module")
def large(engine: Engine) -> Iterator[tuple[Connection, uuid.UUID]]:
    """A layer of 20,000 features, in a transaction that is rolled back."""
    with engine.connect() as connection:
        transaction = connection.begin()
        layer = add_layer(connection)
        connection.execute(
            text(
                "INSERT INTO layer_features (layer_id, geom, properties)"
                " SELECT :layer, ST_Point(n % 180, n % 90, 4326), jsonb_build_object("
                "  'number', n / 10.0, 'plain', n / 10.0, 'often', n % 2 = 0,"
                "  'rare', CASE WHEN n % 1000 = 0 THEN 'r' || n ELSE 'other' END,"
                "  'seen', to_char(timestamp '2000-01-01' + n * interval '1 hour',"
                '                  \'YYYY-MM-DD"T"HH24:MI:SS"Z"\'))'
                " FROM generate_series(1, 20000) AS n"
            ),
            {"layer": layer},
        )
        connection.execute(
            text("UPDATE layers SET indexed_properties = :names WHERE id = :layer"),
            {"names": list(INDEXED), "layer": layer},
        )
        # as autovacuum does within a minute of an import: before, it saw layers of other tests
        connection.execute(text("ANALYZE layer_features, property_values"))
        yield connection, layer
        transaction.rollback()


VALUES = (
    *(None, True, False, [1], {}, 0, 1, -1, 7, 7.5, 2**53, 2**53 + 1, 10**400, -(10**400)),
    *("", "a", "A", "ab", "b", "é", "z", "~", "%", "a%", "a_b", "a" * 300, "a" * 300 + "b", "🐟"),
    *("2024-02-29", "2024-02-30", "2024-03-01", "2024-02-29T12:00:00", "2024-02-29T12:00:00Z"),
    *("2024-02-29T13:00:00+02:00", "2024-02-29T12:00:00.000001Z", "2024-03-01t00:00:00z"),
)
DAYS = [f"DATE('{day}')" for day in ("2024-02-28", "2024-02-29", "2024-03-01")]
TIMESTAMPS = [
    f"TIMESTAMP('{moment}')"
    for moment in ("2024-02-29T11:00:00Z", "2024-02-29T12:00:00Z", "2024-03-01T00:00:00Z")
]
TEXTS = ["''", "'a'", "'ab'", "'é'", "'~'", f"'{'a' * 300}'", "'🐟'"]
LITERALS = (
    ({"type": "number"}, ["-1", "0", "7", "7.5", "9007199254740993", "1e300", "-1e300"]),
    ({"type": "string"}, TEXTS),
    ({"type": "string", "format": "date"}, DAYS),
    ({"type": "string", "format": "date-time"}, TIMESTAMPS),
)
PATTERNS = [
    "'a%'",
    "'%a'",
    "'a'",
    "'a_%'",
    r"'a\%'",
    r"'a\_b'",
    "'_'",
    "'%'",
    f"'{'a' * 250}%'",
    "''",
]


def filters() -> Iterator[tuple[dict[str, str], str]]:
    for schema, literals in LITERALS:
        for number, one in enumerate(literals):
            for sign in ("=", "<>", "<", "<=", ">", ">="):
                yield schema, f"v {sign} {one}"
                yield schema, f"{one} {sign} v"
            for other in literals[number:]:
                yield schema, f"v BETWEEN {one} AND {other}"
                yield schema, f"v > {one} AND {other} >= v"
                yield schema, f"v IN ({one}, {other}, {one})"
                yield schema, f"NOT v IN ({one}, {other})"
                yield schema, f"v < {one} OR v > {other}"
    for pattern in PATTERNS:
        yield {"type": "string"}, f"v LIKE {pattern}"
    for literal in ("true", "false"):
        yield {"type": "boolean"}, f"v = {literal}"
        yield {"type": "boolean"}, f"v <> {literal}"


def test_comparisons_match_the_same_with_an_index(connection: Connection) -> None:
    layer = add_layer(connection)
    connection.execute(
        text(
            "INSERT INTO layer_features (layer_id, properties)"
            " SELECT :layer, jsonb_build_object('v', value) FROM jsonb_array_elements(:values)"
        ),
        {"layer": layer, "values": json.dumps(VALUES)},
    )
    connection.execute(
        text("UPDATE layers SET indexed_properties = '{v}' WHERE id = :layer"), {"layer": layer}
    )
    # a large count, so that candidates are always few in proportion
    connection.execute(
        text("INSERT INTO layer_changes (layer_id, feature_count, changes) VALUES (:l, 1000, 1)"),
        {"l": layer},
    )
    some = 0
    for schema, condition in filters():
        items_query = parse_items_query(
            MultiDict({"filter": condition, "limit": "100"}), Capabilities({"v": schema})
        )
        plain, quick = (
            select_page(layer, items_query, None, indexed=frozenset(names)) for names in ("", "v")
        )
        expected = connection.exec_driver_sql(plain.text, plain.values).one()
        assert connection.exec_driver_sql(quick.text, quick.values).one() == expected, condition
        some += expected.returned > 0 and "WITH" in quick.text
    assert some > 150


def query(**parameters: str) -> ItemsQuery:
    return parse_items_query(MultiDict(parameters), Capabilities(FIELDS))


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for part in plan.get("Plans", ()):
        yield from nodes(part)


def features_read(large: tuple[Connection, uuid.UUID], items_query: ItemsQuery) -> int:
    """How many rows of `layer_features` the statement for a page reads, matching or not."""
    connection, layer = large
    statement = select_page(layer, items_query, None, indexed=INDEXED)
    plan = scalar(
        connection, "EXPLAIN (ANALYZE, FORMAT JSON) " + statement.text, **statement.values
    )
    return sum(
        node["Actual Loops"] * (node["Actual Rows"] + node.get("Rows Removed by Filter", 0))
        for node in nodes(plan[0]["Plan"])
        if node.get("Relation Name") == "layer_features"
    )


@pytest.mark.parametrize(
    ("parameters", "matches"),
    [
        ({"rare": "r3000"}, 1),
        ({"rare": "nothing"}, 0),
        ({"filter": "rare = 'r3000'"}, 1),
        ({"filter": "'r3000' = rare"}, 1),
        ({"filter": "rare LIKE 'r%0'"}, 20),
        ({"filter": "rare LIKE 'r_000'"}, 9),
        ({"filter": "rare IN ('r3000', 'r4000', 'r3000', 'nothing')"}, 2),
        ({"filter": "number > 10 AND number < 20"}, 99),
        ({"filter": "20 >= number AND 10 <= number"}, 101),
        ({"filter": "number BETWEEN 10 AND 20"}, 101),
        ({"filter": "number IN (10, 11.5)"}, 2),
        ({"filter": "number < 10 AND often = true"}, 49),
        ({"filter": "plain > 0 AND number < 10"}, 99),
        ({"filter": "seen < TIMESTAMP('2000-01-02T00:00:00Z')"}, 23),
        ({"seen": "2000-01-02T01:00:00+01:00"}, 1),
        ({"filter": "number < 10", "sortby": "-number"}, 99),
        ({"filter": "number < 10 AND updated IS NOT NULL", "sortby": "-updated"}, 99),
        ({"number": "10", "filter": "often = false"}, 0),
    ],
    ids=str,
)
def test_few_candidates_are_looked_up(
    large: tuple[Connection, uuid.UUID], parameters: dict[str, str], matches: int
) -> None:
    connection, layer = large
    items_query = query(**parameters)
    statements = [select_page(layer, items_query, None, indexed=names) for names in ((), INDEXED)]
    rows = [connection.exec_driver_sql(s.text, s.values).one() for s in statements]
    # the matches of so large a layer are counted only with an index
    assert rows[0][:4] == rows[1][:4]
    assert (rows[0].matched, rows[1].matched) == (None, matches)
    assert features_read(large, items_query) < 300


@pytest.mark.parametrize("parameters", [{"often": "true"}, {"filter": "number > 100"}], ids=str)
def test_many_candidates_are_read_in_order_until_a_page_is_full(
    large: tuple[Connection, uuid.UUID], parameters: dict[str, str]
) -> None:
    connection, layer = large
    connection.execute(text("ANALYZE layer_features"))
    statement = select_page(layer, query(**parameters), None, indexed=INDEXED)
    plan = scalar(
        connection, "EXPLAIN (ANALYZE, FORMAT JSON) " + statement.text, **statement.values
    )
    page = [
        node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
        for node in nodes(plan[0]["Plan"])
        if node.get("Index Name") == "pk_layer_features" and node["Actual Loops"] == 1
    ]
    assert page
    assert min(page) < 1500


def test_a_page_of_few_ends_when_it_is_full(large: tuple[Connection, uuid.UUID]) -> None:
    """All are counted, and nothing else is read: on the second page not those before it."""
    connection, layer = large
    items_query = query(filter="number <= 100", limit="5")
    first = select_page(layer, items_query, None, indexed=INDEXED)
    row = connection.exec_driver_sql(first.text, first.values).one()
    assert row.returned == 5
    assert row.matched == 1000
    assert features_read(large, items_query) <= 1000 + 6
    second = query(filter="number <= 100", limit="5", after=encode_position(row.last))
    assert features_read(large, second) <= 1000 + 6


def test_a_property_without_an_index_is_not_looked_up(large: tuple[Connection, uuid.UUID]) -> None:
    statement = select_page(large[1], query(plain="10"), None, indexed=INDEXED)
    assert "property_values" not in statement.text
    assert json.loads(statement.values["equal0"]) == {"plain": 10}
    last_change = query(updated="2026-01-01T00:00:00Z")
    statement = select_page(large[1], last_change, None, indexed=frozenset({"updated"}))
    assert "property_values" not in statement.text
