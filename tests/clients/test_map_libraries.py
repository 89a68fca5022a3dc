"""OpenLayers and MapLibre GL JS draw layers in Chromium, from pages of another origin."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import requests
from selenium.webdriver.remote.webdriver import WebDriver

from tests.clients import plan_layers
from tests.clients.frontend_session import chromium
from tests.clients.map_libraries import MapPage, serving_map_pages
from tests.clients.samsyn_server import Server

MIDDLE = 620
"""The number of the area in the middle of HERE."""
HERE: plan_layers.Bbox = (10.85, 56.05, 11.35, 56.45)
BESIDE: plan_layers.Bbox = (10.45, 56.05, 10.95, 56.45)
ALL_MOORINGS: plan_layers.Bbox = (10.9, 56.9, 11.9, 57.9)
THIS_MACHINE = "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE pages.localhost"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebDriver]:
    """A browser that finds this machine only."""
    with chromium(tmp_path_factory.mktemp("browser"), THIS_MACHINE) as running:
        yield running


@pytest.fixture(scope="module")
def openlayers(browser: WebDriver, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MapPage]:
    with serving_map_pages(tmp_path_factory.mktemp("openlayers"), "ol") as url:
        yield MapPage(browser, f"{url}/openlayers.html")


@pytest.fixture(scope="module")
def maplibre(browser: WebDriver, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MapPage]:
    with serving_map_pages(tmp_path_factory.mktemp("maplibre"), "maplibre-gl") as url:
        yield MapPage(browser, f"{url}/maplibre.html")


def _numbers_within(bbox: Sequence[float]) -> set[int]:
    west, south, east, north = bbox
    here = plan_layers.within(plan_layers.AREAS, (west, south, east, north))
    return {feature.properties["number"] for feature in here}


def test_openlayers_loads_the_items_in_view(
    openlayers: MapPage, server: Server, areas: str
) -> None:
    drawn = openlayers.does("items", f"{server.ogc}/collections/{areas}", BESIDE, HERE)
    assert 100 < drawn["before"] < drawn["after"] < len(plan_layers.AREAS)
    assert drawn["before"] == drawn["with_ids"]
    assert set(drawn["features"]) == _numbers_within(drawn["extent"])
    assert len(drawn["features"]) == len(set(drawn["features"])), "features have ids"
    assert f"Område {MIDDLE}" in drawn["middle"]
    assert openlayers.complaints() == []


@pytest.mark.parametrize(
    ("grid", "projection"), [("WebMercatorQuad", "EPSG:3857"), ("WorldCRS84Quad", "EPSG:4326")]
)
def test_openlayers_draws_tiles(
    openlayers: MapPage, server: Server, areas: str, grid: str, projection: str
) -> None:
    tileset = f"{server.ogc}/collections/{areas}/tiles/{grid}"
    drawn = openlayers.does("tiles", tileset, projection, HERE)
    assert set(drawn["features"]) >= _numbers_within(drawn["extent"])
    assert drawn["layers"] == [areas]
    assert f"Område {MIDDLE}" in drawn["middle"]
    assert openlayers.complaints() == []


def _tilejson(server: Server, layer: str) -> str:
    return f"{server.ogc}/collections/{layer}/tiles/WebMercatorQuad?f=tilejson"


def _items(server: Server, layer: str) -> str:
    return f"{server.ogc}/collections/{layer}/items?f=json&limit=10000"


def _served(server: Server, layer: str, **headers: str) -> dict[int, dict[str, Any]]:
    """Return the properties of a layer's features by their id."""
    response = requests.get(_items(server, layer), headers=headers, timeout=30)
    return {item["id"]: item["properties"] for item in response.json()["features"]}


def test_maplibre_draws_tiles(maplibre: MapPage, server: Server, areas: str) -> None:
    drawn = maplibre.does("tiles", _tilejson(server, areas), areas, HERE)
    assert drawn["failures"] == []
    assert {feature["number"] for feature in drawn["features"]} == _numbers_within(drawn["bounds"])
    served = _served(server, areas)
    for feature in drawn["features"]:
        expected = {k: v for k, v in served[feature.pop("id")].items() if v is not None}
        assert feature == expected
    assert maplibre.complaints() == []


def test_maplibre_draws_items(maplibre: MapPage, server: Server, areas: str) -> None:
    drawn = maplibre.does("items", _items(server, areas), HERE)
    assert drawn["failures"] == []
    assert {feature["number"] for feature in drawn["features"]} == _numbers_within(drawn["bounds"])
    served = _served(server, areas)
    assert all(feature["name"] == served[feature["id"]]["name"] for feature in drawn["features"])
    assert maplibre.complaints() == []


def test_maplibre_draws_a_private_layer_with_a_token(
    maplibre: MapPage, server: Server, moorings: str, token: str
) -> None:
    served = _served(server, moorings, Authorization=f"Bearer {token}")
    assert len(served) == len(plan_layers.MOORINGS)
    tilejson, items = _tilejson(server, moorings), _items(server, moorings)
    for drawn in (
        maplibre.does("tiles", tilejson, moorings, ALL_MOORINGS, token),
        maplibre.does("items", items, ALL_MOORINGS, token),
    ):
        assert drawn["failures"] == []
        assert {feature["id"] for feature in drawn["features"]} == set(served)
        assert maplibre.complaints() == []


def test_maplibre_is_refused_a_private_layer(
    maplibre: MapPage, server: Server, moorings: str
) -> None:
    tilejson, items = _tilejson(server, moorings), _items(server, moorings)
    for drawn in (
        maplibre.does("tiles", tilejson, moorings, ALL_MOORINGS),
        maplibre.does("items", items, ALL_MOORINGS),
    ):
        assert drawn["features"] == []
        assert drawn["failures"] == [404]
