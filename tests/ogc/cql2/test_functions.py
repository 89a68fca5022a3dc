"""Functions of filters: distances, areas and lengths on the ellipsoid."""

import json
import random
from collections.abc import Callable
from typing import Any

import pytest
import shapely
from flask.testing import FlaskClient
from pyproj import Geod, Transformer
from sqlalchemy import Engine, text

from samsyn_provider.conformance import CONFORMANCE_CLASSES
from samsyn_provider.cql2.parsing import parse_filter
from samsyn_provider.features.count_statements import select_hits
from samsyn_provider.features.page_statements import select_page
from samsyn_provider.geography.crs import reference_system
from samsyn_provider.query.items_query import ItemsQuery

Layer = Callable[..., str]
Find = Callable[..., list[str]]

CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
EPSG = "http://www.opengis.net/def/crs/EPSG/0/"
WGS84 = Geod(ellps="WGS84")
FIELDS = {"name": {"type": "string"}, "reach": {"type": "number"}}
ZONE = "POLYGON((10.7 55, 10.8 55, 10.8 55.1, 10.7 55.1, 10.7 55))"
FEATURES = [
    ("POINT(10 55)", {"name": "here", "reach": 30_000}),
    ("POINT(10.5 55)", {"name": "east", "reach": 100}),
    ("LINESTRING(10 56, 10.2 56)", {"name": "line", "reach": -1}),
    (ZONE, {"name": "zone"}),
    ("MULTIPOLYGON(((30 60, 31 60, 31 61, 30 60)), ((40 60, 41 60, 41 61, 40 60)))",
     {"name": "two"}),
    (f"GEOMETRYCOLLECTION({ZONE}, POINT(10.6 55.05), LINESTRING(10.7 55, 10.8 55))",
     {"name": "mixed"}),
    ("POLYGON EMPTY", {"name": "empty"}),
    (None, {"name": "nowhere", "reach": 5}),
]  # fmt: skip


def _query(condition: str, language: str = "cql2-text", **fields: Any) -> ItemsQuery:
    crs = reference_system(CRS84, "crs")
    return ItemsQuery(crs=crs, filter=parse_filter(condition, language, crs, fields))


@pytest.fixture
def find(client: FlaskClient, layer: Layer) -> Find:
    """Return the names of the features that a filter selects."""
    collection = layer(FEATURES, fields=FIELDS)

    def find(condition: Any, **query: str) -> list[str]:
        if not isinstance(condition, str):
            condition, query = json.dumps(condition), {"filter-lang": "cql2-json", **query}
        response = client.post(
            f"/ogc/collections/{collection}/search", data={"filter": condition, **query}
        )
        assert response.status_code == 200, (condition, response.text)
        page = response.json
        assert page is not None
        assert page["numberMatched"] == len(page["features"])
        return [feature["properties"]["name"] for feature in page["features"]]

    return find


