"""Vector tiles as the tests read them: decoded, in longitudes and latitudes."""

import math
from typing import Any

import mapbox_vector_tile
import shapely
import shapely.geometry
from shapely.geometry.base import BaseGeometry

EXTENT = 4096


def decode(content: bytes) -> dict[str, list[dict[str, Any]]]:
    """The features of a tile by the names of its layers."""
    options = {"y_coord_down": True}
    layers = mapbox_vector_tile.decode(content, default_options=options)
    assert all(layer["extent"] == EXTENT for layer in layers.values())
    return {name: layer["features"] for name, layer in layers.items()}


def column_of(longitude: float, level: int) -> float:
    """The column of WebMercatorQuad that holds a longitude, with its fraction."""
    return (longitude + 180) / 360 * 2**level


def row_of(latitude: float, level: int) -> float:
    """The row of WebMercatorQuad that holds a latitude, with its fraction."""
    return (1 - math.asinh(math.tan(math.radians(latitude))) / math.pi) / 2 * 2**level


def in_units(geometry: BaseGeometry, level: int, row: int, col: int) -> BaseGeometry:
    """A geometry in degrees in the units of a tile of WebMercatorQuad."""

    def moved(longitude: float, latitude: float) -> tuple[float, float]:
        x, y = column_of(longitude, level) - col, row_of(latitude, level) - row
        return x * EXTENT, y * EXTENT

    return shapely.transform(
        geometry, lambda points: [moved(x, y) for x, y in points], include_z=False
    )


def shape(feature: dict[str, Any]) -> BaseGeometry:
    """The geometry of a decoded feature, in units of its tile."""
    return shapely.geometry.shape(feature["geometry"])
