"""QGIS draws vector tiles by the template of TileJSON, whose addresses have a version."""

from pathlib import Path

import requests
from pyproj import Transformer
from shapely import MultiPolygon, box, to_geojson

from tests.clients.qgis_session import Qgis
from tests.clients.samsyn_server import Server

PLACES = [(10.0, 56.0), (12.0, 57.0)]
ELSEWHERE = (11.0, 56.0)


def test_a_template_with_a_version(qgis: Qgis, server: Server, tmp_path: Path) -> None:
    file = tmp_path / "squares.geojson"
    squares = MultiPolygon([box(x - 0.4, y - 0.4, x + 0.4, y + 0.4) for x, y in PLACES])
    file.write_text(to_geojson(squares))
    layer = server.import_layer(file, "--public")
    tilejson = f"{server.ogc}/collections/{layer}/tiles/WebMercatorQuad?f=tilejson"
    (template,) = requests.get(tilejson, timeout=10).json()["tiles"]
    place = Transformer.from_crs("EPSG:4326", "EPSG:3857", always_xy=True).transform
    found = qgis.do(
        "draw tiles",
        template=template,
        extent=[*place(9, 55), *place(13, 58)],
        positions=[place(*position) for position in (*PLACES, ELSEWHERE)],
    )
    assert found == {"valid": True, "drawn": [True, True, False]}
    asked = [line for line in server.requests() if f"/{layer}/tiles/WebMercatorQuad/" in line]
    assert asked
    version = template.partition("&v=")[2]
    assert all(line.endswith(f"&v={version}") for line in asked), asked
