"""The pages in a real browser: headless Chromium, driven by Selenium."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.support.ui import WebDriverWait

from tests.clients.samsyn_server import Server

HOSTILE = '</script><script>document.title = "broken"</script><img src=x onerror="alert(1)">'
FLAGS = (
    "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run"
    " --disable-background-networking --disable-component-update --disable-sync"
    " --window-size=1280,1000"
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebDriver]:
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("no Chromium: Debian's packages chromium and chromium-driver bring it")
    options = Options()
    options.binary_location = chromium
    for flag in (*FLAGS.split(), f"--user-data-dir={tmp_path_factory.mktemp('browser')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    running = webdriver.Chrome(options=options, service=Service(driver))
    yield running
    running.quit()


@pytest.fixture(scope="module")
def hostile(server: Server, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The id of a public layer whose every text tries to be markup."""
    file = tmp_path_factory.mktemp("source") / "hostile.geojson"
    collection = {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "properties": {"text": HOSTILE, HOSTILE: "name", "arabic": "مرحبا"},
                "geometry": {"type": "Point", "coordinates": [11.5, 57]},
            },
            {"type": "Feature", "properties": {"text": None}, "geometry": None},
        ],
    }
    file.write_text(json.dumps(collection))
    return server.import_layer(file, "--public", "--name", HOSTILE)


def _open(browser: WebDriver, server: Server, path: str) -> None:
    browser.get_log("browser")
    browser.get_log("performance")
    browser.get(f"{server.url}{path}")
    WebDriverWait(browser, 20).until(
        lambda b: b.execute_script("return document.readyState") == "complete"
    )


def _drawn(browser: WebDriver, selector: str) -> int:
    """Wait until something is drawn on the map; return how much."""
    wait = WebDriverWait(browser, 20)
    wait.until(lambda b: b.find_elements(By.CSS_SELECTOR, selector))
    return len(browser.find_elements(By.CSS_SELECTOR, selector))


def _requests_and_complaints(browser: WebDriver) -> tuple[set[str], list[str]]:
    """Return the addresses that the page requested, and what the console says."""
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    requested = {
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    }
    # The browser's own first tab loads itself late on a busy machine.
    requested = {url for url in requested if not url.startswith("chrome://")}
    return requested, [entry["message"] for entry in browser.get_log("browser")]


def _keeps_to_itself(browser: WebDriver, server: Server) -> None:
    requested, complaints = _requests_and_complaints(browser)
    assert requested
    assert all(url.startswith((server.url, "data:")) for url in requested), requested
    assert complaints == []


def _states(browser: WebDriver, layer: str) -> list[str]:
    selector = f"[data-items*='{layer}'] .state"
    return [state.text for state in browser.find_elements(By.CSS_SELECTOR, selector)]


FEATURES = ".leaflet-overlay-pane path"
LAND = ".leaflet-coasts-pane path"


def test_start_page_draws_the_public_layers(
    browser: WebDriver, server: Server, areas: str, hostile: str, tmp_path: Path
) -> None:
    _open(browser, server, "/")
    WebDriverWait(browser, 30).until(
        lambda b: b.execute_script("return document.documentElement.dataset.drawn") == "true"
    )
    assert _drawn(browser, FEATURES) > 500
    assert _drawn(browser, LAND) > 0
    assert browser.find_element(By.ID, "qgis-url").text == f"{server.ogc}/"
    assert _states(browser, areas) == ["The first 1000 are drawn"]
    assert _states(browser, hostile) == [""]
    links = [link.get_attribute("href") for link in browser.find_elements(By.TAG_NAME, "a")]
    assert f"{server.ogc}/collections/{areas}?f=html" in links
    arcs = [
        path.get_attribute("d").count("a")
        for path in browser.find_elements(By.CSS_SELECTOR, FEATURES)
    ]
    assert arcs == sorted(arcs), "a point lies under an area"
    shot = tmp_path / "start.png"
    assert browser.save_screenshot(str(shot))
    assert shot.stat().st_size > 20_000
    _keeps_to_itself(browser, server)


