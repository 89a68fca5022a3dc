"""`/api/v1/layers`: making, reading and deleting a layer."""

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, event, text

from samsyn_model.tokens import create_token, set_admin
from tests.ogc.conftest import Person

PATH = "/api/v1/layers"
ZONE = {
    "type": "Feature",
    "properties": {"name": 'Zone "A" <1>', "featureType": "polygon"},
    "geometry": {
        "type": "Polygon",
        "coordinates": [[[11, 56], [12, 56], [12, 57], [11, 57], [11, 56]]],
    },
}
NOWHERE = {"type": "Feature", "properties": None, "geometry": None}
DRAWN = {
    "name": "Drawn in the browser",
    "source_type": "vector",
    "description": None,
    "category": "Planning",
    "editable": "creator-only",
    "is_global": False,
    "visibility": "private",
    "creation_source": "layer_creator",
    "source_config": {
        "geometryType": "Polygon",
        "featureCount": 17,
        "geojson": {"type": "FeatureCollection", "features": [ZONE, NOWHERE]},
    },
    "style_config": {"color": "#ff0000"},
    "legend_config": {},
    "layer_metadata": {"author": "Maja"},
}
WMS = {
    "name": "Depths",
    "source_type": "wms",
    "source_config": {"url": "https://example.org/wms", "layers": "depth", "version": "1.3.0"},
}
TIFF = {
    "name": "Relief",
    "source_type": "geotiff",
    "source_config": {"cogUrl": "https://example.org/relief.tif"},
}


@pytest.fixture
def owner(person: Callable[[str], Person]) -> Person:
    return person("owner")


def _make(client: FlaskClient, owner: Person, **changes: Any) -> dict[str, Any]:
    answer = client.post(PATH, json={**DRAWN, **changes}, headers=owner.headers)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json
    return made


def test_what_is_drawn_is_a_collection_at_once(client: FlaskClient, owner: Person) -> None:
    answer = client.post(PATH, json=DRAWN, headers=owner.headers)
    assert answer.status_code == 201
    made = answer.json
    assert answer.headers["Location"].endswith(f"{PATH}/{made['id']}")
    assert made["feature_count"] == 2
    assert made["bounds"] == [11, 56, 12, 57]
    config = made["source_config"]
    assert config["featureCount"] == 2
    features = config["geojson"]["features"]
    assert [feature["geometry"] for feature in features] == [ZONE["geometry"], None]
    assert features[0]["properties"] == ZONE["properties"]
    assert made["layer_metadata"] == made["metadata"] == {"author": "Maja"}
    assert made["features"] == made["map_layers"] == []
    assert made["can_edit"] is True
    assert made["creator"]["email"] == "owner@example.org"

    items = client.get(f"/ogc/collections/{made['id']}/items", headers=owner.headers).json
    assert [item["id"] for item in items["features"]] == [item["id"] for item in features]
    assert items["features"][0]["geometry"] == ZONE["geometry"]
    for link in made["links"]:
        assert client.get(link["href"], headers=owner.headers).status_code == 200
    assert client.get(f"/ogc/collections/{made['id']}").status_code == 404

    read = client.get(answer.headers["Location"], headers=owner.headers)
    assert read.json == made
    assert read.headers["ETag"] == answer.headers["ETag"]
    again = client.get(
        answer.headers["Location"],
        headers={**owner.headers, "If-None-Match": read.headers["ETag"]},
    )
    assert again.status_code == 304


def test_features_within_the_answer_are_bounded(
    client: FlaskClient, owner: Person, empty_database: Engine
) -> None:
    made = _make(client, owner)
    path = f"{PATH}/{made['id']}"
    bare = client.get(f"{path}?inline=false", headers=owner.headers).json
    assert "geojson" not in bare["source_config"]
    assert bare["feature_count"] == 2
    with empty_database.begin() as connection:
        connection.execute(
            text("INSERT INTO layer_features (layer_id) SELECT :id FROM generate_series(1, 999)"),
            {"id": made["id"]},
        )
    many = client.get(path, headers=owner.headers).json
    assert "geojson" not in many["source_config"]
    assert many["feature_count"] == 1001
    large = _make(client, owner)
    with empty_database.begin() as connection:
        connection.execute(
            text(
                "UPDATE layer_features SET geom = ST_Segmentize(geom, 0.00004) WHERE layer_id = :id"
            ),
            {"id": large["id"]},
        )
    answer = client.get(f"{PATH}/{large['id']}", headers=owner.headers)
    assert "geojson" not in answer.json["source_config"]
    assert len(answer.data) < 10_000