@pytest.mark.parametrize(
    ("condition", "names"),
    [
        ("S_DWITHIN(geometry, POINT(10 55), 0)", ["here"]),
        ("S_DWITHIN(geometry, POINT(10 55), 31996)", ["here"]),
        ("S_DWITHIN(geometry, POINT(10 55), 31998)", ["here", "east"]),
        ("s_dwithin(POINT(10 55), geometry, 5 * 10000)", ["here", "east", "zone", "mixed"]),
        ("S_DWITHIN(geometry, POINT(10.75 55.05), 0)", ["zone", "mixed"]),
        ("S_DWITHIN(geometry, POINT(10 55), reach)", ["here"]),
        ("S_DWITHIN(geometry, POINT(10.001 55), reach)", ["here"]),
        ("S_DWITHIN(geometry, POINT(10.5 55), reach / 2 + 50)", ["east"]),
        ("S_DWITHIN(geometry, POINT(10 56), reach)", []),
        ("NOT S_DWITHIN(geometry, POINT(10 55), 1000000)", ["two", "empty"]),
        ("NOT S_DWITHIN(geometry, POINT(10 55), 100000)", ["line", "two", "empty"]),
        ("S_DWITHIN(geometry, POINT(10 55), 1e300)",
         ["here", "east", "line", "zone", "two", "mixed"]),
        ("S_DWITHIN(geometry, geometry, 0)", ["here", "east", "line", "zone", "two", "mixed"]),
        ("S_DWITHIN(POINT(0 0), POINT(0 0.001), 111) AND name = 'here'", ["here"]),
        ("S_DWITHIN(POINT(0 0), POINT(0 0.001), 110) AND name = 'here'", []),
        ("S_DWITHIN(geometry, POINT(10 55), 40000) AND name LIKE 'e%'", ["east"]),
        ("S_DWITHIN(geometry, POINT(10 55), 1) OR S_DWITHIN(geometry, POINT(10.5 55), 1)",
         ["here", "east"]),
        ("DISTANCE(geometry, POINT(10 55)) < 31998", ["here", "east"]),
        ("DISTANCE(geometry, POINT(10 55)) = 0", ["here"]),
        ("31998 >= distance(POINT(10 55), geometry)", ["here", "east"]),
        ("DISTANCE(geometry, POINT(10 55)) BETWEEN 1 AND 31998", ["east"]),
        ("DISTANCE(geometry, POINT(10 55)) / 1852 < 17.3", ["here", "east"]),
        ("DISTANCE(geometry, POINT(10 55)) < 0", []),
        ("DISTANCE(geometry, POINT(10 55)) < -1000000000", []),
        ("DISTANCE(geometry, POINT(10 55)) > 40000", ["line", "zone", "two"]),
        ("DISTANCE(geometry, POINT(10 55)) < reach", ["here"]),
        ("DISTANCE(geometry, POINT(10 55)) IN (0, 1)", ["here"]),
        ("DISTANCE(geometry, POINT(10 55)) IS NULL", ["empty", "nowhere"]),
        ("DISTANCE(geometry, geometry) = 0", ["here", "east", "line", "zone", "two", "mixed"]),
        ("AREA(geometry) > 0", ["zone", "two", "mixed"]),
        ("AREA(geometry) = 0", ["here", "east", "line", "empty"]),
        ("AREA(geometry) / 1000000 BETWEEN 71 AND 72", ["zone", "mixed"]),
        ("AREA(geometry) div 1000000 = 71 AND AREA(geometry) % 2 < 2", ["zone", "mixed"]),
        ("AREA(geometry) ^ 2 > 1e15", ["zone", "two", "mixed"]),
        ("AREA(geometry) IS NULL", ["nowhere"]),
        ("LENGTH(geometry) > 0", ["line", "mixed"]),
        ("LENGTH(geometry) BETWEEN 12470 AND 12490", ["line"]),
        ("LENGTH(geometry) = 0", ["here", "east", "zone", "two", "empty"]),
        ("AREA(POLYGON((0 0, 1 0, 1 1, 0 0))) > 6e9 AND name = 'here'", ["here"]),
        ("LENGTH(LINESTRING(0 0, 1 0)) > 111319 AND name = 'here'", ["here"]),
        ("S_DWITHIN(geometry, GEOMETRYCOLLECTION(POINT(10 55), LINESTRING(10.5 55, 10.5 55.2)), 9)",
         ["here", "east"]),
        ("S_DWITHIN(geometry, BBOX(10, 55, 10, 55), 1)", ["here"]),
        ("S_DWITHIN(geometry, BBOX(9, 54, 12, 57), 0)", ["here", "east", "line", "zone", "mixed"]),
        ("S_DWITHIN(geometry, BBOX(-180, -90, 180, 90), 0)",
         ["here", "east", "line", "zone", "two", "mixed"]),
    ],
)  # fmt: skip
def test_conditions(find: Find, condition: str, names: list[str]) -> None:
    assert find(condition) == names


@pytest.mark.parametrize(
    ("condition", "names"),
    [
        (
            {"op": "s_dwithin", "args": [
                {"property": "geometry"}, {"type": "Point", "coordinates": [10, 55]}, 31998]},
            ["here", "east"],
        ),
        (
            {"op": "<", "args": [{"op": "DISTANCE", "args": [
                {"property": "geometry"}, {"bbox": [10, 55, 10.5, 55]}]}, 1]},
            ["here", "east"],
        ),
        (
            {"op": ">", "args": [
                {"op": "/", "args": [
                    {"op": "area", "args": [{"property": "geometry"}]}, 1e6]}, 70]},
            ["zone", "two", "mixed"],
        ),
    ],
)  # fmt: skip
def test_conditions_in_json(find: Find, condition: Any, names: list[str]) -> None:
    assert find(condition) == names


