"""How a raster is drawn unless somebody says otherwise: colours, their range, the legend."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from samsyn_admin.imports.rasters.reading.sources import RasterSource
from samsyn_admin.imports.rasters.reading.values import MAX_CLASSES, BandValues

COLOURS: Mapping[str, tuple[str, ...]] = {
    "viridis": ("#440154", "#21918c", "#fde725"),
    "plasma": ("#0d0887", "#cc4778", "#f0f921"),
    "inferno": ("#000004", "#bc3754", "#fcffa4"),
    "magma": ("#000004", "#b63679", "#fcfdbf"),
    "terrain": ("#333399", "#00cc00", "#ffcc66", "#ffffff"),
    "blues": ("#f7fbff", "#08306b"),
    "reds": ("#fff5f0", "#67000d"),
    "greens": ("#f7fcf5", "#00441b"),
    "greys": ("#ffffff", "#000000"),
    "rdylgn": ("#a50026", "#ffffbf", "#006837"),
    "spectral": ("#9e0142", "#ffffbf", "#5e4fa2"),
    "coolwarm": ("#3b4cc0", "#f7f7f7", "#b40426"),
    "bwr": ("#0000ff", "#ffffff", "#ff0000"),
}
"""The colormaps that the web application offers, by the colours of its legends."""
_TEMPERATURE = re.compile(r"(^|[^a-z])(sst|temp|temperature)", re.IGNORECASE)
_DEPTH = re.compile(r"(^|[^a-z])(depth|bathy|dem|elevation|djup|height)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Drawing:
    """How a raster is drawn: `processing` of `source_config`, and `legend_config`."""

    processing: dict[str, str]
    legend: dict[str, Any]
    is_categorical: bool


def drawing(
    source: RasterSource,
    values: Sequence[BandValues],
    *,
    colormap: str | None = None,
    rescale: Sequence[float] | None = None,
    is_categorical: bool | None = None,
) -> Drawing:
    """Return how a raster of these values, one of each band, is drawn, as chosen or by default.

    Whole numbers of few kinds are classes; three or more bands are red, green and blue. Colours
    reach from the 2nd to the 98th percentile, and where these lie on both sides of zero as far on
    each.
    """
    if len(values) >= 3 and colormap is None:
        return _image(values, rescale)
    first = values[0]
    categorical = source.colours is not None or _are_classes(source, first)
    if is_categorical is not None:
        categorical = is_categorical
    if source.colours is not None and colormap is None:
        return Drawing({"bidx": "1"}, _palette_legend(source, first), categorical)
    low, high = rescale or _range(first, is_categorical=categorical)
    chosen = colormap or _colormap(source, low, high, is_categorical=categorical)
    processing = {"colormap": chosen, "rescale": f"{_text(low)},{_text(high)}", "bidx": "1"}
    if categorical and first.classes and len(first.classes) <= MAX_CLASSES:
        return Drawing(processing, _class_legend(sorted(first.classes), chosen, low, high), True)
    return Drawing(processing, _legend(chosen, low, high), categorical)


def _image(values: Sequence[BandValues], rescale: Sequence[float] | None) -> Drawing:
    processing = {"bidx": "1,2,3"}
    found = [band for band in values[:3] if band.valid]
    is_of_bytes = all(band.minimum >= 0 and band.maximum <= 255 for band in found)
    if rescale is not None:
        processing["rescale"] = ",".join(map(_text, rescale))
    elif found and not is_of_bytes:
        ranges = [_range(band, is_categorical=False) for band in found]
        low, high = min(low for low, _ in ranges), max(high for _, high in ranges)
        processing["rescale"] = f"{_text(low)},{_text(high)}"
    return Drawing(processing, {}, False)


def _are_classes(source: RasterSource, band: BandValues) -> bool:
    return (
        not source.is_scaled
        and source.unit is None
        and source.dtype in {"uint8", "int8", "uint16", "int16"}
        and band.classes is not None
        and 0 < len(band.classes) <= MAX_CLASSES
    )


def _range(band: BandValues, *, is_categorical: bool) -> tuple[float, float]:
    statistics = band.statistics()
    if statistics["min"] is None:
        return 0.0, 1.0
    names = ("min", "max") if is_categorical else ("percentile_2", "percentile_98")
    low, high = (statistics[name] for name in names)
    if low == high:
        low, high = statistics["min"], statistics["max"]
    if low == high:
        return low, low + 1
    if not is_categorical and _is_around_zero(low, high):
        most = max(-low, high)
        return -most, most
    return low, high


def _is_around_zero(low: float, high: float) -> bool:
    return low < 0 < high and 1 / 4 < -low / high < 4


def _colormap(source: RasterSource, low: float, high: float, *, is_categorical: bool) -> str:
    if is_categorical:
        return "spectral"
    if low == -high:
        return "coolwarm"
    if _TEMPERATURE.search(source.name):
        return "inferno"
    if _DEPTH.search(source.name):
        return "terrain" if high > 0 else "blues"
    return "viridis"


def _legend(colormap: str, low: float, high: float) -> dict[str, Any]:
    colours = COLOURS[colormap]
    numbers = np.linspace(low, high, len(colours)).tolist()
    return {
        "type": "gradient",
        "items": [
            {"color": colour, "label": _text(number), "value": float(_text(number))}
            for colour, number in zip(colours, numbers, strict=True)
        ],
    }


def _class_legend(classes: Sequence[int], colormap: str, low: float, high: float) -> dict[str, Any]:
    return _categories({value: _between(colormap, value, low, high) for value in classes})


def _palette_legend(source: RasterSource, band: BandValues) -> dict[str, Any]:
    colours = source.colours or {}
    found = sorted(band.classes or ())[:MAX_CLASSES]
    return _categories(
        {v: "#{:02x}{:02x}{:02x}".format(*colours[v]) for v in found if v in colours}
    )


def _categories(colours: Mapping[int, str]) -> dict[str, Any]:
    items = [{"color": c, "label": str(value), "value": value} for value, c in colours.items()]
    return {"type": "categories", "items": items} if items else {}


def _between(colormap: str, value: float, low: float, high: float) -> str:
    """Return the colour of a value, between those of the colormap."""
    colours = [[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in COLOURS[colormap]]
    share = min(1.0, max(0.0, (value - low) / (high - low)))
    places = np.linspace(0, 1, len(colours))
    return "#" + "".join(
        f"{round(float(np.interp(share, places, [colour[part] for colour in colours]))):02x}"
        for part in range(3)
    )


def _text(number: float) -> str:
    return np.format_float_positional(number, precision=6, fractional=False, trim="-")
