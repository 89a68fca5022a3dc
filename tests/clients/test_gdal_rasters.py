"""GDAL reads rasters of layers with a token: the file in parts, and tiles by WMTS."""

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.api.imports.rasters.made_rasters import NORTH, WEST, ramp, tiff
from tests.clients.samsyn_server import OWNER, Server, run_samsyn, serve

SECONDS = 120
pytestmark = pytest.mark.skipif(
    shutil.which("gdalinfo") is None, reason="gdalinfo is not installed (apt-get install gdal-bin)"
)


@pytest.fixture(scope="module")
def importing(clients_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a worker of jobs beside it."""
    folder = tmp_path_factory.mktemp("rasters")
    storage = {"STORAGE_DIR": str(folder / "storage"), "JOBS_WORKERS": "1"}
    with serve(clients_database, folder / "log", 1, **storage) as running:
        yield running


@pytest.fixture(scope="module")
def token(importing: Server) -> str:
    return run_samsyn(importing.database, "token", "create", OWNER, "--scope", "write")


@pytest.fixture(scope="module")
def layer(importing: Server, token: str) -> str:
    """The address of a private layer, imported as a person would."""
    headers, api = {"Authorization": f"Bearer {token}"}, f"{importing.url}/api/v1"
    content = tiff(ramp(700), nodata=0)
    created = requests.post(
        f"{api}/imports", files={"file": ("noise.tif", content)}, headers=headers, timeout=60
    ).json()
    path = f"{api}/imports/{created['id']}"
    _wait(path, headers)
    requests.post(f"{path}/commit", json={}, headers=headers, timeout=60).raise_for_status()
    (made,) = _wait(path, headers)["report"]["layers"]
    return f"{api}/layers/{made['layer_id']}"


def _wait(path: str, headers: dict[str, str]) -> dict[str, dict[str, list[dict[str, str]]]]:
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        found = requests.get(path, headers=headers, timeout=10).json()
        if found["job"]["status"] == "successful":
            return dict(found)
        assert found["job"]["status"] in {"accepted", "running"}, found["job"]
        time.sleep(0.5)
    raise AssertionError("the job does not end")


def _run(name: str, *arguments: str, token: str | None = None) -> subprocess.CompletedProcess[str]:
    options = ["--config", "GDAL_HTTP_HEADERS", f"Authorization: Bearer {token}"] if token else []
    return subprocess.run(
        [name, *options, *arguments],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


def test_the_file_is_read_in_parts(layer: str, token: str) -> None:
    address = f"/vsicurl/{layer}/file"
    found = json.loads(_run("gdalinfo", "-json", address, token=token).stdout)
    assert found["metadata"]["IMAGE_STRUCTURE"]["LAYOUT"] == "COG"
    assert found["bands"][0]["overviews"]
    original = _run("gdalinfo", "-json", f"{address}?original=true", token=token)
    assert json.loads(original.stdout)["size"] == [700, 700]
    place = (str(WEST + 20_050), str(NORTH - 20_050))
    value = _run(
        "gdallocationinfo", "-valonly", "-geoloc", f"{address}?original=true", *place, token=token
    )
    assert float(value.stdout) == 200


def test_without_a_token_there_is_no_file(layer: str) -> None:
    for path in ("file", "file?original=true"):
        assert _run("gdalinfo", f"/vsicurl/{layer}/{path}").returncode != 0
    assert _run("gdalinfo", f"WMTS:{layer}/wmts.xml").returncode != 0


def test_tiles_are_drawn_by_wmts(layer: str, token: str, tmp_path: Path) -> None:
    picture = tmp_path / "picture.png"
    drawn = _run(
        *("gdal_translate", "-of", "PNG", "-outsize", "200", "0"),
        *(f"WMTS:{layer}/wmts.xml", str(picture)),
        token=token,
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
