"""Tile matrix sets, tilesets and TileJSON: their content, and that it holds for the tiles."""

import json
import math
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine, text

from tests.ogc.conftest import Person
from tests.ogc.tiles.decoding import decode
from tests.statements import statements

Layer = Callable[..., str]
REL = "http://www.opengis.net/def/rel/ogc/1.0"
FIELDS = {
    "name": {"type": "string"},
    "depth": {"type": ["number", "null"]},
    "rank": {"type": "integer"},
    "open": {"type": "boolean"},
    "tags": {"type": "array"},
}


def _get(client: FlaskClient, path: str, **arguments: Any) -> dict[str, Any]:
    response = client.get(path, **arguments)
    assert response.status_code == 200, response.text
    assert isinstance(response.json, dict)
    return response.json


def _links(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {link["rel"]: link for link in document["links"]}


GRIDS = {
    "WebMercatorQuad": {
        "crs": "http://www.opengis.net/def/crs/EPSG/0/3857",
        "scale": 559082264.028717,
        "cell": 156543.033928041,
        "origin": [-20037508.3427892, 20037508.3427892],
        "columns": 1,
    },
    "WorldCRS84Quad": {
        "crs": "http://www.opengis.net/def/crs/OGC/1.3/CRS84",
        "scale": 279541132.014359,
        "cell": 0.703125,
        "origin": [-180, 90],
        "columns": 2,
    },
}
"""The first matrix of each in the OGC's register."""


@pytest.mark.parametrize("grid", GRIDS)
def test_tile_matrix_sets(client: FlaskClient, grid: str) -> None:
    first: dict[str, Any] = GRIDS[grid]
    listed = _get(client, "/ogc/tileMatrixSets")["tileMatrixSets"]
    (entry,) = (entry for entry in listed if entry["id"] == grid)
    document = _get(client, _links(entry)["self"]["href"])
    assert document["uri"] == f"http://www.opengis.net/def/tilematrixset/OGC/1.0/{grid}"
    assert document["crs"] == entry["crs"] == first["crs"]
    assert entry["uri"] == document["uri"]
    matrices = document["tileMatrices"]
    assert [matrix["id"] for matrix in matrices] == [str(n) for n in range(len(matrices))]
    assert len(matrices) > 20
    for level, matrix in enumerate(matrices):
        assert matrix["scaleDenominator"] == pytest.approx(first["scale"] / 2**level, rel=1e-12)
        assert matrix["cellSize"] == pytest.approx(first["cell"] / 2**level, rel=1e-12)
        assert matrix["pointOfOrigin"] == pytest.approx(first["origin"], rel=1e-12)
        assert (matrix["matrixWidth"], matrix["matrixHeight"]) == (
            first["columns"] * 2**level,
            2**level,
        )
        assert (matrix["tileWidth"], matrix["tileHeight"]) == (256, 256)


def test_from_the_list_of_tilesets_to_a_tile(client: FlaskClient, layer: Layer) -> None:
    layer_id = layer([("POINT(11 57)", {"name": "a"})], fields=FIELDS, name="Ports")
    address = f"/ogc/collections/{layer_id}/tiles"
    document = _get(client, address)
    assert client.get(_links(document)["self"]["href"]).json == document
    assert {entry["tileMatrixSetId"] for entry in document["tilesets"]} == {
        "WebMercatorQuad",
        "WorldCRS84Quad",
    }
    for entry in document["tilesets"]:
        assert (entry["dataType"], entry["title"]) == ("vector", "Ports")
        tileset = _get(client, _links(entry)["self"]["href"])
        assert {name: tileset[name] for name in ("crs", "tileMatrixSetURI", "dataType")} == {
            name: entry[name] for name in ("crs", "tileMatrixSetURI", "dataType")
        }
        links = _links(tileset)
        scheme = _get(client, links[f"{REL}/tiling-scheme"]["href"])
        assert (scheme["id"], scheme["crs"]) == (entry["tileMatrixSetId"], entry["crs"])
        assert _get(client, links[f"{REL}/geodata"]["href"])["id"] == layer_id
        item = links["item"]
        assert item["templated"] is True
        assert item["type"] == "application/vnd.mapbox-vector-tile"
        limits = {limit["tileMatrix"]: limit for limit in tileset["tileMatrixSetLimits"]}
        assert len(limits) == len(scheme["tileMatrices"])
        for level in ("0", "9", "17"):
            limit = limits[level]
            assert limit["minTileRow"] == limit["maxTileRow"]
            tile = client.get(
                item["href"]
                .replace("{tileMatrix}", level)
                .replace("{tileRow}", str(limit["minTileRow"]))
                .replace("{tileCol}", str(limit["minTileCol"]))
            )
            assert tile.status_code == 200
            assert list(decode(tile.data)) == [tileset["layers"][0]["id"]] == [layer_id]


def test_a_tileset_describes_its_layer(client: FlaskClient, layer: Layer) -> None:
    layer_id = layer(
        [("LINESTRING(8 54, 12.5 58)", {})],
        fields=FIELDS,
        name="Cables",
        description="On the bottom",
        geometry_type="MultiLineString",
    )
    document = _get(client, f"/ogc/collections/{layer_id}/tiles/WebMercatorQuad")
    (described,) = document["layers"]
    assert (described["title"], described["description"]) == ("Cables", "On the bottom")
    assert described["geometryDimension"] == 1
    assert {
        name: schema["type"] for name, schema in described["propertiesSchema"]["properties"].items()
    } == {
        "name": "string",
        "depth": "number",
        "rank": "integer",
        "open": "boolean",
        "tags": "array",
    }
    assert document["boundingBox"]["lowerLeft"] == pytest.approx([8, 54])
    assert document["boundingBox"]["upperRight"] == pytest.approx([12.5, 58])


def test_tilejson(client: FlaskClient, layer: Layer) -> None:
    layer_id = layer([("POINT(8 54)", {}), ("POINT(12.5 88)", {})], fields=FIELDS, name="Ports")
    address = f"/ogc/collections/{layer_id}/tiles/WebMercatorQuad"
    response = client.get(address, query_string={"f": "tilejson"})
    assert response.mimetype == "application/vnd.mapbox.tile+json"
    document = response.json
    assert document is not None
    assert client.get(address, headers={"Accept": response.mimetype}).json == document
    assert document["tilejson"] == "3.0.0"
    assert document["bounds"] == pytest.approx([8, 54, 12.5, 85.05112877980659])
    (described,) = document["vector_layers"]
    assert described["id"] == layer_id
    assert described["fields"] == {
        "name": "String",
        "depth": "Number",
        "rank": "Number",
        "open": "Boolean",
        "tags": "String",
    }
    assert document["minzoom"] == 0
    assert 14 <= document["maxzoom"] <= 24
    (template,) = document["tiles"]
    zoom = document["maxzoom"]
    x = math.floor((8 + 180) / 360 * 2**zoom)
    y = math.floor((1 - math.asinh(math.tan(math.radians(54))) / math.pi) / 2 * 2**zoom)
    url = template.replace("{z}", str(zoom)).replace("{x}", str(x)).replace("{y}", str(y))
    assert len(decode(client.get(url).data)[layer_id]) == 1
    tileset = _get(client, address)
    alternates = {link["type"]: link for link in tileset["links"] if link["rel"] == "alternate"}
    assert client.get(alternates[response.mimetype]["href"]).json == document
    other = address.replace("WebMercatorQuad", "WorldCRS84Quad")
    assert client.get(other, query_string={"f": "tilejson"}).status_code == 400
    assert [
        link["type"] for link in _get(client, other)["links"] if link["rel"] == "alternate"
    ] == ["text/html"]


def test_layers_without_schema_or_features(client: FlaskClient, layer: Layer) -> None:
    bare = layer([("POINT(1 1)", {"n": 1, "s": "a", "m": 1}), (None, {"m": "x", "z": None})])
    document = _get(client, f"/ogc/collections/{bare}/tiles/WebMercatorQuad?f=tilejson")
    assert document["vector_layers"][0]["fields"] == {"n": "Number", "s": "String", "m": "String"}
    empty = layer()
    document = _get(client, f"/ogc/collections/{empty}/tiles/WebMercatorQuad?f=tilejson")
    assert "bounds" not in document
    assert document["vector_layers"][0]["fields"] == {}
    tileset = _get(client, f"/ogc/collections/{empty}/tiles/WorldCRS84Quad")
    assert "boundingBox" not in tileset
    assert "tileMatrixSetLimits" not in tileset


def test_a_map_describes_only_what_its_reader_may_read(
    client: FlaskClient, layer: Layer, person: Callable[[str], Person], empty_database: Engine
) -> None:
    public = layer([("POINT(1 1)", {})], fields=FIELDS, name="Shown")
    secret = layer([("POINT(50 50)", {"hush": 1})], visibility="private", name="Secret")
    planner = person("planner")
    with empty_database.begin() as connection:
        map_id = connection.execute(
            text(
                "INSERT INTO maps (name, created_by, view_permission)"
                " VALUES ('Plan', :owner, 'public') RETURNING id"
            ),
            {"owner": planner.id},
        ).scalar_one()
        for order, layer_id in enumerate((secret, public)):
            connection.execute(
                text('INSERT INTO map_layers (map_id, layer_id, "order") VALUES (:m, :l, :o)'),
                {"m": map_id, "l": layer_id, "o": order},
            )
    address = f"/ogc/maps/{map_id}/tiles"
    listed = _get(client, address)
    assert {entry["title"] for entry in listed["tilesets"]} == {"Plan"}
    tileset = _get(client, _links(listed["tilesets"][0])["self"]["href"])
    assert [entry["id"] for entry in tileset["layers"]] == [public]
    assert tileset["boundingBox"]["upperRight"] == pytest.approx([1, 1])
    for path in (f"{address}/WebMercatorQuad", f"{address}/WebMercatorQuad?f=tilejson"):
        document = json.dumps(_get(client, path))
        assert secret not in document
        assert "hush" not in document
    owner = person("owner").headers
    tilejson = _get(client, f"{address}/WebMercatorQuad?f=tilejson", headers=owner)
    assert [entry["id"] for entry in tilejson["vector_layers"]] == [secret, public]
    assert tilejson["bounds"] == pytest.approx([1, 1, 50, 50])
    tile = client.get(
        tilejson["tiles"][0].replace("{z}", "0").replace("{y}", "0").replace("{x}", "0"),
        headers=owner,
    )
    assert list(decode(tile.data)) == [secret, public]


def test_strictness(client: FlaskClient, layer: Layer) -> None:
    collection = f"/ogc/collections/{layer()}/tiles"
    for path in (
        "/ogc/tileMatrixSets",
        "/ogc/tileMatrixSets/WebMercatorQuad",
        collection,
        f"{collection}/WebMercatorQuad",
    ):
        assert client.get(path, query_string={"f": "json"}).mimetype == "application/json"
        assert client.get(path, query_string={"f": "html"}).mimetype == "text/html"
        assert client.get(path, query_string={"colour": "red"}).status_code == 400
        assert client.get(path, headers={"Accept": "image/png"}).status_code == 406
        accepted = client.get(path, headers={"Accept": "text/html,*/*;q=0.8"})
        assert accepted.mimetype == "text/html"
        assert client.head(path).status_code == 200
        refused = client.delete(path)
        assert refused.status_code == 405
        assert "GET" in refused.headers["Allow"]
    for path in ("/ogc/tileMatrixSets/x", f"{collection}/x"):
        assert client.get(path).status_code == 404


def test_pages_of_tiles(client: FlaskClient, layer: Layer) -> None:
    """Each page names what its document has, escaped, and costs no more statements."""
    title = "<i>Ports</i>"
    fields = {"<b>": {"type": "string", "description": "<u>"}}
    located = layer([("POINT(11 57)", {"<b>": "a"})], fields=fields, name=title)
    empty = layer(name=title)
    for layer_id in (located, empty):
        url = f"/ogc/collections/{layer_id}/tiles"
        for path in ("", "/WebMercatorQuad", "/WorldCRS84Quad"):
            with statements() as by_json:
                document = _get(client, url + path)
            with statements() as by_page:
                page = client.get(f"{url}{path}?f=html").text
            assert len(by_page) == len(by_json)
            assert "<title>Tiles of &lt;i&gt;Ports&lt;/i&gt;" in page
            assert "WebMercatorQuad?f=tilejson" in page or path == "/WorldCRS84Quad"
            assert not any(markup in page for markup in (title, "<b>", "<u>"))
            (address,) = (
                link["href"]
                for link in document["links"]
                if (link["rel"], link["type"]) == ("alternate", "text/html")
            )
            assert client.get(address).text == page
            limits = document.get("tileMatrixSetLimits", [])
            assert page.count('<th scope="row">') >= len(limits)
            has_map = layer_id == located and path == "/WebMercatorQuad"
            assert (f"{url}/WebMercatorQuad/{{z}}/{{y}}/{{x}}" in page) == (
                has_map or (path == "/WebMercatorQuad" and layer_id == empty)
            )
            assert ('id="map"' in page) == has_map
    for path in ("/ogc/tileMatrixSets", *(f"/ogc/tileMatrixSets/{grid}" for grid in GRIDS)):
        page = client.get(f"{path}?f=html").text
        for entry in _get(client, path).get("tileMatrices", []):
            assert f'<th scope="row">{entry["id"]}</th>' in page
