"""Rasters on the page of imports, by a person's steps."""

from pathlib import Path

import requests
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.support.ui import Select

from tests.api.imports.rasters.made_rasters import ascii_grid, ramp, tiff
from tests.clients.samsyn_server import Server
from tests.clients.test_browser import _keeps_to_itself, browser
from tests.clients.test_imports_page import (
    _press,
    _settled,
    _text,
    _upload,
    _wait,
    importer,
    importing,
    signed_in,
)

__all__ = ["browser", "importer", "importing", "signed_in"]


def _written(folder: Path, name: str, content: bytes) -> Path:
    (folder / name).write_bytes(content)
    return folder / name


def test_rasters_are_imported_and_replaced(
    signed_in: WebDriver, importing: Server, importer: str, tmp_path: Path
) -> None:
    browser = signed_in
    days = [
        _written(tmp_path, f"sst_2024-05-0{day}.tif", tiff(ramp() + day, nodata=1))
        for day in (1, 2)
    ]
    _upload(browser, *days)
    found = _text(browser, "#layers")
    assert "64 × 64, of 100 × 100" in found
    assert "float32, none is 1" in found
    assert "2 to 64, mean 33" in found
    assert "inferno, 3 to 63" in found
    assert browser.find_elements(By.CSS_SELECTOR, ".leaflet-overlay-pane path")
    assert "One layer with several times:\nsst: 2 times" in _text(browser, "#series")
    for hidden in ("encoding", "time_field", "skip_faulty"):
        assert not browser.find_element(By.NAME, hidden).is_displayed()
    Select(browser.find_element(By.NAME, "colormap")).select_by_visible_text("blues")
    browser.find_element(By.NAME, "lowest").send_keys("5")
    browser.find_element(By.NAME, "highest").send_keys("50.5")
    browser.save_screenshot(str(tmp_path / "found.png"))
    _press(browser, "#commit")
    _settled(browser)
    assert "A raster of 2 times." in _text(browser, "#report")
    headers = {"Authorization": f"Bearer {importer}"}
    url = f"{importing.url}/api/v1/layers"
    (made,) = requests.get(f"{url}?source_type=geotiff", headers=headers, timeout=10).json()
    assert made["source_config"]["processing"] == {
        "colormap": "blues",
        "rescale": "5,50.5",
        "bidx": "1",
    }
    assert made["source_config"]["times"] == ["2024-05-01", "2024-05-02"]

    _upload(browser, _written(tmp_path, "newer.tif", tiff(ramp() + 7)))
    modes = Select(browser.find_element(By.NAME, "mode"))
    shown = [option.text for option in modes.options if option.is_enabled()]
    assert shown == ["new layers", "the new content of a layer"]
    modes.select_by_value("replace")
    _wait(browser, lambda b: "sst" in _text(b, "[name=layer_id]"))
    Select(browser.find_element(By.NAME, "layer_id")).select_by_visible_text("sst")
    _press(browser, "#commit")
    _settled(browser)
    assert "A raster." in _text(browser, "#report")
    (changed,) = requests.get(f"{url}?source_type=geotiff", headers=headers, timeout=10).json()
    assert changed["id"] == made["id"]
    assert changed["source_config"]["statistics"]["b1"]["max"] == 70
    _press(browser, "#undo")
    _wait(browser, lambda b: "undone" in _text(b, "#done-title"))
    assert "It is drawn as it was." in _text(browser, "#report")
    (restored,) = requests.get(f"{url}?source_type=geotiff", headers=headers, timeout=10).json()
    assert restored["source_config"]["times"] == ["2024-05-01", "2024-05-02"]
    browser.save_screenshot(str(tmp_path / "undone.png"))
    _keeps_to_itself(browser, importing)
    requests.delete(f"{url}/{made['id']}", headers=headers, timeout=10)


def test_a_grid_is_given_a_crs(signed_in: WebDriver, tmp_path: Path) -> None:
    browser = signed_in
    _upload(browser, _written(tmp_path, "djup.asc", ascii_grid(ramp(64, "int32"))))
    assert "unknown: choose one below" in _text(browser, "#layers")
    assert browser.find_element(By.ID, "reading").get_attribute("open")
    browser.find_element(By.NAME, "crs").send_keys("EPSG:3006")
    _press(browser, "#read-again")
    _settled(browser)
    layers = _text(browser, "#layers")
    assert "SWEREF99 TM (EPSG:3006), as chosen" in layers, _text(browser, "#problem")
    assert "longitude 11.55" in layers