def test_literals_are_in_the_crs_of_the_filter(find: Find) -> None:
    assert find("S_DWITHIN(geometry, POINT(55 10), 31998)", **{"filter-crs": f"{EPSG}4326"}) == [
        "here",
        "east",
    ]
    x, y = Transformer.from_crs(4326, 25832, always_xy=True).transform(10, 55)
    condition = f"S_DWITHIN(geometry, POINT({x} {y}), 1)"
    assert find(condition, **{"filter-crs": f"{EPSG}25832"}) == ["here"]


GEOMETRY, POINT = {"property": "geometry"}, {"type": "Point", "coordinates": [10, 55]}


def _call(name: str, *arguments: Any) -> dict[str, Any]:
    return {"op": name, "args": list(arguments)}


@pytest.mark.parametrize(
    ("condition", "reason"),
    [
        ("S_DWITHIN(geometry, POINT(10 55))", "S_DWITHIN takes 3 arguments, not 2"),
        ("S_DWITHIN()", "S_DWITHIN takes 3 arguments, not 0"),
        ("S_DWITHIN(geometry, POINT(10 55), 1, 2)", "S_DWITHIN takes 3 arguments, not 4"),
        ("S_DWITHIN(geometry, POINT(10 55), 1000, meters)", "'meters', which is not a property"),
        ("S_DWITHIN(geometry, POINT(10 55), '5')", "argument 3 of S_DWITHIN is a number"),
        ("S_DWITHIN(geometry, 'here', 5)", "argument 2 of S_DWITHIN is a geometry"),
        ("S_DWITHIN(name, POINT(10 55), 5)", "argument 1 of S_DWITHIN is a geometry"),
        ("S_DWITHIN(geometry, POINT(10 55), name)", "argument 3 of S_DWITHIN is a number"),
        ("S_DWITHIN(geometry, POINT(10 55), -1)", "the distance of S_DWITHIN is"),
        ("S_DWITHIN(geometry, POINT(10 55), 2 - 3)", "the distance of S_DWITHIN is"),
        ("S_DWITHIN(geometry, POINT(10 55), -(3))", "the distance of S_DWITHIN is"),
        ("S_DWITHIN(geometry, POINT(10 55), 1e300 * 1e300)", "the distance of S_DWITHIN is"),
        ("S_DWITHIN(geometry, POINT(10 55), 1e999)", "too large (in S_DWITHIN)"),
        ("S_DWITHIN(geometry, POINT EMPTY, 1)", "(in S_DWITHIN)"),
        ("S_DWITHIN(geometry, NULL, 1)", "(in S_DWITHIN)"),
        ("S_DWITHIN(geometry, POINT(10 55), NULL)", "(in S_DWITHIN)"),
        ("S_DWITHIN(geometry, POINT(10 555), 1)", "(in S_DWITHIN)"),
        ("S_DWITHIN(geometry, POLYGON((0 0, 1 1, 1 0, 0 1, 0 0)), 1)", "(in S_DWITHIN)"),
        ("S_DWITHIN(geometry, POINT(10 55), 1) = 1", "S_DWITHIN is of type boolean"),
        ("DISTANCE(geometry) < 1", "DISTANCE takes 2 arguments, not 1"),
        ("DISTANCE(geometry, 5) < 1", "argument 2 of DISTANCE is a geometry"),
        ("DISTANCE(geometry, POINT(10 55))", "DISTANCE is neither true nor false"),
        ("DISTANCE(geometry, POINT(10 55)) < 'far'", "DISTANCE is of type number"),
        ("AREA() > 1", "AREA takes 1 arguments, not 0"),
        ("AREA(name) > 1", "argument 1 of AREA is a geometry"),
        ("AREA(nothing) > 1", "(in AREA)"),
        ("LENGTH(name) > 1", "argument 1 of LENGTH is a geometry"),
        ("LENGTH(geometry, geometry) > 1", "LENGTH takes 1 arguments, not 2"),
        ("BUFFER(geometry, 5) = geometry", "there is no function 'BUFFER'"),
        (_call("s_dwithin", GEOMETRY, None, 5), "(in S_DWITHIN)"),
        (_call("s_dwithin", GEOMETRY, POINT, None), "(in S_DWITHIN)"),
        (_call("s_dwithin", GEOMETRY, POINT, [5]), "argument 3 of S_DWITHIN is a number"),
        (_call("s_dwithin", GEOMETRY, POINT, True), "argument 3 of S_DWITHIN is a number"),
        (_call("s_dwithin", GEOMETRY, {"type": "Point", "coordinates": []}, 5), "(in S_DWITHIN)"),
        (_call("s_dwithin", GEOMETRY, {"type": "Nothing"}, 5), "(in S_DWITHIN)"),
        (_call("s_dwithin", GEOMETRY, {"type": "MultiPoint", "coordinates": []}, 5),
         "(in S_DWITHIN)"),
        (_call("s_dwithin", GEOMETRY, {"type": "GeometryCollection", "geometries": []}, 5),
         "(in S_DWITHIN)"),
        (_call("s_dwithin", GEOMETRY, POINT, float("inf")), "(in S_DWITHIN)"),
        (_call("s_dwithin", GEOMETRY, POINT, float("nan")), "(in S_DWITHIN)"),
        (_call("<", _call("area", None), 5), "(in AREA)"),
    ],
)  # fmt: skip
def test_misuse_names_the_function(
    client: FlaskClient, layer: Layer, condition: Any, reason: str
) -> None:
    collection = layer(FEATURES[:1], fields=FIELDS)
    query = {"filter": condition, "filter-lang": "cql2-text"}
    if not isinstance(condition, str):
        query = {"filter": json.dumps(condition), "filter-lang": "cql2-json"}
    response = client.get(f"/ogc/collections/{collection}/items", query_string=query)
    assert response.status_code == 400, response.text
    assert response.json is not None
    assert reason in response.json["detail"]


