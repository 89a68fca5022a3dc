"""Descriptions of a GeoTIFF layer's tiles: TileJSON 3.0.0, WMTS 1.0.0."""

import math
import uuid
from datetime import datetime
from typing import Any
from xml.etree import ElementTree as ET

from sqlalchemy import Row

from samsyn_admin.layers.rasters.addresses import raster_url
from samsyn_admin.layers.rasters.times import shown_time
from samsyn_provider.http.deployment import public_url
from samsyn_provider.styles.xml import text_element

_WMTS, _OWS = "http://www.opengis.net/wmts/1.0", "http://www.opengis.net/ows/1.1"
_XLINK = "http://www.w3.org/1999/xlink"
_MAX_ZOOM = 22
_EDGE = 20037508.3427892  # metres, from the origin of EPSG:3857
_SCALE = 559082264.0287178  # of zoom 0: OGC 17-083r4, WebMercatorQuad
_TILE = 256
_WORLD = [-180.0, -85.0511287798066, 180.0, 85.0511287798066]
for _prefix, _namespace in (("", _WMTS), ("ows", _OWS), ("xlink", _XLINK)):
    ET.register_namespace(_prefix, _namespace)


def tile_template(
    layer_id: uuid.UUID, ticket: str, moment: str | None = None, place: str = "{z}/{x}/{y}"
) -> str:
    """Return the template of the addresses of a layer's tiles."""
    times = {} if moment is None else {"time": moment}
    return raster_url(layer_id, f"raster/tiles/{place}", ticket, **times)


def raster_links(layer_id: uuid.UUID, ticket: str, *, has_file: bool) -> list[dict[str, str]]:
    """Return the links of a GeoTIFF layer: to its tiles, their descriptions, and its own file.

    Those to the tiles and the file have a ticket; descriptions are read with credentials.
    """
    links = [
        ("tiles", "image/png", tile_template(layer_id, ticket)),
        ("tilejson", "application/json", raster_url(layer_id, "tilejson.json")),
        ("wmts", "application/xml", raster_url(layer_id, "wmts.xml")),
    ]
    if has_file:
        links.append(("file", "image/tiff; application=geotiff", raster_url(layer_id, "file")))
    return [{"rel": rel, "type": kind, "href": href} for rel, kind, href in links]


def tilejson(row: Row[Any], ticket: str, moment: datetime | None) -> dict[str, Any]:
    """Return the TileJSON of a layer's tiles, of one time or of the newest."""
    config = row.source_config
    time = None if moment is None else shown_time(moment)
    document = {
        "tilejson": "3.0.0",
        "name": row.name,
        "description": row.description or "",
        "scheme": "xyz",
        "tiles": [tile_template(row.id, ticket, time)],
        "minzoom": 0,
        "maxzoom": _max_zoom(config),
        "bounds": _bounds(config),
    }
    attribution = row.layer_metadata.get("attribution")
    return document | ({"attribution": attribution} if isinstance(attribution, str) else {})


def wmts_capabilities(row: Row[Any], ticket: str) -> bytes:
    """Return the capabilities of one layer with RESTful tiles in WebMercatorQuad; several times are
    its dimension `time`, by default the newest."""
    root = ET.Element(f"{{{_WMTS}}}Capabilities", {"version": "1.0.0"})
    identification = ET.SubElement(root, f"{{{_OWS}}}ServiceIdentification")
    _text(identification, "Title", row.name)
    _text(identification, "ServiceType", "OGC WMTS")
    _text(identification, "ServiceTypeVersion", "1.0.0")
    contents = ET.SubElement(root, f"{{{_WMTS}}}Contents")
    _add_layer(contents, row, ticket)
    _add_matrix_set(contents, _max_zoom(row.source_config))
    address = f"{public_url()}/api/v1/layers/{row.id}/wmts.xml"
    ET.SubElement(root, f"{{{_WMTS}}}ServiceMetadataURL", {f"{{{_XLINK}}}href": address})
    content: bytes = ET.tostring(root, "utf-8", xml_declaration=True)
    return content


