"""A `crs` member of GeoJSON that is sent: honoured, x before y, or refused, never ignored."""

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from pyproj import Transformer

from tests.crs_members import NAMELESS, named
from tests.ogc.conftest import Person

Layer = Callable[..., str]
EPSG = "http://www.opengis.net/def/crs/EPSG/0/"
AT_ANHOLT = [11.5, 56.7]
IN_MERCATOR, IN_UTM = (
    list(Transformer.from_crs("OGC:CRS84", code, always_xy=True).transform(*AT_ANHOLT))
    for code in (3857, 25832)
)


def _point(position: list[float], **members: Any) -> dict[str, Any]:
    return {"type": "Point", "coordinates": position, **members}


def _feature(position: list[float], **members: Any) -> dict[str, Any]:
    return {"type": "Feature", "geometry": _point(position), "properties": {}, **members}


def _coordinates(client: FlaskClient, address: str) -> list[float]:
    response = client.get(address)
    assert response.status_code == 200, response.text
    return list(response.json["geometry"]["coordinates"])


@pytest.fixture
def headers(person: Callable[[str], Person]) -> dict[str, str]:
    return person("owner").headers


@pytest.mark.parametrize(
    ("crs", "position"),
    [
        (named("urn:ogc:def:crs:OGC:1.3:CRS84"), AT_ANHOLT),
        (named("urn:ogc:def:crs:EPSG::4326"), AT_ANHOLT),
        (named("EPSG:4326"), AT_ANHOLT),
        (named("EPSG:3857"), IN_MERCATOR),
        (named(f"{EPSG}3857"), IN_MERCATOR),
        (named("urn:ogc:def:crs:EPSG::25832"), IN_UTM),
        ({"type": "EPSG", "properties": {"code": 25832}}, IN_UTM),
    ],
)
def test_it_is_honoured(
    client: FlaskClient, layer: Layer, headers: dict[str, str], crs: Any, position: list[float]
) -> None:
    items = f"/ogc/collections/{layer()}/items"
    created = client.post(items, json=_feature(position, crs=crs), headers=headers)
    assert created.status_code == 201, created.text
    address = created.headers["Location"]
    expected = pytest.approx(AT_ANHOLT, abs=1e-5)
    assert _coordinates(client, address) == expected
    uri = created.headers["Content-Crs"].strip("<>")
    again = client.get(address, query_string={"crs": uri})
    assert created.json["geometry"] == again.json["geometry"]
    away = {"geometry": _point([0, 0])}
    for method, body in (
        ("PUT", _feature(position, crs=crs)),
        ("PATCH", {"geometry": _point(position, crs=crs)}),
        ("PATCH", {"geometry": _point(position), "crs": crs}),
    ):
        assert client.patch(address, json=away, headers=headers).status_code == 200
        response = client.open(address, method=method, json=body, headers=headers)
        assert response.status_code == 200, response.text
        assert _coordinates(client, address) == expected
    collection = {"type": "FeatureCollection", "crs": crs, "features": [_feature(position)]}
    assert client.post(items, json=collection, headers=headers).status_code == 201
    page = client.get(items).json["features"]
    assert [feature["geometry"]["coordinates"] for feature in page] == [expected] * 2


@pytest.mark.parametrize("crs", [named("urn:ogc:def:crs:EPSG::3006"), *NAMELESS])
def test_what_names_no_crs_of_the_layer_is_refused(
    client: FlaskClient, layer: Layer, headers: dict[str, str], crs: Any
) -> None:
    items = f"/ogc/collections/{layer()}/items"
    collection = {
        "type": "FeatureCollection",
        "features": [_feature([1, 2]), _feature([1, 2], crs=crs)],
    }
    for body, pointer in (
        (_feature([1, 2], crs=crs), "/crs"),
        ({"type": "Feature", "geometry": _point([1, 2], crs=crs)}, "/geometry/crs"),
        (collection, "/features/1/crs"),
    ):
        response = client.post(items, json=body, headers=headers)
        assert response.status_code == 422, response.text
        assert [error["pointer"] for error in response.json["errors"]] == [pointer]
    assert client.get(items).json["numberMatched"] == 0


def test_two_that_differ_are_refused(
    client: FlaskClient, layer: Layer, headers: dict[str, str]
) -> None:
    items = f"/ogc/collections/{layer()}/items"
    mercator = named("EPSG:3857")
    body = _feature(IN_MERCATOR, crs=mercator)
    differing = {**headers, "Content-Crs": f"<{EPSG}25832>"}
    assert client.post(items, json=body, headers=differing).status_code == 422
    same = {**headers, "Content-Crs": f"<{EPSG}3857>"}
    assert client.post(items, json=body, headers=same).status_code == 201
    features = [_feature(IN_MERCATOR, crs=mercator), _feature(IN_UTM, crs=named("EPSG:25832"))]
    collection = {"type": "FeatureCollection", "features": features}
    response = client.post(items, json=collection, headers=headers)
    assert [error["pointer"] for error in response.json["errors"]] == ["/features/1/crs"]


@pytest.mark.parametrize("name", ["EPSG:3857", "[EPSG:3857]", "urn:ogc:def:crs:EPSG::3857"])
def test_a_crs_is_named_in_short_too(
    client: FlaskClient, layer: Layer, headers: dict[str, str], name: str
) -> None:
    items = f"/ogc/collections/{layer([('POINT(11.5 56.7)', {})])}/items"
    x, y = IN_MERCATOR
    box = f"{x - 1},{y - 1},{x + 1},{y + 1}"
    response = client.get(items, query_string={"crs": name, "bbox": box, "bbox-crs": name})
    assert response.headers["Content-Crs"] == f"<{EPSG}3857>"
    (feature,) = response.json["features"]
    assert feature["geometry"]["coordinates"] == pytest.approx(IN_MERCATOR, abs=0.1)
    sent = client.post(items, json=_feature(IN_MERCATOR), headers={**headers, "Content-Crs": name})
    assert sent.status_code == 201
