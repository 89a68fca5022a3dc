"""Filters in CQL2: the features that they select, also with absent and mistyped values."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import shapely
from flask.testing import FlaskClient
from pyproj import Transformer

Layer = Callable[..., str]

EPSG = "http://www.opengis.net/def/crs/EPSG/0/"
FIELDS = {
    "name": {"type": "string"},
    "depth": {"type": "number"},
    "rank": {"type": "integer"},
    "open": {"type": "boolean"},
    "day": {"type": "string", "format": "date"},
    "at": {"type": "string", "format": "date-time"},
    "until": {"type": "string", "format": "date-time"},
    "tags": {"type": "array"},
    "more": {"type": "object"},
    "a b": {"type": "string"},
    "%(layer)s": {"type": "string"},
}
FEATURES = [
    (
        "POINT(10 56)",
        {
            "name": "Fladen", "depth": 10.5, "rank": 3, "open": True, "day": "2026-05-01",
            "at": "2026-05-01T12:00:00Z", "until": "2026-05-01T14:00:00+01:00",
            "tags": ["reef", "sand", 1], "more": {"x": 1}, "a b": "spaced", "%(layer)s": "odd",
        },
    ),
    (
        "POLYGON((11 56, 12 56, 12 57, 11 57, 11 56))",
        {
            "name": "Lilla Middelgrund", "depth": -2, "rank": 4, "open": False,
            "day": "2026-05-31", "at": "2026-06-01T00:00:00.5Z", "tags": [],
        },
    ),
    (None, {"name": "Ålborg Bugt", "depth": None, "tags": None}),
    # no value here has the type of its schema
    (
        "POINT(0 0)",
        {
            "name": 5, "depth": "deep", "rank": [1], "open": "yes", "day": "2026-02-30",
            "at": "2026-02-29T00:00:00Z", "until": 7, "tags": "reef", "more": [],
        },
    ),
]  # fmt: skip
FIRST, SECOND, THIRD, MISTYPED = range(4)


@pytest.fixture
def grounds(layer: Layer) -> str:
    return layer(FEATURES, fields=FIELDS)


Find = Callable[..., list[int]]


@pytest.fixture
def find(client: FlaskClient, grounds: str) -> Find:
    """Return the indexes in FEATURES of the features that a filter selects."""

    def find(condition: str, **query: str) -> list[int]:
        response = client.get(
            f"/ogc/collections/{grounds}/items", query_string={"filter": condition, **query}
        )
        assert response.status_code == 200, (condition, response.text)
        page = response.json
        assert page is not None
        assert page["numberMatched"] == len(page["features"])
        hits = client.get(
            f"/ogc/collections/{grounds}/items",
            query_string={"filter": condition, "resulttype": "hits", **query},
        )
        assert hits.json["numberMatched"] == page["numberMatched"]  # type: ignore[index]
        all_properties = [properties for _, properties in FEATURES]
        return [all_properties.index(feature["properties"]) for feature in page["features"]]

    return find


@pytest.mark.parametrize(
    ("condition", "indexes"),
    [
        ("name = 'Fladen'", [FIRST]),
        ("'Fladen' = name", [FIRST]),
        ("NOT name = 'Fladen'", [SECOND, THIRD]),
        ("name <> 'Fladen'", [SECOND, THIRD]),
        ("name > 'Z'", [THIRD]),
        ("depth < 0 OR depth > 10", [FIRST, SECOND]),
        ("depth = 10.5 AND rank = 3.0", [FIRST]),
        ("open", [FIRST]),
        ("NOT open", [SECOND]),
        ("open = false", [SECOND]),
        ("(rank = 3) = open", [FIRST, SECOND]),
        ("TRUE", [FIRST, SECOND, THIRD, MISTYPED]),
        ("false", []),
        ("depth IS NULL", [THIRD]),
        ("depth IS NOT NULL", [FIRST, SECOND, MISTYPED]),
        ("more IS NULL", [SECOND, THIRD]),
        ("geometry IS NULL", [THIRD]),
        ("(rank = 3) IS NULL", [THIRD, MISTYPED]),
        ("INTERVAL(at, until) IS NULL", [SECOND, THIRD, MISTYPED]),
        ("NOT (depth > 0 AND name = 'Ålborg Bugt')", [FIRST, SECOND]),
        ("depth > 0 OR name = 'Ålborg Bugt'", [FIRST, THIRD]),
        ("name LIKE 'Fl_den'", [FIRST]),
        ("name LIKE '%M%'", [SECOND]),
        ("name NOT LIKE '%a%'", [THIRD]),
        (r"name LIKE 'Fl\_den'", []),
        ("CASEI(name) LIKE casei('ÅL%')", [THIRD]),
        ("ACCENTI(CASEI(name)) = accenti(casei('ALBORG BUGT'))", [THIRD]),
        ("rank IN (3, 5, 2 + 2)", [FIRST, SECOND]),
        ("rank NOT IN (3)", [SECOND]),
        ("rank IN (depth, rank)", [FIRST, SECOND]),
        ("depth BETWEEN -2 AND 10.4", [SECOND]),
        ("depth NOT BETWEEN -2 AND 10.4", [FIRST]),
        ("day = DATE('2026-05-01')", [FIRST]),
        ("day > DATE('2026-05-01')", [SECOND]),
        ("at = TIMESTAMP('2026-05-01T14:00:00+02:00')", [FIRST]),
        ("day BETWEEN '2026-05-01' AND '2026-05-30'", [FIRST]),
        ("day NOT IN ('2026-05-01', '2026-05-02')", [SECOND]),
        ("'2026-05-01' < day", [SECOND]),
        ("at IN ('2026-05-01T14:00:00+02:00')", [FIRST]),
        ("at < TIMESTAMP('2026-06-01T00:00:00.5Z')", [FIRST]),
        ("at <= until", [FIRST]),
        ("\"a b\" = 'spaced' AND \"%(layer)s\" = 'odd'", [FIRST]),
        ("rank + 1 = 4", [FIRST]),
        ("-rank = -3", [FIRST]),
        ("rank * rank - 2 ^ 3 = 1", [FIRST]),
        ("rank div 2 = 2 AND rank % 3 = 1", [SECOND]),
        ("rank div 3 = 1 AND -7 div 2 = -3 AND -7 % 2 = -1", [FIRST, SECOND]),
        ("rank / (rank - 3) > 0", [SECOND]),
        ("rank div (rank - 3) = 4 OR rank % (rank - 3) = 0", [SECOND]),
        ("(depth - 10.5) ^ -1 IS NULL", [FIRST, THIRD, MISTYPED]),
        ("(0 - rank) ^ 0.5 IS NULL", [FIRST, SECOND, THIRD, MISTYPED]),
        ("rank ^ 99999999 IS NULL", [FIRST, SECOND, THIRD, MISTYPED]),
        ("rank ^ -99999999 = 0", [FIRST, SECOND]),
        ("A_CONTAINS(tags, ('sand'))", [FIRST]),
        ("A_CONTAINS(tags, (1, 'reef', 'reef'))", [FIRST]),
        ("A_CONTAINS(tags, ())", [FIRST, SECOND]),
        ("A_CONTAINEDBY(tags, ('reef', 'sand', 1, true))", [FIRST, SECOND]),
        ("A_EQUALS(tags, (1, 'sand', 'reef', 'sand'))", [FIRST]),
        ("A_EQUALS(tags, ())", [SECOND]),
        ("A_OVERLAPS(tags, ('clay', 'sand'))", [FIRST]),
        ("NOT A_OVERLAPS(tags, ('clay'))", [FIRST, SECOND]),
        ("A_OVERLAPS(tags, tags)", [FIRST]),
        ("A_CONTAINS(tags, (rank - 2, 'reef'))", [FIRST]),
    ],
)
def test_conditions(find: Find, condition: str, indexes: list[int]) -> None:
    assert find(condition) == indexes


@pytest.mark.parametrize(
    ("condition", "indexes"),
    [
        ("S_INTERSECTS(geometry, POINT(10 56))", [FIRST]),
        ("S_INTERSECTS(geometry, BBOX(9, 55, 11, 56))", [FIRST, SECOND]),
        ("NOT S_INTERSECTS(geometry, BBOX(9, 55, 11, 56))", [MISTYPED]),
        ("S_DISJOINT(geometry, POINT Z(10 56 3))", [SECOND, MISTYPED]),
        ("S_WITHIN(geometry, BBOX(10.5, 55, -90, 12.5, 58, 90))", [SECOND]),
        ("S_CONTAINS(geometry, POINT(11.5 56.5))", [SECOND]),
        ("S_TOUCHES(geometry, POINT(11 56))", [SECOND]),
        ("S_EQUALS(geometry, POINT(0 0))", [MISTYPED]),
        ("S_CROSSES(LINESTRING(10 56.5, 13 56.5), geometry)", [SECOND]),
        ("S_OVERLAPS(geometry, BBOX(11.5, 56.5, 13, 58))", [SECOND]),
        ("S_EQUALS(geometry, geometry)", [FIRST, SECOND, MISTYPED]),
        ("S_INTERSECTS(geometry, BBOX(10, 56, 10, 56))", [FIRST]),
        ("S_INTERSECTS(geometry, BBOX(11, 50, 10, 60))", [FIRST, SECOND]),
        ("S_WITHIN(geometry, GEOMETRYCOLLECTION(POINT(0 0), POINT(10 56)))", [FIRST, MISTYPED]),
    ],
)
def test_spatial_functions(find: Find, condition: str, indexes: list[int]) -> None:
    assert find(condition) == indexes


@pytest.mark.parametrize(
    ("condition", "indexes"),
    [
        ("T_AFTER(day, DATE('2026-05-01'))", [SECOND]),
        ("T_BEFORE(day, TIMESTAMP('2026-05-02T00:00:00Z'))", [FIRST]),
        ("T_BEFORE(day, TIMESTAMP('2026-05-01T23:00:00Z'))", []),
        ("T_INTERSECTS(day, TIMESTAMP('2026-05-01T23:00:00Z'))", [FIRST]),
        ("T_INTERSECTS(at, DATE('2026-05-01'))", [FIRST]),
        ("T_DISJOINT(at, DATE('2026-05-01'))", [SECOND]),
        ("T_DURING(at, INTERVAL('2026-05-31', '2026-06-01'))", [SECOND]),
        ("T_DURING(day, INTERVAL('2026-05-01', '2026-05-31'))", []),
        ("T_DURING(day, INTERVAL('..', '2026-05-31'))", [FIRST]),
        ("T_INTERSECTS(day, INTERVAL('..', '..'))", [FIRST, SECOND]),
        ("T_EQUALS(day, INTERVAL('2026-05-01', '2026-05-01'))", [FIRST]),
        ("T_MEETS(INTERVAL('2026-01-01', '2026-05-01'), day)", [FIRST]),
        ("T_CONTAINS(INTERVAL(at, until), TIMESTAMP('2026-05-01T12:30:00Z'))", [FIRST]),
        ("T_STARTS(at, INTERVAL(at, until))", [FIRST]),
        ("NOT T_AFTER(INTERVAL(at, until), TIMESTAMP('2026-05-01T12:30:00Z'))", [FIRST]),
        ("T_AFTER(INTERVAL(at, '..'), DATE('2026-04-01'))", [FIRST, SECOND]),
    ],
)
def test_temporal_functions(find: Find, condition: str, indexes: list[int]) -> None:
    assert find(condition) == indexes


def test_json(find: Find) -> None:
    point = {"type": "Point", "coordinates": [10, 56]}
    for tree, indexes in [
        ({"op": "=", "args": [{"property": "name"}, "Fladen"]}, [FIRST]),
        ({"op": "like", "args": [{"property": "name"}, "%a%"]}, [FIRST, SECOND]),
        ({"op": "in", "args": [{"property": "rank"}, [3]]}, [FIRST]),
        ({"op": "isNull", "args": [{"property": "depth"}]}, [THIRD]),
        ({"op": "s_intersects", "args": [{"property": "geometry"}, point]}, [FIRST]),
        ({"op": "a_containedBy", "args": [{"property": "tags"}, []]}, [SECOND]),
        ({"op": "<", "args": [{"date": "2026-05-01"}, {"property": "day"}]}, [SECOND]),
        (
            {"op": "t_during", "args": [{"property": "at"}, {"interval": ["2026-05-02", ".."]}]},
            [SECOND],
        ),
        (True, [FIRST, SECOND, THIRD, MISTYPED]),
    ]:
        assert find(json.dumps(tree), **{"filter-lang": "cql2-json"}) == indexes, tree


def test_geometries_in_other_systems(find: Find) -> None:
    for code, point, box in [
        ("4326", "56 10", "55,9,57,10.5"),
        ("3857", "1113194.9079 7558415.6561", "1110000,7550000,1120000,7560000"),
        ("25832", "562366.6302 6206530.8105", "562000,6206000,563000,6207000"),
        ("3035", "3655112.1385 4321000", "3655000,4320000,3656000,4322000"),
    ]:
        crs = {"filter-crs": EPSG + code}
        assert find(f"S_INTERSECTS(geometry, BBOX({box}))", **crs) == [FIRST], code
        within = f"S_WITHIN(geometry, POLYGON({_ring(point)}))"
        assert find(within, **crs) == [FIRST], code


def test_lines_are_straight_in_their_own_system(client: FlaskClient, layer: Layer) -> None:
    to_degrees = Transformer.from_crs(25832, 4326, always_xy=True)
    x, y = to_degrees.transform(500_000, 6_320_000)
    area = shapely.box(x - 0.001, y - 0.001, x + 0.001, y + 0.001)
    chord = shapely.LineString(
        [to_degrees.transform(376_000, 6_320_000), to_degrees.transform(624_000, 6_320_000)]
    )
    assert not area.intersects(chord)
    layer_id = layer([(area.wkt, {})])
    response = client.get(
        f"/ogc/collections/{layer_id}/items",
        query_string={
            "filter": "S_INTERSECTS(geometry, LINESTRING(376000 6320000, 624000 6320000))",
            "filter-crs": EPSG + "25832",
        },
    )
    assert response.json["numberMatched"] == 1  # type: ignore[index]


def _ring(point: str) -> str:
    x, y = map(float, point.split())
    return f"({x - 0.1} {y - 0.1}, {x + 0.1} {y - 0.1}, {x} {y + 0.1}, {x - 0.1} {y - 0.1})"


def test_together_with_the_other_parameters(find: Find, client: FlaskClient, grounds: str) -> None:
    assert find("rank > 0", bbox="9,55,10.5,57") == [FIRST]
    assert find("rank > 0", name="Lilla Middelgrund") == [SECOND]
    assert find("rank > 0", bbox="9,55,10.5,57", name="Lilla Middelgrund") == []
    other = client.get(
        f"/api/v1/layers/{grounds}/features", query_string={"filter": "rank = 4", "limit": 1}
    )
    assert other.json["numberMatched"] == 1  # type: ignore[index]


def test_pages_of_a_filter_have_every_match_once(client: FlaskClient, layer: Layer) -> None:
    layer_id = layer([(None, {"rank": n}) for n in range(30)], fields=FIELDS)
    response = client.get(
        f"/ogc/collections/{layer_id}/items",
        query_string={"filter": "rank % 3 = 1", "limit": 4, "sortby": "-rank"},
    )
    ranks: list[int] = []
    while True:
        page: Any = response.json
        assert page["numberMatched"] == 10
        ranks += [feature["properties"]["rank"] for feature in page["features"]]
        following = [link["href"] for link in page["links"] if link["rel"] == "next"]
        if not following:
            break
        response = client.get(following[0])
    assert ranks == list(range(28, 0, -3))


def test_numbers_are_exact(client: FlaskClient, layer: Layer) -> None:
    numbers = [9007199254740992, 9007199254740993, -9007199254740993, 0.1]
    layer_id = layer([(None, {"depth": n}) for n in numbers], fields=FIELDS)
    for number in numbers:
        for condition in (f"depth = {number}", f"depth + 0 = {number}", f"depth IN ({number})"):
            response = client.get(
                f"/ogc/collections/{layer_id}/items", query_string={"filter": condition}
            )
            [feature] = response.json["features"]  # type: ignore[index]
            assert feature["properties"]["depth"] == number


def test_a_layer_without_a_schema(client: FlaskClient, layer: Layer) -> None:
    layer_id = layer([(None, {"n": 1, "mixed": "a"}), (None, {"n": 2.5, "mixed": 1})])

    def count(condition: str) -> int:
        response = client.get(
            f"/ogc/collections/{layer_id}/items", query_string={"filter": condition}
        )
        assert response.status_code == 200, response.text
        return int(response.json["numberMatched"])  # type: ignore[index]

    assert count("n > 1") == count("mixed = 'a'") == 1
    assert count("mixed IS NOT NULL") == 2


def test_case_folding_beyond_ascii(client: FlaskClient, layer: Layer) -> None:
    for one, other in [("Straße", "STRASSE"), ("ΟΔΟΣ", "οδος"), ("ΟΔΟΣ", "οδοσ"), ("Ǆ", "ǆ")]:
        layer_id = layer([(None, {"name": one})], fields=FIELDS)
        response = client.get(
            f"/ogc/collections/{layer_id}/items",
            query_string={"filter": f"CASEI(name) = CASEI('{other}')"},
        )
        assert response.json["numberMatched"] == 1, one  # type: ignore[index]


@pytest.mark.parametrize(
    ("written", "plain"),
    [("Læsø", "Læso"), ("Göteborg", "Goteborg"), ("Łódź", "Lodz"), ("e\u0301", "e"), ("한", "한")],
)
def test_accents_are_taken_off(client: FlaskClient, layer: Layer, written: str, plain: str) -> None:
    layer_id = layer([(None, {"name": written})], fields=FIELDS)
    for condition in (f"ACCENTI(name) = '{plain}'", f"ACCENTI(name) = ACCENTI('{written}')"):
        response = client.get(
            f"/ogc/collections/{layer_id}/items", query_string={"filter": condition}
        )
        assert response.json["numberMatched"] == 1, condition  # type: ignore[index]


@pytest.mark.parametrize("quote", ["it''s", r"it\'s"])
def test_quotes_and_backslashes(client: FlaskClient, layer: Layer, quote: str) -> None:
    names = ["it's", "100%", "a\\b", "'; DROP TABLE layers; --"]
    layer_id = layer([(None, {"name": name}) for name in names], fields=FIELDS)
    for condition, match in [
        (f"name = '{quote}'", "it's"),
        (r"name LIKE '%\%'", "100%"),
        (r"name = 'a\b'", "a\\b"),
        (r"name LIKE 'a\\b'", "a\\b"),
        ("name = '''; DROP TABLE layers; --'", "'; DROP TABLE layers; --"),
    ]:
        response = client.get(
            f"/ogc/collections/{layer_id}/items", query_string={"filter": condition}
        )
        assert [f["properties"]["name"] for f in response.json["features"]] == [match]  # type: ignore[index]


def test_queryables_have_types_and_the_name_of_the_geometry(
    client: FlaskClient, grounds: str
) -> None:
    properties = client.get(f"/ogc/collections/{grounds}/queryables").json["properties"]  # type: ignore[index]
    assert properties["geometry"]["format"] == "geometry-any"
    for name, schema in FIELDS.items():
        assert schema.items() <= properties[name].items()