def _add_layer(contents: ET.Element, row: Row[Any], ticket: str) -> None:
    config = row.source_config
    west, south, east, north = _bounds(config)
    layer = ET.SubElement(contents, f"{{{_WMTS}}}Layer")
    _text(layer, "Title", row.name)
    if row.description:
        _text(layer, "Abstract", row.description)
    box = ET.SubElement(layer, f"{{{_OWS}}}WGS84BoundingBox")
    _text(box, "LowerCorner", f"{west} {south}")
    _text(box, "UpperCorner", f"{east} {north}")
    _text(layer, "Identifier", str(row.id))
    # QGIS draws nothing of a layer that has no bounds in the reference system of its tiles
    box = ET.SubElement(layer, f"{{{_OWS}}}BoundingBox", {"crs": "urn:ogc:def:crs:EPSG::3857"})
    _text(box, "LowerCorner", _mercator(west, south))
    _text(box, "UpperCorner", _mercator(east, north))
    style = ET.SubElement(layer, f"{{{_WMTS}}}Style", {"isDefault": "true"})
    _text(style, "Identifier", "default")
    ET.SubElement(layer, f"{{{_WMTS}}}Format").text = "image/png"
    times = [time for time in config.get("times") or () if isinstance(time, str)]
    if len(times) > 1:
        dimension = ET.SubElement(layer, f"{{{_WMTS}}}Dimension")
        _text(dimension, "Identifier", "Time")
        text_element(dimension, f"{{{_WMTS}}}Default", times[-1])
        for time in times:
            text_element(dimension, f"{{{_WMTS}}}Value", time)
    link = ET.SubElement(layer, f"{{{_WMTS}}}TileMatrixSetLink")
    ET.SubElement(link, f"{{{_WMTS}}}TileMatrixSet").text = "WebMercatorQuad"
    place = "{TileMatrix}/{TileCol}/{TileRow}"
    moment = "{Time}" if len(times) > 1 else None
    template = {
        "format": "image/png",
        "resourceType": "tile",
        "template": tile_template(row.id, ticket, moment, place),
    }
    ET.SubElement(layer, f"{{{_WMTS}}}ResourceURL", template)


def _add_matrix_set(contents: ET.Element, max_zoom: int) -> None:
    matrix_set = ET.SubElement(contents, f"{{{_WMTS}}}TileMatrixSet")
    _text(matrix_set, "Identifier", "WebMercatorQuad")
    _text(matrix_set, "SupportedCRS", "urn:ogc:def:crs:EPSG::3857")
    well_known = "http://www.opengis.net/def/wkss/OGC/1.0/GoogleMapsCompatible"
    ET.SubElement(matrix_set, f"{{{_WMTS}}}WellKnownScaleSet").text = well_known
    for zoom in range(max_zoom + 1):
        matrix = ET.SubElement(matrix_set, f"{{{_WMTS}}}TileMatrix")
        _text(matrix, "Identifier", str(zoom))
        members = {
            "ScaleDenominator": repr(_SCALE / 2**zoom),
            "TopLeftCorner": f"{-_EDGE} {_EDGE}",
            "TileWidth": str(_TILE),
            "TileHeight": str(_TILE),
            "MatrixWidth": str(2**zoom),
            "MatrixHeight": str(2**zoom),
        }
        for name, value in members.items():
            ET.SubElement(matrix, f"{{{_WMTS}}}{name}").text = value


def _mercator(longitude: float, latitude: float) -> str:
    """Return a position in degrees as metres of EPSG:3857, within its tiles."""
    limit = _WORLD[3]
    northing = math.asinh(math.tan(math.radians(min(max(latitude, -limit), limit))))
    return f"{longitude / 180 * _EDGE} {northing / math.pi * _EDGE}"


def _text(parent: ET.Element, name: str, text: str) -> None:
    """Add an element of OWS with a text."""
    text_element(parent, f"{{{_OWS}}}{name}", text)


def _max_zoom(config: dict[str, Any]) -> int:
    zoom = config.get("maxzoom")
    return min(zoom, _MAX_ZOOM) if type(zoom) is int and zoom >= 0 else _MAX_ZOOM


def _bounds(config: dict[str, Any]) -> list[float]:
    bounds = config.get("bounds")
    return list(bounds) if isinstance(bounds, list) and len(bounds) == 4 else _WORLD
