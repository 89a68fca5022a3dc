"""The pages in a real browser: headless Chromium, driven by Selenium."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.remote.webelement import WebElement
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


SQUARE = ((0, 0), (0.9, 0), (0.9, 0.9), (0, 0.9), (0, 0))


@pytest.fixture(scope="module")
def grid(server: Server, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The id of a public layer of 400 squares, one a degree, named by their place."""
    file = tmp_path_factory.mktemp("source") / "grid.geojson"
    features = [
        {
            "type": "Feature",
            "properties": {"text": HOSTILE, "column": x, "row": y},
            "geometry": {
                "type": "Polygon",
                "coordinates": [
                    [
                        [x + a, 40 + y + b]
                        for a, b in ((0, 0), (0.9, 0), (0.9, 0.9), (0, 0.9), (0, 0))
                    ]
                ],
            },
        }
        for y in range(20)
        for x in range(20)
    ]
    file.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return server.import_layer(file, "--public", "--name", "Grid")


TILES_ARE_DRAWN = "return document.getElementById('map').dataset.drawn === 'true'"
PAINTED = """
    const pixels = (canvas) =>
      canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
    return [...document.querySelectorAll(".leaflet-tiles-pane canvas")]
      .reduce((sum, canvas) => sum + pixels(canvas).filter((v, i) => i % 4 === 3 && v).length, 0);
"""
"""How many pixels of the tiles are not transparent."""


def _click_map(browser: WebDriver, longitude: float, latitude: float) -> None:
    """Click on the map at a position, on whatever is there."""
    browser.execute_script(
        """
        const { map } = samsynMap;
        map.getContainer().scrollIntoView({ behavior: "instant", block: "center" });
        const { x, y } = map.latLngToContainerPoint([arguments[1], arguments[0]]);
        const box = map.getContainer().getBoundingClientRect();
        const place = { clientX: box.left + x, clientY: box.top + y, bubbles: true };
        const target = document.elementFromPoint(place.clientX, place.clientY);
        for (const type of ["mousedown", "mouseup", "click"]) {
          target.dispatchEvent(new MouseEvent(type, place));
        }""",
        longitude,
        latitude,
    )


def _popup(browser: WebDriver, text: str) -> WebElement:
    """Wait for a popup with a text; return it. The one before it may be fading away."""

    def matching(browser: WebDriver) -> list[WebElement]:
        popups = browser.find_elements(By.CSS_SELECTOR, ".leaflet-popup-content")
        return [popup for popup in popups if text in popup.text]

    ignored = [StaleElementReferenceException]
    return WebDriverWait(browser, 20, ignored_exceptions=ignored).until(matching)[-1]


def _wait_for_tiles(browser: WebDriver) -> None:
    WebDriverWait(browser, 20).until(lambda b: b.execute_script(TILES_ARE_DRAWN))


def test_the_layer_is_drawn_from_its_tiles(browser: WebDriver, server: Server, grid: str) -> None:
    """Below the features of a page are the others; each has a popup with all of its properties."""
    _open(browser, server, f"/ogc/collections/{grid}/items?f=html&limit=10&filter=column+>+9")
    assert _drawn(browser, FEATURES) == 10
    _wait_for_tiles(browser)
    painted = browser.execute_script(PAINTED)
    assert painted > 1_000
    for column, row in ((17, 0), (11, 1)):  # of the page, and of the tiles alone
        _click_map(browser, column + 0.45, 40 + row + 0.45)
        popup = _popup(browser, f"row\n{row}")
        assert f"column\n{column}" in popup.text
        assert HOSTILE in popup.text
        assert not popup.find_elements(By.CSS_SELECTOR, "img, script")
        address = popup.find_element(By.TAG_NAME, "a").get_attribute("href")
        assert address
        found = requests.get(address.replace("f=html", "f=json"), timeout=10).json()
        assert (found["properties"]["column"], found["properties"]["row"]) == (column, row)
    _keeps_to_itself(browser, server)
    assert browser.title != "broken"


def test_the_view_of_the_map_as_a_box(browser: WebDriver, server: Server, grid: str) -> None:
    _open(browser, server, f"/ogc/collections/{grid}/items?f=html&sortby=-row")
    browser.execute_script(
        "samsynMap.map.fitBounds([[44.1, 4.1], [45.8, 6.8]], { animate: false, padding: [0, 0] })"
    )
    browser.find_element(By.CSS_SELECTOR, "#filter summary").click()
    box = browser.execute_script("return samsynMap.map.getBounds().toBBoxString()").split(",")
    browser.find_element(By.ID, "this-view").click()
    WebDriverWait(browser, 20).until(lambda b: "bbox=" in b.current_url)
    assert "sortby=-row" in browser.current_url
    sent = parse_qs(urlsplit(browser.current_url).query)["bbox"][0].split(",")
    assert [float(edge) for edge in sent] == pytest.approx([float(e) for e in box], abs=1e-4)
    query = {"bbox": ",".join(sent), "resulttype": "hits"}
    url = f"{server.ogc}/collections/{grid}/items"
    matched = requests.get(url, params=query, timeout=10).json()["numberMatched"]
    assert 0 < matched < 400
    assert browser.find_element(By.CSS_SELECTOR, ".span").text.endswith(f"of {matched}")
    _keeps_to_itself(browser, server)


