"""Overlapping polygons of a geometry collection are compared as their union, not refused."""

import json
from collections.abc import Callable

import pytest
import shapely
from flask.testing import FlaskClient

Layer = Callable[..., str]

OVERLAPPING = (
    "GEOMETRYCOLLECTION(POLYGON((0 0, 2 0, 2 2, 0 2, 0 0)), POLYGON((1 1, 3 1, 3 3, 1 3, 1 1)))"
)
WITH_LINE = "GEOMETRYCOLLECTION(POLYGON((0 0, 2 0, 2 2, 0 2, 0 0)), LINESTRING(1 1, 5 5))"
MULTIPOLYGON = "MULTIPOLYGON(((0 0, 2 0, 2 2, 0 2, 0 0)), ((1 1, 3 1, 3 3, 1 3, 1 1)))"
SHAPES = {
    "in the overlap": "POINT(1.5 1.5)",
    "across both": "POLYGON((0.5 0.5, 1.6 0.6, 2.5 2.5, 0.6 1.6, 0.5 0.5))",
    "on the edge": "POINT(0 1)",
    "reaching in": "LINESTRING(1 1, 9 9)",
    "the union": "POLYGON((0 0, 2 0, 2 1, 3 1, 3 3, 1 3, 1 2, 0 2, 0 0))",
    "beside": "POINT(2.5 0.5)",
    "far away": "POINT(50 50)",
}
RELATIONS = {
    "S_INTERSECTS": shapely.intersects,
    "S_WITHIN": shapely.within,
    "S_CONTAINS": shapely.contains,
    "S_DISJOINT": shapely.disjoint,
    "S_TOUCHES": shapely.touches,
    "S_OVERLAPS": shapely.overlaps,
    "S_CROSSES": shapely.crosses,
    "S_EQUALS": shapely.equals,
}


def _names(client: FlaskClient, layer_id: str, **query: str) -> set[str]:
    response = client.get(
        f"/ogc/collections/{layer_id}/items", query_string={"limit": "100", **query}
    )
    assert response.status_code == 200, response.text
    assert response.json is not None
    return {feature["properties"]["name"] for feature in response.json["features"]}


@pytest.fixture
def shapes(layer: Layer) -> str:
    """A layer of simple shapes."""
    return layer([(wkt, {"name": name}) for name, wkt in SHAPES.items()])


@pytest.mark.parametrize("relation", RELATIONS)
@pytest.mark.parametrize("area", [OVERLAPPING, WITH_LINE, MULTIPOLYGON])
def test_a_literal(client: FlaskClient, shapes: str, relation: str, area: str) -> None:
    union = shapely.unary_union(shapely.from_wkt(area))
    expected = {
        name for name, wkt in SHAPES.items() if RELATIONS[relation](shapely.from_wkt(wkt), union)
    }
    assert _names(client, shapes, filter=f"{relation}(geometry, {area})") == expected
    document = json.loads(shapely.to_geojson(shapely.from_wkt(area)))
    as_json = {"op": relation.lower(), "args": [{"property": "geometry"}, document]}
    query = {"filter": json.dumps(as_json), "filter-lang": "cql2-json"}
    assert _names(client, shapes, **query) == expected


@pytest.mark.parametrize("relation", RELATIONS)
@pytest.mark.parametrize("wkt", [OVERLAPPING, WITH_LINE])
def test_a_feature(client: FlaskClient, layer: Layer, relation: str, wkt: str) -> None:
    layer_id = layer([(wkt, {"name": "both"}), ("POINT(-50 -50)", {"name": "away"})])
    union = shapely.unary_union(shapely.from_wkt(wkt))
    for area in (*SHAPES.values(), wkt):
        shape = shapely.unary_union(shapely.from_wkt(area))
        is_match = bool(RELATIONS[relation](union, shape))
        found = _names(client, layer_id, filter=f"{relation}(geometry, {area})")
        assert ("both" in found) == is_match, area


def test_parameters(client: FlaskClient, layer: Layer) -> None:
    layer_id = layer([(OVERLAPPING, {"name": "both"}), ("POINT(50 50)", {"name": "away"})])
    for box in ("0.5,0.5,1.5,1.5", "1.2,1.2,1.8,1.8", "1.5,1.5,1.5,1.5"):
        assert _names(client, layer_id, bbox=box) == {"both"}
    assert _names(client, layer_id, bbox="2.2,0.2,2.8,0.8") == set()
