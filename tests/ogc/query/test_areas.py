"""Areas in requests that are a point or a line, or lie beyond ±180 degrees: what meets them."""

import json
import random
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.crs_members import named

Layer = Callable[..., str]

EPSG = "http://www.opengis.net/def/crs/EPSG/0/"
SQUARES = {
    "west": "POLYGON((0 40, 8 40, 8 60, 0 60, 0 40))",
    "middle": "POLYGON((8 40, 12 40, 12 60, 8 60, 8 40))",
    "east": "POLYGON((12 40, 20 40, 20 60, 12 60, 12 40))",
    "north": "POLYGON((0 60, 20 60, 20 70, 0 70, 0 60))",
    "islands": "MULTIPOLYGON(((9 45, 11 45, 11 55, 9 55, 9 45)), ((30 40, 31 40, 31 41, 30 40)))",
    "ring": "POLYGON((5 45, 15 45, 15 55, 5 55, 5 45), (9 49, 11 49, 11 51, 9 51, 9 49))",
    "away": "POLYGON((-20 0, -10 0, -10 10, -20 0))",
}
POINT = {"middle", "islands"}
"""The squares that meet 10° E, 50° N."""
LINE = {"west", "middle", "east", "islands", "ring"}
"""Those that meet the line from there to 0° and 20° E."""
X, Y = 1_113_194.9079327357, 6_446_275.841017161  # 10° E, 50° N in EPSG:3857


def _names(client: FlaskClient, path: str, **query: str) -> set[str]:
    response = client.get(path, query_string={**query, "limit": "100"})
    assert response.status_code == 200, response.text
    assert response.json is not None
    found = [feature["properties"]["name"] for feature in response.json["features"]]
    assert len(found) == response.json["numberMatched"]
    assert len(set(found)) == len(found)
    return set(found)


def _geojson(kind: str, coordinates: Any) -> str:
    return json.dumps({"type": kind, "coordinates": coordinates})


QUERIES: list[tuple[dict[str, str], set[str]]] = [
    ({"bbox": "10,50,10,50"}, POINT),
    ({"bbox": "10,50,-5,10,50,5"}, POINT),
    ({"bbox": "50,10,50,10", "bbox-crs": f"{EPSG}4326"}, POINT),
    ({"bbox": f"{X},{Y},{X},{Y}", "bbox-crs": f"{EPSG}3857"}, POINT),
    ({"bbox": "2998500,4321000,2998500,4321000", "bbox-crs": f"{EPSG}3035"}, POINT),
    ({"bbox": "0,50,20,50"}, LINE),
    ({"bbox": "10,41,10,50"}, POINT | {"ring"}),
    ({"filter": "S_INTERSECTS(geometry, BBOX(10, 50, 10, 50))"}, POINT),
    ({"filter": "S_INTERSECTS(geometry, BBOX(0, 50, 20, 50))"}, LINE),
    ({"filter": "S_INTERSECTS(geometry, POINT(10 50))"}, POINT),
    ({"filter": "S_INTERSECTS(geometry, LINESTRING(10 50, 10 50))"}, POINT),
    ({"filter": "S_INTERSECTS(geometry, POLYGON((10 50, 10 50, 10 50, 10 50)))"}, POINT),
    ({"filter": "S_INTERSECTS(geometry, POLYGON((0 50, 9 50, 20 50, 0 50)))"}, LINE),
    ({"filter": "S_CONTAINS(geometry, LINESTRING(10 50, 10 50))"}, POINT),
    ({"filter": "S_INTERSECTS(geometry, MULTILINESTRING((10 50, 10 50), (-15 1, -14 1)))"},
     {*POINT, "away"}),
]  # fmt: skip


def test_an_area_that_is_a_point_or_a_line(client: FlaskClient, layer: Layer) -> None:
    features = [(wkt, {"name": name}) for name, wkt in SQUARES.items()]
    shuffle = random.Random(4).shuffle
    for _ in range(50):
        shuffle(features)
        layer_id = layer(features, fields={"name": {"type": "string"}})
        for query, expected in QUERIES:
            assert _names(client, f"/ogc/collections/{layer_id}/items", **query) == expected, query


