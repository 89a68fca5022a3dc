"""Tile matrix sets (OGC Two Dimensional Tile Matrix Set 2.0), and their tiles."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from samsyn_model.errors import InvalidParameterError, NotFoundError

Edges = tuple[float, float, float, float]
"""West, south, east, north."""

MERCATOR_LATITUDE = 85.0511287798066
"""The latitude of the edges of Web Mercator's square, in degrees."""
EXTENT = 4096
"""The width of a tile in units; its coordinates are integers."""

MARGIN = 64
"""The buffer of a tile in units: features are drawn beyond its edges, which do not show then."""

_TILE_PIXELS = 256
_PIXEL_METRES = 0.00028  # the standardized rendering pixel size
_RADIUS = 6_378_137.0
_METRES_PER_DEGREE = math.pi * _RADIUS / 180
_DEFINITIONS = "http://www.opengis.net/def"
_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,17}")


@dataclass(frozen=True, slots=True)
class TileMatrixSet:
    """A pyramid of tile matrices; each has twice the rows and columns of the one before."""

    id: str
    title: str
    scale_set: str
    crs: str
    srid: int
    """Of coordinates in the order x (east), y (north), regardless of the axis order of `crs`."""
    axes: tuple[str, str]
    origin: tuple[float, float]
    """The north-western corner."""
    span: float
    """The width of a tile of matrix 0, in units of the CRS."""
    columns: int
    """Of matrix 0, which has one row."""
    matrices: int
    metres_per_unit: float

    @property
    def uri(self) -> str:
        """The URI of the definition in the OGC's register."""
        return f"{_DEFINITIONS}/tilematrixset/OGC/1.0/{self.id}"

    def document(self) -> dict[str, Any]:
        """Return the definition as JSON (clause 7 of the standard, without links)."""
        return {
            "id": self.id,
            "title": self.title,
            "uri": self.uri,
            "crs": self.crs,
            "orderedAxes": list(self.axes),
            "wellKnownScaleSet": f"{_DEFINITIONS}/wkss/OGC/1.0/{self.scale_set}",
            "tileMatrices": [self._matrix(level) for level in range(self.matrices)],
        }

    def _matrix(self, level: int) -> dict[str, Any]:
        cell = self.span / (1 << level) / _TILE_PIXELS
        return {
            "id": str(level),
            "scaleDenominator": cell * self.metres_per_unit / _PIXEL_METRES,
            "cellSize": cell,
            "cornerOfOrigin": "topLeft",
            "pointOfOrigin": list(self.origin),
            "tileWidth": _TILE_PIXELS,
            "tileHeight": _TILE_PIXELS,
            "matrixWidth": self.columns * (1 << level),
            "matrixHeight": 1 << level,
        }

    def limits(self, bounds: Edges) -> list[dict[str, Any]]:
        """Return the rows and columns that bounds in degrees intersect, one member per matrix."""
        west, north = self._position(bounds[0], bounds[3])
        east, south = self._position(bounds[2], bounds[1])
        return [
            {
                "tileMatrix": str(level),
                "minTileRow": _cell(north, level, 1 << level),
                "maxTileRow": _cell(south, level, 1 << level),
                "minTileCol": _cell(west, level, self.columns * (1 << level)),
                "maxTileCol": _cell(east, level, self.columns * (1 << level)),
            }
            for level in range(self.matrices)
        ]

    def _position(self, longitude: float, latitude: float) -> tuple[float, float]:
        """Return a position in tiles of matrix 0, from the north-western corner."""
        x, y = longitude, latitude
        if self.is_mercator:
            latitude = max(-MERCATOR_LATITUDE, min(MERCATOR_LATITUDE, latitude))
            x = longitude * _METRES_PER_DEGREE
            y = _RADIUS * math.asinh(math.tan(math.radians(latitude)))
        return (x - self.origin[0]) / self.span, (self.origin[1] - y) / self.span

    @property
    def is_mercator(self) -> bool:
        """Whether the tiles are of Web Mercator, else of longitudes and latitudes."""
        return self.srid == 3857


