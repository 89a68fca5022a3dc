"""Pages that a process answers again: the same to the byte, until anything in the layer changes."""

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


def _told(answer: Any) -> Any:
    return answer.status_code, dict(answer.headers), answer.data


@pytest.mark.parametrize("query", ["", "?limit=2", "?limit=2&offset=2", "?a=3", "?resulttype=hits"])
def test_a_page_is_made_once(client: FlaskClient, layer: Layer, query: str) -> None:
    address = _items(layer(FEATURES, fields={"a": {"type": "integer"}})) + query
    with statements() as seen:
        first = client.get(address)
        second = client.get(address)
        head = client.head(address)
    assert len(seen) == 4, "who may read, each time, and the page"
    assert _told(second) == _told(first)
    assert (dict(head.headers), head.data) == (dict(first.headers), b"")


def test_an_item_is_read_once(client: FlaskClient, layer: Layer, empty_database: Engine) -> None:
    layer_id = layer(FEATURES)
    address = json.loads(client.get(_items(layer_id)).data)["features"][0]["id"]
    address = f"{_items(layer_id)}/{address}"
    with statements() as seen:
        first, second = client.get(address), client.get(address)
    assert len(seen) == 3
    assert _told(second) == _told(first)
    assert first.headers["ETag"] == '"1"'
    assert client.get(address, headers={"If-None-Match": '"1"'}).status_code == 304
    assert client.get(address, headers={"If-None-Match": '"0"'}).data == first.data
    assert _told(client.get(address)) == _told(first)
    with empty_database.begin() as connection:
        connection.execute(text("UPDATE layer_features SET properties = '{\"a\": 77}'"))
    changed = client.get(address)
    assert (json.loads(changed.data)["properties"], changed.headers["ETag"]) == ({"a": 77}, '"2"')
    with empty_database.begin() as connection:
        connection.execute(text("DELETE FROM layer_features"))
    assert client.get(address).status_code == 404


def test_a_long_page_is_not_kept(
    client: FlaskClient, layer: Layer, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[Any] = []
    monkeypatch.setattr(ResponseCache, "put", lambda _, tag, answer: kept.append((tag, answer)))
    address = _items(layer(FEATURES))
    client.get(f"{address}?limit=600")
    assert not kept
    client.get(f"{address}?limit=500")
    assert len(kept) == 1


def test_every_form_is_its_own(client: FlaskClient, layer: Layer) -> None:
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
def test_not_after_a_change(
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


def test_not_for_who_may_not_read(
    client: FlaskClient, layer: Layer, person: Callable[[str], Person], empty_database: Engine
) -> None:
    layer_id = layer(FEATURES, visibility="private")
    owner, stranger = person("owner"), person("stranger")
    made = client.get(_items(layer_id), headers=owner.headers)
    assert made.status_code == 200
    assert made.headers["Cache-Control"] == "private, no-cache"
    for headers in ({}, stranger.headers):
        answer = client.get(_items(layer_id), headers=headers)
        assert (answer.status_code, b"FeatureCollection" in answer.data) == (404, False)
    with empty_database.begin() as connection:
        connection.execute(text("UPDATE layers SET visibility = 'public'"))
    opened = client.get(_items(layer_id))
    assert opened.headers["Cache-Control"] == "no-cache"


def test_a_process_keeps_no_more_than_it_should(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(response_cache, "_MAX_SIZE", 100)
    monkeypatch.setattr(response_cache, "_MAX_RESPONSE_SIZE", 40)
    monkeypatch.setattr(response_cache, "_ENTRY_OVERHEAD", 0)
    monkeypatch.setattr(response_cache, "_HEADER_OVERHEAD", 0)
    kept = ResponseCache()

    def keep(tag: str, size: int) -> None:
        kept.put(tag, CachedResponse(tag.encode() * (size - 2), (("x", "y"),)))

    def sizes(tags: str) -> list[int | None]:
        found = map(kept.get, tags)
        return [answer.size if answer else None for answer in found]

    for tag in "abc":
        keep(tag, 40)
    assert sizes("abc") == [None, 40, 40]
    kept.get("b")
    keep("d", 30)
    keep("e", 41)
    assert sizes("bcde") == [40, None, 30, None]
    keep("d", 3)
    keep("f", 40)
    assert sizes("bdf") == [40, 3, 40]


def test_empty_answers_take_room_too() -> None:
    kept = ResponseCache()
    for number in range(50_000):
        kept.put(str(number), CachedResponse(b""))
    found = [number for number in range(50_000) if kept.get(str(number))]
    assert 0 < len(found) < 50_000
    assert found[-1] == 49_999
