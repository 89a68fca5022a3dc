"""Exterior rings are counter-clockwise in GeoJSON of any kind (RFC 7946), whatever was sent."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import shapely
from flask.testing import FlaskClient
from sqlalchemy import Engine

from tests.ogc.conftest import Person
from tests.source_files import load, table, write_ogr, write_parquet

SQUARE = [[0, 0], [0, 4], [4, 4], [4, 0], [0, 0]]
HOLE = [[1, 1], [2, 1], [2, 2], [1, 2], [1, 1]]
LINE = [[9, 9], [7, 8], [5, 9]]
CLOCKWISE: dict[str, Any] = {
    "Polygon": {"type": "Polygon", "coordinates": [SQUARE, HOLE]},
    "MultiPolygon": {"type": "MultiPolygon", "coordinates": [[SQUARE, HOLE], [SQUARE[::-1]]]},
    "GeometryCollection": {
        "type": "GeometryCollection",
        "geometries": [
            {"type": "LineString", "coordinates": LINE},
            {"type": "Polygon", "coordinates": [SQUARE]},
            {"type": "MultiPolygon", "coordinates": [[SQUARE]]},
            {"type": "MultiLineString", "coordinates": [LINE, LINE[::-1]]},
            {"type": "Point", "coordinates": [1, 2]},
        ],
    },
    "Polygon Z": {"type": "Polygon", "coordinates": [[[*position, 7] for position in SQUARE]]},
}


def _polygons(geometry: dict[str, Any]) -> Iterator[list[Any]]:
    if geometry["type"] == "GeometryCollection":
        for member in geometry["geometries"]:
            yield from _polygons(member)
    elif geometry["type"] == "Polygon":
        yield geometry["coordinates"]
    elif geometry["type"] == "MultiPolygon":
        yield from geometry["coordinates"]


def _assert_oriented(geometry: dict[str, Any]) -> None:
    polygons = list(_polygons(geometry))
    assert polygons
    for exterior, *holes in polygons:
        assert shapely.is_ccw(shapely.linearrings(exterior))
        assert not any(shapely.is_ccw(shapely.linearrings(hole)) for hole in holes)


def _feature(geometry: dict[str, Any]) -> dict[str, Any]:
    return {"type": "Feature", "geometry": geometry, "properties": {"name": "a"}}


def _layer(client: FlaskClient, headers: dict[str, str], *features: Any) -> str:
    collection = {"type": "FeatureCollection", "features": list(features)}
    body = {"name": "a", "source_type": "vector", "source_config": {"geojson": collection}}
    response = client.post("/api/v1/layers", json=body, headers=headers)
    assert response.status_code == 201, response.text
    return str(response.json["id"])


def _assert_all_oriented(client: FlaskClient, layer_id: str, headers: dict[str, str]) -> None:
    """Read the layer's features in every kind of GeoJSON."""
    items = f"/ogc/collections/{layer_id}/items"
    page = client.get(items, headers=headers).json["features"]
    assert page
    whole = client.get(f"/api/v1/layers/{layer_id}", headers=headers).json
    sequence = client.get(f"{items}?f=geojsonseq", headers=headers).text.split("\x1e")[1:]
    for features in (
        page,
        [client.get(f"{items}/{feature['id']}", headers=headers).json for feature in page],
        client.get(f"{items}?f=jsonfg", headers=headers).json["features"],
        [json.loads(text) for text in sequence],
        whole["source_config"]["geojson"]["features"],
    ):
        assert len(features) == len(page)
        for feature in features:
            _assert_oriented(feature["geometry"])


