"""QGIS draws a layer as the web app does: from a GeoPackage, from QML and from SLD."""

from typing import Any

import pytest
import requests

from tests.clients.qgis_session import Qgis
from tests.clients.samsyn_server import OWNER, Server, make_token

COLOUR = "#c2410c"
STYLE = {"color": COLOUR, "lineWidth": 4, "fillPolygons": True}
AREA = {"type": "Polygon", "coordinates": [[[10, 55], [12, 55], [12, 57], [10, 55]]]}
LINE = {"type": "LineString", "coordinates": [[10, 55], [11, 56]]}
POINT = {"type": "Point", "coordinates": [10, 55]}
ALPHA = 178
DRAWN: dict[str, dict[str, Any]] = {
    "Polygon": {"outline": COLOUR, "is_filled": True, "width": 3, "unit": "Point"},
    "LineString": {"width": 3, "unit": "Point"},
    "Point": {"shape": "circle", "width": 12, "unit": "Point"},
}
"""What QGIS has beside the colour; lengths in points of 1/72 inch."""


def _feature(geometry: Any, **properties: Any) -> dict[str, Any]:
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def _create(server: Server, style: dict[str, Any], *features: dict[str, Any]) -> str:
    """Create a public layer of these features, as the web app does; return its collection."""
    token = make_token(server.database, OWNER)
    body = {
        "name": "Färger",
        "source_type": "vector",
        "visibility": "public",
        "style_config": style,
        "source_config": {"geojson": {"type": "FeatureCollection", "features": list(features)}},
    }
    return f"{server.ogc}/collections/{server.make_layer(token, body)}"


def _content(address: str) -> bytes:
    response = requests.get(address, timeout=60)
    assert response.status_code == 200, response.text
    return response.content


@pytest.mark.parametrize("geometry", [AREA, LINE, POINT], ids=list(DRAWN))
def test_a_downloaded_geopackage_has_the_colours_of_its_layer(
    qgis: Qgis, server: Server, geometry: dict[str, Any]
) -> None:
    address = _create(server, STYLE, _feature(geometry))
    path = qgis.store("layer.gpkg", _content(f"{address}/items?f=gpkg"))
    drawn = qgis.do("draw", path=path)
    assert drawn["loaded"], drawn["message"]
    symbol = {"colour": COLOUR, "alpha": ALPHA, **DRAWN[geometry["type"]]}
    assert drawn["symbols"] == [symbol]
    assert drawn["features"] == [[symbol]]


@pytest.mark.parametrize("geometry", [AREA, LINE, POINT], ids=list(DRAWN))
def test_a_style_file_has_the_colours_of_its_layer(
    qgis: Qgis, server: Server, geometry: dict[str, Any]
) -> None:
    address = _create(server, STYLE, _feature(geometry))
    symbol = {"colour": COLOUR, "alpha": ALPHA, **DRAWN[geometry["type"]]}
    path = qgis.store("layer.qml", _content(f"{address}/styles/default?f=qml"))
    drawn = qgis.do("draw", path=path, geometry=geometry["type"])
    assert drawn["loaded"], drawn["message"]
    assert drawn["symbols"] == [symbol]
    path = qgis.store("layer.sld", _content(f"{address}/styles/default?f=sld"))
    drawn = qgis.do("draw", path=path, geometry=geometry["type"])
    assert drawn["loaded"], drawn["message"]
    width = 16 if geometry is POINT else STYLE["lineWidth"]
    assert drawn["symbols"] == [{**symbol, "width": width, "unit": "Pixel"}]


def test_polygons_without_a_fill(qgis: Qgis, server: Server) -> None:
    address = _create(server, {**STYLE, "fillPolygons": False}, _feature(AREA))
    path = qgis.store("layer.qml", _content(f"{address}/styles/default?f=qml"))
    (symbol,) = qgis.do("draw", path=path, geometry="Polygon")["symbols"]
    assert (symbol["is_filled"], symbol["outline"], symbol["width"]) == (False, COLOUR, 3)
    path = qgis.store("layer.sld", _content(f"{address}/styles/default?f=sld"))
    (outline,) = qgis.do("draw", path=path, geometry="Polygon")["symbols"]
    assert outline == {"colour": COLOUR, "alpha": ALPHA, "width": 4, "unit": "Pixel"}


def test_a_layer_of_several_shapes(qgis: Qgis, server: Server) -> None:
    """One style for all: QGIS opens the shapes of a table as layers of their own."""
    address = _create(server, STYLE, *(_feature(geometry) for geometry in (AREA, LINE, POINT)))
    package = qgis.store("layer.gpkg", _content(f"{address}/items?f=gpkg"))
    qml = qgis.store("layer.qml", _content(f"{address}/styles/default?f=qml"))
    for shape, expected in DRAWN.items():
        drawn = qgis.do("draw", path=f"{package}|layername=Färger|geometrytype={shape}")
        assert drawn["loaded"], drawn["message"]
        assert drawn["features"] == [[{"colour": COLOUR, "alpha": ALPHA, **expected}]]
        assert qgis.do("draw", path=qml, geometry=shape)["loaded"]


def test_features_in_their_own_colours(qgis: Qgis, server: Server) -> None:
    """Where the layer has no colour; texts that are no colours do not count."""
    colours = ({"color": "#008080"}, {"fill": "#ff0000"}, {"color": "nonsense"}, {"name": "plain"})
    address = _create(server, {}, *(_feature(AREA, **own) for own in colours))
    path = qgis.store("layer.gpkg", _content(f"{address}/items?f=gpkg"))
    drawn = qgis.do("draw", path=path)["features"]
    assert [symbol["colour"] for (symbol,) in drawn] == ["#008080", "#ff0000", *(2 * ["#3388ff"])]
    assert {symbol["alpha"] for (symbol,) in drawn} == {ALPHA}