@pytest.mark.parametrize("body", [WMS, TIFF])
def test_layers_of_other_kinds(client: FlaskClient, owner: Person, body: dict[str, Any]) -> None:
    made = client.post(PATH, json=body, headers=owner.headers)
    assert made.status_code == 201, made.text
    assert made.json["source_config"] == body["source_config"]
    assert made.json["feature_count"] == 0
    assert made.json["bounds"] is None
    assert (
        client.get(f"/ogc/collections/{made.json['id']}", headers=owner.headers).status_code == 404
    )


def test_an_empty_layer_with_a_schema(client: FlaskClient, owner: Person) -> None:
    schema = {"type": "object", "properties": {"since": {"type": "string", "format": "date"}}}
    made = _make(
        client,
        owner,
        source_config={},
        property_schema=schema,
        geometry_type="MultiPolygon",
        time_field="since",
    )
    assert made["property_schema"] == schema
    assert made["source_config"]["geojson"]["features"] == []
    served = client.get(f"/ogc/collections/{made['id']}/schema", headers=owner.headers).json
    assert served["properties"]["since"]["x-ogc-role"] == "primary-instant"
    assert served["properties"]["geometry"]["format"] == "geometry-polygon-or-multipolygon"


def _with_features(*features: Any) -> dict[str, Any]:
    return {"source_config": {"geojson": {"type": "FeatureCollection", "features": features}}}


def _zone(coordinates: Any, kind: str = "Polygon") -> dict[str, Any]:
    return {**ZONE, "geometry": {"type": kind, "coordinates": coordinates}}


FEATURES = "/source_config/geojson/features"
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}}


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"name": ""}, "/name"),
        ({"name": "x" * 256}, "/name"),
        ({"name": "a\u0000b"}, "/name"),
        ({"name": 5}, "/name"),
        ({"source_type": "raster"}, "/source_type"),
        ({"category": "x" * 101}, "/category"),
        ({"is_global": "yes"}, "/is_global"),
        ({"visibility": "secret"}, "/visibility"),
        ({"colour": "red"}, "/colour"),
        ({"a/b~c": 1}, "/a~1b~0c"),
        ({"source_config": []}, "/source_config"),
        ({"style_config": {"a": "\u0000"}}, "/style_config"),
        ({"style_config": {"a": "x" * 300_000}}, "/style_config"),
        ({"property_schema": {"type": "array"}}, "/property_schema/type"),
        (
            {"property_schema": {"properties": {"a": {"type": "colour"}}}},
            "/property_schema/properties/a/type",
        ),
        ({"property_schema": {"properties": {"a": {}}}}, "/property_schema/properties/a"),
        ({"property_schema": {"$ref": "https://example.org/schema"}}, "/property_schema"),
        ({"geometry_type": "Circle"}, "/geometry_type"),
        ({"time_field": "when"}, "/time_field"),
        ({"property_schema": SCHEMA, "time_field": "n"}, "/time_field"),
        ({"source_config": {"geojson": []}}, "/source_config/geojson"),
        ({"source_config": {"geojson": {"type": "FeatureCollection"}}}, FEATURES),
        (_with_features(7), f"{FEATURES}/0"),
        (
            _with_features(ZONE, _zone([[11, 56], [12, 56]])),
            f"{FEATURES}/1/geometry/coordinates/0/0",
        ),
        (
            _with_features(_zone([[[11, 56], [12, 56], [12, 57], [11, 57]]])),
            f"{FEATURES}/0/geometry/coordinates/0",
        ),
        (
            _with_features(_zone([[[11, 56], [12, 56], [11, 56]]])),
            f"{FEATURES}/0/geometry/coordinates/0",
        ),
        (_with_features(_zone([200, 0], "Point")), f"{FEATURES}/0/geometry/coordinates"),
        (_with_features(_zone([11, "56"], "Point")), f"{FEATURES}/0/geometry/coordinates"),
        (_with_features(_zone([[11, 56]], "LineString")), f"{FEATURES}/0/geometry/coordinates"),
        (_with_features(_zone([], "Star")), f"{FEATURES}/0/geometry/type"),
        (
            {**_with_features(_zone([11, 56], "Point")), "geometry_type": "Polygon"},
            f"{FEATURES}/0/geometry/type",
        ),
        (
            {**_with_features({**NOWHERE, "properties": {"n": "x"}}), "property_schema": SCHEMA},
            f"{FEATURES}/0/properties/n",
        ),
        (_with_features({**NOWHERE, "properties": {"n": "\u0000"}}), f"{FEATURES}/0/properties"),
    ],
)
def test_what_breaks_a_rule_is_named(
    client: FlaskClient,
    owner: Person,
    empty_database: Engine,
    changes: dict[str, Any],
    pointer: str,
) -> None:
    answer = client.post(PATH, json={**DRAWN, **changes}, headers=owner.headers)
    assert answer.status_code == 422, answer.text
    assert pointer in [fault["pointer"] for fault in answer.json["errors"]]
    assert answer.json["detail"]
    with empty_database.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM layers")).scalar_one() == 0


