"""The start page: every public layer, in pages and by search, and the public maps."""

import html
import re

import pytest
from sqlalchemy import Engine, text

from tests.api.layer_requests import Caller
from tests.statements import statements

_SIZE = 12


def _titles(page: str) -> list[str]:
    """The layers that a page lists."""
    legend = re.search(r'<ul class="legend".*?</ul>', page, re.DOTALL)
    found = re.findall(r"<bdi>(.*?)</bdi>", legend[0]) if legend else []
    return [html.unescape(title) for title in found]


def _link(page: str, rel: str) -> str | None:
    found = re.search(rf'rel="{rel}" href="([^"]*)"', page)
    return html.unescape(found[1]) if found else None


@pytest.fixture
def layers(owner: Caller, empty_database: Engine) -> list[str]:
    """The titles of 30 public layers, newest first; there are private ones between them."""
    with empty_database.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO layers (name, source_type, visibility, created_by, created_at)"
                " SELECT format('%s <%s> layer %s', CASE WHEN n % 2 = 0 THEN 'Even' ELSE 'Odd' END,"
                " v, n), 'vector', v, :owner, now() - n * interval '1 hour'"
                " FROM generate_series(1, 30) AS n, (VALUES ('public'), ('private')) AS of (v)"
            ),
            {"owner": owner.id},
        )
    return [f"{'Odd' if n % 2 else 'Even'} <public> layer {n}" for n in range(1, 31)]


def test_every_public_layer_is_on_a_page(anonymous: Caller, layers: list[str]) -> None:
    address: str | None = "/"
    pages = []
    while address:
        page = anonymous.client.get(address).text
        pages.append(_titles(page))
        assert _link(page, "prev") is None or len(pages) > 1
        address = _link(page, "next")
    assert [title for page in pages for title in page] == layers
    assert [len(page) for page in pages] == [_SIZE, _SIZE, 6]
    assert f"Layers {2 * _SIZE + 1}–30" in page
    before = anonymous.client.get(str(_link(page, "prev"))).text
    assert _titles(before) == pages[1]
    assert _titles(anonymous.client.get(str(_link(before, "prev"))).text) == pages[0]


def test_search(anonymous: Caller, layers: list[str]) -> None:
    odd = [title for title in layers if title.startswith("Odd")]
    page = anonymous.client.get("/?q=LAYER+odd").text
    following = anonymous.client.get(str(_link(page, "next"))).text
    assert _titles(page) + _titles(following) == odd
    assert 'value="LAYER odd"' in page
    for words in ("private", "100%", '"><script>'):
        page = anonymous.client.get("/", query_string={"q": words}).text
        assert _titles(page) == []
        assert "All layers" in page
        assert "<script>" not in page


def test_public_maps_alone_are_listed(anonymous: Caller, owner: Caller) -> None:
    for name, permission in (("<i>Open</i>", "public"), ("Secret plan", "private")):
        body = {"name": name, "view_permission": permission}
        made = owner.client.post("/api/v1/maps", json=body, headers=owner.headers)
        assert made.status_code == 201, made.text
    for headers in ({}, owner.headers):
        page = anonymous.client.get("/", headers=headers).text
        assert "&lt;i&gt;Open&lt;/i&gt;" in page
        assert "Secret" not in page
    (address,) = re.findall(r'href="([^"]*/ogc/maps/[^"]*)"', page)
    assert anonymous.client.get(html.unescape(address)).status_code == 200
    assert "Open" not in anonymous.client.get("/?q=other").text


def test_parameters(anonymous: Caller, layers: list[str]) -> None:
    assert layers
    for query in ("offset=x", "offset=-1", "q=%00"):
        assert anonymous.client.get(f"/?{query}").status_code == 400, query
    assert _titles(anonymous.client.get("/?offset=99").text) == []
    assert len(_titles(anonymous.client.get("/?source=newsletter&limit=500").text)) == _SIZE


def test_a_constant_number_of_statements(anonymous: Caller, layers: list[str]) -> None:
    assert layers
    counts = []
    for query in ("", "?q=layer+12", "?offset=12", "?q=none"):
        with statements() as seen:
            anonymous.client.get(f"/{query}")
        counts.append(len(seen))
    assert set(counts) == {2}