@pytest.mark.parametrize(
    ("kind", "coordinates", "expected"),
    [
        ("Point", [10, 50], POINT),
        ("LineString", [[10, 50], [10, 50]], POINT),
        ("Polygon", [[[10, 50], [10, 50], [10, 50], [10, 50]]], POINT),
        ("Polygon", [[[0, 50], [20, 50], [0, 50], [0, 50]]], LINE),
    ],
)
def test_a_geometry_that_has_collapsed(
    client: FlaskClient, layer: Layer, kind: str, coordinates: Any, expected: set[str]
) -> None:
    features = [(wkt, {"name": name}) for name, wkt in SQUARES.items()]
    for _ in range(10):
        random.Random(4).shuffle(features)
        path = f"/api/v1/layers/{layer(features)}/features"
        assert _names(client, path, intersects=_geojson(kind, coordinates)) == expected


def test_what_crosses_itself_is_no_area(client: FlaskClient, layer: Layer) -> None:
    path = f"/api/v1/layers/{layer()}/features"
    bowtie = [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]
    response = client.get(path, query_string={"intersects": _geojson("Polygon", bowtie)})
    assert response.status_code == 400
    assert "Self-intersection" in response.json["detail"]


@pytest.mark.parametrize(
    ("bbox", "expected"),
    [
        ("175,-30,185,0", {"fiji", "tonga"}),
        ("-185,-30,-175,0", {"fiji", "tonga"}),
        ("181,-30,185,0", {"tonga"}),
        ("535,-30,545,0", {"fiji", "tonga"}),
        ("180,-30,190,0", {"tonga"}),
        ("-190,-30,-180,0", {"fiji"}),
        ("0,-30,360,0", {"fiji", "tonga", "angola"}),
        ("-500,-30,500,0", {"fiji", "tonga", "angola"}),
        ("370,-30,380,0", {"angola"}),
        ("175,-30,-175,0", {"fiji", "tonga"}),
    ],
)
@pytest.mark.parametrize("crs", [None, "4326"])
def test_longitudes_beyond_the_antimeridian_wrap(
    client: FlaskClient, layer: Layer, bbox: str, expected: set[str], crs: str | None
) -> None:
    layer_id = layer(
        [
            ("POINT(178 -18)", {"name": "fiji"}),
            ("POINT(-177 -20)", {"name": "tonga"}),
            ("POINT(13 -9)", {"name": "angola"}),
        ]
    )
    query = {"bbox": bbox}
    if crs:
        west, south, east, north = bbox.split(",")
        query = {"bbox": f"{south},{west},{north},{east}", "bbox-crs": f"{EPSG}{crs}"}
    assert _names(client, f"/ogc/collections/{layer_id}/items", **query) == expected


def test_an_area_in_another_crs_is_refused(client: FlaskClient, layer: Layer) -> None:
    """A `crs` member is never ignored: the coordinates would be somewhere else."""
    layer_id = layer([("POINT(10 50)", {})])
    point = {"type": "Point", "coordinates": [10, 50]}
    for name, status in (("EPSG:4326", 200), ("OGC:CRS84", 200), ("EPSG:3857", 400), ("", 400)):
        member = {**point, "crs": named(name)}
        for area in (member, {"type": "GeometryCollection", "geometries": [point, member]}):
            for query, path in (
                ({"intersects": json.dumps(area)}, f"/api/v1/layers/{layer_id}/features"),
                ({"within": json.dumps(area)}, f"/api/v1/layers/{layer_id}/features"),
                (
                    {"filter": _intersecting(area), "filter-lang": "cql2-json"},
                    f"/ogc/collections/{layer_id}/items",
                ),
            ):
                response = client.get(path, query_string=query)
                assert response.status_code == status, (name, query)


def test_a_literal_in_the_crs_of_the_filter(client: FlaskClient, layer: Layer) -> None:
    literal = {"type": "Point", "coordinates": [X, Y], "crs": named("EPSG:3857")}
    query = {"filter": _intersecting(literal), "filter-lang": "cql2-json"}
    items = f"/ogc/collections/{layer([('POINT(10 50)', {'name': 'here'})])}/items"
    assert client.get(items, query_string=query).status_code == 400
    assert client.get(items, query_string={**query, "filter-crs": "EPSG:3857"}).status_code == 200


def _intersecting(geometry: dict[str, Any]) -> str:
    return json.dumps({"op": "s_intersects", "args": [{"property": "geometry"}, geometry]})