def test_the_form_in_a_browser(browser: WebDriver, server: Server, grid: str) -> None:
    """The address has what was filled in alone; the form is there again, and clears."""
    _open(browser, server, f"/ogc/collections/{grid}/items?f=html")
    browser.find_element(By.CSS_SELECTOR, "#filter summary").click()
    browser.find_element(By.NAME, "from.column").send_keys("18")
    browser.find_element(By.NAME, "text.text").send_keys("ALERT(1)")
    browser.find_element(By.XPATH, "//button[text()='Apply']").click()
    WebDriverWait(browser, 20).until(lambda b: "filter=" in b.current_url)
    requested, _ = _requests_and_complaints(browser)
    (sent,) = (url for url in requested if "/form?" in url)
    assert set(parse_qs(urlsplit(sent).query)) == {"from.column", "how.text", "text.text"}
    assert browser.find_element(By.CSS_SELECTOR, ".span").text == "Features 1–10 of 40"
    assert browser.find_element(By.NAME, "from.column").get_property("value") == "18"
    browser.find_element(By.LINK_TEXT, "Next →").click()
    browser.find_element(By.LINK_TEXT, "Next →").click()
    assert browser.find_element(By.CSS_SELECTOR, ".span").text == "Features 21–30 of 40"
    browser.find_element(By.LINK_TEXT, "← Previous").click()
    assert browser.find_element(By.CSS_SELECTOR, ".span").text == "Features 11–20 of 40"
    browser.find_element(By.LINK_TEXT, "Clear").click()
    assert browser.find_element(By.CSS_SELECTOR, ".span").text == "Features 1–10 of 400"


@pytest.mark.parametrize("path", ["", "/tiles/WebMercatorQuad"])
def test_pages_that_show_the_tiles(
    browser: WebDriver, server: Server, grid: str, path: str
) -> None:
    _open(browser, server, f"/ogc/collections/{grid}{path}?f=html")
    _wait_for_tiles(browser)
    assert browser.execute_script(PAINTED) > 1_000
    _click_map(browser, 3.45, 47.45)
    assert "column\n3" in _popup(browser, "row\n7").text
    _keeps_to_itself(browser, server)


def test_the_address_for_qgis_is_copied(browser: WebDriver, server: Server, grid: str) -> None:
    _open(browser, server, f"/ogc/collections/{grid}?f=html")
    button = browser.find_element(By.CSS_SELECTOR, "[data-copy]")
    button.click()
    WebDriverWait(browser, 10).until(lambda _: button.text == "Copied")
    selected = browser.execute_script(
        "const { value, selectionStart, selectionEnd } = document.getElementById('qgis-address');"
        "return value.slice(selectionStart, selectionEnd)"
    )
    assert selected == f"{server.ogc}/"


def test_pages_without_javascript(browser: WebDriver, server: Server, grid: str) -> None:
    """The form selects, the headings sort, and pages follow each other."""
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.get(f"{server.ogc}/collections/{grid}/items?f=html")
        browser.find_element(By.CSS_SELECTOR, "#filter summary").click()
        assert not browser.find_element(By.ID, "this-view").is_displayed()
        browser.find_element(By.NAME, "to.column").send_keys("1")
        browser.find_element(By.XPATH, "//button[text()='Apply']").click()
        WebDriverWait(browser, 20).until(lambda b: "filter=" in b.current_url)
        assert browser.find_element(By.CSS_SELECTOR, ".span").text == "Features 1–10 of 40"
        browser.find_element(By.CSS_SELECTOR, "thead").find_element(By.LINK_TEXT, "row").click()
        browser.find_element(By.CSS_SELECTOR, "thead").find_element(By.LINK_TEXT, "row").click()
        first = browser.find_element(By.CSS_SELECTOR, "tbody tr").text
        assert first.split()[-2:] == ["19", "Polygon"]
        browser.find_element(By.LINK_TEXT, "Next →").click()
        browser.find_element(By.LINK_TEXT, "← Previous").click()
        assert browser.find_element(By.CSS_SELECTOR, "tbody tr").text == first
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_hostile_text_does_nothing(browser: WebDriver, server: Server, hostile: str) -> None:
    for path in ("", "/schema", "/queryables", "/tiles", "/tiles/WebMercatorQuad", "/items"):
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
    "/ogc/collections/{}/tiles?f=html",
    "/ogc/collections/{}/tiles/WebMercatorQuad?f=html",
    "/ogc/tileMatrixSets/WebMercatorQuad?f=html",
    "/ogc/collections/{}/items?f=html",
    "/ogc/collections/{}/items?f=html&bbox=1",
    "/ogc/collections/{}/items?f=html&bbox=1,2,30,80&limit=100",
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


def test_a_dot_says_that_a_collection_has_changed(
    browser: WebDriver, server: Server, owner: str, hostile: str
) -> None:
    address = f"{server.ogc}/collections/{hostile}/items"
    _open(browser, server, f"/ogc/collections/{hostile}/items?f=html")
    dot = browser.find_element(By.CSS_SELECTOR, "[data-events]")
    WebDriverWait(browser, 20).until(lambda b: b.execute_script("return known !== ''"))
    assert not dot.is_displayed()
    rows = len(browser.find_elements(By.CSS_SELECTOR, "tbody tr"))
    feature = {"type": "Feature", "properties": {"text": "new"}, "geometry": None}
    made = requests.post(
        address, json=feature, headers={"Authorization": f"Bearer {owner}"}, timeout=30
    )
    assert made.status_code == 201, made.text
    WebDriverWait(browser, 20).until(lambda _: dot.is_displayed())
    assert len(browser.find_elements(By.CSS_SELECTOR, "tbody tr")) == rows  # nothing has moved
    dot.click()
    WebDriverWait(browser, 20).until(
        lambda b: len(b.find_elements(By.CSS_SELECTOR, "tbody tr")) == rows + 1
    )
    assert _requests_and_complaints(browser)[1] == []
