"""nginx in front, with its default sizes of buffers: what it cannot hold it refuses."""

from collections.abc import Iterator

import pytest
import requests

from samsyn_provider.http.formats import FORMATS
from tests.clients.nginx_server import nginx_with, proxy_to
from tests.clients.plan_layers import quoted_filter
from tests.clients.samsyn_server import Server


@pytest.fixture(scope="module")
def nginx(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an nginx in front of the server."""
    with nginx_with(proxy_to(server.url), tmp_path_factory.mktemp("nginx")) as port:
        yield f"http://127.0.0.1:{port}"


@pytest.mark.parametrize("length", [350, 1_000, 2_500, 6_000])
@pytest.mark.parametrize("form", ["json", "html", *sorted(FORMATS)])
def test_long_filters(nginx: str, areas: str, length: int, form: str) -> None:
    address = (
        f"{nginx}/ogc/collections/{areas}/items?f={form}&limit=3&filter={quoted_filter(length)}"
    )
    response = requests.get(address, timeout=60)
    assert response.status_code == 200, response.text
    assert response.content
    head = requests.head(address, timeout=60)
    assert head.status_code == 200


@pytest.mark.parametrize("length", [350, 6_000])
def test_the_pages_of_a_long_filter(nginx: str, areas: str, length: int) -> None:
    address = f"{nginx}/ogc/collections/{areas}/items?limit=500&filter={quoted_filter(length)}"
    numbers, seen = [], set()
    while address:
        page = requests.get(address, timeout=60).json()
        numbers.append(page["numberReturned"])
        seen |= {feature["id"] for feature in page["features"]}
        following = [link["href"] for link in page["links"] if link["rel"] == "next"]
        address = following[0] if following else ""
        assert not address or address.startswith(nginx)
    assert numbers == [500, 500, 234]
    assert len(seen) == 1234


def test_items_tiles_and_documents(nginx: str, areas: str) -> None:
    collection = f"{nginx}/ogc/collections/{areas}"
    page = requests.get(f"{collection}/items?limit=1", timeout=60).json()
    for path in (f"items/{page['features'][0]['id']}", "queryables", "tiles", ""):
        assert requests.get(f"{collection}/{path}".rstrip("/"), timeout=60).status_code == 200
    tile = f"{collection}/tiles/WebMercatorQuad/0/0/0?filter={quoted_filter(6_000)}"
    assert requests.get(tile, timeout=60).status_code == 200


def test_a_longer_filter_is_sent_as_a_search(nginx: str, areas: str) -> None:
    search = f"{nginx}/ogc/collections/{areas}/search"
    body = {"filter": f"name <> '{'x' * 20_000}'", "limit": 5}
    assert requests.post(search, json=body, timeout=60).json()["numberReturned"] == 5
