"""Versions in the addresses of tiles: who keeps what, for how long, and none of it wrong."""

import re
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, text

from samsyn_model.database.engine import way_of
from samsyn_provider.tiles import routes as tile_routes
from tests.ogc.conftest import Person
from tests.ogc.tiles.decoding import decode
from tests.statements import statements

Layer = Callable[..., str]
Persons = Callable[[str], Person]
KEPT = "public, max-age=31536000, immutable, s-maxage=30, stale-while-revalidate=30"
SHORT, PRIVATE = "public, max-age=60", "private, no-cache"


def _template(client: FlaskClient, path: str, headers: dict[str, str] | None = None) -> str:
    """Return the template of TileJSON, after it was compared with that of the tileset."""
    response = client.get(f"{path}/tiles/WebMercatorQuad?f=tilejson", headers=headers or {})
    assert response.json is not None
    template: str = response.json["tiles"][0]
    tileset = client.get(f"{path}/tiles/WebMercatorQuad?f=json", headers=headers or {}).json
    assert tileset is not None
    href = next(link["href"] for link in tileset["links"] if link["rel"] == "item")
    assert href.partition("?")[2] == template.partition("?")[2]
    return template


def _version(template: str) -> str:
    found = re.search(r"[?&]v=([0-9a-f]{16})(&|$)", template)
    assert found, template
    return found[1]


def _tile(client: FlaskClient, template: str, headers: dict[str, str] | None = None) -> Any:
    address = template.replace("{z}/{y}/{x}", "0/0/0")
    return client.get(address, headers=headers or {})


def _change(engine: Engine, statement: str, **values: object) -> None:
    with engine.begin() as connection:
        connection.execute(text(statement), values)


def test_a_browser_keeps_a_version(client: FlaskClient, layer: Layer, person: Persons) -> None:
    path = f"/ogc/collections/{layer([('POINT(100 50)', {'n': 1})])}"
    template = _template(client, path)
    first = _tile(client, template)
    assert first.headers["Cache-Control"] == KEPT
    plain = _tile(client, re.sub("&v=.*", "", template))
    assert plain.headers["Cache-Control"] == SHORT
    assert (plain.data, plain.headers["ETag"]) == (first.data, first.headers["ETag"])
    with statements() as seen:
        known = _tile(client, template, {"If-None-Match": first.headers["ETag"]})
    assert (known.status_code, known.headers["Cache-Control"]) == (304, KEPT)
    assert len(seen) == 1  # whether the caller may see the layer, and its version
    empty = client.get(template.replace("{z}/{y}/{x}", "1/1/0"))
    assert (empty.status_code, empty.headers["Cache-Control"]) == (204, KEPT)
    for name in ("owner", "stranger"):
        seen_by = person(name).headers
        assert _template(client, path, seen_by) == template
        assert _tile(client, template, seen_by).headers["Cache-Control"] == PRIVATE


def test_a_page_has_the_version(client: FlaskClient, layer: Layer) -> None:
    path = f"/ogc/collections/{layer([('POINT(1 2)', {'n': 1})])}"
    items = client.get(f"{path}/items").json
    assert items is not None
    version = _version(_template(client, path))
    for page in ("", "/items", f"/items/{items['features'][0]['id']}", "/tiles/WebMercatorQuad"):
        (address,) = re.findall(r'data-tiles="([^"]*)"', client.get(f"{path}{page}?f=html").text)
        template = address.replace("&amp;", "&")
        assert _version(template) == version, page
        assert _tile(client, template).headers["Cache-Control"] == KEPT


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE layer_features SET properties = '{\"n\": 2}' WHERE layer_id = :layer",
        "DELETE FROM layer_features WHERE layer_id = :layer",
        "UPDATE layers SET time_field = 'n' WHERE id = :layer",
    ],
)
def test_after_a_change_a_former_version_is_kept_no_longer(
    client: FlaskClient, layer: Layer, empty_database: Engine, change: str
) -> None:
    """Whoever has the page open gets the present tile, as if there were no version."""
    layer_id = layer([("POINT(1 2)", {"n": 1})])
    path = f"/ogc/collections/{layer_id}"
    former = _template(client, path)
    before = _tile(client, former)
    _change(empty_database, change, layer=layer_id)
    after = _tile(client, former, {"If-None-Match": before.headers["ETag"]})
    assert after.status_code != 304
    assert after.headers["Cache-Control"] == SHORT
    present = _template(client, path)
    assert _version(present) != _version(former)
    kept = _tile(client, present)
    assert kept.headers["Cache-Control"] == KEPT
    assert (kept.data, kept.headers["ETag"]) == (after.data, after.headers["ETag"])


