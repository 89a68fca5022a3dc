"""Positions outside of the area of their CRS: refused wherever they come from, never folded."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from flask.testing import FlaskClient
from pyproj import CRS, Transformer
from sqlalchemy import Engine, text

from samsyn_model.errors import UnstorableFeatureError
from samsyn_provider.geography.transformation import ToDegrees
from tests.ogc.conftest import Person
from tests.source_files import refused, table, write_ogr

Layer = Callable[..., str]
EPSG = "http://www.opengis.net/def/crs/EPSG/0/"
OUTSIDE = {
    3857: [(1e9, 1e9), (2.1e7, 0.0), (0.0, 3e8), (20_037_508.35, 0.0), (-20_037_508.35, 0.0)],
    25832: [(1e9, 1e9), (500_000.0, 2e7), (6e6, 2e7), (500_000.0, -2e7)],
    3035: [(1e9, 1e9), (9_000_000.0, 2e7)],
    4326: [(0.0, 90.001), (180.001, 0.0)],
}
"""Positions, x before y."""
CUT_OFF = {3857: [(0.0, 3e7), (1e6, -3e7), (0.0, 20_048_967.0)]}
"""Positions that are on the globe, but not in what is read in this CRS."""
INSIDE = {
    3857: [(0.0, 0.0), (20_037_508.342789244, 2e7), (20_037_508.3428, 0.0), (-2e7, -2e7)],
    25832: [(500_000.0, 6e6), (0.0, 0.0), (1_500_000.0, 6e6)],
    3035: [(4_321_000.0, 3_210_000.0), (0.0, 0.0)],
    4326: [(180.0, 90.0), (-180.0, -90.0)],
}


def _cases(positions: dict[int, list[tuple[float, float]]]) -> list[Any]:
    return [(code, position) for code, several in positions.items() for position in several]


def _in_axis_order(code: int, position: tuple[float, float]) -> list[float]:
    return list(reversed(position)) if code in {4326, 3035} else list(position)


def _geometries(position: list[float], other: list[float]) -> list[tuple[dict[str, Any], str]]:
    """Return geometries with a position, and the pointers to it."""
    return [
        ({"type": "Point", "coordinates": position}, "/coordinates"),
        ({"type": "LineString", "coordinates": [other, position]}, "/coordinates/1"),
        (
            {
                "type": "GeometryCollection",
                "geometries": [{"type": "MultiPoint", "coordinates": [other, position]}],
            },
            "/geometries/0/coordinates/1",
        ),
    ]


def _feature(geometry: dict[str, Any]) -> dict[str, Any]:
    return {"type": "Feature", "geometry": geometry, "properties": {}}


@pytest.mark.parametrize("case", [*_cases(OUTSIDE), *_cases(CUT_OFF)])
def test_what_lies_outside_is_refused(
    client: FlaskClient,
    layer: Layer,
    person: Callable[[str], Person],
    empty_database: Engine,
    case: tuple[int, tuple[float, float]],
) -> None:
    code, position = case
    layer_id = layer([("POINT(1 2)", {})])
    headers = {**person("owner").headers, "Content-Crs": f"<{EPSG}{code}>"}
    items = f"/ogc/collections/{layer_id}/items"
    with empty_database.connect() as connection:
        before = connection.execute(text("SELECT id, geom, version FROM layer_features")).all()
    item = f"{items}/{before[0].id}"
    inside = _in_axis_order(code, INSIDE[code][0])
    for geometry, pointer in _geometries(_in_axis_order(code, position), inside):
        feature = _feature(geometry)
        collection = {"type": "FeatureCollection", "features": [_feature(geometry)]}
        for method, path, body, prefix in (
            ("POST", items, feature, "/geometry"),
            ("PUT", item, feature, "/geometry"),
            ("PATCH", item, {"geometry": geometry}, "/geometry"),
            ("POST", items, collection, "/features/0/geometry"),
        ):
            kind = "application/merge-patch+json" if method == "PATCH" else "application/geo+json"
            response = client.open(
                path, method=method, data=json.dumps(body), content_type=kind, headers=headers
            )
            assert response.status_code == 422, (method, geometry)
            assert response.json["errors"][0]["pointer"] == prefix + pointer
        if code != 4326:  # a filter in Mercator may reach beyond what is drawn there
            words = {"filter-lang": "cql2-json", "filter-crs": f"{EPSG}{code}"}
            condition = {"op": "s_intersects", "args": [{"property": "geometry"}, geometry]}
            query = {"filter": json.dumps(condition), **words}
            status = 200 if case in _cases(CUT_OFF) else 400
            assert client.get(items, query_string=query).status_code == status
    with empty_database.connect() as connection:
        after = connection.execute(text("SELECT id, geom, version FROM layer_features")).all()
    assert after == before


@pytest.mark.parametrize(("code", "position"), _cases(INSIDE))
def test_what_lies_inside_is_taken(
    client: FlaskClient,
    layer: Layer,
    person: Callable[[str], Person],
    code: int,
    position: tuple[float, float],
) -> None:
    layer_id = layer([])
    headers = {**person("owner").headers, "Content-Crs": f"<{EPSG}{code}>"}
    sent = _in_axis_order(code, position)
    response = client.post(
        f"/ogc/collections/{layer_id}/items",
        json=_feature({"type": "Point", "coordinates": sent}),
        headers=headers,
    )
    assert response.status_code == 201, response.text
    stored = client.get(response.headers["Location"]).json["geometry"]["coordinates"]
    to_degrees = Transformer.from_crs(code, "OGC:CRS84", always_xy=True)
    expected = to_degrees.transform(*np.clip(position, -20_037_508.342789244, 20_037_508.342789244))
    assert stored == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize("bbox", ["0,2e7,1,2.1e7", "1e9,1e9,1e9,1e9"])
def test_a_box_outside_is_refused(client: FlaskClient, layer: Layer, bbox: str) -> None:
    query = {"bbox": bbox, "bbox-crs": f"{EPSG}25832"}
    response = client.get(f"/ogc/collections/{layer()}/items", query_string=query)
    assert response.status_code == 400
    assert "outside" in response.json["detail"]


@pytest.mark.parametrize(("code", "position"), _cases(OUTSIDE))
def test_a_file_with_a_position_outside_is_refused(
    empty_database: Engine,
    person: Callable[[str], Person],
    tmp_path: Path,
    code: int,
    position: tuple[float, float],
) -> None:
    points = table([shapely.Point(INSIDE[code][0]), shapely.Point(position)], {})
    options = {"geometry_type": "Point", "crs": f"EPSG:{code}"}
    path = write_ogr(tmp_path / "a.gpkg", points, "GPKG", **options)
    reason = refused(empty_database, person("owner").id, path, UnstorableFeatureError)
    assert reason.startswith("Feature 2 ")


@pytest.mark.parametrize(
    "code",
    [3857, 3035, 25832, 3006, 27700, 31467, 5514, 2193, 28992, 31370, 2263, 3413, 8857, 4230],
)
def test_every_place_in_a_crs_is_inside(code: int) -> None:
    area = CRS.from_epsg(code).area_of_use
    assert area is not None
    random = np.random.default_rng(code)
    longitudes = random.uniform(area.west, area.east, 5_000)
    latitudes = random.uniform(max(area.south, -85), min(area.north, 85), 5_000)
    from_degrees = Transformer.from_crs("OGC:CRS84", code, always_xy=True)
    x, y = from_degrees.transform(longitudes, latitudes)
    found = ToDegrees(CRS.from_epsg(code)).transform(x, y)
    assert np.isfinite(found).all()
