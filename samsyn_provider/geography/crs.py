"""Coordinate reference systems by URI (OGC API Features Part 2), with their axis order."""

import re
import sys
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError

from samsyn_model.errors import InvalidParameterError
from samsyn_provider.geography.extents import around_the_world
from samsyn_provider.geography.transformation import epsg_to_degrees

CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
_EPSG = "http://www.opengis.net/def/crs/EPSG/0/"
SUPPORTED = (CRS84, *(f"{_EPSG}{code}" for code in (4326, 3857, 3035, 25832, 25833)))
"""The CRSs of every collection; the first is the default and the storage CRS."""
WGS84 = 4326
MERCATOR = 3857
MERCATOR_LATITUDE = 85.06
"""Beyond these latitudes the Web Mercator projection has no plane coordinates."""
_MILLIMETRE = 1e-8  # degrees of latitude
_NAME = re.compile(
    r"\[?(?:https?://www\.opengis\.net/def/crs/|urn:ogc:def:crs:|urn:x-ogc:def:crs:)?"
    r"(?:EPSG[:/](?:[\d.]*[:/])?(?P<code>[1-9]\d{3,5})|(?:OGC[:/](?:[\d.]*[:/])?)?CRS84)\]?",
    re.IGNORECASE,
)
_LONGITUDE_MARGIN = 70.0
"""Degrees of longitude beyond its area of use in which a projection is offered."""


@dataclass(frozen=True, slots=True)
class ReferenceSystem:
    """A CRS: its URI, PostGIS's SRID, and whether y comes before x."""

    uri: str
    srid: int
    y_first: bool
    is_geographic: bool


@lru_cache(maxsize=256)
def _parse_uri(uri: str) -> ReferenceSystem | None:
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
    """Return whether northing or latitude is the first axis, by transforming a position both in the
    axis order of the CRS and with x first. Axis directions are no help: at a pole all are north."""
    area = crs.area_of_use
    position = (
        ((area.west + area.east) / 2 + 1, (area.south + area.north) / 2) if area else (1.0, 2.0)
    )
    east, north = Transformer.from_crs("OGC:CRS84", crs, always_xy=True).transform(*position)
    first, _ = Transformer.from_crs("OGC:CRS84", crs).transform(*position)
    return bool(abs(first - north) < abs(first - east))


def crs_uri(name: str) -> str:
    """Return the URI of a CRS that is named by its URI, by a URN or in short.

    `EPSG:3857`, `[EPSG:3857]` (a safe CURIE), `urn:ogc:def:crs:EPSG::3857`, `OGC:CRS84`, `CRS84`,
    and URIs that begin with https; any other name is returned as it is.
    """
    match = _NAME.fullmatch(name.strip())
    if match is None:
        return name
    return epsg_uri(int(match["code"])) if match["code"] else CRS84


def epsg_uri(code: int) -> str:
    """Return the URI of the CRS with this EPSG code."""
    return f"{_EPSG}{code}"


def is_offerable(code: int) -> bool:
    """Return whether the EPSG code is of a CRS with two dimensions, which layers can offer."""
    return _parse_uri(epsg_uri(code)) is not None


def reference_system(
    uri: str, parameter: str, supported: tuple[str, ...] = SUPPORTED
) -> ReferenceSystem:
    """Return the CRS that a request's `parameter` names, in any form of `crs_uri`.

    Raises InvalidParameterError when the collection does not offer it.
    """
    if uri not in supported:
        uri = crs_uri(uri)
    crs = _parse_uri(uri) if uri in supported else None
    if crs is None:
        raise InvalidParameterError(
            f"The CRS {uri!r} in {parameter} is not one of this collection's:"
            f" {', '.join(supported)}."
        )
    return crs


def covering(bounds: tuple[float, float, float, float]) -> tuple[str, ...]:
    """Return the CRSs of SUPPORTED that can represent all within west, south, east and north.

    A regional projection distorts the other side of the globe, and has no coordinates at all for
    some positions there.
    """
    west, south, east, north = around_the_world(bounds)
    covering_uris = []
    for uri in SUPPORTED:
        srid = reference_system(uri, "crs").srid
        first, last = _longitude_range(srid)
        reaches_a_pole = max(-south, north) > MERCATOR_LATITUDE
        if first <= west and east <= last and not (srid == MERCATOR and reaches_a_pole):
            covering_uris.append(uri)
    return tuple(covering_uris)


@lru_cache(maxsize=64)
def _longitude_range(srid: int) -> tuple[float, float]:
    """Return the longitudes between which an EPSG CRS is usable."""
    area = CRS.from_epsg(srid).area_of_use
    if area is None or area.east - area.west > 180:
        return -180.0, 180.0
    return area.west - _LONGITUDE_MARGIN, area.east + _LONGITUDE_MARGIN


def in_degrees(geometry: Any, crs: ReferenceSystem, *, is_stored: bool = False) -> Any:
    """Return a GeoJSON geometry in `crs` transformed to longitude and latitude.

    Invalid positions stay as they are, for the geometry's validation; a position outside the area
    of the CRS becomes infinite, as does one to be stored that would be cut off when it is read in
    the same CRS. A geometry that is in longitude and latitude already is returned.
    """
    if crs.srid == WGS84 and not crs.y_first:
        return geometry
    positions: list[list[Any]] = []
    copied = _with_positions(geometry, positions)
    if not positions:
        return copied
    x = np.array([position[crs.y_first] for position in positions], dtype=np.float64)
    y = np.array([position[not crs.y_first] for position in positions], dtype=np.float64)
    if crs.srid != WGS84:
        x, y = epsg_to_degrees(crs.srid).transform(x, y)
    if is_stored and crs.srid == MERCATOR:
        y = np.where(np.abs(y) > MERCATOR_LATITUDE + _MILLIMETRE, np.inf, y)
    for position, longitude, latitude in zip(positions, x.tolist(), y.tolist(), strict=True):
        position[:2] = longitude, latitude
    return copied


def _with_positions(value: Any, positions: list[list[Any]]) -> Any:
    """Return a copy of a geometry or of its coordinates; append the copy's positions."""
    if isinstance(value, dict):
        names = {"coordinates", "geometries"} & set(value)
        return {**value, **{name: _with_positions(value[name], positions) for name in names}}
    if not isinstance(value, list):
        return value
    if not value or any(type(number) not in {int, float} for number in value):
        return [_with_positions(member, positions) for member in value]
    if len(value) not in {2, 3} or max(map(abs, value)) > sys.float_info.max:
        return value
    position = list(value)
    positions.append(position)
    return position
