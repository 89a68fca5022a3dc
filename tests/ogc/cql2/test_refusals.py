"""Filters in CQL2 that are refused, and those that are expensive."""

from collections.abc import Callable

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, text

from samsyn_admin.app import create_app
from samsyn_model.database.engine import open_engine
from samsyn_model.settings import Settings
from tests.ogc.cql2.test_filters import EPSG, FEATURES, FIELDS

Layer = Callable[..., str]


@pytest.fixture
def grounds(layer: Layer) -> str:
    return layer(FEATURES, fields=FIELDS)


@pytest.mark.parametrize(
    ("condition", "detail"),
    [
        ("", "at its end"),
        ("rank =", "at its end"),
        ("rank = 1 1", "'1' begins"),
        ("rank = 1)", "')' begins"),
        ("(rank = 1", "')' is missing"),
        ("rank ! 1", "'! 1' begins"),
        ("name = 'x", '"\'x" begins'),
        ("rank = NULL", "'NULL' begins"),
        ("unknown = 1", "'unknown'"),
        ("rank = '1'", "'rank' is of type number and the literal '1' of type text"),
        ("name = 1", "type text"),
        ("rank", "neither true nor false"),
        ("'x'", "neither true nor false"),
        ("open = 1", "type boolean"),
        ("open > false", "type boolean"),
        ("day = '2026-02-30'", "2026-02-30"),
        ("day IN ('2026-05-01', '')", "not a date"),
        ("at BETWEEN '2026-05-01' AND '2026-06-01'", "not a timestamp"),
        ("DATE('2026-05-01') = '2026-05-01'", "type date"),
        ("day = TIMESTAMP('2026-05-01T00:00:00Z')", "type date"),
        ("day = DATE('2026-02-30')", "2026-02-30"),
        ("day = DATE('20260501')", "20260501"),
        ("at = TIMESTAMP('2026-05-01')", "2026-05-01"),
        ("at = TIMESTAMP('0001-01-01T00:00:00+23:00')", "not a timestamp"),
        ("T_AFTER(name, DATE('2026-05-01'))", "T_AFTER takes"),
        ("T_AFTER(day)", "takes 2 arguments"),
        ("T_DURING(day, INTERVAL('2026-05-01'))", "not CQL2"),
        ("T_DURING(day, INTERVAL(name, '..'))", "not a bound"),
        ("rank + name = 1", "+ takes number"),
        ("rank LIKE '3%'", "LIKE takes text"),
        ("name LIKE name", "pattern"),
        ("name LIKE 'x\\\\\\", "begins"),
        ("rank IN ()", "at least one"),
        ("rank IN ('a')", "one type"),
        ("rank BETWEEN 1 AND 'b'", "one type"),
        ("tags = 'a'", "type array"),
        ("more = 1", "type object"),
        ("A_CONTAINS(name, ('a'))", "takes array"),
        ("A_CONTAINS(tags, (geometry))", "in an array"),
        ("buffer(geometry) = 1", "no function 'buffer'"),
        ("geometry = POINT(1 1)", "type geometry"),
        ("S_INTERSECTS(name, POINT(1 1))", "takes geometry"),
        ("S_INTERSECTS(geometry, POINT(181 0))", "longitude"),
        ("S_INTERSECTS(geometry, POINT(1))", "two or three numbers"),
        ("S_INTERSECTS(geometry, LINESTRING(1 1))", "two positions"),
        ("S_INTERSECTS(geometry, POLYGON((0 0, 1 1, 1 0, 0 1, 0 0)))", "Self-intersection"),
        ("S_INTERSECTS(geometry, POLYGON((0 0, 1 1, 1 0)))", "ring"),
        ("S_INTERSECTS(geometry, POLYGON EMPTY)", "is missing"),
        ("S_INTERSECTS(geometry, BBOX(1, 2, 3))", "BBOX"),
        ("S_INTERSECTS(geometry, BBOX(0, 10, 1, 5))", "bbox"),
        ("rank = 1e999", "too large"),
        ("rank = " + "9" * 401, "digits"),
        ("rank = " + "9" * 400, "too large"),
        ("(" * 65 + "open" + ")" * 65, "nested"),
        ("(" * 5000, "nested"),
        ("NOT " * 5000 + "open", "nested"),
        ("rank = " + "-" * 5000 + "1", "nested"),
        ("rank = " + "+".join(["1"] * 100), "nested"),
        (" OR ".join(["open"] * 1001), "parts"),
        ("name = '" + "x" * 100_000 + "'", "characters"),
    ],
)
def test_invalid_filters_have_a_reason(
    client: FlaskClient, grounds: str, condition: str, detail: str
) -> None:
    response = client.get(f"/ogc/collections/{grounds}/items", query_string={"filter": condition})
    assert response.status_code == 400, response.text
    assert detail in response.json["detail"]  # type: ignore[index]


