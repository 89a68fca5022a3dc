"""QGIS behind nginx with its default configuration, in other time zones, with mixed geometries."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pyproj
import pytest
import requests
import shapely

from tests.clients import plan_layers
from tests.clients.nginx_server import nginx_with, proxy_to
from tests.clients.qgis_session import Qgis
from tests.clients.samsyn_server import Server

COPENHAGEN = "Europe/Copenhagen"
LONG = "x" * 400
"""Long enough for links in headers that nginx would refuse."""
LONG_AGO = {"seen": "2001-01-01T00:00:00Z", "day": "2001-01-01"}
TIMES = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "seen": {"type": "string", "format": "date-time"},
        "day": {"type": "string", "format": "date"},
    },
}


@pytest.fixture(scope="module")
def nginx(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address for clients of an nginx in front of the server."""
    with nginx_with(proxy_to(server.url), tmp_path_factory.mktemp("nginx")) as port:
        yield f"http://127.0.0.1:{port}/ogc"


def make_layer(server: Server, owner: str, *geometries: Any, **members: Any) -> str:
    """Make a public layer of these geometries, named by their number; return its id."""
    features = [
        {"type": "Feature", "geometry": geometry, "properties": {**LONG_AGO, "name": str(number)}}
        for number, geometry in enumerate(geometries)
    ]
    body = {
        "name": "Observations",
        "source_type": "vector",
        "visibility": "public",
        "source_config": {"geojson": {"type": "FeatureCollection", "features": features}},
        **members,
    }
    return server.make_layer(owner, body)


def test_reads_the_same_through_nginx(qgis: Qgis, server: Server, nginx: str, areas: str) -> None:
    """In the layer's other CRS, filtered, of the view alone, page by page."""
    to_utm = pyproj.Transformer.from_crs("OGC:CRS84", "EPSG:25832", always_xy=True)
    view = to_utm.transform_bounds(*plan_layers.KATTEGAT)
    task: dict[str, Any] = {
        "collection": areas,
        "srsname": "EPSG:25832",
        "page_size": 50,
        "only_in_view": True,
        "filter": f'"number" > 100 AND "name" <> \'{LONG}\'',
        "bbox": view,
    }
    before = len(server.requests())
    direct, proxied = (qgis.do("read", url=url, **task) for url in (server.ogc, nginx))
    for layer in (direct, proxied):
        assert layer["valid"], layer
        assert layer["crs"] == "EPSG:25832"
        assert layer["feature_count"] == 1000, "QGIS counts no more features of a filter"
    found, through_nginx = _numbers(direct), _numbers(proxied)
    assert through_nginx == found
    expected = _in_view(to_utm, view)
    assert set(found) == set(expected)
    for number, geometry in found.items():
        assert shapely.from_wkb(geometry).hausdorff_distance(expected[number]) < 0.001
    sent = [line for line in server.requests()[before:] if f"/{areas}/items?" in line]
    assert any("bbox=" in line and "filter=" in line and "25832" in line for line in sent)


def _numbers(layer: dict[str, Any]) -> dict[int, str]:
    """Return the geometry of each feature, by its number."""
    found = {f["properties"]["number"]: f["geometry"] for f in layer["features"]}
    assert len(found) == len(layer["features"])
    return found


def _in_view(to_utm: pyproj.Transformer, view: plan_layers.Bbox) -> dict[int, Any]:
    """Return the geometry of each area that the filter matches and the view shows, in metres."""
    box, numbers = shapely.box(*view), {}
    to_metres: Any = to_utm.transform
    for feature in plan_layers.AREAS:
        if feature.geometry is None or feature.properties["number"] <= 100:
            continue
        area = shapely.transform(feature.geometry, to_metres, interleaved=False)
        if area.intersects(box):
            numbers[feature.properties["number"]] = area
    return numbers


def test_times_that_are_entered(qgis: Qgis, server: Server, nginx: str, owner: str) -> None:
    """QGIS sends the clock's time without its offset: that time is stored as one in UTC."""
    point = {"type": "Point", "coordinates": [11, 57]}
    layer = make_layer(server, owner, *[point] * 4, property_schema=TIMES, geometry_type="Point")
    steps = [
        {"typed": {"seen": "2024-05-01T10:00:00", "day": "2024-05-01T00:00:00"}},
        {"typed": {"seen": "2024-05-01T00:00:00"}},
        {"calculated": {"seen": "now()", "day": "now()"}},
        {"calculated": {"seen": "to_datetime('2024-05-01 10:00:00')", "day": "now()"}},
    ]
    changes = [
        {"do": "change", "where": f"\"name\" = '{number}'", **step}
        for number, step in enumerate(steps)
    ]
    task: dict[str, Any] = {"url": nginx, "collection": layer, "time_zone": COPENHAGEN}
    before = _clock()
    done = qgis.do("edit", **task, token=owner, credentials="basic", steps=changes)
    assert done["errors"] == []
    after = _clock() + timedelta(seconds=1)
    items = requests.get(f"{server.ogc}/collections/{layer}/items", timeout=10).json()["features"]
    typed, midnight, now, calculated = (item["properties"] for item in items)
    assert (typed["seen"], typed["day"]) == ("2024-05-01T10:00:00Z", "2024-05-01")
    assert midnight["seen"] == "2024-05-01T00:00:00Z"
    assert before <= datetime.fromisoformat(now["seen"]) <= after
    assert now["day"] in (str(before.date()), str(after.date()))
    assert calculated["seen"] == "2024-05-01T10:00:00Z"
    assert calculated["day"] == now["day"]
    read = qgis.do("read", **task)["features"]
    assert read[0]["properties"]["seen"] == "2024-05-01T10:00:00.000Z"
    selected = {
        "\"seen\" = '2024-05-01T10:00:00Z'": ["0", "3"],
        "\"seen\" = '2024-05-01T12:00:00'": ["0", "3"],  # QGIS takes this one as a local time
        "\"seen\" < now() - to_interval('1 day')": ["0", "1", "3"],
    }
    for condition, names in selected.items():
        found = qgis.do("read", **task, filter=condition)["features"]
        assert [feature["properties"]["name"] for feature in found] == names, condition


def _clock() -> datetime:
    """Return what a clock in Copenhagen shows, as if it were UTC."""
    return datetime.now(ZoneInfo(COPENHAGEN)).replace(tzinfo=UTC, microsecond=0)


def test_a_layer_of_mixed_geometries(qgis: Qgis, server: Server, owner: str) -> None:
    """QGIS has all features of a layer, but draws those of its first one's type alone."""
    point = {"type": "Point", "coordinates": [11.5, 57.5]}
    square, other = (shapely.geometry.mapping(shapely.box(x, 57, x + 1, 58)) for x in (12, 14))
    several = {"type": "MultiPolygon", "coordinates": [other["coordinates"]]}
    layer = make_layer(server, owner, square, point, several)
    read = qgis.do("read", url=server.ogc, collection=layer)
    assert read["geometry_type"] == "Polygon"
    kinds = [shapely.from_wkb(feature["geometry"]).geom_type for feature in read["features"]]
    assert kinds == ["Polygon", "Point", "MultiPolygon"]
    drawn = qgis.do(
        "render",
        url=server.ogc,
        collection=layer,
        extent=(11, 56, 16, 59),
        positions=[(12.5, 57.5), (11.5, 57.5), (14.5, 57.5), (13.5, 56.5)],
    )
    assert drawn == [True, False, True, False]
