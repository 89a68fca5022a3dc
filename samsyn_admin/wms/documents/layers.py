"""A layer of a WMS with what it inherits from the layers around it: OGC 06-042, 7.2.4.8, and OGC
01-068r3, 7.1.4.6."""

import math
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from samsyn_admin.wms.documents.dimensions import Dimension, read_dimension
from samsyn_admin.wms.documents.xml import local_name, text_of

MAX_CRS = 100
"""Reference systems of a layer that are told; those that maps on the web and of Europe's seas use
come first."""
MAX_STYLES = 50
MAX_TEXT = 2_000
"""Characters of a text, such as an abstract."""
MAX_TITLE = 300
"""Characters of a title."""
_MAX_NAME = 1_000
_MAX_KEYWORDS = 50
_MAX_PATH = 20
_MAX_DIMENSIONS = 10
_MAX_ADDRESS = 2_000
_PREFERRED = ("EPSG:3857", "EPSG:4326", "CRS:84", "EPSG:3035", "EPSG:25832", "EPSG:25833")
_HREF = "{http://www.w3.org/1999/xlink}href"
_PIXEL = 0.00028  # metres, as the standard assumes of a screen

Bounds = tuple[float, float, float, float]
"""West, south, east, north in degrees."""


@dataclass(slots=True)
class LayerElement:
    """A `<Layer>` while it is read: what it inherits is there from the start."""

    parent: "LayerElement | None"
    is_queryable: bool
    crs: dict[str, None]
    styles: dict[str, dict[str, Any]]
    dimensions: dict[str, Dimension]
    bounds: Bounds | None
    scales: tuple[float | None, float | None]
    name: str = ""
    title: str = ""
    abstract: str | None = None
    keywords: list[str] = field(default_factory=list)
    own_styles: dict[str, dict[str, Any]] = field(default_factory=dict)
    has_geographic_bounds: bool = False
    is_told: bool = False

    def read(self, element: Any) -> None:
        """Take over what a child of the layer's element says."""
        match local_name(element):
            case "Name":
                self.name = text_of(element)[:_MAX_NAME]
            case "Title":
                self.title = text_of(element)[:MAX_TITLE]
            case "Abstract":
                self.abstract = text_of(element)[:MAX_TEXT] or None
            case "KeywordList":
                words = [text_of(word)[:MAX_TITLE] for word in element]
                self.keywords = [word for word in words if word][:_MAX_KEYWORDS]
            case "CRS" | "SRS":
                self._read_crs(element)
            case "Style":
                self._read_style(element)
            case "Dimension" | "Extent":
                self._read_dimension(element)
            case "EX_GeographicBoundingBox" | "LatLonBoundingBox" | "BoundingBox":
                self._read_bounds(element)
            case "MinScaleDenominator" | "MaxScaleDenominator" | "ScaleHint":
                self._read_scales(element)

    def document(self) -> dict[str, Any]:
        """Return the layer as JSON, as far as it has been read: its own layers come last in it."""
        own, inherited = list(self.own_styles.values()), self.styles.values()
        others = [style for style in inherited if style["name"] not in self.own_styles]
        first = [crs for crs in _PREFERRED if crs in self.crs]
        dimensions = [known.document() for known in self.dimensions.values() if known.extent]
        return {
            "name": self.name,
            "title": self.title or self.name,
            "abstract": self.abstract,
            "queryable": self.is_queryable,
            "bounds": None if self.bounds is None else list(self.bounds),
            "crs": list(dict.fromkeys(first) | self.crs)[:MAX_CRS],
            "styles": (own + others)[:MAX_STYLES],
            "dimensions": dimensions,
            "min_scale": self.scales[0],
            "max_scale": self.scales[1],
            "keywords": self.keywords,
            "path": self._path(),
        }

    def _path(self) -> list[str]:
        titles: list[str] = []
        parent = self.parent
        while parent is not None and len(titles) < _MAX_PATH:
            titles.append(parent.title or parent.name)
            parent = parent.parent
        return titles[::-1]

    def _read_crs(self, element: Any) -> None:
        for crs in text_of(element).split():
            if len(self.crs) < MAX_CRS or crs in _PREFERRED:
                self.crs[crs[:_MAX_NAME]] = None

    def _read_scales(self, element: Any) -> None:
        match local_name(element):
            case "MinScaleDenominator":
                self.scales = (_number(text_of(element)), self.scales[1])
            case "MaxScaleDenominator":
                self.scales = (self.scales[0], _number(text_of(element)))
            case _:
                self.scales = (_of_hint(element.get("min")), _of_hint(element.get("max")))

    def _read_style(self, element: Any) -> None:
        values: dict[str, Any] = {"name": "", "title": "", "legendUrl": None}
        for child in element:
            match local_name(child):
                case "Name":
                    values["name"] = text_of(child)[:_MAX_NAME]
                case "Title":
                    values["title"] = text_of(child)[:MAX_TITLE]
                case "LegendURL" if values["legendUrl"] is None:
                    values["legendUrl"] = _address(child)
        if values["name"] and len(self.own_styles) < MAX_STYLES:
            values["title"] = values["title"] or values["name"]
            self.own_styles[values["name"]] = values

    def _read_dimension(self, element: Any) -> None:
        dimension = read_dimension(element, self.dimensions)
        if dimension is not None and len(self.dimensions) < _MAX_DIMENSIONS:
            self.dimensions[dimension.name.lower()] = dimension

    def _read_bounds(self, element: Any) -> None:
        """Read bounds; those in longitude and latitude go before those in a reference system."""
        if local_name(element) == "BoundingBox":
            crs = element.get("CRS") or element.get("SRS") or ""
            if self.has_geographic_bounds or crs not in {"EPSG:4326", "CRS:84"}:
                return
            is_latitude_first = crs == "EPSG:4326" and element.get("CRS") is not None  # WMS 1.3.0
            names = _LATITUDE_FIRST if is_latitude_first else _CORNERS
            values = [element.get(name) for name in names]
        elif local_name(element) == "LatLonBoundingBox":
            values = [element.get(name) for name in _CORNERS]
        else:
            texts = {local_name(child): text_of(child) for child in element}
            values = [texts.get(name) for name in _SIDES]
        bounds = _bounds(values)
        if bounds is not None:
            self.bounds = bounds
            self.has_geographic_bounds |= local_name(element) != "BoundingBox"


