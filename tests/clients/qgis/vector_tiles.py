"""Layers of vector tiles, by the template of their addresses."""

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsDataSourceUri,
    QgsMapRendererSequentialJob,
    QgsMapSettings,
    QgsPointXY,
    QgsRectangle,
    QgsVectorTileLayer,
)
from qgis.PyQt.QtCore import QSize, Qt
from qgis.PyQt.QtGui import QColor


def draw_tiles(task):
    """Draw tiles within `extent`, in metres of EPSG:3857; tell at which positions there is
    something."""
    uri = QgsDataSourceUri()
    for name, value in (("type", "xyz"), ("url", task["template"]), ("zmin", "0"), ("zmax", "18")):
        uri.setParam(name, value)
    layer = QgsVectorTileLayer(bytes(uri.encodedUri()).decode(), "layer")
    if not layer.isValid():
        return {"valid": False, "error": layer.error().message()}
    settings = QgsMapSettings()
    settings.setLayers([layer])
    settings.setDestinationCrs(QgsCoordinateReferenceSystem("EPSG:3857"))
    settings.setBackgroundColor(QColor(Qt.transparent))
    settings.setOutputSize(QSize(400, 400))
    settings.setExtent(QgsRectangle(*task["extent"]))
    job = QgsMapRendererSequentialJob(settings)
    job.start()
    job.waitForFinished()
    image, transform = job.renderedImage(), settings.mapToPixel()
    pixels = [transform.transform(QgsPointXY(x, y)) for x, y in task["positions"]]
    drawn = [image.pixelColor(int(pixel.x()), int(pixel.y())).alpha() > 0 for pixel in pixels]
    return {"valid": True, "drawn": drawn}
