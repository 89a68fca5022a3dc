"""Raster layers: those of a WMTS, and files that GDAL reads over the network."""

from credentials import store_credentials
from drawing import colours_at
from osgeo import gdal
from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsDataSourceUri,
    QgsRasterLayer,
)

_MERCATOR = QgsCoordinateReferenceSystem("EPSG:3857")


def draw_raster(task):
    """Draw a raster layer within `extent`, in metres of EPSG:3857; tell the colours at positions.

    `wmts` is the address of capabilities, `layer` the layer there; `file` that of a GeoTIFF.
    """
    layer = _tiles(task) if "wmts" in task else _file(task)
    if not layer.isValid():
        return {"valid": False, "error": layer.error().message()}
    return {
        "valid": True,
        "crs": layer.crs().authid(),
        "bands": layer.bandCount(),
        "size": [layer.width(), layer.height()],
        "extent": layer.extent().toRectF().getCoords(),
        "colours": [colour.getRgb() for colour in colours_at(layer, _MERCATOR, task)],
    }


def _tiles(task):
    uri = QgsDataSourceUri()
    for name, value in (
        *(("url", task["wmts"]), ("layers", task["layer"]), ("styles", "default")),
        *(("format", "image/png"), ("crs", "EPSG:3857"), ("tileMatrixSet", "WebMercatorQuad")),
    ):
        uri.setParam(name, value)
    if task.get("token"):
        uri.setParam("authcfg", store_credentials(task["token"]))
    return QgsRasterLayer(bytes(uri.encodedUri()).decode(), "layer", "wms")


def _file(task):
    if task.get("token"):
        gdal.SetConfigOption("GDAL_HTTP_HEADERS", "Authorization: Bearer " + task["token"])
    return QgsRasterLayer("/vsicurl/" + task["file"], "layer", "gdal")
