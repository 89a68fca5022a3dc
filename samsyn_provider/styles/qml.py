"""Styles as QGIS layer styles (QML), for QGIS 3.26 and later.

The format is QGIS's own, without a specification: elements and options are those that QGIS writes.
Options that are left out have QGIS's defaults.
"""

from collections.abc import Callable, Sequence
from xml.etree import ElementTree as ET

from samsyn_provider.styles.shapes import Shape
from samsyn_provider.styles.symbols import FEATURE_COLOURS, LayerStyle
from samsyn_provider.styles.xml import element, xml_text

_DOCTYPE = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
_POINTS = 0.75  # in a CSS pixel; QGIS's pixels are those of the device
_GEOMETRY_TYPES: dict[Shape, tuple[str, str]] = {
    "Point": ("0", "Point"),
    "LineString": ("1", "Line"),
    "Polygon": ("2", "Polygon"),
}
"""The number of a geometry type in QGIS, and its name in expressions."""


def qml_document(style: LayerStyle, shapes: Sequence[Shape]) -> str:
    """Return the style of a layer with one shape, or one of several that every layer can load."""
    root = ET.Element("qgis", version="3.40.0", styleCategories="Symbology")
    renderer = element(root, "renderer-v2", symbollevels="0", enableorderby="0")
    if len(shapes) == 1:
        renderer.set("type", "singleSymbol")
        element(root, "layerGeometryType").text = _GEOMETRY_TYPES[shapes[0]][0]
    else:
        renderer.set("type", "RuleRenderer")
        rules = element(renderer, "rules", key="root")
        for number, shape in enumerate(shapes):
            name = _GEOMETRY_TYPES[shape][1]
            condition = f"geometry_type($geometry) = '{name}'"
            element(rules, "rule", key=name, symbol=str(number), label=name, filter=condition)
    symbols = element(renderer, "symbols")
    for number, shape in enumerate(shapes):
        _SYMBOLS[shape](symbols, str(number), style)
    return xml_text(root, _DOCTYPE)


def _fill(symbols: ET.Element, name: str, style: LayerStyle) -> None:
    options = {
        "color": _colour(style),
        "style": "solid" if style.is_filled else "no",
        "outline_color": _colour(style),
        "outline_style": "solid" if style.stroke_width else "no",
        "outline_width": _length(style.stroke_width),
        "outline_width_unit": "Point",
        "joinstyle": "miter",
    }
    _symbol(symbols, name, ("fill", "SimpleFill"), options, style, {"fillColor", "outlineColor"})


def _line(symbols: ET.Element, name: str, style: LayerStyle) -> None:
    options = {
        "line_color": _colour(style),
        "line_style": "solid" if style.stroke_width else "no",
        "line_width": _length(style.stroke_width),
        "line_width_unit": "Point",
        "capstyle": "flat",
        "joinstyle": "miter",
    }
    _symbol(symbols, name, ("line", "SimpleLine"), options, style, {"outlineColor"})


def _marker(symbols: ET.Element, name: str, style: LayerStyle) -> None:
    options = {
        "name": "circle",
        "color": _colour(style),
        "outline_style": "no",
        "size": _length(style.point_size),
        "size_unit": "Point",
    }
    _symbol(symbols, name, ("marker", "SimpleMarker"), options, style, {"fillColor"})


_SYMBOLS: dict[Shape, Callable[[ET.Element, str, LayerStyle], None]] = {
    "Polygon": _fill,
    "LineString": _line,
    "Point": _marker,
}


def _symbol(  # noqa: PLR0913, PLR0917 - the parts of a symbol
    symbols: ET.Element,
    name: str,
    classes: tuple[str, str],
    options: dict[str, str],
    style: LayerStyle,
    colours: set[str],
) -> None:
    """Add a symbol of one layer; `colours` are QGIS's names of its properties that are colours."""
    symbol = element(symbols, "symbol", type=classes[0], name=name, alpha="1", force_rhr="0")
    layer = element(symbol, "layer", enabled="1", locked="0", **{"class": classes[1], "pass": "0"})
    members = element(layer, "Option", type="Map")
    for key, value in options.items():
        _option(members, key, "QString", value)
    if style.has_feature_colours:
        properties = element(
            element(element(layer, "data_defined_properties"), "Option", type="Map"),
            "Option",
            name="properties",
            type="Map",
        )
        for colour in sorted(colours):
            members = element(properties, "Option", name=colour, type="Map")
            _option(members, "active", "bool", "true")
            _option(members, "expression", "QString", _feature_colour(style))
            _option(members, "type", "int", "3")  # an expression


def _option(parent: ET.Element, name: str, kind: str, value: str) -> None:
    element(parent, "Option", type=kind, name=name, value=value)


def _feature_colour(style: LayerStyle) -> str:
    """Return the expression for a feature's own colour, null where it has none."""
    values = ", ".join(f"attribute('{name}')" for name in FEATURE_COLOURS)
    return f"set_color_part(coalesce({values}), 'alpha', {_alpha(style)})"


def _colour(style: LayerStyle) -> str:
    colour = style.colour
    return f"{colour.red},{colour.green},{colour.blue},{_alpha(style)}"


def _alpha(style: LayerStyle) -> int:
    return round(255 * style.opacity)


def _length(pixels: float) -> str:
    """Return a length in points."""
    return f"{_POINTS * pixels:g}"
