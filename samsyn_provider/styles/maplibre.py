"""Styles as MapLibre styles (version 8 of the style specification)."""

from collections.abc import Callable, Sequence
from typing import Any

from samsyn_provider.styles.shapes import Shape
from samsyn_provider.styles.symbols import FEATURE_COLOURS, LayerStyle


def maplibre_style(
    style: LayerStyle, shapes: Sequence[Shape], *, source: str, tilejson_url: str, title: str
) -> dict[str, Any]:
    """Return a complete style: one vector source, layers for these shapes, no base map.

    `source` is the name of the source, and of the layer in its tiles.
    """
    layers = [
        {**layer, "source": source, "source-layer": source}
        for shape in shapes
        for layer in _LAYERS[shape](style)
    ]
    return {
        "version": 8,
        "name": title,
        "sources": {source: {"type": "vector", "url": tilejson_url}},
        "layers": layers,
    }


def _polygon_layers(style: LayerStyle) -> list[dict[str, Any]]:
    fill = {"fill-color": _colour(style), "fill-opacity": style.opacity}
    fills = [_layer("fill", "fill", "Polygon", fill)] if style.is_filled else []
    return [*fills, _layer("outline", "line", "Polygon", _stroke(style))]


def _line_layers(style: LayerStyle) -> list[dict[str, Any]]:
    return [_layer("line", "line", "LineString", _stroke(style))]


def _point_layers(style: LayerStyle) -> list[dict[str, Any]]:
    circle = {
        "circle-color": _colour(style),
        "circle-opacity": style.opacity,
        "circle-radius": style.point_size / 2,
    }
    return [_layer("circle", "circle", "Point", circle)]


_LAYERS: dict[Shape, Callable[[LayerStyle], list[dict[str, Any]]]] = {
    "Polygon": _polygon_layers,
    "LineString": _line_layers,
    "Point": _point_layers,
}


def _layer(name: str, kind: str, shape: Shape, paint: dict[str, Any]) -> dict[str, Any]:
    types = ["literal", [shape, f"Multi{shape}"]]
    condition = ["in", ["geometry-type"], types]
    return {"id": name, "type": kind, "filter": condition, "paint": paint}


def _stroke(style: LayerStyle) -> dict[str, Any]:
    return {
        "line-color": _colour(style),
        "line-opacity": style.opacity,
        "line-width": style.stroke_width,
    }


def _colour(style: LayerStyle) -> str | list[Any]:
    if not style.has_feature_colours:
        return style.colour.hex
    return ["to-color", *(["get", name] for name in FEATURE_COLOURS), style.colour.hex]
