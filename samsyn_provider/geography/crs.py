"""Coordinate reference systems by URI (OGC API Features Part 2), with the axis order each has."""

import re
import sys
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError

from samsyn_model.errors import InvalidParameterError

CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
_EPSG = "http://www.opengis.net/def/crs/EPSG/0/"
SUPPORTED = (CRS84, *(f"{_EPSG}{code}" for code in (4326, 3857, 3035, 25832, 25833)))
"""What collections can be read in; the first is the default and the storage CRS."""
MERCATOR = 3857
MERCATOR_LATITUDE = 85.06
"""Beyond these latitudes the Web Mercator projection has no plane coordinates."""
_BEYOND = 70.0
"""How many degrees of longitude beyond its area of use a projection is offered."""


@dataclass(frozen=True, slots=True)
class ReferenceSystem:
    """A CRS as requests name it: its URI, PostGIS's SRID, and whether y comes before x."""

    uri: str
    srid: int
    y_first: bool
    is_geographic: bool


@lru_cache(maxsize=256)
def _known(uri: str) -> ReferenceSystem | None:
    if uri == CRS84:
        return ReferenceSystem(uri, 4326, y_first=False, is_geographic=True)
    match = re.fullmatch(re.escape(_EPSG) + r"([1-9]\d{3,5})", uri)
    if match is None:
        return None
    try:
        crs = CRS.from_epsg(int(match[1]))
    except CRSError:
        return None
    if len(crs.axis_info) != 2 or not (crs.is_geographic or crs.is_projected):
        return None
    return ReferenceSystem(uri, int(match[1]), _is_y_first(crs), crs.is_geographic)


def _is_y_first(crs: CRS) -> bool:
    """Return whether a CRS says its northing or latitude first: its own axes against the order
    easting, northing. Their directions do not tell: all meridians at a pole lead north."""
    area = crs.area_of_use
    place = ((area.west + area.east) / 2 + 1, (area.south + area.north) / 2) if area else (1.0, 2.0)
    east, north = Transformer.from_crs("OGC:CRS84", crs, always_xy=True).transform(*place)
    first, _ = Transformer.from_crs("OGC:CRS84", crs).transform(*place)
    return bool(abs(first - north) < abs(first - east))


def epsg_uri(code: int) -> str:
    """Return the URI of the CRS with this EPSG code."""
    return f"{_EPSG}{code}"


def is_offerable(code: int) -> bool:
    """Return whether features can be in the CRS with this EPSG code: one of two dimensions."""
    return _known(epsg_uri(code)) is not None


def reference_system(
    uri: str, parameter: str, supported: tuple[str, ...] = SUPPORTED
) -> ReferenceSystem:
    """Return the CRS that a request's `parameter` names.

    Raises InvalidParameterError when the collection does not offer it.
    """
    known = _known(uri) if uri in supported else None
    if known is None:
        raise InvalidParameterError(
            f"The CRS {uri!r} in {parameter} is not one of this collection's:"
            f" {', '.join(supported)}."
        )
    return known


def covering(bounds: tuple[float, float, float, float]) -> tuple[str, ...]:
    """Return those of SUPPORTED that can show everything within west, south, east and north.

    A projection for one part of the world tears the other side of the globe apart, and has no
    coordinates at all for some places there.
    """
    west, south, east, north = bounds
    suited = []
    for uri in SUPPORTED:
        srid = reference_system(uri, "crs").srid
        first, last = _reach(srid)
        reaches_a_pole = max(-south, north) > MERCATOR_LATITUDE
        if first <= west and east <= last and not (srid == MERCATOR and reaches_a_pole):
            suited.append(uri)
    return tuple(suited)


@lru_cache(maxsize=64)
def _reach(srid: int) -> tuple[float, float]:
    """Return the longitudes between which an EPSG CRS can be relied on."""
    area = CRS.from_epsg(srid).area_of_use
    if area is None or area.east - area.west > 180:
        return -180.0, 180.0
    return area.west - _BEYOND, area.east + _BEYOND


@lru_cache(maxsize=64)
def to_crs84(srid: int) -> Transformer:
    """Return a transformer from x, y in the EPSG CRS `srid` to longitude, latitude."""
    return Transformer.from_crs(srid, "OGC:CRS84", always_xy=True)


def in_degrees(geometry: Any, crs: ReferenceSystem) -> Any:
    """Return a GeoJSON geometry in another CRS as one in longitude and latitude.

    What is no position stays as it is, for whoever checks the geometry; a position beyond the
    area of the CRS becomes infinite.
    """
    if isinstance(geometry, dict):
        moved = {"coordinates", "geometries"} & set(geometry)
        return {**geometry, **{name: in_degrees(geometry[name], crs) for name in moved}}
    if not isinstance(geometry, list):
        return geometry
    if geometry and all(type(number) in {int, float} for number in geometry):
        return _position_in_degrees(geometry, crs)
    return [in_degrees(member, crs) for member in geometry]


def _position_in_degrees(position: list[Any], crs: ReferenceSystem) -> list[Any]:
    if len(position) not in {2, 3} or max(map(abs, position)) > sys.float_info.max:
        return position
    x, y = (position[1], position[0]) if crs.y_first else (position[0], position[1])
    if crs.srid != 4326:
        x, y = to_crs84(crs.srid).transform(x, y)
    return [x, y, *position[2:]]
