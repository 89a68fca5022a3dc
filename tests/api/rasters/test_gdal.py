"""GDAL of the tiler opens GeoTIFFs, and nothing by which it could be led elsewhere."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.api.rasters.conftest import Files

_PROGRAM = """
import json, sys
from samsyn_admin.tiler.gdal import leave_drivers
leave_drivers()
import rasterio
opened = []
for name in sys.argv[1:]:
    try:
        with rasterio.open(name) as dataset:
            opened.append(name)
    except rasterio.errors.RasterioError:
        pass
with rasterio.Env() as environment:
    print(json.dumps([sorted(environment.drivers()), opened]))
"""


def in_tiler(*names: str) -> Any:
    """Return the drivers that there are, and which of the names are opened, by any of them."""
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, *names], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


@pytest.fixture
def vrt(geotiffs: dict[str, Path]) -> str:
    """A VRT of a GeoTIFF, as text."""
    return (
        '<VRTDataset rasterXSize="1" rasterYSize="1"><VRTRasterBand dataType="Float32" band="1">'
        f"<SimpleSource><SourceFilename>{geotiffs['plain.tif']}</SourceFilename></SimpleSource>"
        "</VRTRasterBand></VRTDataset>"
    )


def test_nothing_but_geotiffs_is_opened(
    geotiffs: dict[str, Path], files: Files, vrt: str, tmp_path: Path
) -> None:
    plain = str(geotiffs["plain.tif"])
    written = tmp_path / "written.tif"
    written.write_text(vrt)
    text = tmp_path / "grid.tif"
    text.write_text("ncols 1\nnrows 1\nxllcorner 0\nyllcorner 0\ncellsize 1\n1\n")
    before = files.remote.connections
    drivers, opened = in_tiler(
        plain,
        vrt,
        str(written),
        str(text),
        f"vrt://{plain}",
        f"/vsicurl/{files.remote.url}/cog.tif",
        f"/vsicurl?url={files.remote.url}/cog.tif",
        f"{files.remote.url}/cog.tif",
        f"/vsicurl_streaming/{files.remote.url}/cog.tif",
        f"/vsizip//vsicurl/{files.remote.url}/cog.tif",
        "/vsis3/bucket/cog.tif",
        f"WMTS:{files.remote.url}/wmts",
        f"WMS:{files.remote.url}/wms?",
        f"STACIT:{files.remote.url}/items",
        f"NETCDF:{plain}:band",
    )
    assert drivers == ["GTiff", "MEM", "PNG"]
    assert opened == [plain]
    assert files.remote.connections == before
