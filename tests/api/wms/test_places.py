"""Places on a map, and the images in which servers are asked for them; addresses of requests."""

import math

import pytest

from samsyn_admin.wms.addresses import base_address, request_address
from samsyn_admin.wms.places import Place, place_image

WEB = frozenset({"EPSG:3857", "EPSG:4326"})
DEGREES = frozenset({"EPSG:4326"})
MERCATOR = frozenset({"EPSG:3857"})


def northing(latitude: float) -> float:
    return math.degrees(math.asinh(math.tan(math.radians(latitude))))


def drawn(latitude: float, longitude: float, zoom: float = 4, size: int = 1_000) -> Place:
    """Return a pixel of a map of Web Mercator whose middle is 60 N, 18 E."""
    width = 360 / 2**zoom
    top = northing(60) + width / 2
    south, north = (math.degrees(math.atan(math.sinh(math.radians(y)))) for y in (top - width, top))
    x = int((longitude - 18 + width / 2) / width * size)
    y = int((top - northing(latitude)) / width * size)
    return Place(18 - width / 2, south, 18 + width / 2, north, size, size, x, y)


def position(image: object) -> tuple[float, float]:
    """Return the longitude and latitude of an image's pixel."""
    west, south, east, north = image.box  # type: ignore[attr-defined]
    x = west + (image.i + 0.5) / image.width * (east - west)  # type: ignore[attr-defined]
    y = north - (image.j + 0.5) / image.height * (north - south)  # type: ignore[attr-defined]
    if image.crs == "EPSG:3857":  # type: ignore[attr-defined]
        return math.degrees(x / 6_378_137), math.degrees(math.atan(math.sinh(y / 6_378_137)))
    return x, y


@pytest.mark.parametrize("offered", [WEB, DEGREES, MERCATOR, frozenset()])
def test_a_place_of_web_mercator_is_the_same_in_each_system(offered: frozenset[str]) -> None:
    place = drawn(56.5, 11.2)
    assert place.is_mercator
    image = place_image(place, offered)
    assert image.crs == ("EPSG:4326" if offered == DEGREES else "EPSG:3857")
    assert position(image) == pytest.approx((11.2, 56.5), abs=0.03)


@pytest.mark.parametrize("offered", [WEB, MERCATOR, frozenset({"CRS:84"}), frozenset()])
def test_a_place_in_degrees_is_the_same_in_each_system(offered: frozenset[str]) -> None:
    place = Place(0, 40, 40, 80, 400, 400, 112, 235)
    assert not place.is_mercator
    image = place_image(place, offered)
    assert position(image) == pytest.approx((11.25, 56.45), abs=0.1)


def test_a_place_beyond_the_antimeridian() -> None:
    image = place_image(Place(170, -10, 190, 10, 100, 100, 90, 50), DEGREES)
    assert image.box == (-190, -10, -170, 10)
    assert position(image)[0] == pytest.approx(-171.9)
    assert place_image(Place(-550, 0, -530, 20, 100, 100, 10, 50), DEGREES).box[0] == 170


def test_a_large_map_is_asked_for_at_a_smaller_scale() -> None:
    image = place_image(Place(0, 40, 80, 80, 8_000, 4_000, 8_000, 4_000), DEGREES)
    assert (image.width, image.height, image.i, image.j) == (2_048, 1_024, 2_047, 1_023)


def test_at_the_pole_web_mercator_has_nothing() -> None:
    image = place_image(Place(0, 86, 4, 90, 100, 100, 50, 50), MERCATOR)
    assert image.crs == "EPSG:4326"


def test_axis_orders() -> None:
    image = place_image(Place(10, 54, 14, 58, 100, 100, 50, 60), DEGREES)
    new, old = image.parameters("1.3.0"), image.parameters("1.1.1")
    assert (new["CRS"], new["BBOX"], new["I"], new["J"]) == ("EPSG:4326", "54,10,58,14", "50", "60")
    assert (old["SRS"], old["BBOX"], old["X"], old["Y"]) == ("EPSG:4326", "10,54,14,58", "50", "60")
    longitude_first = place_image(Place(10, 54, 14, 58, 100, 100, 5, 5), frozenset({"CRS:84"}))
    assert longitude_first.parameters("1.3.0")["BBOX"] == "10,54,14,58"
    assert longitude_first.parameters("1.1.1")["SRS"] == "EPSG:4326"


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("https://a.example/wms", "https://a.example/wms"),
        ("https://a.example/wms?", "https://a.example/wms"),
        ("https://a.example/wms??&&", "https://a.example/wms"),
        (" https://a.example/wms?Service=WMS&REQUEST=x&version=1#here", "https://a.example/wms"),
        ("https://a.example/?map=/a%20b.map&SERVICE=WMS", "https://a.example/?map=/a%20b.map&"),
        ("https://a.example/wms?MAP=a&", "https://a.example/wms?MAP=a&"),
    ],
)
def test_addresses(url: str, base: str) -> None:
    assert base_address(url) == base
    address, _, fragment = url.partition("#")
    with_layers = f"{address}{'&' if '?' in url else '?'}layers=old#{fragment}"
    sent = request_address(with_layers, {"LAYERS": "new", "VERSION": "1"})
    joint = "" if "?" in base else "?"
    assert sent == f"{base}{joint}LAYERS=new&VERSION=1"
