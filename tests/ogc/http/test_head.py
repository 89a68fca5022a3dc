"""HEAD: the headers of GET; `Content-Length` is the one that GET has, or absent."""

import re
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine

from samsyn_provider.http.formats import FORMATS
from tests.clients.samsyn_server import serve

Layer = Callable[..., str]

CODINGS: list[dict[str, str]] = [{}, {"Accept-Encoding": "gzip"}, {"Accept-Encoding": "zstd, br"}]


@pytest.fixture
def layer_id(layer: Layer) -> str:
    features = [(f"POINT({n / 10} 50)", {"n": n, "name": "x" * 50}) for n in range(600)]
    return layer(features, fields={"n": {"type": "integer"}, "name": {"type": "string"}})


def assert_head_is_get(client: FlaskClient, address: str) -> None:
    for accepted in CODINGS:
        got = client.get(address, headers=accepted, buffered=True)
        head = client.head(address, headers=accepted, buffered=True)
        assert head.status_code == got.status_code, address
        assert head.data == b""
        length = head.headers.get("Content-Length")
        assert length in {None, str(len(got.data))}, address
        assert length is None or got.headers.get("Content-Length") == length, address
        # what is streamed is compressed whatever its size, but the checks of tests collect it
        coding = ("Content-Encoding",) if len(got.data) > 1_024 else ()
        for name in ("Content-Type", "Content-Disposition", "ETag", "Vary", *coding):
            assert head.headers.get(name) == got.headers.get(name), f"{address} {name}"


@pytest.mark.parametrize("form", ["json", "html", *sorted(FORMATS)])
@pytest.mark.parametrize("query", ["", "&limit=3", "&limit=600"])
def test_items(client: FlaskClient, layer_id: str, form: str, query: str) -> None:
    assert_head_is_get(client, f"/ogc/collections/{layer_id}/items?f={form}{query}")


def test_every_route(app: Flask, client: FlaskClient, layer_id: str) -> None:
    items = client.get(f"/ogc/collections/{layer_id}/items?limit=1").json
    parts = {
        "collection_id": layer_id,
        "layer_id": layer_id,
        "feature_id": str(items["features"][0]["id"]),  # type: ignore[index]
        "tile_matrix_set_id": "WebMercatorQuad",
        **dict.fromkeys(("tile_matrix", "tile_row", "tile_col"), "0"),
        "filename": "samsyn.css",
    }
    routes = 0
    for rule in app.url_map.iter_rules():
        if "GET" in (rule.methods or ()):
            path = re.sub(r"<(?:\w+:)?(\w+)>", lambda part: parts.get(part[1], "1"), rule.rule)
            assert_head_is_get(client, path)
            routes += 1
    assert routes > 30


def test_a_server(
    test_database_url: str, empty_database: Engine, layer_id: str, tmp_path: Path
) -> None:
    """HEAD and GET over one connection: a length of 0, or a body of HEAD, would confuse it."""
    del empty_database
    with serve(test_database_url, tmp_path / "log", workers=1) as server:
        connection = HTTPConnection(urlsplit(server.url).netloc, timeout=60)
        for form in ("json", *sorted(FORMATS)):
            address = f"/ogc/collections/{layer_id}/items?f={form}"
            lengths: dict[str, Any] = {}
            for method in ("HEAD", "GET"):
                connection.request(method, address)
                response = connection.getresponse()
                assert response.status == 200
                body = response.read()
                lengths[method] = response.headers["Content-Length"]
            assert body
            assert lengths["HEAD"] in {None, str(len(body))}, form
        connection.close()