def test_distances_are_those_of_geodesics(
    empty_database: Engine, client: FlaskClient, layer: Layer
) -> None:
    """Also near the poles and on either side of the antimeridian, by pyproj as the oracle."""
    chance = random.Random(7)
    centres = [(10, 55), (180, 0), (-179.99, 66), (179.95, -70), (30, 89.9), (0, -89.99), (0, 0),
               (-180, 89), (120, 90)]  # fmt: skip
    places = []
    for longitude, latitude in centres:
        for _ in range(40):
            there = WGS84.fwd(longitude, latitude, chance.uniform(0, 360),
                              10 ** chance.uniform(1, 6.5))  # fmt: skip
            places.append((there[0], there[1]))
    places += [(180, 0.01), (-180, 0.01), (180, 66), (-180, -70), (0, 90), (77, -90)]
    features = [(f"POINT({x} {y})", {"name": str(n)}) for n, (x, y) in enumerate(places)]
    collection = layer(features, fields=FIELDS)
    with empty_database.connect() as connection:
        rows = connection.execute(
            text("SELECT properties ->> 'name' AS name, ST_X(geom) AS x, ST_Y(geom) AS y"
                 " FROM layer_features WHERE layer_id = :layer"), {"layer": collection},
        ).all()  # fmt: skip
    for longitude, latitude in centres:
        distances = {row.name: WGS84.inv(longitude, latitude, row.x, row.y)[2] for row in rows}
        ordered = sorted(distances.values())
        for rank in (3, 20, 60, 200):
            metres = (ordered[rank] + ordered[rank + 1]) / 2
            near = {name for name, distance in distances.items() if distance < metres}
            for condition in (
                f"S_DWITHIN(geometry, POINT({longitude} {latitude}), {metres})",
                f"DISTANCE(geometry, POINT({longitude} {latitude})) <= {metres}",
                f"NOT DISTANCE(POINT({longitude} {latitude}), geometry) > {metres}",
            ):
                page = client.get(f"/ogc/collections/{collection}/items",
                                  query_string={"filter": condition, "limit": 1000})  # fmt: skip
                assert page.json is not None
                names = {feature["properties"]["name"] for feature in page.json["features"]}
                assert names == near, (condition, names ^ near)


