"""Writing at `/ogc` (OGC API Features Part 4), and its OPTIONS."""

import json
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine
from werkzeug.test import TestResponse

from samsyn_model.database.transactions import writing
from samsyn_model.identity import api_tokens

POINT = {"type": "Point", "coordinates": [11.5, 57.5]}
READS = {"GET", "HEAD", "OPTIONS"}


def sign_in(engine: Engine, name: str, scope: Any = "write") -> dict[str, str]:
    with writing(engine) as connection:
        user_id = api_tokens.find_or_create_user(connection, f"{name}@example.org")
        token = api_tokens.create_token(connection, user_id, name="test", scope=scope)
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
def owner(empty_database: Engine) -> dict[str, str]:
    return sign_in(empty_database, "owner")


def made(client: FlaskClient, owner: dict[str, str], **members: Any) -> str:
    """The path of the items of a new public layer of points."""
    body = {"name": "Moorings", "source_type": "vector", "geometry_type": "Point"}
    response = client.post(
        "/api/v1/layers", json={**body, "visibility": "public", **members}, headers=owner
    )
    assert response.status_code == 201, response.text
    return f"/ogc/collections/{response.json['id']}/items"


def feature(**properties: Any) -> dict[str, Any]:
    return {"type": "Feature", "geometry": POINT, "properties": properties}


def allowed(response: TestResponse) -> set[str]:
    assert response.status_code == 204
    assert not response.data
    return set(response.headers["Allow"].split(", "))


def test_allow_has_the_methods_of_the_caller(
    client: FlaskClient, empty_database: Engine, owner: dict[str, str]
) -> None:
    items = made(client, owner)
    reader = sign_in(empty_database, "owner", "read")
    stranger = sign_in(empty_database, "stranger")
    for path in (f"{items}/1", f"{items}/unknown_id"):
        assert allowed(client.options(path, headers=owner)) == READS | {"PUT", "PATCH", "DELETE"}
    assert allowed(client.options(items, headers=owner)) == READS | {"POST"}
    for others in (reader, stranger, {}):
        assert allowed(client.options(items, headers=others)) == READS
        assert allowed(client.options(f"{items}/1", headers=others)) == READS
    open_to_all = made(client, owner, editable="everyone")
    assert "POST" in allowed(client.options(open_to_all, headers=stranger))
    assert "POST" not in allowed(client.options(open_to_all))
    private = made(client, owner, visibility="private")
    for path in (private, f"{private}/1"):
        assert client.options(path, headers=stranger).status_code == 404
        assert client.options(path).status_code == 404
        assert client.options(path, headers=owner).status_code == 204


def test_methods_that_do_not_exist(client: FlaskClient, owner: dict[str, str]) -> None:
    items = made(client, owner)
    for path, method in ((items, "PUT"), (items, "DELETE"), (f"{items}/1", "POST")):
        response = client.open(path, method=method, json={}, headers=owner)
        assert response.status_code == 405
        assert "GET" in response.headers["Allow"]


def test_the_life_of_a_feature(client: FlaskClient, owner: dict[str, str]) -> None:
    items = made(client, owner)
    created = client.post(items, json=feature(name="a"), headers=owner)
    assert created.status_code == 201
    location = created.headers["Location"]
    assert location.startswith(f"http://localhost{items}/")
    path = location.removeprefix("http://localhost")
    assert client.get(path).headers["ETag"] == created.headers["ETag"] == '"1"'
    replaced = client.put(
        path, json={**feature(name="b"), "id": 9}, headers={**owner, "If-Match": '"1"'}
    )
    assert (replaced.status_code, replaced.headers["ETag"]) == (200, '"2"')
    stale = client.patch(path, json=feature(name="c"), headers={**owner, "If-Match": '"1"'})
    assert stale.status_code == 412
    patch = {"properties": {"depth": 3}}
    assert client.patch(path, json=patch, headers=owner).json["properties"] == {
        **{"name": "b", "depth": 3}
    }
    assert client.delete(path, headers=owner).status_code == 204
    assert client.get(path).status_code == 410
    assert client.put(path, json=feature(), headers=owner).status_code == 410
    in_management = path.replace("/ogc/collections", "/api/v1/layers").replace("items", "features")
    assert client.get(in_management).status_code == 404


def test_many_at_once(client: FlaskClient, owner: dict[str, str]) -> None:
    items = made(client, owner)
    sent = [feature(name=name) for name in "cab"]
    response = client.post(
        items, json={"type": "FeatureCollection", "features": sent}, headers=owner
    )
    assert response.status_code == 201, response.text
    assert [member["properties"]["name"] for member in response.json["features"]] == ["c", "a", "b"]
    assert response.headers["Location"] == f"http://localhost{items}"
    assert client.get(items).json["numberMatched"] == 3
    line = {"type": "LineString", "coordinates": [[1, 1], [2, 2]]}
    wrong = [feature(name="d"), {**feature(), "geometry": line}, None]
    refused = client.post(
        items, json={"type": "FeatureCollection", "features": wrong}, headers=owner
    )
    assert refused.status_code == 422
    assert [fault["pointer"] for fault in refused.json["errors"]] == [
        *("/features/1/geometry/type", "/features/2")
    ]
    empty = client.post(items, json={"type": "FeatureCollection", "features": []}, headers=owner)
    assert empty.json == {"type": "FeatureCollection", "features": []}
    in_epsg = {"Content-Crs": "<http://www.opengis.net/def/crs/EPSG/0/4326>", **owner}
    north_first = {**feature(), "geometry": {"type": "Point", "coordinates": [57.5, 11.5]}}
    response = client.post(
        items,
        data=json.dumps({"type": "FeatureCollection", "features": [north_first]}),
        content_type="application/geo+json; charset=utf-8",
        headers={**in_epsg, "Prefer": "return=minimal"},
    )
    assert (response.status_code, response.data) == (201, b"")
    last = client.get(items).json["features"][-1]
    assert last["geometry"] == POINT