def test_start_page_tells_what_it_could_not_draw(
    browser: WebDriver, server: Server, areas: str, hostile: str
) -> None:
    browser.execute_cdp_cmd("Network.enable", {})
    blocked = [f"*/{areas}/items*", "*/land-50m.json"]
    browser.execute_cdp_cmd("Network.setBlockedURLs", {"urls": blocked})
    try:
        _open(browser, server, "/")
        assert _drawn(browser, FEATURES) == 1
        assert [text[:9] for text in _states(browser, areas)] == ["Not drawn"]
        assert _states(browser, hostile) == [""]
        assert not browser.find_elements(By.CSS_SELECTOR, LAND)
        assert not [line for line in _requests_and_complaints(browser)[1] if "Uncaught" in line]
    finally:
        browser.execute_cdp_cmd("Network.setBlockedURLs", {"urls": []})


@pytest.mark.parametrize("path", ["/ogc/?f=html", "/ogc/conformance?f=html"])
def test_pages_without_a_map(browser: WebDriver, server: Server, path: str) -> None:
    _open(browser, server, path)
    assert browser.find_element(By.TAG_NAME, "h1").text
    _keeps_to_itself(browser, server)


@pytest.mark.parametrize(
    ("page", "definition"),
    [
        ("/ogc/openapi?f=html", "/ogc/openapi?f=json"),
        ("/api/docs", "/api/v1/openapi.json"),
    ],
)
def test_api_definitions_can_be_read(
    browser: WebDriver, server: Server, page: str, definition: str
) -> None:
    paths = requests.get(f"{server.url}{definition}", timeout=10).json()["paths"]
    operations = [
        method for operations in paths.values() for method in operations if method != "parameters"
    ]
    _open(browser, server, page)
    assert _drawn(browser, ".swagger-ui .opblock") == len(operations)
    _keeps_to_itself(browser, server)


def test_a_collection_is_browsed_to_a_feature(
    browser: WebDriver, server: Server, areas: str
) -> None:
    _open(browser, server, "/ogc/collections?f=html")
    browser.find_element(By.PARTIAL_LINK_TEXT, "Områden").click()
    assert _drawn(browser, FEATURES) == 1
    browser.find_element(By.PARTIAL_LINK_TEXT, "Browse 1,234 features").click()
    assert _drawn(browser, FEATURES) == 10
    browser.find_element(By.LINK_TEXT, "Next →").click()
    assert _drawn(browser, FEATURES) == 10
    rows = browser.find_elements(By.CSS_SELECTOR, "tbody tr")
    assert "Område 11" in rows[0].text
    rows[0].find_element(By.TAG_NAME, "a").click()
    assert _drawn(browser, FEATURES) == 1
    assert "Område 11" in browser.find_element(By.TAG_NAME, "table").text
    _keeps_to_itself(browser, server)


def test_hostile_text_does_nothing(browser: WebDriver, server: Server, hostile: str) -> None:
    for path in ("", "/schema", "/queryables", "/items"):
        _open(browser, server, f"/ogc/collections/{hostile}{path}?f=html")
        assert browser.title != "broken"
        assert not browser.find_elements(By.CSS_SELECTOR, "img[src=x]")
        assert HOSTILE in browser.find_element(By.TAG_NAME, "main").get_property("textContent")
        _keeps_to_itself(browser, server)
    browser.find_element(By.CSS_SELECTOR, FEATURES).click()
    WebDriverWait(browser, 10).until(  # the popup fades in
        lambda b: HOSTILE in b.find_element(By.CSS_SELECTOR, ".leaflet-popup-content").text
    )
    popup = browser.find_element(By.CSS_SELECTOR, ".leaflet-popup-content")
    assert not popup.find_elements(By.TAG_NAME, "img")


@pytest.mark.parametrize("page", ["/items?f=html&crs={}", "/items/{id}?f=html&crs={}"])
def test_pages_draw_in_degrees_whatever_crs_is_asked_for(
    browser: WebDriver, server: Server, areas: str, page: str
) -> None:
    first = requests.get(f"{server.ogc}/collections/{areas}/items?limit=1", timeout=10).json()
    path = page.format("http://www.opengis.net/def/crs/EPSG/0/3857", id=first["features"][0]["id"])
    _open(browser, server, f"/ogc/collections/{areas}{path}")
    assert _drawn(browser, FEATURES) >= 1
    given = json.loads(
        browser.find_element(By.ID, "features").get_property("textContent")  # type: ignore[arg-type]
    )
    drawn = given["features"][0] if "features" in given else given
    assert drawn["geometry"] == first["features"][0]["geometry"]