@pytest.mark.parametrize(
    "config",
    [
        {"url": "https://example.org/wms"},
        {"url": "ftp://example.org", "layers": "a"},
        {"url": "https://user:secret@example.org/", "layers": "a"},
        {"url": "javascript:alert(1)", "layers": "a"},
        {"url": "https://", "layers": "a"},
        {"url": "https://example.org", "layers": "a", "geojson": {}},
    ],
)
def test_sources_that_cannot_be(client: FlaskClient, owner: Person, config: Any) -> None:
    answer = client.post(PATH, json={**WMS, "source_config": config}, headers=owner.headers)
    assert answer.status_code == 422
    empty = client.post(PATH, json={**TIFF, "source_config": {}}, headers=owner.headers)
    assert empty.status_code == 422


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b"", "application/json", 400),
        (b'{"name": NaN}', "application/json", 400),
        (b'{"name": "a", "name": "b"}', "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b"[]", "application/json", 422),
        (b"null", "application/json", 422),
        (b"name=a", "application/x-www-form-urlencoded", 415),
        (b"{}", "text/plain", 415),
        (json.dumps(DRAWN).encode(), "application/json; charset=utf-8", 201),
    ],
)
def test_bodies(client: FlaskClient, owner: Person, body: bytes, kind: str, status: int) -> None:
    answer = client.post(PATH, data=body, content_type=kind, headers=owner.headers)
    assert answer.status_code == status, answer.text


def test_a_body_too_large(client: FlaskClient, owner: Person) -> None:
    answer = client.post(
        PATH, data=b" " * (65 * 1024 * 1024), content_type="application/json", headers=owner.headers
    )
    assert answer.status_code == 413