@pytest.mark.parametrize("kind", CLOCKWISE)
def test_whatever_is_sent(client: FlaskClient, person: Callable[[str], Person], kind: str) -> None:
    headers = person("owner").headers
    feature = _feature(CLOCKWISE[kind])
    layer_id = _layer(client, headers, feature)
    items = f"/ogc/collections/{layer_id}/items"
    created = client.post(items, json=feature, headers=headers)
    assert created.status_code == 201
    _assert_oriented(created.json["geometry"])
    item = created.headers["Location"]
    assert client.put(item, json=feature, headers=headers).status_code == 200
    patch = {"geometry": CLOCKWISE[kind]}
    assert client.patch(item, json=patch, headers=headers).status_code == 200
    collection = {"type": "FeatureCollection", "features": [feature, feature]}
    assert client.post(items, json=collection, headers=headers).status_code == 201
    bulk = f"/api/v1/layers/{layer_id}/features/bulk"
    assert client.post(bulk, json=collection, headers=headers).status_code == 201
    _assert_all_oriented(client, layer_id, headers)


def test_lines_keep_their_direction(client: FlaskClient, person: Callable[[str], Person]) -> None:
    headers = person("owner").headers
    shapes = [
        {"type": "LineString", "coordinates": LINE},
        {"type": "LineString", "coordinates": SQUARE},
        {"type": "MultiLineString", "coordinates": [SQUARE, LINE]},
        CLOCKWISE["GeometryCollection"],
    ]
    layer_id = _layer(client, headers, *map(_feature, shapes))
    items = f"/ogc/collections/{layer_id}/items"
    collection = {"type": "FeatureCollection", "features": list(map(_feature, shapes))}
    bulk = f"/api/v1/layers/{layer_id}/features/bulk"
    for path in (items, bulk):
        assert client.post(path, json=collection, headers=headers).status_code == 201
    stored = [
        f["geometry"] for f in client.get(f"{items}?limit=99", headers=headers).json["features"]
    ]
    assert len(stored) == 3 * len(shapes)
    for place, geometry in enumerate(stored):
        sent = shapes[place % len(shapes)]
        assert geometry["type"] == sent["type"]
        if geometry["type"] != "GeometryCollection":
            assert geometry == sent
            continue
        assert [part["type"] for part in geometry["geometries"]] == [
            part["type"] for part in sent["geometries"]
        ]
        for part, original in zip(geometry["geometries"], sent["geometries"], strict=True):
            if "Polygon" not in part["type"]:
                assert part == original


def test_a_ring_turned_round_is_no_change(
    client: FlaskClient, person: Callable[[str], Person]
) -> None:
    headers = person("owner").headers
    feature = _feature(CLOCKWISE["MultiPolygon"])
    layer_id = _layer(client, headers, feature)
    stored = client.get(f"/ogc/collections/{layer_id}/items", headers=headers).json["features"]
    item = f"/ogc/collections/{layer_id}/items/{stored[0]['id']}"
    before = client.get(item, headers=headers).headers["ETag"]
    body = {"source_config": {"geojson": {"type": "FeatureCollection", "features": [feature]}}}
    assert client.put(f"/api/v1/layers/{layer_id}", json=body, headers=headers).status_code == 200
    assert client.get(item, headers=headers).headers["ETag"] == before


@pytest.mark.parametrize("driver", ["GPKG", "FlatGeobuf", "GeoJSON", "Parquet"])
def test_whatever_is_imported(
    client: FlaskClient,
    empty_database: Engine,
    person: Callable[[str], Person],
    tmp_path: Path,
    driver: str,
) -> None:
    owner = person("owner")
    shapes = [shapely.Polygon(SQUARE, [HOLE]), shapely.Polygon(SQUARE[::-1])]
    content = table(shapes, {})
    suffixes = {"GPKG": "gpkg", "FlatGeobuf": "fgb", "GeoJSON": "geojson", "Parquet": "parquet"}
    path = tmp_path / f"a.{suffixes[driver]}"
    if driver == "Parquet":
        write_parquet(path, content)
    else:
        write_ogr(path, content, driver, **({"RFC7946": "NO"} if driver == "GeoJSON" else {}))
    (imported,) = load(empty_database, owner.id, path)
    _assert_all_oriented(client, str(imported.layer_id), owner.headers)
