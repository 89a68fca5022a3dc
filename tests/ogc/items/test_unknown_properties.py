"""Properties that a layer's schema does not know: refused, unless the schema allows them."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.ogc.conftest import Person

Layer = Callable[..., str]
FIELDS = {"name": {"type": "string"}, "depth": {"type": "number"}}


@pytest.fixture
def headers(person: Callable[[str], Person]) -> dict[str, str]:
    return person("owner").headers


def _feature(**properties: Any) -> dict[str, Any]:
    return {"type": "Feature", "geometry": None, "properties": properties}


def _schema(**members: Any) -> str:
    return json.dumps({"type": "object", "properties": FIELDS, **members})


@pytest.mark.parametrize("members", [{}, {"additionalProperties": False}])
@pytest.mark.parametrize(
    ("name", "detail"),
    [
        ("nmae", "The layer has no property 'nmae': did you mean 'name'?"),
        ("Depth", "The layer has no property 'Depth': did you mean 'depth'?"),
        ("colour", "The layer has no property 'colour'."),
        ("a/b~c", "The layer has no property 'a/b~c'."),
        ("", "The layer has no property ''."),
        ("x" * 5000, f"The layer has no property '{'x' * 100}…'."),
    ],
)
def test_they_are_refused(  # noqa: PLR0917 - fixtures and a case
    client: FlaskClient,
    layer: Layer,
    headers: dict[str, str],
    members: Any,
    name: str,
    detail: str,
) -> None:
    layer_id = layer([(None, {"name": "a"})], property_schema=_schema(**members))
    items = f"/ogc/collections/{layer_id}/items"
    address = f"{items}/{client.get(items).json['features'][0]['id']}"
    pointer = "/properties/" + name.replace("~", "~0").replace("/", "~1")
    feature = _feature(name="b", **{name: 1})
    collection = {"type": "FeatureCollection", "features": [_feature(name="c"), feature]}
    bulk = f"/api/v1/layers/{layer_id}/features/bulk"
    for method, path, body, place in (
        ("POST", items, feature, ""),
        ("PUT", address, feature, ""),
        ("PATCH", address, {"properties": {name: 1}}, ""),
        ("POST", items, collection, "/features/1"),
        ("POST", bulk, collection, ""),
    ):
        response = client.open(path, method=method, json=body, headers=headers)
        assert response.status_code == 422, (method, response.text)
        (error,) = response.json["errors"]
        assert (error["pointer"], error["detail"]) == (place + pointer, detail)
    page = client.get(items).json
    assert [feature["properties"] for feature in page["features"]] == [{"name": "a"}]


@pytest.mark.parametrize("allowed", [True, {}, {"type": "integer"}])
def test_a_schema_allows_them(
    client: FlaskClient, layer: Layer, headers: dict[str, str], allowed: Any
) -> None:
    layer_id = layer(property_schema=_schema(additionalProperties=allowed))
    items = f"/ogc/collections/{layer_id}/items"
    created = client.post(items, json=_feature(name="a", more=5), headers=headers)
    assert created.status_code == 201
    assert created.json["properties"] == {"name": "a", "more": 5}
    wrong = client.post(items, json=_feature(more="text"), headers=headers)
    assert wrong.status_code == (422 if isinstance(allowed, dict) and allowed else 201)


def test_a_layer_without_a_schema_takes_any(
    client: FlaskClient, layer: Layer, headers: dict[str, str]
) -> None:
    items = f"/ogc/collections/{layer()}/items"
    assert client.post(items, json=_feature(more=5), headers=headers).status_code == 201


def test_a_feature_keeps_what_was_stored_before(
    client: FlaskClient, layer: Layer, headers: dict[str, str]
) -> None:
    stored = {"name": "a", "old": 1}
    items = f"/ogc/collections/{layer([(None, stored)], fields=FIELDS)}/items"
    address = f"{items}/{client.get(items).json['features'][0]['id']}"
    patched = client.patch(address, json={"properties": {"name": "b"}}, headers=headers)
    assert patched.json["properties"] == {"name": "b", "old": 1}
    changed = client.put(address, json=_feature(name="c", old=2), headers=headers)
    assert changed.json["properties"] == {"name": "c", "old": 2}
    removed = client.patch(address, json={"properties": {"old": None}}, headers=headers)
    assert removed.json["properties"] == {"name": "c"}
    again = client.patch(address, json={"properties": {"old": 1}}, headers=headers)
    assert again.status_code == 422