SHAPES = [
    "POLYGON((10 55, 10.5 55, 10.5 55.3, 10 55.3, 10 55))",
    "POLYGON((10 55, 10 55.3, 10.5 55.3, 10.5 55, 10 55), (10.1 55.1, 10.2 55.1, 10.2 55.2,"
    " 10.1 55.1))",
    "MULTIPOLYGON(((179 60, 180 60, 180 61, 179 60)), ((-180 60, -179.5 60, -180 61, -180 60)))",
    "POLYGON((0 89, 1 89, 1 89.5, 0 89))",
    "POLYGON((-100 -10, 100 -10, 100 10, -100 10, -100 -10))",
    "POLYGON((-180 -60, 180 -60, 180 60, -180 60, -180 -60))",
    "POLYGON((-180 80, 180 80, 180 90, -180 90, -180 80))",
    "LINESTRING(10 55, 10.4 55.9)",
    "MULTILINESTRING((179 60, 180 60), (-180 60, -179 61))",
    "LINESTRING(10 60, 70 60)",
    "LINESTRING(0 -80, 0 80, 170 80, -170 80)",
]


@pytest.mark.parametrize("wkt", SHAPES)
def test_areas_and_lengths_are_those_of_the_ellipsoid(
    empty_database: Engine, layer: Layer, wkt: str
) -> None:
    """Of geodesics, and where edges are long, of ones straight in longitude and latitude."""
    shape = shapely.from_wkt(wkt)
    name, tolerance = "LENGTH" if shapely.get_dimensions(shape) == 1 else "AREA", 1e-7
    if shape.bounds[2] - shape.bounds[0] > 1:
        shape, tolerance = shapely.segmentize(shape, 0.01), 3e-3
    # in quarters: pyproj too takes a polygon for the smaller part of the globe
    quarters = [
        shapely.segmentize(shapely.clip_by_rect(shape, west, -90, west + 90, 90), 0.01)
        for west in (-180, -90, 0, 90)
    ] if tolerance > 1e-7 and name == "AREA" else [shape]  # fmt: skip
    expected = sum(
        WGS84.geometry_length(part)
        if name == "LENGTH"
        else abs(WGS84.geometry_area_perimeter(shapely.normalize(part))[0])
        for part in quarters
    )
    collection = layer([(wkt, {})])
    low, high = expected * (1 - tolerance), expected * (1 + tolerance)
    statement = select_hits(collection, _query(f"{name}(geometry) BETWEEN {low} AND {high}"), None)
    with empty_database.connect() as connection:
        count = connection.exec_driver_sql(statement.text, statement.values).scalar_one()
    assert count == 1, expected


def test_a_wide_edge_is_straight_in_degrees(client: FlaskClient, layer: Layer) -> None:
    collection = layer([("LINESTRING(10 60, 70 60)", {})])

    def matches(condition: str) -> int:
        page = client.get(
            f"/ogc/collections/{collection}/items", query_string={"filter": condition}
        )
        assert page.json is not None
        return int(page.json["numberMatched"])

    assert matches("S_INTERSECTS(geometry, POINT(40 60))") == 1
    assert matches("S_DWITHIN(geometry, POINT(40 60), 200)") == 1
    assert matches("S_DWITHIN(geometry, POINT(40 62), 200000)") == 0  # where the geodesic runs


@pytest.mark.parametrize(
    ("wkt", "condition", "is_match"),
    [
        ("POLYGON((-180 -60, 180 -60, 180 60, -180 60, -180 -60))", "POINT(5 85), 2.7e6", False),
        ("POLYGON((-180 -60, 180 -60, 180 60, -180 60, -180 -60))", "POINT(5 85), 2.8e6", True),
        ("POLYGON((-180 -60, 180 -60, 180 60, -180 60, -180 -60))", "POINT(170 59), 0", True),
        ("POINT(5 85)", "BBOX(-180, -60, 180, 60), 2.7e6", False),
        ("POINT(5 85)", "BBOX(-180, -60, 180, 60), 2.8e6", True),
        ("POINT(150 0)", "BBOX(-100, -10, 100, 10), 5.5e6", False),
        ("POINT(150 0)", "BBOX(-100, -10, 100, 10), 5.6e6", True),
        ("POINT(180 1)", "BBOX(179, 0, -179, 2), 0", True),
        ("POINT(-179.5 1)", "BBOX(179, 0, 180, 2), 55000", False),
        ("POINT(-179.5 1)", "BBOX(179, 0, 180, 2), 56000", True),
        ("GEOMETRYCOLLECTION(POLYGON((-179 0, 179 0, 179 1, -179 0)), POINT(90 60),"
         " LINESTRING(0 -50, 0 -60))", "POINT(90 60), 0", True),
        ("LINESTRING(0 -90, 0.5 90)", "POINT(0 0), 30000", True),
        ("LINESTRING(-90 0, 90 0)", "POINT(0 0), 0", True),
        ("LINESTRING(-90 0, 90 0)", "POINT(180 0), 9000000", False),
        ("POINT(0 1)", "LINESTRING(-90 0, 90 0), 111000", True),
    ],
)  # fmt: skip
def test_shapes_around_the_globe(
    client: FlaskClient, layer: Layer, wkt: str, condition: str, is_match: bool
) -> None:
    collection = layer([(wkt, {})])
    page = client.get(
        f"/ogc/collections/{collection}/items",
        query_string={"filter": f"S_DWITHIN(geometry, {condition})"},
    )
    assert page.json is not None, page.text
    assert page.json["numberMatched"] == is_match


