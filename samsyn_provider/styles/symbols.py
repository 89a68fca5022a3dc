"""The style of a layer, independent of encodings, derived from its `style_config`.

It is how the web app draws the layer: all features in one colour, the same for fills, lines and
points. The web app has no categories; the items of a legend are not bound to properties.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from samsyn_provider.styles.colours import Colour, parse_colour

DEFAULT_COLOUR = Colour(0x33, 0x88, 0xFF)
FEATURE_COLOURS = ("color", "fill", "stroke", "marker-color")
"""The properties with a feature's own colour, in the order in which they apply."""

_OPACITY = 0.7  # of a layer that is added to a map
_POINT_SIZE = 16
_STROKE_WIDTH = 2
_MAX_STROKE_WIDTH = 100


@dataclass(frozen=True, slots=True)
class LayerStyle:
    """How the features of a layer are drawn; lengths are CSS pixels, 1/96 inch."""

    colour: Colour
    opacity: float
    """0 to 1, the alpha of the colour included."""

    is_filled: bool
    """Whether polygons are filled."""

    stroke_width: float
    """The width of lines and of the outlines of polygons; those of 0 are not drawn."""

    point_size: float
    """The diameter of the circle that is a point."""

    has_feature_colours: bool
    """Whether features are drawn in colours of their own (FEATURE_COLOURS) where they have any."""


def layer_style(config: Mapping[str, Any]) -> LayerStyle:
    """Return the style of a layer with this `style_config`.

    Members that are absent or unusable have the web app's defaults: `color` #3388ff, `lineWidth` 2,
    `fillPolygons` true.
    """
    own_colour = layer_colour(config)
    colour = own_colour or DEFAULT_COLOUR
    return LayerStyle(
        colour=colour,
        opacity=round(_OPACITY * colour.alpha, 3),
        is_filled=config.get("fillPolygons") is not False,
        stroke_width=_width(config.get("lineWidth")),
        point_size=_POINT_SIZE,
        has_feature_colours=own_colour is None,
    )


def _width(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return _STROKE_WIDTH
    return value if 0 <= value <= _MAX_STROKE_WIDTH else _STROKE_WIDTH


def layer_colour(config: Mapping[str, Any]) -> Colour | None:
    """Return the colour that a `style_config` has, None where it has no usable one."""
    return parse_colour(config.get("color")) or parse_colour(config.get("fillColor"))


def colour_code(config: Mapping[str, Any]) -> str | None:
    """Return that colour as `#rrggbb`, without its alpha."""
    colour = layer_colour(config)
    return colour.hex if colour else None