def test_who_may_do_what(
    client: FlaskClient,
    owner: Person,
    person: Callable[[str], Person],
    empty_database: Engine,
) -> None:
    stranger, boss = person("stranger"), person("boss")
    with empty_database.begin() as connection:
        set_admin(connection, "boss@example.org")
        reading = create_token(connection, owner.id, name="read", scope="read")
    reader = {"Authorization": f"Bearer {reading}"}
    assert client.post(PATH, json=DRAWN).status_code == 401
    assert client.post(PATH, json=DRAWN, headers=reader).status_code == 403
    shared = {**DRAWN, "is_global": True}
    assert client.post(PATH, json=shared, headers=owner.headers).status_code == 403
    assert client.post(PATH, json=shared, headers=boss.headers).status_code == 201

    private = f"{PATH}/{_make(client, owner)['id']}"
    public = f"{PATH}/{_make(client, owner, visibility='public')['id']}"
    assert client.get(private).status_code == 404
    assert client.get(private, headers=stranger.headers).status_code == 404
    assert client.delete(private).status_code == 404
    assert client.delete(private, headers=stranger.headers).status_code == 404
    assert client.delete(public).status_code == 401
    assert client.delete(public, headers=stranger.headers).status_code == 403
    assert client.delete(private, headers=reader).status_code == 403
    seen = client.get(public).json
    assert seen["can_edit"] is False
    assert seen["creator"]["email"] is None
    assert seen["creator"]["clerk_id"] is None
    assert client.get(private, headers=reader).json["can_edit"] is False
    assert client.delete(private, headers=owner.headers).status_code == 204
    assert client.get(private, headers=owner.headers).status_code == 404


def test_deleting_what_has_changed_or_is_used(
    client: FlaskClient, owner: Person, person: Callable[[str], Person], empty_database: Engine
) -> None:
    made = _make(client, owner, visibility="public")
    path = f"{PATH}/{made['id']}"
    tag = client.get(path).headers["ETag"]
    stranger = person("stranger")
    with empty_database.begin() as connection:
        connection.execute(
            text("UPDATE layer_features SET properties = '{}' WHERE layer_id = :id"),
            {"id": made["id"]},
        )
        secret = connection.execute(
            text("INSERT INTO maps (name, created_by) VALUES ('M', :id) RETURNING id"),
            {"id": stranger.id},
        ).scalar_one()
        connection.execute(
            text('INSERT INTO map_layers (map_id, layer_id, "order") VALUES (:map, :layer, 0)'),
            {"map": secret, "layer": made["id"]},
        )
    stale = client.delete(path, headers={**owner.headers, "If-Match": tag})
    assert stale.status_code == 412
    used = client.delete(path, headers=owner.headers)
    assert used.status_code == 409
    assert "a map of others" in used.json["detail"]
    assert client.get(path, headers=owner.headers).json["map_layers"] == []
    assert len(client.get(path, headers=stranger.headers).json["map_layers"]) == 1
    fresh = client.get(path).headers["ETag"]
    forced = client.delete(
        f"{path}?force=true", headers={**owner.headers, "If-Match": f"{fresh}, {tag}"}
    )
    assert forced.status_code == 204


def test_addresses_and_methods(client: FlaskClient, owner: Person) -> None:
    path = f"{PATH}/{_make(client, owner)['id']}"
    assert client.get(f"{PATH}/{uuid.uuid4()}", headers=owner.headers).status_code == 404
    assert client.get(f"{PATH}/x", headers=owner.headers).status_code == 404
    assert client.get(f"{path}?colour=red", headers=owner.headers).status_code == 400
    assert client.get(f"{path}?inline=maybe", headers=owner.headers).status_code == 400
    assert client.post(f"{PATH}?dry=1", json=DRAWN, headers=owner.headers).status_code == 400
    assert client.head(path, headers=owner.headers).status_code == 200
    assert "DELETE" in client.options(path, headers=owner.headers).headers["Allow"]
    wrong = client.post(path, json={}, headers=owner.headers)
    assert (wrong.status_code, wrong.mimetype) == (405, "application/json")


def test_statements_do_not_grow(client: FlaskClient, owner: Person, empty_database: Engine) -> None:
    seen: list[str] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        seen.append(statement)

    def count(features: int) -> tuple[int, int]:
        event.listen(empty_database, "before_cursor_execute", note)
        try:
            made = _make(client, owner, **_with_features(*[ZONE] * features))
            creating = len(seen)
            seen.clear()
            client.get(f"{PATH}/{made['id']}", headers=owner.headers)
            return creating, len(seen)
        finally:
            event.remove(empty_database, "before_cursor_execute", note)
            seen.clear()

    _make(client, owner)
    assert count(1) == count(50) == (5, 3)
