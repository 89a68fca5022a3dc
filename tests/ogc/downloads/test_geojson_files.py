"""`f=geojson`: a file of all matching features, or a page where the request pages."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyogrio
import pyogrio.raw
import pytest
import shapely
from flask.testing import FlaskClient
from pyproj import Transformer

from tests.gdal_drivers import every_driver
from tests.ogc.conftest import Person

Layer = Callable[..., str]

CRS = "http://www.opengis.net/def/crs/EPSG/0"
FIELDS = {
    "zone": {"type": "string", "x-ogc-propertySeq": 1},
    "n": {"type": "integer", "x-ogc-propertySeq": 2},
}


@pytest.fixture
def address(layer: Layer) -> str:
    ring = "POLYGON((11 57, 11 58, 12 58, 11 57), (11.1 57.5, 11.3 57.6, 11.1 57.6, 11.1 57.5))"
    features = [(ring, {"n": n, "zone": f"<{n}>"}) for n in range(24)] + [(None, {"n": 24})]
    return f"/ogc/collections/{layer(features, fields=FIELDS, name='Öar <x>')}/items"


def whole(client: FlaskClient, address: str, **query: Any) -> dict[str, Any]:
    response = client.get(address, query_string={"f": "geojson", **query})
    assert response.status_code == 200, response.text
    assert response.content_type == "application/geo+json"
    assert 'filename="Oar__x.geojson"' in response.headers["Content-Disposition"]
    document: dict[str, Any] = json.loads(response.data)
    return document


def test_a_file_has_every_feature(client: FlaskClient, address: str) -> None:
    document = whole(client, address)
    page = client.get(f"{address}?limit=100").json
    assert page is not None
    assert document["features"] == page["features"]
    assert list(document["features"][0]["properties"]) == ["zone", "n"]
    assert document["numberReturned"] == document["numberMatched"] == 25
    assert document["name"] == "Öar <x>"
    assert "crs" not in document
    rels = {link["rel"]: link for link in document["links"]}
    assert rels.keys() == {"self", "alternate", "collection"}
    assert rels["self"]["href"].endswith("?f=geojson")
    assert client.get(rels["self"]["href"]).status_code == 200


@pytest.mark.parametrize("code", [4326, 3035])
def test_rings_are_those_of_rfc_7946(
    client: FlaskClient, layer: Layer, person: Callable[[str], Person], code: int
) -> None:
    shell = [[11, 57], [11, 58], [12, 58], [11, 57]]
    hole = [[11.2, 57.5], [11.2, 57.6], [11.1, 57.6], [11.2, 57.5]]
    geometry = {"type": "Polygon", "coordinates": [shell, hole]}
    items = f"/ogc/collections/{layer(name='Öar <x>')}/items"
    feature = {"type": "Feature", "geometry": geometry, "properties": {}}
    assert client.post(items, json=feature, headers=person("owner").headers).status_code == 201
    (stored,) = whole(client, items, crs=f"{CRS}/{code}")["features"]
    outer, inner = (shapely.LinearRing(ring) for ring in stored["geometry"]["coordinates"])
    assert (outer.is_ccw, inner.is_ccw) == (True, False)


def test_the_parameters_of_items(client: FlaskClient, address: str) -> None:
    document = whole(client, address, filter="n > 20", sortby="-n", properties="n")
    assert [f["properties"] for f in document["features"]] == [{"n": n} for n in range(24, 20, -1)]
    assert whole(client, address, bbox="0,0,1,1")["features"] == []
    assert whole(client, address, bbox="0,0,1,1")["numberMatched"] == 0
    bare = whole(client, address, skipGeometry="true")["features"]
    assert {f["geometry"] for f in bare} == {None}
    refused = client.get(f"{address}?f=geojson&depth=1")
    assert refused.status_code == 400


@pytest.mark.parametrize("query", ["limit=5", "offset=2", "offset=2&limit=5", "resulttype=hits"])
def test_with_paging_it_is_the_page(client: FlaskClient, address: str, query: str) -> None:
    documents = []
    for code in ("json", "geojson"):
        response = client.get(f"{address}?f={code}&{query}")
        assert response.content_type == "application/geo+json"
        assert "Content-Disposition" not in response.headers
        document = json.loads(response.data.replace(b"f=json", b"f=geojson"))
        documents.append({**document, "timeStamp": None})
    assert documents[0] == documents[1], "but for the form of the next page"


def test_the_next_link_of_a_page_is_a_page(client: FlaskClient, address: str) -> None:
    seen = []
    path: str | None = f"{address}?f=geojson&limit=10"
    while path:
        page = client.get(path).json
        assert page is not None
        seen += [feature["properties"]["n"] for feature in page["features"]]
        path = next((link["href"] for link in page["links"] if link["rel"] == "next"), None)
    assert seen == list(range(25))


def test_by_accept_it_is_the_page(client: FlaskClient, address: str) -> None:
    response = client.get(address, headers={"Accept": "application/geo+json"})
    assert response.json["numberReturned"] == 10  # type: ignore[index]
    assert "Content-Disposition" not in response.headers


def test_unchanged_and_head(client: FlaskClient, address: str) -> None:
    first = client.get(f"{address}?f=geojson")
    tag = first.headers["ETag"]
    again = client.get(f"{address}?f=geojson", headers={"If-None-Match": tag})
    assert (again.status_code, again.data) == (304, b"")
    page = client.get(f"{address}?f=geojson&limit=5", headers={"If-None-Match": tag})
    assert page.status_code == 200
    head = client.head(f"{address}?f=geojson")
    assert (head.status_code, head.data) == (200, b"")
    assert head.headers["Content-Disposition"] == first.headers["Content-Disposition"]


def test_features_of_the_management_api(client: FlaskClient, address: str) -> None:
    layer_id = address.split("/")[3]
    document = client.get(f"/api/v1/layers/{layer_id}/features?f=geojson").json
    assert document["numberReturned"] == 25  # type: ignore[index]


@pytest.mark.parametrize("code", [3035, 25832, 4326])
def test_gdal_reads_another_crs(
    client: FlaskClient, layer: Layer, tmp_path: Path, code: int
) -> None:
    items = f"/ogc/collections/{layer([('POINT(11 57)', {'n': 1})], name='P')}/items"
    response = client.get(items, query_string={"f": "geojson", "crs": f"{CRS}/{code}"})
    assert response.headers["Content-Crs"] == f"<{CRS}/{code}>"
    path = tmp_path / "file.geojson"
    path.write_bytes(response.data)
    with every_driver():
        info = pyogrio.read_info(path)
        _, _, (wkb,), _ = pyogrio.raw.read(path)
    assert (info["crs"], info["layer_name"]) == (f"EPSG:{code}", "P")
    point = shapely.from_wkb(wkb)
    back = Transformer.from_crs(code, "OGC:CRS84", always_xy=True).transform(point.x, point.y)
    assert back == pytest.approx((11, 57), abs=1e-8)
    assert ("crs" in json.loads(response.data)) == (code != 4326)
