"""Features out of XML: GML of any version, and the XML of MapServer, QGIS Server and ArcGIS."""

from collections.abc import Iterator
from typing import Any

from samsyn_admin.wms.documents.xml import local_name

_GML = ("http://www.opengis.net/gml", "http://www.opengis.net/gml/3.2")
_WRAPPERS = {"featureMember", "featureMembers", "member"}


def gml_features(root: Any) -> list[dict[str, Any]] | None:
    """Return the properties of each feature; None for a document that is not understood."""
    found = list(_features(root))
    is_collection = local_name(root) in {
        *("FeatureCollection", "msGMLOutput", "FeatureInfoResponse", "FeatureInfoCollection"),
        *("GetFeatureInfoResponse", "FeatureInfo"),
    }
    return found if found or is_collection else None


def _features(root: Any) -> Iterator[dict[str, Any]]:
    for element in root.iter():
        match local_name(element):
            case name if name in _WRAPPERS:
                for feature in element:
                    yield dict(_properties(feature))
            case "FIELDS":  # ArcGIS
                yield dict(element.attrib)
            case "FeatureInfo" | "Feature" | "Layer":  # ArcGIS, QGIS Server
                fields = dict(_fields(element))
                if fields:
                    yield fields
            case name if name.endswith("_feature") and not _is_wrapped(element):  # MapServer
                yield dict(_properties(element))


def _is_wrapped(element: Any) -> bool:
    parent = element.getparent()
    return parent is not None and local_name(parent) in _WRAPPERS


def _properties(feature: Any) -> Iterator[tuple[str, Any]]:
    """Yield names and texts of what a feature has besides geometries."""
    for child in feature:
        name = local_name(child)
        if not name or _is_of_gml(child) or any(_is_of_gml(part) for part in child):
            continue
        if len(child):
            for part in child:
                yield f"{name}.{local_name(part)}", "".join(part.itertext())
        else:
            yield name, child.text


def _is_of_gml(element: Any) -> bool:
    tag = element.tag
    return isinstance(tag, str) and tag.removeprefix("{").partition("}")[0] in _GML


def _fields(element: Any) -> Iterator[tuple[str, Any]]:
    for child in element:
        match local_name(child):
            case "Attribute" if child.get("name"):
                yield child.get("name"), child.get("value")
            case "Field":
                texts = {local_name(part): part.text for part in child}
                if texts.get("FieldName"):
                    yield texts["FieldName"], texts.get("FieldValue")
