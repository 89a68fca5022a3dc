"""Searching by POST: the results of GET, with the parameters in the body."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine

from samsyn_model.identity import api_tokens
from tests.ogc.conftest import Person

Layer = Callable[..., str]

FIELDS = {
    "name": {"type": "string"},
    "depth": {"type": "integer"},
    "open": {"type": "boolean"},
}


@pytest.fixture
def address(layer: Layer) -> str:
    features = [
        (f"POINT({n} {n})", {"name": f"f{n}", "depth": n, "open": n % 2 == 0}) for n in range(12)
    ]
    return f"/ogc/collections/{layer(features, fields=FIELDS)}"


def names(response: Any) -> list[str]:
    assert response.status_code == 200, response.text
    return [feature["properties"]["name"] for feature in response.json["features"]]


@pytest.mark.parametrize(
    ("body", "query"),
    [
        ({}, {}),
        ({"limit": 3, "offset": 2}, {"limit": "3", "offset": "2"}),
        ({"bbox": [1.5, 1.5, 4, 4]}, {"bbox": "1.5,1.5,4,4"}),
        ({"bbox": "1.5,1.5,4,4"}, {"bbox": "1.5,1.5,4,4"}),
        ({"depth": 5}, {"depth": "5"}),
        ({"open": True, "sortby": ["-depth"]}, {"open": "true", "sortby": "-depth"}),
        ({"filter": "depth > 8"}, {"filter": "depth > 8"}),
        ({"properties": ["name"], "skipGeometry": True}, {"properties": "name", "limit": "10"}),
    ],
)
def test_a_body_has_the_result_of_the_query(
    client: FlaskClient, address: str, body: dict[str, Any], query: dict[str, str]
) -> None:
    assert names(client.post(f"{address}/search", json=body)) == names(
        client.get(f"{address}/items", query_string=query)
    )
    form = {name: ",".join(map(str, value)) if isinstance(value, list) else value
            for name, value in query.items()}  # fmt: skip
    sent = client.post(f"{address}/search", data=form)
    if form:
        assert names(sent) == names(client.get(f"{address}/items", query_string=query))


def test_a_filter_is_an_object_of_cql2_json(client: FlaskClient, address: str) -> None:
    condition = {"op": ">=", "args": [{"property": "depth"}, 10]}
    assert names(client.post(f"{address}/search", json={"filter": condition})) == ["f10", "f11"]
    both = {"filter": condition, "filter-lang": "cql2-json"}
    assert names(client.post(f"{address}/search", json=both)) == ["f10", "f11"]
    wrong = client.post(f"{address}/search", json={**both, "filter-lang": "cql2-text"})
    assert wrong.status_code == 400
    long = {"op": "in", "args": [{"property": "depth"}, list(range(-900, 3))]}
    assert names(client.post(f"{address}/search", json={"filter": long})) == ["f0", "f1", "f2"]


def test_next_has_the_body_of_the_next_page(client: FlaskClient, address: str) -> None:
    body: Any = {"filter": {"op": ">", "args": [{"property": "depth"}, 1]}, "limit": 4}
    seen: list[str] = []
    pages = 0
    while body:
        response = client.post(f"{address}/search", json=body)
        seen += names(response)
        pages += 1
        assert response.json is not None
        assert response.json["numberMatched"] == 10
        following = [link for link in response.json["links"] if link["rel"] == "next"]
        assert all(link["method"] == "POST" for link in following)
        assert all(link["href"].endswith(f"{address}/search") for link in following)
        body = following[0]["body"] if following else None
    assert (seen, pages) == ([f"f{n}" for n in range(2, 12)], 3)


@pytest.mark.parametrize(
    ("body", "status", "detail"),
    [
        ([], 422, "object"),
        ({"limit": [1]}, 422, "/limit"),
        ({"limit": None}, 422, "/limit"),
        ({"bbox": [1, [2], 3, 4]}, 422, "/bbox"),
        ({"sortby": ["name,depth"]}, 422, "/sortby"),
        ({"f": "html"}, 422, "/f"),
        ({"colour": "red"}, 400, "colour"),
        ({"limit": 0}, 400, "limit"),
        ({"limit": True}, 400, "limit"),
        ({"bbox": [1, 2, 3]}, 400, "bbox"),
        ({"filter": {"op": "explode", "args": []}}, 400, "explode"),
        ({"depth": "deep"}, 400, "depth"),
        ({"filter-lang": "cql2-text"}, 400, "filter"),
    ],
)
def test_refusals_name_what_is_wrong(
    client: FlaskClient, address: str, body: Any, status: int, detail: str
) -> None:
    response = client.post(f"{address}/search", json=body)
    assert response.status_code == status, response.text
    assert detail in response.text


def test_other_bodies(client: FlaskClient, address: str) -> None:
    search = f"{address}/search"
    assert client.post(search, data="{", content_type="application/json").status_code == 400
    assert client.post(search, data="<a/>", content_type="text/xml").status_code == 415
    assert client.post(search).status_code == 415
    assert client.post(f"{search}?limit=1", json={}).status_code == 400
    assert client.post(f"{search}?f=html", json={}).status_code == 406
    assert client.post(search, json={}, headers={"Accept": "image/png"}).status_code == 406
    assert client.get(search).status_code == 405
    deep = json.dumps({"filter": {}}).replace("{}", "[" * 5000 + "]" * 5000)
    assert client.post(search, data=deep, content_type="application/json").status_code == 400


def test_searching_is_reading(
    client: FlaskClient, layer: Layer, person: Callable[[str], Person], empty_database: Engine
) -> None:
    secret = layer([("POINT(1 1)", {"name": "a"})], visibility="private")
    search = f"/ogc/collections/{secret}/search"
    owner = person("owner")
    with empty_database.begin() as connection:
        token = api_tokens.create_token(connection, owner.id, name="reads", scope="read")
    headers = {"Authorization": f"Bearer {token}"}
    assert names(client.post(search, json={}, headers=headers)) == ["a"]
    assert client.post(search, json={}).status_code == 404
    assert client.post(search, json={}, headers=person("stranger").headers).status_code == 404
    assert client.post(search, json={}, headers={"Authorization": "Bearer no"}).status_code == 401
