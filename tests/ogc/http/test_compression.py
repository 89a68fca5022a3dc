"""Compressed responses: the same content, on request only, and never with a strong entity tag."""

import zlib
from collections.abc import Callable
from typing import Any

import brotli
import pytest
import zstandard
from flask.testing import FlaskClient

from samsyn_provider.features import provider

Layer = Callable[..., str]

DECODED: dict[str | None, Callable[[bytes], bytes]] = {
    None: lambda data: data,
    "gzip": lambda data: zlib.decompress(data, zlib.MAX_WBITS + 16),
    "br": brotli.decompress,
    "zstd": lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data),
}


@pytest.fixture
def large(layer: Layer) -> str:
    features = [(f"POINT({n} 1)", {"name": f"number {n}"}) for n in range(60)]
    return layer(features, fields={"name": {"type": "string"}})


def _get(client: FlaskClient, address: str, accepted: str | None) -> Any:
    headers = {} if accepted is None else {"Accept-Encoding": accepted}
    response = client.get(address, headers=headers)
    assert response.status_code == 200
    return response


def _same(one: bytes, other: bytes) -> bool:
    """Whether two documents are the same except for their `timeStamp`."""
    return len(one) == len(other) and one[:2000] == other[:2000]


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        (None, None),
        ("", None),
        ("identity", None),
        ("deflate", None),
        ("gzip, deflate", "gzip"),
        ("gzip, deflate, br", "br"),
        ("gzip, deflate, br, zstd", "zstd"),
        ("zstd;q=0.5, gzip", "gzip"),
        ("zstd;q=0, gzip;q=0, *", "br"),
        ("*", "zstd"),
        ("*;q=0", None),
        ("gzip;q=0.5, identity", None),
        ("gzip;q=0.5, identity;q=0", "gzip"),
        ("zstd;q=x, \x01", None),
    ],
)
def test_codings_that_a_client_accepts(
    client: FlaskClient, large: str, accepted: str | None, coding: str | None
) -> None:
    address = f"/ogc/collections/{large}/items?limit=60"
    plain = _get(client, address, None)
    response = _get(client, address, accepted)
    assert response.headers.get("Content-Encoding") == coding
    assert "Accept-Encoding" in response.vary
    assert "Accept-Encoding" in plain.vary
    assert _same(DECODED[coding](response.data), plain.data)
    assert response.headers["ETag"] == plain.headers["ETag"]
    if coding:
        assert len(response.data) < len(plain.data) / 2


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
@pytest.mark.parametrize(
    "rest", ["items?limit=60", "items?f=html&limit=60", "items?f=csv", "items?f=geojsonseq"]
)
def test_streamed_parts(
    client: FlaskClient, large: str, monkeypatch: pytest.MonkeyPatch, rest: str, coding: str
) -> None:
    address = f"/ogc/collections/{large}/{rest}"
    plain = _get(client, address, None).data
    monkeypatch.setattr(provider, "MAX_BUFFERED_LIMIT", 10)
    response = _get(client, address, coding)
    assert response.headers["Content-Encoding"] == coding
    assert _same(DECODED[coding](response.data), plain)


def test_a_tile(client: FlaskClient, large: str) -> None:
    address = f"/ogc/collections/{large}/tiles/WebMercatorQuad/0/0/0"
    plain = _get(client, address, None).data
    response = _get(client, address, "gzip")
    assert response.headers["Content-Encoding"] == "gzip"
    assert DECODED["gzip"](response.data) == plain


def test_a_response_with_a_strong_tag_is_not_compressed(client: FlaskClient, layer: Layer) -> None:
    layer_id = layer([("POINT(1 1)", {"name": "x" * 5000})])
    page = client.get(f"/ogc/collections/{layer_id}/items").json
    assert page is not None
    address = f"/ogc/collections/{layer_id}/items/{page['features'][0]['id']}"
    response = _get(client, address, "gzip, br, zstd")
    assert response.headers["ETag"] == '"1"'
    assert "Content-Encoding" not in response.headers
    assert "Accept-Encoding" not in response.vary
    assert len(response.data) > 5000


def test_short_and_empty_bodies_are_not_compressed(client: FlaskClient, large: str) -> None:
    accepted = {"Accept-Encoding": "gzip"}
    address = f"/ogc/collections/{large}/items"
    for response in (
        client.get("/ogc/collections/nothing", headers=accepted),
        client.get(f"{address}?limit=0", headers=accepted),
    ):
        assert "Content-Encoding" not in response.headers
    tag = client.get(address).headers["ETag"]
    unchanged = client.get(address, headers={**accepted, "If-None-Match": tag})
    assert (unchanged.status_code, unchanged.data) == (304, b"")
    assert "Content-Encoding" not in unchanged.headers