_CORNERS = ("minx", "miny", "maxx", "maxy")
_LATITUDE_FIRST = ("miny", "minx", "maxy", "maxx")
_SIDES = (
    *("westBoundLongitude", "southBoundLatitude"),
    *("eastBoundLongitude", "northBoundLatitude"),
)


def begin_layer(element: Any, parent: LayerElement | None) -> LayerElement:
    """Return the layer of a `<Layer>` that begins within another, or in none."""
    said = element.get("queryable")
    is_queryable = said in {"1", "true"}
    if parent is None:
        return LayerElement(None, is_queryable, {}, {}, {}, None, (None, None))
    return LayerElement(
        parent,
        parent.is_queryable if said is None else is_queryable,
        dict(parent.crs),
        dict(islice((parent.own_styles | parent.styles | parent.own_styles).items(), MAX_STYLES)),
        dict(parent.dimensions),
        parent.bounds,
        parent.scales,
    )


def _address(legend: Any) -> str | None:
    """Return the address of a legend's picture, None where it has none on the web."""
    for child in legend:
        address = (child.get(_HREF) or "").strip()
        if address.lower().startswith(("http://", "https://")) and len(address) <= _MAX_ADDRESS:
            return str(address)
    return None


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _of_hint(text: str | None) -> float | None:
    """Return the denominator of a scale from the diagonal of a pixel in metres."""
    diagonal = _number(text)
    return round(diagonal / math.sqrt(2) / _PIXEL, 3) if diagonal else None


def _bounds(values: list[str | None]) -> Bounds | None:
    """Return bounds within the world; None where they are none."""
    numbers = [_number(value) for value in values]
    west, south, east, north = numbers
    if west is None or south is None or east is None or north is None:
        return None
    west, east = max(-180.0, min(west, 180.0)), max(-180.0, min(east, 180.0))
    south, north = max(-90.0, min(south, 90.0)), max(-90.0, min(north, 90.0))
    return (west, south, east, north) if south <= north else None
