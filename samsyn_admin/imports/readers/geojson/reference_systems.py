"""The CRS that GeoJSON, JSON-FG and Esri JSON name, and in which order its axes are written."""

import re
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError, ProjError

from samsyn_admin.imports.sources.layer import CRS84, file_crs
from samsyn_model.errors import InvalidParameterError
from samsyn_provider.geography.crs_member import crs_name

_EPSG = re.compile(r"epsg(?:\.xml)?[#:/]+(?:[\d.]*[:/])?(\d{4,6})(?![\d.])", re.IGNORECASE)
_CRS84 = re.compile(r"\bcrs:?84h?\b", re.IGNORECASE)
_ADDRESSES = re.compile(
    r"https?://(?:www\.)?(?:spatialreference\.org/ref|epsg\.io|opengis\.net/def/crs)/(.*)",
    re.IGNORECASE,
)
_EPSG_IO = re.compile(r"(\d{4,6})(?:[./]\w*)?")
_PROJECTED = 360  # degrees: no longitude or latitude is beyond, whatever its notation
_MARGIN = 1.0  # degrees around the area of use of a CRS


def member_crs(member: Any) -> CRS | None:
    """Return the CRS that a `crs` member (GeoJSON 2008) names; None where it names no known one.

    Of links only the addresses of registries of EPSG codes are understood; none is fetched.
    """
    properties = member.get("properties") if isinstance(member, dict) else None
    if not isinstance(properties, dict):
        return None
    if member.get("type") == "link":
        return _linked_crs(properties.get("href"))
    code = properties.get("code")
    if isinstance(code, str) and code.isdecimal():
        return named_crs(f"EPSG:{code}")
    name = crs_name(member)
    return None if name is None else named_crs(name)


def _linked_crs(href: Any) -> CRS | None:
    match = _ADDRESSES.fullmatch(href) if isinstance(href, str) else None
    if match is None:
        return None
    code = _EPSG_IO.fullmatch(match[1])
    return named_crs(f"EPSG:{code[1]}" if code else match[1])


@lru_cache(maxsize=64)
def named_crs(name: str) -> CRS | None:
    """Return the CRS of a name, a code, a URN or a URI of OGC; None for an unknown one."""
    is_definition = '"' in name or "+proj" in name
    code = None if is_definition else _EPSG.search(name)
    if code is None and _CRS84.search(name):
        return CRS84
    try:
        return file_crs(f"EPSG:{code[1]}" if code else name)
    except InvalidParameterError:
        return None


def json_fg_crs(value: Any) -> CRS | None:
    """Return the CRS of a `coordRefSys` member of JSON-FG; None where it names no known one."""
    if isinstance(value, dict):
        value = value.get("href")
    if isinstance(value, list):  # a compound CRS: its first part is the horizontal one
        return json_fg_crs(value[0]) if value else None
    return named_crs(value) if isinstance(value, str) else None


def esri_crs(value: Any) -> CRS | None:
    """Return the CRS of a `spatialReference` of Esri; None where it names no known one."""
    if not isinstance(value, dict):
        return None
    for member in ("latestWkid", "wkid"):
        code = value.get(member)
        if isinstance(code, int) and code > 0:
            for authority in ("EPSG", "ESRI"):
                try:
                    return CRS.from_authority(authority, code)
                except CRSError:
                    continue
    text = value.get("wkt2") or value.get("wkt")
    return named_crs(text) if isinstance(text, str) else None


def is_north_first(crs: CRS) -> bool:
    """Return whether a CRS has latitude or northing before longitude or easting."""
    directions = [axis.direction for axis in crs.axis_info[:2]]
    return directions == ["north", "east"]


def are_projected(positions: NDArray[np.float64]) -> bool:
    """Return whether positions are no degrees: every one has a number that no degree reaches."""
    return bool(len(positions)) and bool((np.abs(positions[:, :2]).max(axis=1) > _PROJECTED).all())


def are_swapped(positions: NDArray[np.float64], crs: CRS) -> bool:
    """Return whether positions lie in the area of use of a CRS only with their axes exchanged."""
    area = crs.area_of_use
    if area is None or not len(positions) or area.west > area.east:
        return False
    try:
        to_degrees = Transformer.from_crs(crs, CRS84, always_xy=True)
        as_written = to_degrees.transform(positions[:, 0], positions[:, 1])
        exchanged = to_degrees.transform(positions[:, 1], positions[:, 0])
    except ProjError:
        return False
    west, south, east, north = area.bounds

    def inside(longitudes: NDArray[np.float64], latitudes: NDArray[np.float64]) -> Any:
        return (
            (longitudes >= west - _MARGIN)
            & (longitudes <= east + _MARGIN)
            & (latitudes >= south - _MARGIN)
            & (latitudes <= north + _MARGIN)
        )

    return not inside(*as_written).any() and bool(inside(*exchanged).all())
