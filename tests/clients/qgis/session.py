"""QGIS without a screen: does one task, told as JSON in the last argument, and prints JSON.

`authority` is a certificate, as PEM, whose servers it trusts.

It runs under the Python of the Debian root that scripts/build-qgis-root makes, beside the other
modules of this folder.
"""

import json
import sys

from credentials import store_credentials, trust_authority
from drawing import colours_at
from qgis.core import (
    NULL,
    QgsApplication,
    QgsDataSourceUri,
    QgsExpression,
    QgsExpressionContext,
    QgsExpressionContextUtils,
    QgsFeature,
    QgsFeatureRequest,
    QgsGeometry,
    QgsMapSettings,
    QgsRectangle,
    QgsRenderContext,
    QgsSettings,
    QgsSimpleFillSymbolLayer,
    QgsSimpleLineSymbolLayer,
    QgsSimpleMarkerSymbolLayer,
    QgsSymbolLayer,
    QgsUnitTypes,
    QgsVectorDataProvider,
    QgsVectorLayer,
    QgsWkbTypes,
)
from qgis.PyQt.QtCore import QDate, QDateTime, Qt, QVariant
from rasters import draw_raster
from vector_tiles import draw_tiles


def source_uri(task):
    """Return the address of a layer with its paging and credentials."""
    uri = QgsDataSourceUri()
    uri.setParam("url", task["url"])
    uri.setParam("typename", task["collection"])
    if "page_size" in task:
        uri.setParam("pagingEnabled", "true")
        uri.setParam("pageSize", str(task["page_size"]))
    if task.get("token"):
        if task["credentials"] == "user and password":
            uri.setUsername("token")
            uri.setPassword(task["token"])
        else:
            uri.setAuthConfigId(store_credentials(task["token"], task["credentials"]))
    if task.get("only_in_view"):
        uri.setParam("restrictToRequestBBOX", "1")
    if "srsname" in task:
        uri.setParam("srsname", task["srsname"])
    return uri.uri(False)


def to_json(value):
    """Return an attribute as JSON holds it."""
    if value == NULL:
        return None
    if isinstance(value, QDate):
        return value.toString(Qt.ISODate)
    if isinstance(value, QDateTime):
        return value.toUTC().toString(Qt.ISODateWithMs)
    return value


def read(task):
    """Read a layer, or the part of it in `bbox` or selected by `filter`.

    `filter` is the layer's own; `where` is one request's for features.
    """
    layer = QgsVectorLayer(source_uri(task), "layer", "OAPIF")
    if not layer.isValid():
        return {"valid": False, "error": layer.error().message()}
    if "filter" in task and not layer.setSubsetString(task["filter"]):
        return {"valid": False, "error": "QGIS does not take the filter"}
    request = QgsFeatureRequest()
    if "bbox" in task:
        request.setFilterRect(QgsRectangle(*task["bbox"])).setFlags(
            QgsFeatureRequest.ExactIntersect
        )
    if "where" in task:
        request.setFilterExpression(task["where"])
    names = layer.fields().names()
    return {
        "valid": True,
        "crs": layer.crs().authid(),
        "geometry_type": QgsWkbTypes.displayString(layer.wkbType()),
        "fields": {field.name(): QVariant.typeToName(field.type()) for field in layer.fields()},
        "extent": layer.extent().toRectF().getCoords(),
        "feature_count": layer.featureCount(),
        "features": [
            {
                "geometry": bytes(feature.geometry().asWkb()).hex() or None,
                "properties": {name: to_json(feature[name]) for name in names},
            }
            for feature in layer.getFeatures(request)
        ],
    }


EDITING = {
    "add": QgsVectorDataProvider.AddFeatures,
    "change attributes": QgsVectorDataProvider.ChangeAttributeValues,
    "change geometries": QgsVectorDataProvider.ChangeGeometries,
    "delete": QgsVectorDataProvider.DeleteFeatures,
}


def edit(task):
    """Do the steps, each saved at once; tell what QGIS offers to edit, and what went wrong."""
    layer = QgsVectorLayer(source_uri(task), "layer", "OAPIF")
    if not layer.isValid():
        return {"valid": False, "error": layer.error().message()}
    offered = layer.dataProvider().capabilities()
    errors = []
    for step in task["steps"]:
        if not layer.startEditing():
            errors.append("QGIS does not start to edit")
            break
        do_step(layer, step)
        if not layer.commitChanges():
            errors += layer.commitErrors()
            layer.rollBack()
    return {
        "valid": True,
        "crs": layer.crs().authid(),
        "offered": [name for name, flag in EDITING.items() if offered & flag],
        "errors": errors,
    }


def do_step(layer, step):
    """Change the features that `where` selects, or add one; nothing is saved."""
    geometry = QgsGeometry.fromWkt(step["wkt"]) if "wkt" in step else None
    properties = {**step.get("properties", {}), **entered(layer, step)}
    if step["do"] == "add":
        feature = QgsFeature(layer.fields())
        for name, value in properties.items():
            feature.setAttribute(name, value)
        feature.setGeometry(geometry)
        layer.addFeature(feature)
        return
    request = QgsFeatureRequest().setFilterExpression(step["where"])
    for feature in list(layer.getFeatures(request)):
        if step["do"] == "delete":
            layer.deleteFeature(feature.id())
        if geometry is not None:
            layer.changeGeometry(feature.id(), geometry)
        for name, value in properties.items():
            layer.changeAttributeValue(feature.id(), layer.fields().indexOf(name), value)


