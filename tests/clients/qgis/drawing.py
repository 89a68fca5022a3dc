"""Layers drawn as QGIS draws them."""

from qgis.core import QgsMapRendererSequentialJob, QgsMapSettings, QgsPointXY, QgsRectangle
from qgis.PyQt.QtCore import QSize, Qt
from qgis.PyQt.QtGui import QColor


def colours_at(layer, crs, task):
    """Draw a layer within the `extent` of a task; return the colours at its `positions`."""
    settings = QgsMapSettings()
    settings.setLayers([layer])
    settings.setDestinationCrs(crs)
    settings.setBackgroundColor(QColor(Qt.transparent))
    settings.setOutputSize(QSize(400, 400))
    settings.setExtent(QgsRectangle(*task["extent"]))
    job = QgsMapRendererSequentialJob(settings)
    job.start()
    job.waitForFinished()
    image, transform = job.renderedImage(), settings.mapToPixel()
    pixels = [transform.transform(QgsPointXY(x, y)) for x, y in task["positions"]]
    return [image.pixelColor(int(pixel.x()), int(pixel.y())) for pixel in pixels]
