"""Styles as Styled Layer Descriptors, version 1.0 (OGC 02-070).

Colours of single features are left out: few clients evaluate expressions there.
"""

from collections.abc import Callable, Sequence
from xml.etree import ElementTree as ET

from samsyn_provider.styles.shapes import Shape
from samsyn_provider.styles.symbols import LayerStyle
from samsyn_provider.styles.xml import element, text_element, xml_text

_NAMESPACES = {
    "xmlns": "http://www.opengis.net/sld",
    "xmlns:ogc": "http://www.opengis.net/ogc",
    "xmlns:xlink": "http://www.w3.org/1999/xlink",
}


def sld_document(
    style: LayerStyle, shapes: Sequence[Shape], *, layer: str, style_id: str, title: str
) -> str:
    """Return the descriptor of a layer, with a symbolizer for each shape.

    Clients differ in which symbolizers they apply to which shapes: where there are several, some
    draw the centre of a polygon too.
    """
    root = ET.Element("StyledLayerDescriptor", {"version": "1.0.0", **_NAMESPACES})
    named_layer = element(root, "NamedLayer")
    text_element(named_layer, "Name", layer)
    user_style = element(named_layer, "UserStyle")
    text_element(user_style, "Name", style_id)
    text_element(user_style, "Title", title)
    text_element(user_style, "IsDefault", "1")
    rules = element(user_style, "FeatureTypeStyle")  # of any type: clients name theirs freely
    rule = element(rules, "Rule")
    for shape in shapes:
        _SYMBOLIZERS[shape](rule, style)
    return xml_text(root)


def _polygon(rule: ET.Element, style: LayerStyle) -> None:
    symbolizer = element(rule, "PolygonSymbolizer")
    if style.is_filled:
        _fill(symbolizer, style)
    _stroke(symbolizer, style)


def _line(rule: ET.Element, style: LayerStyle) -> None:
    _stroke(element(rule, "LineSymbolizer"), style)


def _point(rule: ET.Element, style: LayerStyle) -> None:
    graphic = element(element(rule, "PointSymbolizer"), "Graphic")
    mark = element(graphic, "Mark")
    text_element(mark, "WellKnownName", "circle")
    _fill(mark, style)
    text_element(graphic, "Size", f"{style.point_size:g}")


_SYMBOLIZERS: dict[Shape, Callable[[ET.Element, LayerStyle], None]] = {
    "Polygon": _polygon,
    "LineString": _line,
    "Point": _point,
}


def _fill(parent: ET.Element, style: LayerStyle) -> None:
    fill = element(parent, "Fill")
    _parameter(fill, "fill", style.colour.hex)
    _parameter(fill, "fill-opacity", f"{style.opacity:g}")


def _stroke(parent: ET.Element, style: LayerStyle) -> None:
    stroke = element(parent, "Stroke")
    _parameter(stroke, "stroke", style.colour.hex)
    opacity = style.opacity if style.stroke_width else 0  # clients draw a width of 0 as a hairline
    _parameter(stroke, "stroke-opacity", f"{opacity:g}")
    _parameter(stroke, "stroke-width", f"{style.stroke_width:g}")


def _parameter(parent: ET.Element, name: str, value: str) -> None:
    text_element(parent, "CssParameter", value, name=name)