def _cell(position: float, level: int, cells: int) -> int:
    return max(0, min(cells - 1, math.floor(position * (1 << level))))


WEB_MERCATOR_QUAD = TileMatrixSet(
    id="WebMercatorQuad",
    title="Google Maps Compatible for the World",
    scale_set="GoogleMapsCompatible",
    crs=f"{_DEFINITIONS}/crs/EPSG/0/3857",
    srid=3857,
    axes=("X", "Y"),
    origin=(-math.pi * _RADIUS, math.pi * _RADIUS),
    span=2 * math.pi * _RADIUS,
    columns=1,
    matrices=25,
    metres_per_unit=1.0,
)
WORLD_CRS84_QUAD = TileMatrixSet(
    id="WorldCRS84Quad",
    title="CRS84 for the World",
    scale_set="GoogleCRS84Quad",
    crs=f"{_DEFINITIONS}/crs/OGC/1.3/CRS84",
    srid=4326,
    axes=("Lon", "Lat"),
    origin=(-180.0, 90.0),
    span=180.0,
    columns=2,
    matrices=24,
    metres_per_unit=_METRES_PER_DEGREE,
)
TILE_MATRIX_SETS = {grid.id: grid for grid in (WEB_MERCATOR_QUAD, WORLD_CRS84_QUAD)}


@dataclass(frozen=True)
class Tile:
    """One tile of a tile matrix set."""

    grid: TileMatrixSet
    level: int
    row: int
    col: int

    @property
    def span(self) -> float:
        """The width in units of the CRS."""
        return self.grid.span / (1 << self.level)

    @cached_property
    def edges(self) -> Edges:
        """The edges in the CRS of the tile matrix set."""
        west = self.grid.origin[0] + self.col * self.span
        north = self.grid.origin[1] - self.row * self.span
        return west, north - self.span, west + self.span, north

    def degrees(self, margin: float) -> Edges:
        """Return the edges in degrees, extended by `margin` tiles but not beyond the world."""
        west, south, east, north = self.edges
        width = margin * self.span
        west, south, east, north = west - width, south - width, east + width, north + width
        if self.grid.is_mercator:
            west, east = west / _METRES_PER_DEGREE, east / _METRES_PER_DEGREE
            south, north = _latitude(south), _latitude(north)
        highest = MERCATOR_LATITUDE if self.grid.is_mercator else 90.0
        return max(-180.0, west), max(-highest, south), min(180.0, east), min(highest, north)


def _latitude(y: float) -> float:
    return math.degrees(math.atan(math.sinh(y / _RADIUS)))


def find_tile_matrix_set(name: str) -> TileMatrixSet:
    """Return the tile matrix set with this id; raises NotFoundError when there is none."""
    if name not in TILE_MATRIX_SETS:
        raise NotFoundError(f"The tile matrix sets are {_listed(list(TILE_MATRIX_SETS))}.")
    return TILE_MATRIX_SETS[name]


def find_tile(grid: TileMatrixSet, matrix: str, row: str, col: str) -> Tile:
    """Return the tile of a path.

    Raises InvalidParameterError when row or column are not integers, NotFoundError when there is no
    such matrix or they lie outside it.
    """
    if matrix not in map(str, range(grid.matrices)):
        raise NotFoundError(f"{grid.id} has the tile matrices 0 to {grid.matrices - 1}.")
    if not (_INTEGER.fullmatch(row) and _INTEGER.fullmatch(col)):
        raise InvalidParameterError("The row and the column of a tile are whole numbers.")
    tile = Tile(grid, int(matrix), int(row), int(col))
    rows = 1 << tile.level
    if not (0 <= tile.row < rows and 0 <= tile.col < rows * grid.columns):
        raise NotFoundError(
            f"Tile matrix {matrix} has {rows} rows and {rows * grid.columns} columns, from 0."
        )
    return tile


def _listed(names: Sequence[str]) -> str:
    return " and ".join(names)
