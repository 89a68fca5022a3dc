"""Compressed answers: the same content, only for who asks, and never with a strong entity tag."""

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
    answer = client.get(address, headers=headers)
    assert answer.status_code == 200
    return answer


def _same(one: bytes, other: bytes) -> bool:
    """Whether two documents are the same but for the moment that they tell."""
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
def test_what_a_client_takes(
    client: FlaskClient, large: str, accepted: str | None, coding: str | None
) -> None:
    address = f"/ogc/collections/{large}/items?limit=60"
    plain = _get(client, address, None)
    answer = _get(client, address, accepted)
    assert answer.headers.get("Content-Encoding") == coding
    assert "Accept-Encoding" in answer.vary
    assert "Accept-Encoding" in plain.vary
    assert _same(DECODED[coding](answer.data), plain.data)
    assert answer.headers["ETag"] == plain.headers["ETag"]
    if coding:
        assert len(answer.data) < len(plain.data) / 2


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd"])
@pytest.mark.parametrize(
    "rest", ["items?limit=60", "items?f=html&limit=60", "items?f=csv", "items?f=geojsonseq"]
)
def test_parts_as_they_come(
    client: FlaskClient, large: str, monkeypatch: pytest.MonkeyPatch, rest: str, coding: str
) -> None:
    address = f"/ogc/collections/{large}/{rest}"
    plain = _get(client, address, None).data
    monkeypatch.setattr(provider, "MAX_BUFFERED_LIMIT", 10)
    answer = _get(client, address, coding)
    assert answer.headers["Content-Encoding"] == coding
    assert _same(DECODED[coding](answer.data), plain)


def test_a_tile(client: FlaskClient, large: str) -> None:
    address = f"/ogc/collections/{large}/tiles/WebMercatorQuad/0/0/0"
    plain = _get(client, address, None).data
    answer = _get(client, address, "gzip")
    assert answer.headers["Content-Encoding"] == "gzip"
    assert DECODED["gzip"](answer.data) == plain


def test_a_strong_tag_is_one_sequence_of_bytes(client: FlaskClient, layer: Layer) -> None:
    layer_id = layer([("POINT(1 1)", {"name": "x" * 5000})])
    page = client.get(f"/ogc/collections/{layer_id}/items").json
    assert page is not None
    address = f"/ogc/collections/{layer_id}/items/{page['features'][0]['id']}"
    answer = _get(client, address, "gzip, br, zstd")
    assert answer.headers["ETag"] == '"1"'
    assert "Content-Encoding" not in answer.headers
    assert "Accept-Encoding" not in answer.vary
    assert len(answer.data) > 5000


def test_what_is_short_or_has_no_body_stays(client: FlaskClient, large: str) -> None:
    accepted = {"Accept-Encoding": "gzip"}
    address = f"/ogc/collections/{large}/items"
    for answer in (
        client.head(f"{address}?limit=60", headers=accepted),
        client.get("/ogc/collections/nothing", headers=accepted),
    ):
        assert "Content-Encoding" not in answer.headers
    tag = client.get(address).headers["ETag"]
    unchanged = client.get(address, headers={**accepted, "If-None-Match": tag})
    assert (unchanged.status_code, unchanged.data) == (304, b"")
    assert "Content-Encoding" not in unchanged.headers