@pytest.mark.parametrize(
    "condition",
    [
        "", "{", "null", "1", '"name"', "[]", "{}", "[" * 100_000, '{"op": "="}',
        '{"op": "=", "args": []}', '{"op": "=", "args": [{"property": "rank"}]}',
        '{"op": "=", "args": [{"property": "rank"}, null]}',
        '{"op": "=", "args": [{"property": "rank"}, NaN]}',
        '{"op": "=", "args": [{"property": "rank"}, Infinity]}',
        '{"op": "=", "args": [{"property": "rank", "x": 1}, 1]}',
        '{"op": "=", "args": [{"property": ["rank"]}, 1]}',
        '{"op": "=", "args": [{"property": "name"}, "\\u0000"]}',
        '{"op": "like", "args": [{"property": "name"}, "\\u0000"]}',
        '{"op": "=", "args": [{"property": "name"}, "\\ud800"]}',
        '{"op": "<", "args": [{"property": "name"}, "\\ud800"]}',
        '{"op": "like", "args": [{"property": "name"}, "x\\\\"]}',
        '{"op": "not", "args": [true, true]}', '{"op": "and", "args": [true]}',
        '{"op": "in", "args": [1, 2]}', '{"op": "in", "args": [1]}',
        '{"op": ["="], "args": [1, 2]}', '{"op": "isNull", "args": []}',
        '{"op": "=", "args": [{"date": 5}, {"property": "day"}]}',
        '{"op": "t_after", "args": [{"interval": []}, {"property": "day"}]}',
        '{"op": "t_after", "args": [{"interval": ["x", ".."]}, {"property": "day"}]}',
        '{"op": "t_after", "args": [{"interval": [1, ".."]}, {"property": "day"}]}',
        '{"op": "s_within", "args": [{"property": "geometry"}, {"type": "Point"}]}',
        '{"op": "s_within", "args": [{"property": "geometry"}, {"type": "Nothing"}]}',
        '{"op": "s_within", "args": [{"property": "geometry"}, {"bbox": [1, 2, 3, "x"]}]}',
        '{"op": "s_within", "args": [{"property": "geometry"}, {"bbox": [1, 2, 3, 1e999]}]}',
        '{"op": "s_within", "args": [{"property": "geometry"},'
        ' {"type": "Polygon", "coordinates": []}]}',
        '{"op": "s_within", "args": [{"property": "geometry"},'
        ' {"type": "GeometryCollection", "geometries": []}]}',
        '{"op": "not", "args": [' * 65 + "true" + "]}" * 65,
        '{"op": "or", "args": [' + ",".join(["true"] * 1001) + "]}",
    ],
)  # fmt: skip
def test_wrong_json(client: FlaskClient, grounds: str, condition: str) -> None:
    response = client.get(
        f"/ogc/collections/{grounds}/items",
        query_string={"filter": condition, "filter-lang": "cql2-json"},
    )
    assert response.status_code == 400, response.text
    assert len(response.json["detail"]) > 10  # type: ignore[index]


@pytest.mark.parametrize(
    "query",
    [
        {"filter": "open", "filter-lang": "cql"},
        {"filter": "open", "filter-crs": "EPSG:2154"},
        {"filter-crs": EPSG + "4326"},
        {"filter-lang": "cql2-json"},
        {"filter": "S_INTERSECTS(geometry, POINT(1e300 1))", "filter-crs": EPSG + "3035"},
        {"filter": "S_INTERSECTS(geometry, POINT(56 200))", "filter-crs": EPSG + "4326"},
    ],
)
def test_wrong_parameters_of_filters(
    client: FlaskClient, grounds: str, query: dict[str, str]
) -> None:
    response = client.get(f"/ogc/collections/{grounds}/items", query_string=query)
    assert response.status_code == 400, response.text