def test_a_change_while_a_tile_is_made(
    client: FlaskClient, layer: Layer, empty_database: Engine
) -> None:
    """What is kept of a version may be newer than it, but then nobody is given that version."""
    layer_id = layer([("POINT(1 2)", {"n": 1})])
    path = f"/ogc/collections/{layer_id}"
    former = _template(client, path)
    sources = tile_routes.tile_sources

    def changed(*arguments: Any, **options: Any) -> Any:
        statement = "UPDATE layer_features SET properties = '{\"n\": 2}' WHERE layer_id = :layer"
        _change(empty_database, statement, layer=layer_id)
        return sources(*arguments, **options)

    with patch.object(tile_routes, "tile_sources", changed):
        (feature,) = decode(_tile(client, former).data)[layer_id]
    assert feature["properties"] == {"n": 2}
    assert _version(_template(client, path)) != _version(former)
    assert _tile(client, former).headers["Cache-Control"] == SHORT


def test_a_layer_that_becomes_private(
    client: FlaskClient, layer: Layer, empty_database: Engine
) -> None:
    layer_id = layer([("POINT(1 2)", {"n": 1})])
    template = _template(client, f"/ogc/collections/{layer_id}")
    tag = _tile(client, template).headers["ETag"]
    _change(
        empty_database, "UPDATE layers SET visibility = 'private' WHERE id = :layer", layer=layer_id
    )
    hidden = _tile(client, template, {"If-None-Match": tag})
    assert (hidden.status_code, hidden.headers["Cache-Control"]) == (404, "no-store")


def test_the_version_of_a_map_is_that_of_the_layers_that_the_caller_sees(
    client: FlaskClient, layer: Layer, person: Persons, empty_database: Engine
) -> None:
    layers = [layer([("POINT(1 2)", {})]), layer([("POINT(3 4)", {})])]
    secret = layer([("POINT(5 6)", {})], visibility="private")
    with empty_database.begin() as connection:
        map_id = connection.execute(
            text(
                "INSERT INTO maps (name, created_by, view_permission)"
                " VALUES ('Plan', :owner, 'public') RETURNING id"
            ),
            {"owner": person("planner").id},
        ).scalar_one()
        for order, layer_id in enumerate([*layers, secret]):
            connection.execute(
                text('INSERT INTO map_layers (map_id, layer_id, "order") VALUES (:m, :l, :o)'),
                {"m": map_id, "l": layer_id, "o": order},
            )
    path, owner = f"/ogc/maps/{map_id}", person("owner").headers

    def versions() -> tuple[str, str]:
        anyone, theirs = _template(client, path), _template(client, path, owner)
        assert _tile(client, anyone).headers["Cache-Control"] == KEPT
        assert _tile(client, theirs).headers["Cache-Control"] == SHORT
        for template in (anyone, theirs):
            assert _tile(client, template, owner).headers["Cache-Control"] == PRIVATE
        return _version(anyone), _version(theirs)

    seen = [versions()]
    touch = "UPDATE layer_features SET properties = '{\"n\": 2}' WHERE layer_id = :layer"
    _change(empty_database, touch, layer=secret)
    seen.append(versions())
    assert seen[1][0] == seen[0][0]  # nobody learns of a layer that they do not see
    _change(empty_database, touch, layer=layers[1])
    seen.append(versions())
    turned = (
        'UPDATE map_layers SET "order" = 1 - "order" WHERE map_id = :map AND layer_id <> :layer'
    )
    with empty_database.begin() as connection:
        connection.execute(text("SET CONSTRAINTS ALL DEFERRED"))
        connection.execute(text(turned), {"map": map_id, "layer": secret})
    seen.append(versions())
    _change(empty_database, "DELETE FROM map_layers WHERE layer_id = :layer", layer=layers[0])
    seen.append(versions())
    assert len({anyone for anyone, _ in seen}) == len(seen) - 1
    assert len({theirs for _, theirs in seen}) == len(seen)


def test_what_is_no_version(client: FlaskClient, layer: Layer) -> None:
    """It is refused, also where the tile itself is in a cache."""
    path = f"/ogc/collections/{layer([('POINT(1 2)', {})])}"
    template = _template(client, path)
    assert _tile(client, template).status_code == 200
    address = template.replace("{z}/{y}/{x}", "0/0/0")
    for wrong in ("v=", "v=%00", "v=a%20b", f"v={'a' * 65}", "v=a&v=b", "V=a"):
        response = client.get(f"{address.partition('&v=')[0]}&{wrong}")
        assert response.status_code == 400, wrong
    for other in ("1", "2026-05-01", "0" * 64):  # of another release, say
        response = client.get(f"{address.partition('&v=')[0]}&v={other}")
        assert (response.status_code, response.headers["Cache-Control"]) == (200, SHORT)
    for document in ("", "/tiles", "/tiles/WebMercatorQuad", "/items"):
        assert client.get(f"{path}{document}?v={_version(template)}").status_code == 400


def test_a_restored_database_has_other_versions(
    client: FlaskClient, layer: Layer, empty_database: Engine
) -> None:
    """After a backup has been restored the numbers of changes come again, with other changes."""
    path = f"/ogc/collections/{layer([('POINT(1 2)', {})])}"
    template = _template(client, path)
    tag = _tile(client, template).headers["ETag"]
    with patch.object(way_of(empty_database), "lineage", "another"):
        assert _version(_template(client, path)) != _version(template)
        other = _tile(client, template, {"If-None-Match": tag})
    assert (other.status_code, other.headers["Cache-Control"]) == (200, SHORT)
