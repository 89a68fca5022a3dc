"""The page of imports in a real browser, by a person's steps: upload, look, import, undo."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.support.ui import Select, WebDriverWait

from tests.clients.samsyn_server import OWNER, Server, make_token, serve
from tests.clients.test_browser import _keeps_to_itself, _open, browser

__all__ = ["browser"]

SECONDS = 60


@pytest.fixture(scope="module")
def importing(clients_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a worker of jobs beside it."""
    folder = tmp_path_factory.mktemp("importing")
    storage = {"STORAGE_DIR": str(folder / "storage"), "JOBS_WORKERS": "1"}
    with serve(clients_database, folder / "log", 1, **storage) as running:
        yield running


@pytest.fixture(scope="module")
def importer(importing: Server) -> str:
    """A token of the owner's that may write."""
    return make_token(importing.database, OWNER)


@pytest.fixture
def signed_in(browser: WebDriver, importing: Server, importer: str) -> Iterator[WebDriver]:
    _sign_in(browser, importing, importer)
    yield browser
    browser.delete_all_cookies()


def _sign_in(browser: WebDriver, server: Server, token: str) -> None:
    _open(browser, server, "/imports")
    browser.find_element(By.CSS_SELECTOR, "main").find_element(By.LINK_TEXT, "Sign in").click()
    browser.find_element(By.ID, "token").send_keys(f"{token}\n")
    _wait(browser, lambda b: b.current_url == f"{server.url}/imports")
    _wait(browser, lambda b: b.find_element(By.ID, "past").text)


def _wait(browser: WebDriver, condition: Callable[[WebDriver], Any]) -> Any:
    return WebDriverWait(browser, SECONDS).until(condition)


def _text(browser: WebDriver, selector: str) -> str:
    return str(browser.find_element(By.CSS_SELECTOR, selector).text)


def _upload(browser: WebDriver, *files: Path) -> None:
    browser.find_element(By.ID, "files").send_keys("\n".join(map(str, files)))
    browser.find_element(By.CSS_SELECTOR, "#upload-form button").click()
    _settled(browser)


def _settled(browser: WebDriver) -> None:
    """Wait until the job is over and its outcome is shown."""
    _wait(
        browser,
        lambda b: (
            b.execute_script("return document.getElementById('imports').dataset.busy") == "false"
            and (_text(b, "#found-title") or _text(b, "#done-title") or _text(b, "#problem"))
        ),
    )


def _press(browser: WebDriver, selector: str) -> None:
    """Press a button by the keyboard."""
    button = browser.find_element(By.CSS_SELECTOR, selector)
    browser.execute_script("document.getElementById('imports').dataset.busy = 'begun'")
    button.send_keys(Keys.ENTER)


def _zones(path: Path) -> Path:
    polygon = {
        "type": "Polygon",
        "coordinates": [[[11, 57], [12, 57], [12, 58], [11, 58], [11, 57]]],
    }
    line = {"type": "LineString", "coordinates": [[11, 57]]}
    features = [
        {
            "type": "Feature",
            "id": f"z{number}",
            "properties": {"namn": f"Området <b>{number}</b>", "dag": "2024-05-01"},
            "geometry": geometry,
        }
        for number, geometry in enumerate([polygon, line, polygon])
    ]
    document = {"type": "FeatureCollection", "features": features}
    path.write_text(json.dumps(document, ensure_ascii=False), encoding="cp1252")
    return path


