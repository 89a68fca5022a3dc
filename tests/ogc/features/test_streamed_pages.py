"""Streamed pages: the same as pages that are read as one row."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine

from samsyn_provider.features import page_statements, provider

Layer = Callable[..., str]

FIELDS = {"name": {"type": "string"}, "rank": {"type": "integer"}}
QUERIES = [
    {},
    {"sortby": "-rank,name"},
    {"offset": "5"},
    {"offset": "99"},
    {"properties": "name", "skipGeometry": "true"},
    {"filter": "rank > 3 AND name LIKE 'n%'"},
    {"filter": "rank > 99"},
    {"bbox": "0,0,4,90"},
    {"crs": "http://www.opengis.net/def/crs/EPSG/0/3857"},
]


@pytest.fixture
def streamed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider, "MAX_BUFFERED_LIMIT", 0)
    monkeypatch.setattr(page_statements, "_PART_SIZE", 3)


def _features(count: int = 11) -> list[tuple[str | None, dict[str, Any]]]:
    return [
        (f"POINT({n} 1)" if n % 4 else None, {"name": f'n"\\{n % 3}', "rank": n % 7})
        for n in range(count)
    ]


def _page(client: FlaskClient, layer_id: str, **query: Any) -> tuple[Any, dict[str, str]]:
    response = client.get(f"/ogc/collections/{layer_id}/items", query_string=query)
    assert response.status_code == 200, response.text
    document = json.loads(response.text)
    document.pop("timeStamp")
    headers = {name: value for name, value in response.headers if name != "Content-Length"}
    return document, headers


@pytest.mark.parametrize("query", QUERIES, ids=str)
@pytest.mark.parametrize("limit", [1, 4, 6, 50])
def test_the_same_as_one_row(
    client: FlaskClient, layer: Layer, request: Any, query: dict[str, str], limit: int
) -> None:
    layer_id = layer(_features(), fields=FIELDS)
    buffered = _page(client, layer_id, limit=limit, **query)
    request.getfixturevalue("streamed")
    assert _page(client, layer_id, limit=limit, **query) == buffered


@pytest.mark.usefixtures("streamed")
def test_pages_that_follow_have_every_feature_once(client: FlaskClient, layer: Layer) -> None:
    layer_id = layer(_features(), fields=FIELDS)
    seen, after = [], {}
    while True:
        document, headers = _page(client, layer_id, limit=4, sortby="rank", **after)
        seen += [feature["id"] for feature in document["features"]]
        following = [link["href"] for link in document["links"] if link["rel"] == "next"]
        assert ('rel="next"' in headers.get("Link", "")) == bool(following)
        if not following:
            break
        after = {"after": following[0].partition("after=")[2].partition("&")[0]}
    assert len(seen) == len(set(seen)) == 11


@pytest.mark.usefixtures("streamed")
def test_a_search_by_post(client: FlaskClient, layer: Layer) -> None:
    layer_id = layer(_features(), fields=FIELDS)
    response = client.post(f"/ogc/collections/{layer_id}/search", json={"limit": 5})
    assert len(json.loads(response.text)["features"]) == 5


@pytest.mark.usefixtures("streamed")
def test_a_client_that_disconnects_frees_its_connection(
    client: FlaskClient, layer: Layer, empty_database: Engine
) -> None:
    layer_id = layer(_features(200), fields=FIELDS)
    address = f"/ogc/collections/{layer_id}/items?limit=200"
    for _ in range(12):  # more than there are connections
        response = client.get(address, buffered=False)
        next(response.iter_encoded())
        response.close()
    for _ in range(12):
        assert client.head(address).status_code == 200
    assert len(_page(client, layer_id, limit=200)[0]["features"]) == 200
    assert empty_database.pool.checkedout() == 0  # type: ignore[attr-defined]
