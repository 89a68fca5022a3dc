"""Limits on the size of a layer when it is created."""

import io
import json
from typing import Any

import pytest

from tests.api.layer_requests import LAYERS, Caller

A = "/property_schema/properties/a"
FEATURE = "/source_config/geojson/features/0"
DRAFT_3 = "http://json-schema.org/draft-03/schema#"
POINT = {"type": "Point", "coordinates": [11, 57]}
NESTED = {
    "type": "GeometryCollection",
    "geometries": [{"type": "GeometryCollection", "geometries": [POINT]}],
}


def _body(geometry: Any = POINT, properties: Any = None, **members: Any) -> dict[str, Any]:
    feature = {"type": "Feature", "geometry": geometry, "properties": properties}
    geojson = {"type": "FeatureCollection", "features": [feature]}
    config = {"source_config": {"geojson": geojson}}
    return {"name": "Limits", "source_type": "vector", **config, **members}


def _schema(**member: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"a": {"type": "string", **member}}}


def _time(moment: str) -> dict[str, Any]:
    schema = {"property_schema": _schema(format="date-time"), "time_field": "a"}
    return _body(properties={"a": moment}, **schema)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (_body(NESTED), f"{FEATURE}/geometry/geometries/0"),
        (_body(property_schema=_schema(pattern="^(a+)+$")), f"{A}/pattern"),
        (_body(property_schema=_schema(pattern="a{99999999999}")), f"{A}/pattern"),
        (
            _body(property_schema={**_schema(), "patternProperties": {"(a+)+$": {}}}),
            "/property_schema/patternProperties",
        ),
        (
            _body(
                property_schema={"properties": {"a": {"type": "string", "not": {"pattern": "("}}}}
            ),
            f"{A}/not/pattern",
        ),
        (_body(property_schema=_schema(**{"$schema": DRAFT_3})), f"{A}/$schema"),
        (
            _body(
                properties={"a": 10**399},
                property_schema={"properties": {"a": {"type": "integer", "multipleOf": 0.1}}},
            ),
            f"{FEATURE}/properties",
        ),
        (_body(style_config={"geojson": "x" * 300_000}), "/style_config"),
        (_body(source_config={"drawn": "x" * 300_000}), "/source_config"),
        (_time("2026-05-01T12:00:00+16:00"), f"{FEATURE}/properties/a"),
        (
            _body(
                time_field="a",
                property_schema={"properties": {"a": {"type": "number", "format": "date"}}},
            ),
            "/time_field",
        ),
    ],
)
def test_refused(owner: Caller, body: dict[str, Any], pointer: str) -> None:
    response = owner.client.post(LAYERS, json=body, headers=owner.headers)
    assert response.status_code == 422, response.text
    assert pointer in [fault["pointer"] for fault in response.json["errors"]]


@pytest.mark.parametrize(
    "body",
    [
        _body({"type": "GeometryCollection", "geometries": [POINT, POINT]}),
        _body(
            properties={"pattern": "("},
            property_schema={"properties": {"pattern": {"type": "string"}}},
        ),
        _body(properties={"a": None}, property_schema=_schema(enum=["x"])),
        _time("2026-05-01T12:00:00+14:00"),
    ],
)
def test_accepted(owner: Caller, body: dict[str, Any]) -> None:
    response = owner.client.post(LAYERS, json=body, headers=owner.headers)
    assert response.status_code == 201, response.text
    address = f"/ogc/collections/{response.json['id']}/items"
    assert owner.client.get(address, headers=owner.headers).status_code == 200


def test_a_body_without_a_length_has_the_same_limit(owner: Caller) -> None:
    """The server cuts it at the limit, which must not pass for the end of the body."""
    owner.client.application.config["MAX_CONTENT_LENGTH"] = 1000
    chunked = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
    text = json.dumps(_body(description="x" * 2000)).encode()
    response = owner.client.post(
        LAYERS,
        input_stream=io.BytesIO(text),
        content_type="application/json",
        headers=owner.headers,
        environ_overrides=chunked,
    )
    assert response.status_code == 413
