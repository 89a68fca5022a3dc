"""GDAL's driver of vector tiles reads what is served, and finds the source's features in it."""

import json
import math
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import requests
import shapely

from tests.clients import plan_layers
from tests.clients.samsyn_server import Server

LEVEL = 8
UNIT = 2 * math.pi * 6378137 / 2**LEVEL / 4096  # of a tile, in metres of Web Mercator


def tile_of(longitude: float, latitude: float) -> tuple[int, int]:
    """The column and the row of WebMercatorQuad that hold a place."""
    col = (longitude + 180) / 360 * 2**LEVEL
    row = (1 - math.asinh(math.tan(math.radians(latitude))) / math.pi) / 2 * 2**LEVEL
    return int(col), int(row)


@pytest.fixture
def tile(server: Server, areas: str, tmp_path: Path) -> Any:
    """A tile of the areas as GDAL reads it: features of GeoJSON in Web Mercator."""
    if shutil.which("ogr2ogr") is None:
        pytest.skip("ogr2ogr is not installed (apt-get install gdal-bin)")
    col, row = tile_of(10.9, 56.3)
    tilejson = f"{server.ogc}/collections/{areas}/tiles/WebMercatorQuad?f=tilejson"
    (template,) = requests.get(tilejson, timeout=10).json()["tiles"]
    assert "&v=" in template
    address = template.replace("{z}/{y}/{x}", f"{LEVEL}/{row}/{col}")
    copy = tmp_path / "tile.geojson"
    options = ["-oo", f"X={col}", "-oo", f"Y={row}", "-oo", f"Z={LEVEL}"]
    subprocess.run(
        ["ogr2ogr", "-f", "GeoJSON", "-lco", "RFC7946=NO", copy, f"MVT:{address}", *options],
        check=True,
        capture_output=True,
    )
    return json.loads(copy.read_text())["features"]


def test_its_features_are_the_sources(tile: Any) -> None:
    sources = {f.properties["number"]: f for f in plan_layers.AREAS}
    assert len(tile) > 10
    for feature in tile:
        properties = feature["properties"]
        source = sources[properties["number"]]
        assert type(properties["number"]) is int
        assert properties["name"] == source.properties["name"]
        for name in ("depth", "protected"):
            assert properties.get(name) == source.properties[name]
        assert source.geometry is not None
        drawn = shapely.make_valid(shapely.geometry.shape(feature["geometry"]))
        moved = shapely.transform(source.geometry, _in_mercator)
        # what lies in the tile is drawn to half a unit, its simplified outline to one
        assert drawn.difference(moved.buffer(2 * UNIT)).area < UNIT**2


def test_what_lies_within_it_is_there(tile: Any) -> None:
    col, row = tile_of(10.9, 56.3)
    west, east = (edge / 2**LEVEL * 360 - 180 for edge in (col, col + 1))
    north, south = (
        math.degrees(math.atan(math.sinh(math.pi * (1 - 2 * edge / 2**LEVEL))))
        for edge in (row, row + 1)
    )
    inside = plan_layers.within(plan_layers.AREAS, (west, south, east, north))
    drawn = {feature["properties"]["number"] for feature in tile}
    assert {f.properties["number"] for f in inside} <= drawn


def _in_mercator(points: Any) -> Any:
    moved = points.copy()
    moved[:, 0] = [math.radians(x) * 6378137 for x in points[:, 0]]
    moved[:, 1] = [math.asinh(math.tan(math.radians(y))) * 6378137 for y in points[:, 1]]
    return moved