def test_a_feature_without_a_place(browser: WebDriver, server: Server, hostile: str) -> None:
    items = requests.get(f"{server.ogc}/collections/{hostile}/items", timeout=10).json()
    (placeless,) = (item["id"] for item in items["features"] if not item["geometry"])
    _open(browser, server, f"/ogc/collections/{hostile}/items/{placeless}?f=html")
    assert "no geometry" in browser.find_element(By.TAG_NAME, "main").text
    assert not browser.find_elements(By.ID, "map")
    _keeps_to_itself(browser, server)


PHONE_PAGES = (
    "/",
    "/ogc/?f=html",
    "/ogc/conformance?f=html",
    "/ogc/openapi?f=html",
    "/ogc/collections?f=html",
    "/ogc/collections/{}?f=html",
    "/ogc/collections/{}/schema?f=html",
    "/ogc/collections/{}/items?f=html",
)


def test_pages_fit_on_a_telephone(browser: WebDriver, server: Server, areas: str) -> None:
    screen = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    try:
        for path in PHONE_PAGES:
            _open(browser, server, path.format(areas))
            width = browser.execute_script("return document.documentElement.scrollWidth")
            assert width == screen["width"], path
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.fixture
def pacific(server: Server, tmp_path: Path) -> str:
    """The id of a public layer across the antimeridian."""
    file = tmp_path / "pacific.geojson"
    geometries: list[dict[str, object]] = [
        {"type": "Point", "coordinates": [177, -18]},
        {
            "type": "MultiPolygon",
            "coordinates": [
                [[[178, -19], [180, -19], [180, -16], [178, -16], [178, -19]]],
                [[[-180, -19], [-178, -19], [-178, -16], [-180, -16], [-180, -19]]],
            ],
        },
        {"type": "LineString", "coordinates": [[-179, -20], [-175, -14]]},
    ]
    features = [
        {"type": "Feature", "properties": {"name": "x"}, "geometry": geometry}
        for geometry in geometries
    ]
    file.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return server.import_layer(file, "--public", "--name", "Pacific")


@pytest.mark.parametrize("page", ["", "/items"])
def test_maps_across_the_antimeridian(
    browser: WebDriver, server: Server, pacific: str, page: str, tmp_path: Path
) -> None:
    _open(browser, server, f"/ogc/collections/{pacific}{page}?f=html")
    assert _drawn(browser, FEATURES) == (3 if page else 1)
    assert _drawn(browser, LAND) == 3
    boxes = browser.execute_script(
        f"return [...document.querySelectorAll('{FEATURES}')].map((path) => path.getBBox())"
        ".map(({ x, width }) => [x, x + width])"
    )
    span = max(box[1] for box in boxes) - min(box[0] for box in boxes)
    width = browser.find_element(By.ID, "map").size["width"]
    assert max(box[1] - box[0] for box in boxes) < width, "drawn around the world"
    assert width / 4 < span < width
    assert browser.save_screenshot(str(tmp_path / "pacific.png"))


def test_land_has_no_bands_across_the_map(browser: WebDriver, server: Server, pacific: str) -> None:
    """No segment of the coasts is longer than a twelfth of the world, but those along the pole."""
    _open(browser, server, f"/ogc/collections/{pacific}?f=html")
    assert _drawn(browser, LAND) == 3
    script = """
        const done = arguments[0];
        fetch(document.getElementById("map").dataset.land)
          .then((response) => response.json())
          .then((atlas) => {
            const { coordinates } = samsynMap.land(atlas);
            done(coordinates.flat().flatMap((ring) => ring.slice(1).map(([x, y], index) =>
              [Math.abs(x - ring[index][0]), y])).filter(([step]) => step > 30));
          });"""
    assert {abs(latitude) for _, latitude in browser.execute_async_script(script)} <= {90}
