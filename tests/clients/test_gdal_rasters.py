"""GDAL reads rasters of layers with a token: the file in parts, and tiles by WMTS."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.api.imports.rasters.made_rasters import NORTH, WEST

SECONDS = 120
pytestmark = pytest.mark.skipif(
    shutil.which("gdalinfo") is None, reason="gdalinfo is not installed (apt-get install gdal-bin)"
)


def _run(name: str, *arguments: str, token: str | None = None) -> subprocess.CompletedProcess[str]:
    options = ["--config", "GDAL_HTTP_HEADERS", f"Authorization: Bearer {token}"] if token else []
    return subprocess.run(
        [name, "--config", "GDAL_ENABLE_WMS_CACHE", "NO", *options, *arguments],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


def test_the_file_is_read_in_parts(raster_layer: str, raster_owner: str) -> None:
    address = f"/vsicurl/{raster_layer}/file"
    found = json.loads(_run("gdalinfo", "-json", address, token=raster_owner).stdout)
    assert found["metadata"]["IMAGE_STRUCTURE"]["LAYOUT"] == "COG"
    assert found["bands"][0]["overviews"]
    original = _run("gdalinfo", "-json", f"{address}?original=true", token=raster_owner)
    assert json.loads(original.stdout)["size"] == [700, 700]
    place = (str(WEST + 20_050), str(NORTH - 20_050))
    value = _run(
        "gdallocationinfo",
        "-valonly",
        "-geoloc",
        f"{address}?original=true",
        *place,
        token=raster_owner,
    )
    assert float(value.stdout) == 200


def test_without_a_token_there_is_no_file(raster_layer: str) -> None:
    for path in ("file", "file?original=true"):
        assert _run("gdalinfo", f"/vsicurl/{raster_layer}/{path}").returncode != 0
    assert _run("gdalinfo", f"WMTS:{raster_layer}/wmts.xml").returncode != 0


def test_tiles_are_drawn_by_wmts(raster_layer: str, raster_owner: str, tmp_path: Path) -> None:
    picture = tmp_path / "picture.png"
    drawn = _run(
        *("gdal_translate", "-of", "PNG", "-outsize", "200", "0"),
        *(f"WMTS:{raster_layer}/wmts.xml", str(picture)),
        token=raster_owner,
    )
    assert drawn.returncode == 0, drawn.stderr
    west, east = (
        _run("gdallocationinfo", "-valonly", str(picture), column, "100").stdout.split()
        for column in ("30", "170")
    )
    # viridis, from violet to yellow, and opaque
    assert [int(value) for value in west[:3]] != [int(value) for value in east[:3]]
    assert int(east[0]) > int(west[0])
    assert int(east[3]) == 255