def test_a_file_is_imported_and_taken_back(
    signed_in: WebDriver, importing: Server, tmp_path: Path
) -> None:
    browser = signed_in
    _upload(browser, _zones(tmp_path / "zoner.geojson"))
    assert "zoner.geojson: GeoJSON" in _text(browser, "#found-title")
    found = _text(browser, "#layers")
    assert "Windows-1252, assumed: the texts are not UTF-8: Området <b>0</b>" in found
    assert "2 Polygon" in found
    assert "longitude 11 to 12, latitude 57 to 58" in found
    assert "A line has one position only." in _text(browser, "#faults")
    assert browser.find_elements(By.CSS_SELECTOR, ".leaflet-overlay-pane path")
    browser.save_screenshot(str(tmp_path / "found.png"))
    _press(browser, "#commit")
    _settled(browser)
    assert "one position only" in _text(browser, "#problem")
    browser.find_element(By.NAME, "skip_faulty").click()
    Select(browser.find_element(By.NAME, "time_field")).select_by_value("dag")
    name = browser.find_element(By.CSS_SELECTOR, ".layer-name")
    name.clear()
    name.send_keys("Zoner i väst")
    _press(browser, "#commit")
    _settled(browser)
    assert _text(browser, "#done-title") == "zoner.geojson: imported"
    assert "Features: 2 added, 1 left out" in _text(browser, "#report")
    link = browser.find_element(By.CSS_SELECTOR, "#report a")
    assert link.text == "Zoner i väst"
    layer = str(link.get_attribute("href"))
    browser.save_screenshot(str(tmp_path / "done.png"))
    cookies = {cookie["name"]: cookie["value"] for cookie in browser.get_cookies()}
    assert requests.get(layer, cookies=cookies, timeout=10).status_code == 200
    browser.refresh()
    _wait(browser, lambda b: "imported" in _text(b, "#done-title"))
    _press(browser, "#undo")
    _wait(browser, lambda b: "undone" in _text(b, "#done-title"))
    assert requests.get(layer, cookies=cookies, timeout=10).status_code == 404
    browser.save_screenshot(str(tmp_path / "undone.png"))
    _keeps_to_itself(browser, importing)


def test_a_wrong_guess_is_corrected(signed_in: WebDriver, tmp_path: Path) -> None:
    browser = signed_in
    point = {"type": "Point", "coordinates": [319180.07, 6399617.34]}
    feature = {"type": "Feature", "properties": {"n": 1}, "geometry": point}
    path = tmp_path / "punkter.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    _upload(browser, path)
    assert "unknown: choose one below" in _text(browser, "#layers")
    browser.save_screenshot(str(tmp_path / "asks.png"))
    browser.find_element(By.NAME, "crs").send_keys("EPSG:3006")
    _press(browser, "#read-again")
    _wait(browser, lambda b: "SWEREF99 TM (EPSG:3006), as chosen" in _text(b, "#layers"))
    assert "latitude 57.7" in _text(browser, "#layers")
    browser.save_screenshot(str(tmp_path / "corrected.png"))


def test_the_page_on_a_telephone(signed_in: WebDriver, tmp_path: Path) -> None:
    browser = signed_in
    screen = {"width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    try:
        _upload(browser, _zones(tmp_path / "zoner.geojson"))
        width = browser.execute_script("return document.documentElement.scrollWidth")
        browser.save_screenshot(str(tmp_path / "telephone.png"))
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert width == screen["width"]


def test_what_cannot_be_read_is_said(signed_in: WebDriver, tmp_path: Path) -> None:
    path = tmp_path / "bild.png"
    path.write_bytes(b"\x89PNG\r\n" + b"x" * 100)
    _upload(signed_in, path)
    assert "cannot be imported" in _text(signed_in, "#problem")


HARDEST = {
    "gj_crs_last.geojson": "SWEREF99 TM (EPSG:3006), the crs member",
    "gj_nan_props.geojson": "4 numbers are not finite",
    "gj_mixed.geojson": "dissolved",
    "gj_one_point_line.geojson": "Faults",
    "gj_geoserver_wfs_4326.json": "longitude before latitude",
    "other_jsonfg.json": "SWEREF99 TM (EPSG:3006), the coordRefSys member",
    "other_esrijson.json": "WGS 84 (EPSG:4326), the spatialReference member",
    "other_topojson.json": "zones",
    "kml_data_called_name.kml": "name_2",
    "kml_simpledata_no_schema.kml": "12.5",
}


def test_the_ten_hardest_files(signed_in: WebDriver, shared: Path, tmp_path: Path) -> None:
    browser = signed_in
    for name, expected in HARDEST.items():
        _upload(browser, shared / "files" / name)
        assert name in _text(browser, "#found-title")
        assert expected in _text(browser, "#layers"), name
        height = browser.execute_script("return document.documentElement.scrollHeight")
        browser.set_window_size(1280, min(height + 200, 4000))
        browser.save_screenshot(str(tmp_path / f"{name}.png"))
        browser.set_window_size(1280, 1000)
        if name != "gj_one_point_line.geojson":
            _press(browser, "#commit")
            _settled(browser)
            assert "imported" in _text(browser, "#done-title"), _text(browser, "#problem")
