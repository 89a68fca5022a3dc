"""QGIS draws a private layer of a raster: its tiles by WMTS, and the file itself in parts."""

from typing import Any

import pytest
from pyproj import Transformer

from tests.api.imports.rasters.made_rasters import NORTH, WEST
from tests.clients.qgis_session import Qgis

SIDE = 70_000
"""Metres of the raster, which is a ramp from west to east."""


def drawn(qgis: Qgis, raster_layer: str, **task: Any) -> Any:
    """Draw the middle of the raster; return the colours in its west and east."""
    to_mercator = Transformer.from_crs("EPSG:3006", "EPSG:3857", always_xy=True)
    y = NORTH - SIDE / 2
    west, east = (to_mercator.transform(WEST + share * SIDE, y) for share in (0.1, 0.9))
    (x0, y0), (x1, y1) = west, east
    margin = (x1 - x0) / 10
    extent = [x0 - margin, min(y0, y1) - margin, x1 + margin, max(y0, y1) + margin]
    return qgis.do("draw raster", extent=extent, positions=[west, east], **task)


@pytest.mark.parametrize("kind", ["wmts", "file"])
def test_a_private_raster(qgis: Qgis, raster_layer: str, raster_owner: str, kind: str) -> None:
    layer_id = raster_layer.rpartition("/")[2]
    source = {"wmts": f"{raster_layer}/wmts.xml", "file": f"{raster_layer}/file"}
    task = {kind: source[kind], "layer": layer_id}
    found = drawn(qgis, raster_layer, **task, token=raster_owner)
    assert found["valid"], found
    assert found["crs"] == "EPSG:3857"
    west, east = found["colours"]
    assert west[3] == east[3] == 255
    assert sum(east[:3]) > sum(west[:3]), "from dark to bright"
    assert not drawn(qgis, raster_layer, **task)["valid"]
