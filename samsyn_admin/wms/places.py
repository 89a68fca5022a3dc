"""A place on a map of the web app, and the map image in which a WMS is asked for it."""

import math
from dataclasses import dataclass

from samsyn_model.errors import InvalidParameterError
from samsyn_provider.query.parameters import parse_number

MAX_SIZE = 2_048
"""Pixels of an image that a server is asked for; a larger one is asked for at a smaller scale."""
MAX_PIXELS = 100_000
WEB_MERCATOR = "EPSG:3857"
_DEGREES = ("EPSG:4326", "CRS:84")
_RADIUS = 6_378_137.0
_MAX_LATITUDE = 85.06
_MAX_LONGITUDE = 1_080.0
_SQUARE = 0.03  # how far from 1 the sides of a pixel may be to each other, as a logarithm


@dataclass(frozen=True, slots=True)
class Place:
    """A pixel of an image of an area in degrees; `x` from the west, `y` from the north."""

    west: float
    south: float
    east: float
    north: float
    width: int
    height: int
    x: int
    y: int

    @property
    def is_mercator(self) -> bool:
        """Whether the image is one of Web Mercator, as the web app draws: its pixels are square
        there and not in degrees."""
        if max(abs(self.south), abs(self.north)) > _MAX_LATITUDE:
            return False
        shape = math.log(self.width / self.height)
        height = math.degrees(_northing(self.north) - _northing(self.south))
        in_degrees = math.log((self.east - self.west) / (self.north - self.south))
        in_mercator = math.log((self.east - self.west) / height)
        return abs(shape - in_mercator) < min(_SQUARE, abs(shape - in_degrees))


@dataclass(frozen=True, slots=True)
class Image:
    """An image as a WMS is asked for it: its area, as easting and northing or longitude and
    latitude, and a pixel."""

    crs: str
    box: tuple[float, float, float, float]
    width: int
    height: int
    i: int
    j: int

    def parameters(self, version: str) -> dict[str, str]:
        """Return the parameters of a version: 1.3.0 has the axis order of EPSG:4326, which begins
        with the latitude, and other names."""
        west, south, east, north = self.box
        is_new = version == "1.3.0"
        box = self.box
        if is_new and self.crs == "EPSG:4326":
            box = (south, west, north, east)
        crs = self.crs if is_new or self.crs != "CRS:84" else "EPSG:4326"
        return {
            "CRS" if is_new else "SRS": crs,
            "BBOX": ",".join(format(number, ".12g") for number in box),
            "WIDTH": str(self.width),
            "HEIGHT": str(self.height),
            "I" if is_new else "X": str(self.i),
            "J" if is_new else "Y": str(self.j),
        }


def parse_place(bbox: str, width: str, height: str, x: str, y: str) -> Place:
    """Return the place that parameters name: `bbox` is west, south, east, north in degrees, where a
    map may go past the antimeridian; `x` and `y` are pixels. Raises InvalidParameterError.
    """
    west, south, east, north = parse_bounds(bbox)
    size = [_pixels(name, text, 1) for name, text in (("width", width), ("height", height))]
    point = [_pixels(name, text, 0) for name, text in (("x", x), ("y", y))]
    if point[0] > size[0] or point[1] > size[1]:
        raise InvalidParameterError("x and y are a pixel of the map: at most width and height.")
    return Place(west, south, east, north, size[0], size[1], *point)


def parse_bounds(text: str) -> tuple[float, float, float, float]:
    """Return west, south, east and north in degrees; raises InvalidParameterError."""
    parts = text.split(",")
    numbers = [number for part in parts if (number := parse_number(part.strip())) is not None]
    if len(parts) != 4 or len(numbers) != 4:
        raise InvalidParameterError("The area is west,south,east,north: four numbers in degrees.")
    west, south, east, north = numbers
    if east < west:
        east += 360  # across the antimeridian
    if not (-90 <= south < north <= 90 and west < east):
        raise InvalidParameterError("The area has south below north, from -90 to 90 degrees.")
    if max(abs(west), abs(east)) > _MAX_LONGITUDE:
        raise InvalidParameterError("The area is more than three times around the world.")
    return west, south, east, north


def place_image(place: Place, offered: frozenset[str]) -> Image:
    """Return the image in which a server is asked for a place, in a reference system of those that
    the layer is `offered` in: none is known where there are none.

    The area is moved by whole turns of the world, so that the place is where the server has data.
    """
    share_x = min(place.x + 0.5, place.width - 0.5) / place.width
    longitude = place.west + share_x * (place.east - place.west)
    turn = 360.0 * math.floor((longitude + 180) / 360)
    west, east = place.west - turn, place.east - turn
    south, north = place.south, place.north
    crs = _reference_system(offered, is_mercator=place.is_mercator)
    if south >= _MAX_LATITUDE or north <= -_MAX_LATITUDE:  # where Web Mercator has nothing
        crs = _DEGREES[0]
    share_y = min(place.y + 0.5, place.height - 0.5) / place.height
    if crs == WEB_MERCATOR:
        south, north = max(south, -_MAX_LATITUDE), min(north, _MAX_LATITUDE)
        box = (
            *(_RADIUS * math.radians(west), _RADIUS * _northing(south)),
            *(_RADIUS * math.radians(east), _RADIUS * _northing(north)),
        )
    else:
        box = (west, south, east, north)
    if (crs == WEB_MERCATOR) != place.is_mercator:
        share_y = _other_share(place, share_y, south, north)
    scale = min(1.0, MAX_SIZE / max(place.width, place.height))
    width, height = max(1, round(place.width * scale)), max(1, round(place.height * scale))
    i, j = min(int(share_x * width), width - 1), min(int(share_y * height), height - 1)
    return Image(crs, box, width, height, i, j)


def _other_share(place: Place, share: float, south: float, north: float) -> float:
    """Return how far down a place is in an image of the other reference system."""
    if place.is_mercator:
        top, bottom = _northing(place.north), _northing(place.south)
        latitude = math.degrees(math.atan(math.sinh(top - share * (top - bottom))))
        return (north - latitude) / (north - south)
    latitude = min(max(place.north - share * (place.north - place.south), south), north)
    top, bottom = _northing(north), _northing(south)
    return (top - _northing(latitude)) / (top - bottom)


def _reference_system(offered: frozenset[str], *, is_mercator: bool) -> str:
    wanted = (WEB_MERCATOR, *_DEGREES) if is_mercator else (*_DEGREES, WEB_MERCATOR)
    return next((crs for crs in wanted if crs in offered), wanted[0])


def _northing(latitude: float) -> float:
    """Return the northing of a latitude in Web Mercator on a sphere of radius 1."""
    return math.asinh(math.tan(math.radians(latitude)))


def _pixels(name: str, text: str, least: int) -> int:
    if not text.isascii() or not text.isdigit() or not least <= int(text[:9]) <= MAX_PIXELS:
        raise InvalidParameterError(f"{name} is a whole number from {least} to {MAX_PIXELS:,}.")
    return int(text)
