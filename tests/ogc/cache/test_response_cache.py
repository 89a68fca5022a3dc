"""The response cache: the same bytes, until anything in the layer changes."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, text

from samsyn_provider.cache import response_cache
from samsyn_provider.cache.response_cache import CachedResponse, ResponseCache
from tests.ogc.conftest import Person
from tests.statements import statements

Layer = Callable[..., str]
FEATURES: list[Any] = [(f"POINT({number} 1)", {"a": number}) for number in range(5)]


def _items(layer_id: str) -> str:
    return f"/ogc/collections/{layer_id}/items"


def _content(response: Any) -> Any:
    return response.status_code, dict(response.headers), response.data


@pytest.mark.parametrize("query", ["", "?limit=2", "?limit=2&offset=2", "?a=3", "?resulttype=hits"])
def test_a_page_is_made_once(client: FlaskClient, layer: Layer, query: str) -> None:
    address = _items(layer(FEATURES, fields={"a": {"type": "integer"}})) + query
    with statements() as seen:
        first = client.get(address)
        second = client.get(address)
        head = client.head(address)
    assert len(seen) == 4, "the lookup of the collection each time, the page once"
    assert _content(second) == _content(first)
    assert (dict(head.headers), head.data) == (dict(first.headers), b"")


def test_an_item_is_read_once(client: FlaskClient, layer: Layer, empty_database: Engine) -> None:
    layer_id = layer(FEATURES)
    address = json.loads(client.get(_items(layer_id)).data)["features"][0]["id"]
    address = f"{_items(layer_id)}/{address}"
    with statements() as seen:
        first, second = client.get(address), client.get(address)
    assert len(seen) == 3
    assert _content(second) == _content(first)
    assert first.headers["ETag"] == '"1"'
    assert client.get(address, headers={"If-None-Match": '"1"'}).status_code == 304
    assert client.get(address, headers={"If-None-Match": '"0"'}).data == first.data
    assert _content(client.get(address)) == _content(first)
    with empty_database.begin() as connection:
        connection.execute(text("UPDATE layer_features SET properties = '{\"a\": 77}'"))
    changed = client.get(address)
    assert (json.loads(changed.data)["properties"], changed.headers["ETag"]) == ({"a": 77}, '"2"')
    with empty_database.begin() as connection:
        connection.execute(text("DELETE FROM layer_features"))
    assert client.get(address).status_code == 410


def test_a_streamed_page_is_not_cached(
    client: FlaskClient, layer: Layer, monkeypatch: pytest.MonkeyPatch
) -> None:
    cached: list[Any] = []
    monkeypatch.setattr(
        ResponseCache, "put", lambda _, tag, response: cached.append((tag, response))
    )
    address = _items(layer(FEATURES))
    client.get(f"{address}?limit=600")
    assert not cached
    client.get(f"{address}?limit=500")
    assert len(cached) == 1


def test_representations_are_cached_separately(client: FlaskClient, layer: Layer) -> None:
    address = _items(layer(FEATURES))
    for _ in range(2):
        assert client.get(address).mimetype == "application/geo+json"
        assert client.get(address, headers={"Accept": "text/html"}).mimetype == "text/html"
        assert client.get(f"{address}?f=csv").mimetype == "text/csv"
        packed = client.get(address, headers={"Accept-Encoding": "gzip"})
        assert packed.headers["Content-Encoding"] == "gzip"
        other = client.get(address, base_url="https://other.example")
        assert b"https://other.example/ogc" in other.data
        assert b"other.example" not in client.get(address).data
        tag = client.get(address).headers["ETag"]
        assert client.get(address, headers={"If-None-Match": tag}).status_code == 304
        assert client.get(address, headers={"If-None-Match": '"x"'}).status_code == 200


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE layer_features SET properties = '{\"a\": 77}' WHERE layer_id = :layer",
        "INSERT INTO layer_features (layer_id) VALUES (:layer)",
        "DELETE FROM layer_features WHERE layer_id = :layer",
        "UPDATE layers SET name = 'Other' WHERE id = :layer",
    ],
)
def test_no_cached_response_after_a_change(
    client: FlaskClient, layer: Layer, empty_database: Engine, change: str
) -> None:
    layer_id = layer(FEATURES)
    before = client.get(_items(layer_id))
    assert client.get(_items(layer_id)).data == before.data
    with empty_database.begin() as connection:
        connection.execute(text(change), {"layer": layer_id})
    after = client.get(_items(layer_id))
    assert after.headers["ETag"] != before.headers["ETag"]
    assert after.data != before.data


def test_no_cached_response_without_read_permission(
    client: FlaskClient, layer: Layer, person: Callable[[str], Person], empty_database: Engine
) -> None:
    layer_id = layer(FEATURES, visibility="private")
    owner, stranger = person("owner"), person("stranger")
    made = client.get(_items(layer_id), headers=owner.headers)
    assert made.status_code == 200
    assert made.headers["Cache-Control"] == "private, no-cache"
    for headers in ({}, stranger.headers):
        response = client.get(_items(layer_id), headers=headers)
        assert (response.status_code, b"FeatureCollection" in response.data) == (404, False)
    with empty_database.begin() as connection:
        connection.execute(text("UPDATE layers SET visibility = 'public'"))
    opened = client.get(_items(layer_id))
    assert opened.headers["Cache-Control"] == "no-cache"


def test_the_cache_is_limited_in_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(response_cache, "_MAX_SIZE", 100)
    monkeypatch.setattr(response_cache, "_ENTRY_OVERHEAD", 0)
    monkeypatch.setattr(response_cache, "_HEADER_OVERHEAD", 0)
    cache = ResponseCache(max_response_size=40)

    def put(tag: str, size: int) -> None:
        cache.put(tag, CachedResponse(tag.encode() * (size - 2), (("x", "y"),)))

    def sizes(tags: str) -> list[int | None]:
        responses = map(cache.get, tags)
        return [response.size if response else None for response in responses]

    for tag in "abc":
        put(tag, 40)
    assert sizes("abc") == [None, 40, 40]
    cache.get("b")
    put("d", 30)
    put("e", 41)
    assert sizes("bcde") == [40, None, 30, None]
    put("d", 3)
    put("f", 40)
    assert sizes("bdf") == [40, 3, 40]


def test_empty_responses_have_a_size_too() -> None:
    cache = ResponseCache()
    for number in range(50_000):
        cache.put(str(number), CachedResponse(b""))
    cached = [number for number in range(50_000) if cache.get(str(number))]
    assert 0 < len(cached) < 50_000
    assert cached[-1] == 49_999
