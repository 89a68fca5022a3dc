"""The size of responses' headers: proxies read all of them into a buffer of 4 kB by default."""

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask
from flask.testing import FlaskClient

from samsyn_provider.http.formats import FORMATS
from samsyn_provider.http.links import MAX_HEADER

LIMIT = 4096
OF_THE_SERVER = 200  # bytes: the status line, Server, Date, Connection, Transfer-Encoding
FRONTEND = {"Origin": "https://elsewhere.example.org"}
FIELDS = {"n": {"type": "integer"}, "name": {"type": "string"}}

Layer = Callable[..., str]


def size_of(response: Any) -> int:
    return OF_THE_SERVER + sum(len(name) + len(value) + 4 for name, value in response.headers)


def relations(response: Any) -> list[str]:
    return re.findall(r'rel="([\w-]+)"', response.headers.get("Link", ""))


def filter_of(length: int) -> str:
    """Return a filter that is true, of this many characters when it is quoted."""
    text = "n >= 0 AND name <> '"
    return f"{text}{'å' * ((length - len(quote(text))) // len(quote('å')))}'"


@pytest.fixture
def layer_id(layer: Layer) -> str:
    title = "Å" * 255  # every character is six in the name of a file
    features = [(f"POINT({n} 50)", {"n": n, "name": "x"}) for n in range(30)]
    return layer(features, fields=FIELDS, name=title)


@pytest.fixture
def items(layer_id: str) -> str:
    return f"/ogc/collections/{layer_id}/items"


def test_the_header_links_to_other_pages_alone(client: FlaskClient, items: str) -> None:
    pages = {
        "limit=10": ["next"],
        "limit=10&offset=10": ["next", "prev"],
        "limit=10&offset=20": ["prev"],
        "limit=30": [],
        "limit=10&f=csv": ["next"],
        "limit=30&f=csv": [],
        "f=csv": [],
        "limit=10&offset=10&f=html": ["next", "prev"],
    }
    for query, expected in pages.items():
        response = client.get(f"{items}?{query}")
        assert relations(response) == expected, query
        assert ("Link" in response.headers) == bool(expected)
    document = client.get(f"{items}?limit=10&offset=10").json
    offered = {link["rel"] for link in document["links"]}  # type: ignore[index]
    assert offered == {"self", "alternate", "next", "prev", "collection"}, "bodies have all links"
    item = client.get(f"{items}/{document['features'][0]['id']}")  # type: ignore[index]
    assert relations(item) == ["original", "timemap", "version-history"]
    assert {"self", "alternate", "collection"} <= {link["rel"] for link in item.json["links"]}  # type: ignore[index]
    for query, expected in (("limit=1", []), ("limit=1&offset=1", ["prev"])):
        assert relations(client.get(f"/ogc/collections?{query}")) == expected


def test_a_link_to_follow_by_post_is_not_in_the_header(client: FlaskClient, items: str) -> None:
    response = client.post(items.replace("/items", "/search"), json={"limit": 5})
    assert any(link["rel"] == "next" for link in response.json["links"])  # type: ignore[index]
    assert "Link" not in response.headers


@pytest.mark.parametrize("length", [350, 1_000, 1_500, 2_500, 6_000])
@pytest.mark.parametrize("form", ["json", "html", *sorted(FORMATS)])
def test_long_filters(client: FlaskClient, items: str, length: int, form: str) -> None:
    query = {"filter": filter_of(length), "f": form, "limit": "5"}
    response = client.get(items, query_string=query, headers=FRONTEND)
    assert response.status_code == 200, response.text
    assert size_of(response) <= LIMIT
    links = response.headers.get("Link", "")
    assert len(links) <= MAX_HEADER
    assert bool(links) == (length < MAX_HEADER - 300)
    if form == "json":
        following = [link for link in response.json["links"] if link["rel"] == "next"]  # type: ignore[index]
        assert len(following) == 1, "in the body whatever its length"
        assert client.get(following[0]["href"]).json["numberReturned"] == 5  # type: ignore[index]


def test_every_address(app: Flask, client: FlaskClient, layer_id: str) -> None:
    """Addresses of 6 kB, with a query that no view knows, or with a path as long."""
    routes = 0
    for rule in app.url_map.iter_rules():
        path = rule.rule.replace("<collection_id>", layer_id).replace("<layer_id>", layer_id)
        short = re.sub(r"<[^>]+>", "1", path)
        long = re.sub(r"<[^>]+>", "y" * 6_000, path)
        merged = short.replace("/", "//")[1:]
        for address in (f"{short}?x={'y' * 6_000}", long, f"{merged}?x={'y' * 6_000}", merged):
            for method in rule.methods or ():
                headers = {"Authorization": "Bearer x"} if routes % 2 else FRONTEND
                response = client.open(address, method=method, headers=headers)
                assert size_of(response) <= LIMIT, f"{method} {address[:80]}"
                assert response.status_code != 500, f"{method} {address[:80]}"
                routes += 1
    assert routes > 200


def test_a_redirect_as_long_as_its_address(client: FlaskClient, items: str) -> None:
    doubled = items.replace("/ogc/", "/ogc//")
    assert client.get(f"{doubled}?limit=1").status_code == 308
    response = client.get(doubled, query_string={"filter": filter_of(6_000)})
    assert response.status_code == 414
    document = response.json
    assert document is not None
    assert document["status"] == 414
    assert "/search" in document["detail"]


@pytest.mark.parametrize(("length", "has_link"), [(100, True), (6_000, False)])
def test_lists_of_the_management_api(client: FlaskClient, length: int, has_link: bool) -> None:
    response = client.get(f"/api/v1/layers?limit=1&offset=1&category={'x' * length}")
    assert response.status_code == 200
    assert size_of(response) <= LIMIT
    assert ("Link" in response.headers) == has_link
