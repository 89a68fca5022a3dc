"""The page of imports beside the straight way: what is cancelled, refused, asked, taken back."""

import json
import zipfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import requests
import shapely
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.support.ui import Select

from tests.clients.samsyn_server import Server, make_token
from tests.clients.test_browser import browser
from tests.clients.test_imports_page import (
    _press,
    _settled,
    _text,
    _upload,
    _wait,
    _zones,
    importer,
    importing,
    signed_in,
)
from tests.source_files import write_ogr

__all__ = ["browser", "importer", "importing", "signed_in"]

LAYER = "#report a"


def _points(path: Path, count: int = 2, **properties: Any) -> Path:
    features = [
        {
            "type": "Feature",
            "properties": {"n": number, **properties},
            "geometry": {"type": "Point", "coordinates": [11 + number / 1e6, 57]},
        }
        for number in range(count)
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


def _begin_upload(browser: WebDriver, *files: Path) -> None:
    browser.execute_script("document.getElementById('imports').dataset.busy = 'begun'")
    browser.find_element(By.ID, "files").send_keys("\n".join(map(str, files)))
    browser.find_element(By.CSS_SELECTOR, "#upload-form button").click()


def _is_shown(browser: WebDriver, element: str) -> bool:
    """Whether an element is in the visible part of the page."""
    script = """
        const {top, bottom, height} = document.getElementById(arguments[0]).getBoundingClientRect();
        return height > 0 && top >= 0 && bottom <= innerHeight"""
    return bool(browser.execute_script(script, element))


def _imported(browser: WebDriver, file: Path) -> str:
    """Import a file as it is; return the address of the layer."""
    _upload(browser, file)
    _press(browser, "#commit")
    _settled(browser)
    assert "imported" in _text(browser, "#done-title"), _text(browser, "#problem")
    return str(browser.find_element(By.CSS_SELECTOR, LAYER).get_attribute("href"))


def test_what_is_being_read_is_cancelled(signed_in: WebDriver, tmp_path: Path) -> None:
    browser = signed_in
    _begin_upload(browser, _points(tmp_path / "many.geojson", 50_000))
    _wait(browser, lambda b: "Reading" in _text(b, "#state"))
    browser.find_element(By.ID, "cancel").click()
    _wait(browser, lambda b: "Cancelled" in _text(b, "#state") or _text(b, "#found-title"))
    assert "Cancelled" in _text(browser, "#state")


def test_the_progress_is_seen_beside_the_button(signed_in: WebDriver, tmp_path: Path) -> None:
    browser = signed_in
    _upload(browser, _points(tmp_path / "many.geojson", 50_000))
    commit = browser.find_element(By.ID, "commit")
    browser.execute_script("arguments[0].scrollIntoView({block: 'end'})", commit)
    _press(browser, "#commit")
    _wait(browser, lambda b: "Importing" in _text(b, "#state"))
    assert not commit.is_enabled()
    for element in ("state", "progress", "cancel"):
        assert _is_shown(browser, element), element
    browser.save_screenshot(str(tmp_path / "importing.png"))
    _settled(browser)


def test_layers_of_this_visit_and_of_everyone_are_offered(
    signed_in: WebDriver, importing: Server, tmp_path: Path
) -> None:
    browser = signed_in
    other = make_token(importing.database, "other@x.org")
    shared = {"name": "Of everyone", "source_type": "vector", "visibility": "public"}
    importing.make_layer(other, {**shared, "editable": "everyone"})
    importing.make_layer(other, {**shared, "name": "Of another", "editable": "creator-only"})
    _imported(browser, _points(tmp_path / "just now.geojson"))
    _upload(browser, _points(tmp_path / "more.geojson"))
    Select(browser.find_element(By.NAME, "mode")).select_by_value("replace")
    choice = Select(browser.find_element(By.NAME, "layer_id"))
    _wait(browser, lambda _: len(choice.options) > 1)
    names = {option.text for option in choice.options}
    assert {"just now", "Of everyone"} <= names
    assert "Of another" not in names
    assert "not in the file are deleted" in _text(browser, "#choices")
    Select(browser.find_element(By.NAME, "mode")).select_by_value("append")
    assert "not in the file are deleted" not in _text(browser, "#choices")


def test_what_is_to_be_chosen_is_called_as_on_the_page(
    signed_in: WebDriver, tmp_path: Path
) -> None:
    browser = signed_in
    path = tmp_path / "no positions.csv"
    path.write_text("namn;antal\nÅ;1\n")
    _upload(browser, path)
    found = _text(browser, "#layers") + _text(browser, "#problem")
    assert "Column of WKT" in found
    assert "--" not in found
    point = {"type": "Point", "coordinates": [319180, 6399617]}
    feature = {"type": "Feature", "properties": {}, "geometry": point}
    path = tmp_path / "projected.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    _upload(browser, path)
    _press(browser, "#commit")
    _settled(browser)
    problem = _text(browser, "#problem")
    assert "specify it with “CRS”, such as EPSG:3006" in problem
    assert "--" not in problem


def test_nothing_to_import_is_not_offered(signed_in: WebDriver, tmp_path: Path) -> None:
    browser = signed_in
    path = tmp_path / "nested.zip"
    inner = tmp_path / "inner.zip"
    with zipfile.ZipFile(inner, "w") as archive:
        archive.write(_points(tmp_path / "a.geojson"), "a.geojson")
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(inner, "inner.zip")
        archive.write(inner, "other.zip")
    _upload(browser, path)
    assert "unknown" not in _text(browser, "#layers")
    assert "Nothing of this can be imported" in _text(browser, "#nothing")
    assert not browser.find_element(By.ID, "commit").is_enabled()
    browser.save_screenshot(str(tmp_path / "nothing.png"))
    table = tmp_path / "table.csv"
    table.write_text("namn;antal\nA;1\n")
    _upload(browser, table)
    assert "unknown" not in _text(browser, "#layers")
    assert not browser.find_element(By.ID, "commit").is_enabled()


def test_texts_of_an_unnamed_encoding(signed_in: WebDriver, tmp_path: Path) -> None:
    content = pa.table(
        {"namn": ["Öresund"], "geometry": [shapely.to_wkb(shapely.box(11, 57, 12, 58))]}
    )
    _upload(signed_in, write_ogr(tmp_path / "sund.gpkg", content, "GPKG"))
    found = _text(signed_in, "#layers")
    assert "null" not in found
    assert "Öresund" in found


def test_a_refused_undo_and_another_import(
    signed_in: WebDriver, importing: Server, importer: str, tmp_path: Path
) -> None:
    browser = signed_in
    layer = _imported(browser, _points(tmp_path / "punkter.geojson"))
    layer_id = layer.split("?")[0].rsplit("/", 1)[1]
    renamed = requests.put(
        f"{importing.url}/api/v1/layers/{layer_id}",
        json={"description": "changed since"},
        headers={"Authorization": f"Bearer {importer}"},
        timeout=10,
    )
    assert renamed.status_code == 200, renamed.text
    _press(browser, "#undo")
    _settled(browser)
    problem = _text(browser, "#problem")
    assert problem.count("its definition has changed") == 1
    assert layer_id not in problem
    assert not browser.find_element(By.ID, "found").is_displayed()
    assert browser.find_element(By.ID, "done").is_displayed()
    browser.save_screenshot(str(tmp_path / "refused.png"))
    _press(browser, "#undo-rest")
    _wait(browser, lambda b: "undone" in _text(b, "#done-title"))
    assert "left as it is: its definition has changed" in _text(browser, "#report")
    assert "added" not in _text(browser, "#report")
    browser.save_screenshot(str(tmp_path / "undone.png"))
    _press(browser, "#again")
    _wait(browser, lambda b: b.find_element(By.ID, "commit").is_displayed())
    browser.find_element(By.CSS_SELECTOR, "#reading summary").click()
    browser.find_element(By.NAME, "crs").send_keys("EPSG:4258")
    _press(browser, "#commit")
    _settled(browser)
    assert "Read as ETRS89" in _text(browser, "#report")


def test_a_past_import_is_deleted_when_confirmed(signed_in: WebDriver, tmp_path: Path) -> None:
    browser = signed_in
    _imported(browser, _points(tmp_path / "gone.geojson"))
    rows = [row for row in browser.find_elements(By.CSS_SELECTOR, "#past li") if "gone" in row.text]
    rows[0].find_elements(By.TAG_NAME, "button")[1].click()
    question = browser.switch_to.alert
    assert "can no longer be undone" in question.text
    assert "layers stay" in question.text
    question.dismiss()
    assert "gone.geojson" in _text(browser, "#past")
    rows[0].find_elements(By.TAG_NAME, "button")[1].click()
    browser.switch_to.alert.accept()
    _wait(browser, lambda b: "gone.geojson" not in _text(b, "#past"))
    assert not browser.find_element(By.ID, "done").is_displayed()


def test_faults_that_stop_an_import(signed_in: WebDriver, tmp_path: Path) -> None:
    browser = signed_in
    _upload(browser, _zones(tmp_path / "zoner.geojson"))
    assert "which stop the import" in _text(browser, "#choices")
    _press(browser, "#commit")
    _settled(browser)
    assert "Tick “Leave out what is faulty”" in _text(browser, "#problem")


def test_unrelated_files_are_not_uploaded(signed_in: WebDriver, tmp_path: Path) -> None:
    browser = signed_in
    before = _text(browser, "#past")
    files = [_points(tmp_path / name) for name in ("a.geojson", "b.geojson")]
    _upload(browser, *files)
    assert "These are 2 files." in _text(browser, "#problem")
    shape, other = tmp_path / "zones.shp", tmp_path / "notes.csv"
    for path in (shape, other):
        path.write_bytes(b"")
    browser.execute_script("document.getElementById('upload-form').reset()")
    _upload(browser, shape, other)
    _wait(browser, lambda b: "notes.csv is no part of zones.shp" in _text(b, "#problem"))
    browser.refresh()
    assert _wait(browser, lambda b: _text(b, "#past")) == before


def test_what_is_chosen_for_a_file_is_not_for_the_next(
    signed_in: WebDriver, tmp_path: Path
) -> None:
    browser = signed_in
    _upload(browser, _points(tmp_path / "one.geojson"))
    browser.find_element(By.CSS_SELECTOR, "#reading summary").click()
    browser.find_element(By.NAME, "crs").send_keys("EPSG:4258")
    _upload(browser, _points(tmp_path / "two.geojson"))
    _wait(browser, lambda b: "two.geojson" in _text(b, "#found-title"))
    crs = browser.find_element(By.NAME, "crs")
    assert crs.get_attribute("value") == ""
