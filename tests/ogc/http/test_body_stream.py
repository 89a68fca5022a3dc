"""Bodies with a content coding: gzip is decoded within the limits, any other is refused."""

import gzip
import json
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.ogc.conftest import Person

Layer = Callable[..., str]
FEATURE = {
    "type": "Feature",
    "geometry": {"type": "Point", "coordinates": [1, 2]},
    "properties": {"a": "å" * 1000},
}

_MAX_BODY = 16 * 1024**2


@pytest.fixture
def items(layer: Layer) -> str:
    return f"/ogc/collections/{layer()}/items"


@pytest.fixture
def send(client: FlaskClient, person: Callable[[str], Person]) -> Callable[..., Any]:
    headers = {**person("owner").headers, "Content-Type": "application/geo+json"}

    def post(path: str, body: bytes, coding: str) -> Any:
        return client.post(path, data=body, headers={**headers, "Content-Encoding": coding})

    return post


def _encoded(value: Any) -> bytes:
    return gzip.compress(json.dumps(value).encode(), mtime=0)


@pytest.mark.parametrize("coding", ["gzip", "GZIP", "x-gzip"])
def test_gzip_is_decoded(
    client: FlaskClient, items: str, send: Callable[..., Any], coding: str
) -> None:
    response = send(items, _encoded(FEATURE), coding)
    assert response.status_code == 201, response.text
    assert client.get(response.headers["Location"]).json["properties"] == FEATURE["properties"]


def test_several_members_are_one_body(items: str, send: Callable[..., Any]) -> None:
    whole = json.dumps(FEATURE).encode()
    body = gzip.compress(whole[:100]) + gzip.compress(b"") + gzip.compress(whole[100:])
    assert send(items, body, "gzip").status_code == 201


def test_identity_is_no_coding(items: str, send: Callable[..., Any]) -> None:
    assert send(items, json.dumps(FEATURE).encode(), "identity").status_code == 201


@pytest.mark.parametrize("coding", ["br", "zstd", "deflate", "gzip, gzip", "compress", "x"])
def test_any_other_is_refused(items: str, send: Callable[..., Any], coding: str) -> None:
    response = send(items, _encoded(FEATURE), coding)
    assert response.status_code == 415
    assert "gzip" in response.json["detail"]


@pytest.mark.parametrize(
    "body",
    [b"", b"x", b"{}", _encoded(FEATURE)[:-9], _encoded(FEATURE)[:20], _encoded(FEATURE) + b"x"],
    ids=["empty", "text", "JSON", "cut at the end", "cut soon", "with text behind"],
)
def test_what_is_no_gzip_is_refused(items: str, send: Callable[..., Any], body: bytes) -> None:
    assert send(items, body, "gzip").status_code == 400


def test_the_limit_is_on_what_is_decoded(items: str, send: Callable[..., Any]) -> None:
    bomb = gzip.compress(b"[" + b" " * (20 * _MAX_BODY) + b"]", 9)
    assert len(bomb) < _MAX_BODY
    assert send(items, bomb, "gzip").status_code == 413


def test_a_collection_in_bulk(client: FlaskClient, items: str, send: Callable[..., Any]) -> None:
    layer_id = items.split("/")[3]
    collection = {"type": "FeatureCollection", "features": [FEATURE] * 300}
    path = f"/api/v1/layers/{layer_id}/features/bulk"
    response = send(path, _encoded(collection), "gzip")
    assert response.status_code == 201, response.text
    assert response.json["created_count"] == 300
    assert send(path, _encoded(collection)[:-9], "gzip").status_code == 400
    assert client.get(items).json["numberMatched"] == 300
