"""GDAL has the drivers of our formats alone, wherever it is used."""

from pathlib import Path

import pyogrio
import pytest

from samsyn_provider.geography import gdal
from tests.model.test_architecture import CHECKOUT, PACKAGES, imported_modules


def test_other_drivers_are_not_registered(tmp_path: Path) -> None:
    assert pyogrio.list_drivers().keys() == gdal.DRIVERS
    path = tmp_path / "a.geojson"
    path.write_text('{"type": "Point", "coordinates": [1, 2]}')
    with pytest.raises(pyogrio.errors.DataSourceError, match="not recognized"):
        gdal.list_layers(path)


def test_nothing_is_fetched_by_gdal() -> None:
    with pytest.raises(pyogrio.errors.DataSourceError):
        gdal.list_layers("/vsicurl/http://127.0.0.1:9/a.fgb")


def test_only_one_module_imports_pyogrio() -> None:
    users = {
        str(file.relative_to(CHECKOUT))
        for package in PACKAGES
        for file in (CHECKOUT / package).rglob("*.py")
        for _, module in imported_modules(file.read_text())
        if module.startswith("pyogrio") and not module.startswith("pyogrio.errors.")
    }
    assert users == {"samsyn_provider/geography/gdal.py"}
