"""Conditional requests: 304 for what the client has, and never after a change."""

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, text

from tests.ogc.conftest import Person
from tests.statements import statements

Layer = Callable[..., str]


def again(client: FlaskClient, path: str, tag: str, **headers: str) -> Any:
    return client.get(path, headers={"If-None-Match": tag, **headers})


@pytest.mark.parametrize("path", ["/ogc/", "/ogc/conformance", "/ogc/functions", "/ogc/openapi",
                                  "/ogc/collections", "", "/schema", "/queryables",
                                  "/sortables"])  # fmt: skip
def test_documents(client: FlaskClient, layer: Layer, path: str) -> None:
    layer_id = layer([("POINT(1 1)", {"a": 1})])
    address = path if path.startswith("/ogc") else f"/ogc/collections/{layer_id}{path}"
    first = client.get(address)
    tag = first.headers["ETag"]
    assert client.get(address).headers["ETag"] == tag
    known = again(client, address, tag)
    assert (known.status_code, known.data) == (304, b"")
    assert known.headers["ETag"] == tag
    assert "Accept" in known.headers["Vary"]
    assert again(client, address, '"another"').data == first.data
    assert "ETag" not in client.get(address, headers={"Accept": "text/html"}).headers
    assert again(client, address, tag, Accept="text/html").status_code == 200


def test_a_page_until_anything_in_its_layer_changes(
    client: FlaskClient, layer: Layer, empty_database: Engine
) -> None:
    layer_id = layer([("POINT(1 1)", {"a": 1}), ("POINT(2 2)", {"a": 2})])
    other = layer([("POINT(1 1)", {})])
    address = f"/ogc/collections/{layer_id}/items?limit=1"
    changes = (
        f"UPDATE layer_features SET properties = '{{}}' WHERE layer_id = '{layer_id}'",
        f"INSERT INTO layer_features (layer_id) VALUES ('{layer_id}')",
        f"DELETE FROM layer_features WHERE layer_id = '{layer_id}' AND geom IS NULL",
        f"UPDATE layers SET name = 'Other' WHERE id = '{layer_id}'",
    )
    for change in changes:
        tag = client.get(address).headers["ETag"]
        assert tag.startswith("W/")
        with statements() as seen:
            known = again(client, address, tag)
        assert (known.status_code, known.data) == (304, b"")
        assert len(seen) == 1, "the page itself is not read"
        with empty_database.begin() as connection:
            connection.execute(text(f"DELETE FROM layer_features WHERE layer_id = '{other}'"))
        assert again(client, address, tag).status_code == 304
        with empty_database.begin() as connection:
            connection.execute(text(change))
        assert again(client, address, tag).status_code == 200, change


def test_a_tag_is_of_one_page(client: FlaskClient, layer: Layer) -> None:
    address = f"/ogc/collections/{layer([('POINT(1 1)', {'a': 1})])}/items"
    tag = client.get(address).headers["ETag"]
    for query in ("?limit=1", "?f=json", "?bbox=0,0,9,9", "?crs=" + "http://www.opengis.net/def"
                  "/crs/EPSG/0/3035"):  # fmt: skip
        assert again(client, address + query, tag).status_code == 200, query
    assert again(client, address + "?limit=x", tag).status_code == 400
    assert "ETag" not in client.get(address, headers={"Accept": "text/html"}).headers
    assert client.head(address).headers["ETag"] == tag


def test_a_tag_gives_no_permission(
    client: FlaskClient, layer: Layer, person: Callable[[str], Person], empty_database: Engine
) -> None:
    layer_id = layer([("POINT(1 1)", {"a": 1})])
    paths = [f"/ogc/collections/{layer_id}{path}" for path in ("", "/items", "/schema")]
    tags = [client.get(path).headers["ETag"] for path in paths]
    with empty_database.begin() as connection:
        connection.execute(
            text(f"UPDATE layers SET visibility = 'private' WHERE id = '{layer_id}'")
        )
    for path, tag in zip(paths, tags, strict=True):
        assert again(client, path, tag).status_code == 404
        assert again(client, path, "*").status_code == 404
        assert again(client, path, tag, **person("stranger").headers).status_code == 404


def test_a_feature_until_it_changes(
    client: FlaskClient, layer: Layer, person: Callable[[str], Person]
) -> None:
    address = f"/ogc/collections/{layer([('POINT(1 1)', {'a': 1})])}/items"
    feature_id = client.get(address).json["features"][0]["id"]  # type: ignore[index]
    item = f"{address}/{feature_id}"
    tag = client.get(item).headers["ETag"]
    assert again(client, item, tag).status_code == 304
    headers = person("owner").headers
    patched = client.patch(item, json={"properties": {"a": 2}}, headers=headers)
    assert patched.status_code == 200
    fresh = again(client, item, tag)
    assert (fresh.status_code, fresh.json["properties"]) == (200, {"a": 2})
    assert fresh.headers["ETag"] == patched.headers["ETag"]
    assert again(client, item, fresh.headers["ETag"]).status_code == 304
    for method in ("PUT", "PATCH", "DELETE"):
        refused = client.open(
            item,
            method=method,
            json=fresh.json,
            headers={**headers, "If-None-Match": fresh.headers["ETag"]},
        )
        assert refused.status_code == 412, method
        refused = client.open(
            item, method=method, json=fresh.json, headers={**headers, "If-None-Match": "*"}
        )
        assert refused.status_code == 412, method
    replaced = client.put(item, json=fresh.json, headers={**headers, "If-None-Match": tag})
    assert replaced.status_code == 200
