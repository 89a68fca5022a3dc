"""Styles of KML as the `style_config` of a layer."""

import re
from collections import Counter
from dataclasses import dataclass
from typing import Any

from samsyn_admin.imports.readers.kml.document import Element

_COLOUR = re.compile(r"#?([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})", re.IGNORECASE)
_MAX_WIDTH = 100
_MAX_LINKS = 10  # of styles to others
_OPAQUE = "ff"

type StyleConfig = tuple[tuple[str, Any], ...]


@dataclass(frozen=True, slots=True)
class StyleOfPlacemark:
    """What a placemark says of its drawing: a shared style, its own, and which part of it counts.

    `part` is the style that draws the geometry: PolyStyle, LineStyle or IconStyle.
    """

    url: str | None
    own: StyleConfig
    part: str


def style_of(placemark: Element, geometry: dict[str, Any] | None) -> StyleOfPlacemark:
    """Return what a placemark with a GeoJSON geometry says of its drawing."""
    kind = (geometry or {}).get("type", "")
    part = "PolyStyle" if "Polygon" in kind or kind == "GeometryCollection" else "IconStyle"
    part = "LineStyle" if "Line" in kind else part
    own = placemark.child("Style")
    return StyleOfPlacemark(
        placemark.value("styleUrl"), tuple(_config(own, part).items()) if own else (), part
    )


class Styles:
    """The styles that a file shares among its placemarks."""

    def __init__(self) -> None:
        self._shared: dict[str, Element] = {}

    def share(self, style: Element) -> None:
        """Keep a Style or StyleMap that placemarks may refer to."""
        name = style.attributes.get("id")
        if name:
            self._shared.setdefault(name, style)

    def config(self, used: Counter[StyleOfPlacemark]) -> tuple[dict[str, Any] | None, list[str]]:
        """Return the `style_config` of a layer whose placemarks have these styles, and remarks.

        It is that of most of them; None where they have none.
        """
        configs: Counter[StyleConfig] = Counter()
        notes = []
        for style, count in used.items():
            shared = self._resolved(style.url, 0)
            config = {**(_config(shared, style.part) if shared else {}), **dict(style.own)}
            configs[tuple(config.items())] += count
            if style.url and not style.url.startswith("#"):
                notes = ["Styles of other files were left out."]
        if not configs:
            return None, notes
        [(most, count)] = configs.most_common(1)
        if len(configs) > 1:
            notes.append(
                f"The placemarks have {len(configs):,} styles: the layer has that of most of them"
                f" ({count:,})."
            )
        return dict(most) or None, notes

    def _resolved(self, url: str | None, depth: int) -> Element | None:
        if not url or not url.startswith("#") or depth > _MAX_LINKS:
            return None
        found = self._shared.get(url[1:])
        if found is None or found.name == "Style":
            return found
        for pair in found.all("Pair"):
            if pair.value("key") == "normal":
                return pair.child("Style") or self._resolved(pair.value("styleUrl"), depth + 1)
        return None


def _config(style: Element, part: str) -> dict[str, Any]:
    """Return the colour, width and fill of a Style, as far as it has them."""
    config: dict[str, Any] = {}
    line, filled = style.child("LineStyle"), style.child("PolyStyle")
    if part == "PolyStyle" and filled and filled.value("fill") == "0":
        config["fillPolygons"] = False
        part = "LineStyle"
    drawn = style.child(part)
    if drawn is None and part == "PolyStyle":
        drawn = line
    colour = _colour(drawn.value("color")) if drawn else None
    if colour:
        config["color"] = colour
    width = line.value("width") if line else None
    if width and part != "IconStyle":
        try:
            number = float(width)
        except ValueError:
            return config
        if 0 <= number <= _MAX_WIDTH:
            config["lineWidth"] = int(number) if number.is_integer() else number
    return config


def _colour(text: str | None) -> str | None:
    """Return a colour of KML, `aabbggrr`, as CSS has it: `#rrggbb`, or `#rrggbbaa`."""
    match = _COLOUR.fullmatch(text or "")
    if match is None:
        return None
    alpha, blue, green, red = (part.lower() for part in match.groups())
    return f"#{red}{green}{blue}{'' if alpha == _OPAQUE else alpha}"
