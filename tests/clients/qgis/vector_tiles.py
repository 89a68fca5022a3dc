"""Layers of vector tiles, by the template of their addresses."""

from drawing import colours_at
from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsDataSourceUri,
    QgsVectorTileLayer,
)


def draw_tiles(task):
    """Draw tiles within `extent`, in metres of EPSG:3857; tell at which positions there is
    something."""
    uri = QgsDataSourceUri()
    for name, value in (("type", "xyz"), ("url", task["template"]), ("zmin", "0"), ("zmax", "18")):
        uri.setParam(name, value)
    layer = QgsVectorTileLayer(bytes(uri.encodedUri()).decode(), "layer")
    if not layer.isValid():
        return {"valid": False, "error": layer.error().message()}
    colours = colours_at(layer, QgsCoordinateReferenceSystem("EPSG:3857"), task)
    return {"valid": True, "drawn": [colour.alpha() > 0 for colour in colours]}