def test_the_spatial_index_finds_what_is_near(empty_database: Engine, layer: Layer) -> None:
    chance = random.Random(3)
    features = [
        (f"POINT({chance.uniform(-180, 180)} {chance.uniform(-90, 90)})", {}) for _ in range(3000)
    ]
    collection = layer(features)
    conditions = [
        "S_DWITHIN(geometry, POINT(10 55), 50000)",
        "S_DWITHIN(POINT(180 0), geometry, 50000) AND AREA(geometry) = 0",
        "S_DWITHIN(geometry, POINT(10 55), 10 * 1852)",
        "DISTANCE(geometry, POINT(10 55)) < 50000",
        "50000 > DISTANCE(geometry, POINT(10 55))",
        "DISTANCE(geometry, POINT(10 55)) BETWEEN 10 AND 50000",
    ]
    with empty_database.connect() as connection:
        connection.exec_driver_sql("ANALYZE layer_features")
        for condition in conditions:
            for statement in (
                select_page(collection, _query(condition), None),
                select_hits(collection, _query(condition), None),
            ):
                rows = connection.exec_driver_sql(f"EXPLAIN {statement.text}", statement.values)
                plan = "\n".join(rows.scalars())
                assert "ix_layer_features_layer_id_geom" in plan, plan


def test_functions_are_declared(client: FlaskClient) -> None:
    document = client.get("/ogc/functions").json
    assert document is not None
    functions = {function["name"]: function for function in document["functions"]}
    assert set(functions) == {"S_DWITHIN", "DISTANCE", "AREA", "LENGTH"}
    assert functions["S_DWITHIN"]["returns"] == ["boolean"]
    types = [argument["type"] for argument in functions["S_DWITHIN"]["arguments"]]
    assert types == [["geometry"], ["geometry"], ["number"]]
    page = client.get("/ogc/functions?f=html")
    assert page.mimetype == "text/html"
    assert all(name in page.text for name in functions)
    landing_page = client.get("/ogc/").json
    assert landing_page is not None
    relation = "http://www.opengis.net/def/rel/ogc/1.0/functions"
    (link,) = [link for link in landing_page["links"] if link["rel"] == relation]
    assert client.get(link["href"]).json == document
    assert "http://www.opengis.net/spec/cql2/1.0/conf/functions" in CONFORMANCE_CLASSES
    assert client.get("/ogc/functions?limit=1").status_code == 400
    assert client.post("/ogc/functions").status_code == 405


def test_every_function_works_in_tiles_and_downloads(client: FlaskClient, layer: Layer) -> None:
    collection = layer(FEATURES, fields=FIELDS)
    condition = "S_DWITHIN(geometry, POINT(10 55), 31998) AND AREA(geometry) + LENGTH(geometry) = 0"
    download = client.get(
        f"/ogc/collections/{collection}/items", query_string={"filter": condition, "f": "csv"}
    )
    assert len(download.text.splitlines()) == 3
    tile = client.get(
        f"/ogc/collections/{collection}/tiles/WebMercatorQuad/0/0/0",
        query_string={"filter": condition},
    )
    assert tile.status_code == 200
    assert b"here" in tile.data
    assert b"zone" not in tile.data