def test_malformed_text_takes_no_time(client: FlaskClient, grounds: str) -> None:
    """Backtracking parsers take hours for these texts."""
    for condition in (
        "(" * 60 + "1 1" + ")" * 60,
        "rank = " + "(" * 60 + "1" + ", 2)" * 60,
        "NOT (" * 30 + " AND ".join(["rank = 1"] * 300) + " 1" + ")" * 30,
        "S_INTERSECTS(geometry, POLYGON((" + ",".join(["1 1"] * 20_000) + "))",
        "name = " + "'" * 50_001,
        " " * 99_000 + "rank",
    ):
        response = client.get(
            f"/ogc/collections/{grounds}/items", query_string={"filter": condition}
        )
        assert response.status_code == 400, condition[:50]


def test_nested_operands_are_evaluated_once(client: FlaskClient, grounds: str) -> None:
    power = "rank" + " ^ 1)" * 50
    arrays = "A_EQUALS((" * 20 + "rank" + "), tags)" * 20
    for condition in ("(" * 50 + power + " = 3", arrays):
        response = client.get(
            f"/ogc/collections/{grounds}/items", query_string={"filter": condition}
        )
        assert response.status_code == 200, response.text


def test_crossing_rings_in_the_data_are_no_server_error(client: FlaskClient, layer: Layer) -> None:
    bow = "POLYGON((0 0, 2 2, 2 0, 0 2, 0 0))"
    mixed = (
        "GEOMETRYCOLLECTION(POINT(1 1), POLYGON((0 0, 2 0, 2 2, 0 2, 0 0)), LINESTRING(0 0, 5 5))"
    )
    layer_id = layer([(bow, {}), (mixed, {}), ("POLYGON EMPTY", {})], fields=FIELDS)
    area = "POLYGON((1 0, 3 0, 3 3, 1 3, 1 0))"
    for name in (
        *("INTERSECTS", "EQUALS", "DISJOINT", "TOUCHES"),
        *("WITHIN", "OVERLAPS", "CROSSES", "CONTAINS"),
    ):
        for other in (area, "geometry", f"GEOMETRYCOLLECTION({area}, POINT(1 1))"):
            response = client.get(
                f"/ogc/collections/{layer_id}/items",
                query_string={"filter": f"S_{name}(geometry, {other})"},
            )
            assert response.status_code in {200, 400}, (name, other, response.text)


def test_large_numbers_in_the_data_are_no_server_error(
    client: FlaskClient, layer: Layer, empty_database: Engine
) -> None:
    layer_id = layer(fields=FIELDS)
    with empty_database.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO layer_features (layer_id, properties) SELECT :layer,"
                " ('{\"depth\": 1e' || exponent || '}')::jsonb"
                " FROM unnest(ARRAY[0, 308, 309, 131071, -16383]) AS exponent"
            ),
            {"layer": layer_id},
        )
    for condition, status in [
        ("depth > 1", 200),
        ("depth ^ depth >= 0", 200),
        ("depth ^ 0.5 >= 0", 200),
        ("depth / 3 > 0", 200),
        ("depth % 3 > 0", 200),
        ("depth * depth > 0", 400),
    ]:
        response = client.get(
            f"/ogc/collections/{layer_id}/items", query_string={"filter": condition}
        )
        assert response.status_code == status, (condition, response.text)


def test_a_filter_that_takes_too_long_is_stopped(
    layer: Layer, empty_database: Engine, test_database_url: str
) -> None:
    layer_id = layer(fields=FIELDS)
    with empty_database.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO layer_features (layer_id, properties) SELECT :layer,"
                " jsonb_build_object('name', 'Område ' || n) FROM generate_series(1, 20000) AS n"
            ),
            {"layer": layer_id},
        )
    long = " OR ".join(f"ACCENTI(CASEI(name)) LIKE ACCENTI('%é{n}%')" for n in range(120))
    hasty = open_engine(test_database_url, statement_timeout=1)
    try:
        client = create_app(Settings(_env_file=None), hasty).test_client()
        items = f"/ogc/collections/{layer_id}/items"
        stopped = client.get(items, query_string={"filter": long})
        assert stopped.status_code == 503
        assert "too long" in stopped.json["detail"]  # type: ignore[index]
        assert "Retry-After" in stopped.headers
        assert client.get(items).status_code == 200
    finally:
        hasty.dispose()