def entered(layer, step):
    """Return what a person enters into the form or the field calculator, as QGIS makes it.

    `typed` are date-times in the local time; `calculated` are expressions.
    """
    values = {
        name: QDateTime.fromString(text, Qt.ISODate) for name, text in step.get("typed", {}).items()
    }
    context = QgsExpressionContext(QgsExpressionContextUtils.globalProjectLayerScopes(layer))
    for name, expression in step.get("calculated", {}).items():
        value = QgsExpression(expression).evaluate(context)
        values[name] = layer.fields().field(name).convertCompatible(value)
    return values


def edit_at_once(task):
    """Let two editors read all features before each of them does a step of its own, in turn."""
    editors = [QgsVectorLayer(source_uri(task), name, "OAPIF") for name in ("one", "other")]
    for layer in editors:
        list(layer.getFeatures())
        layer.startEditing()
    for layer, step in zip(editors, task["steps"], strict=True):
        do_step(layer, step)
    return [[] if layer.commitChanges() else layer.commitErrors() for layer in editors]


def browse(task):
    """List the collections of a connection, as QGIS's browser panel shows them."""
    settings = QgsSettings()
    key = "connections/ows/items/wfs/connections/items/SamSyn/"
    settings.setValue(key + "url", task["url"])
    settings.setValue(key + "version", "OGC_API_FEATURES")
    if task.get("token"):
        settings.setValue(key + "authcfg", store_credentials(task["token"]))
    for provider in QgsApplication.dataItemProviderRegistry().providers():
        if provider.name() == "WFS":
            connection = provider.createDataItem("wfs:/SamSyn", None)
            return [
                {"name": item.name(), "collection": QgsDataSourceUri(item.uri()).param("typename")}
                for item in connection.createChildren()
            ]
    raise RuntimeError("QGIS has no WFS provider")


def draw(task):
    """Open a file, or load a style file into an empty layer; tell how each symbol is drawn."""
    if "geometry" in task:
        layer = QgsVectorLayer(task["geometry"] + "?crs=EPSG:4326", "layer", "memory")
        load = layer.loadSldStyle if task["path"].endswith(".sld") else layer.loadNamedStyle
        message, loaded = load(task["path"])
    else:
        layer = QgsVectorLayer(task["path"], "layer", "ogr")
        message, loaded = layer.error().message(), layer.isValid()
    context = QgsRenderContext.fromMapSettings(QgsMapSettings())
    context.expressionContext().appendScope(QgsExpressionContextUtils.layerScope(layer))
    renderer = layer.renderer()
    renderer.startRender(context, layer.fields())
    drawn = []
    for feature in layer.getFeatures():
        context.expressionContext().setFeature(feature)
        symbols = renderer.symbolsForFeature(feature, context)
        drawn.append([described(symbol, context) for symbol in symbols])
    renderer.stopRender(context)
    return {
        "loaded": loaded,
        "message": message,
        "symbols": [described(symbol, context) for symbol in renderer.symbols(context)],
        "features": drawn,
    }


def render(task):
    """Draw a layer within `extent`; tell at which of the positions there is something."""
    layer = QgsVectorLayer(source_uri(task), "layer", "OAPIF")
    return [colour.alpha() > 0 for colour in colours_at(layer, layer.crs(), task)]


def described(symbol, context):
    """Return the colours and lengths of a symbol's first layer, as a feature's values make them."""
    layer = symbol.symbolLayer(0)
    values = layer.dataDefinedProperties()
    colour = QgsSymbolLayer.PropertyFillColor
    if isinstance(layer, QgsSimpleLineSymbolLayer):
        colour = QgsSymbolLayer.PropertyStrokeColor
    own, _ = values.valueAsColor(colour, context.expressionContext(), symbol.color())
    description = {"colour": own.name(), "alpha": own.alpha()}
    if isinstance(layer, QgsSimpleFillSymbolLayer):
        width, unit = layer.strokeWidth(), layer.strokeWidthUnit()
        description["outline"] = layer.strokeColor().name()
        description["is_filled"] = layer.brushStyle() != Qt.NoBrush
    elif isinstance(layer, QgsSimpleLineSymbolLayer):
        width, unit = layer.width(), layer.widthUnit()
    else:
        width, unit = layer.size(), layer.sizeUnit()
        description["shape"] = QgsSimpleMarkerSymbolLayer.encodeShape(layer.shape())
    return {**description, "width": width, "unit": QgsUnitTypes.encodeUnit(unit)}


def main():
    """Do the task."""
    task = json.loads(sys.argv[1])
    application = QgsApplication([], False)
    application.initQgis()
    if "authority" in task:
        trust_authority(task["authority"])
    tasks = {"read": read, "browse": browse, "edit": edit, "edit at once": edit_at_once}
    tasks |= {"draw": draw, "render": render, "draw raster": draw_raster}
    tasks |= {"draw tiles": draw_tiles}
    sys.stdout.write(json.dumps(tasks[task["do"]](task)))
    application.exitQgis()


main()
