"""Whether coordinates make sense in a CRS, and what else they may be."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
from pyproj import CRS
from pyproj.exceptions import CRSError

from samsyn_provider.geography.extents import Extent
from samsyn_provider.geography.transformation import epsg_to_degrees

_MARGIN = 5.0
"""Degrees beyond a CRS's area of use in which data are no surprise."""
_NATIONAL_MARGIN = 2.0
"""The same for projections of a country."""
_ZONE_MARGIN = 18.0
"""The same of longitude for a zone: data of a country are often in one as a whole."""
_ZONE_WIDTH = 8.0
_OTHERS = (
    *(3006, 25833, 25832, 3067, 3035, 3857, 3021, 25834, 25835, 25831, 2180, 3301, 3059, 3346),
    *(31467, 27700, 28992, 31370, 2154),
)
"""Projections that data of northern Europe are in, the more likely ones first."""
_MOST_GUESSES = 3
_EUROPE = (-12.0, 47.0, 35.0, 72.0)
_MIN_CONFIDENCE = 60
_PROJECTED_AXES = "northings and eastings"
_SWAP = {
    True: "choose the columns of x and y the other way round.",
    False: "swap the axes of the file (in QGIS: Swap X and Y coordinates).",
}
"""How to mend swapped axes, by whether x and y are columns."""


def crs_remarks(extent: Extent | None, crs: CRS, *, has_columns: bool = False) -> list[str]:
    """Return what is to be said where data lie outside the area of use of their CRS.

    `extent` has the least x and y and the greatest, x east, in units of the CRS; None without
    positions. Each remark tells what the data may be instead, and how to mend it; where x and y are
    columns of a table (`has_columns`) others can be chosen.
    """
    return [] if extent is None else list(_remarks(extent, crs, _SWAP[has_columns]))


def _remarks(extent: Extent, crs: CRS, swap: str) -> Iterator[str]:
    code = _code(crs)
    looks_like_degrees = _is_within(extent, (-180.0, -90.0, 180.0, 90.0))
    if crs.is_projected:
        if looks_like_degrees:
            yield (
                f"The coordinates look like degrees, but were read in {crs.name}, which has metres:"
                " if they are, choose the CRS EPSG:4326."
            )
            return
    elif not looks_like_degrees:
        yield (
            f"The coordinates are no degrees, but were read in {crs.name}, which has degrees."
            f" {_guess(extent, code, swap)}"
        )
        return
    area = crs.area_of_use or _area(code)
    if area is None:
        return
    if crs.is_projected or not _is_world(area):
        degrees = _in_degrees(extent, code, crs)
        if degrees is not None and _is_within(degrees, _with_margin(area, crs)):
            return
        swapped = _in_degrees(_swapped(extent), code, crs)
        where = f"The data lie outside of the area in which {crs.name} is used ({area.name})."
        if swapped is not None and _is_within(swapped, _with_margin(area, crs)):
            names = _PROJECTED_AXES if crs.is_projected else "latitudes and longitudes"
            yield f"{where} With {names} swapped they would lie in it: {swap}"
        elif crs.is_projected:
            yield f"{where} {_guess(extent, code, swap)}"
        else:
            yield f"{where} Choose another CRS if they are not there."
    elif not _is_within(extent, _EUROPE) and _is_within(_swapped(extent), _EUROPE):
        yield (
            f"The data lie between {extent[0]:.4g} and {extent[2]:.4g} degrees of longitude,"
            f" {extent[1]:.4g} and {extent[3]:.4g} of latitude. If they belong to Europe,"
            f" latitudes and longitudes are swapped: {swap}"
        )


def _guess(extent: Extent, code: int | None, swap: str) -> str:
    """Return a sentence about the projections in whose area coordinates would lie."""
    fitting = [
        f"EPSG:{other} ({CRS.from_epsg(other).name})"
        for other in _OTHERS
        if other != code and _fits(extent, other)
    ]
    if fitting:
        names = " or ".join(fitting[:_MOST_GUESSES])
        return f"They would lie in the area of {names}: choose the CRS that the data are in."
    swapped = _swapped(extent)
    if any(_fits(swapped, other) for other in _OTHERS):
        return f"With {_PROJECTED_AXES} swapped they would lie in northern Europe: {swap}"
    return "Choose the CRS that the data are in."


def _fits(extent: Extent, code: int) -> bool:
    area = _area(code)
    degrees = _in_degrees(extent, code, CRS.from_epsg(code))
    if area is None or degrees is None:
        return False
    aside = _MARGIN if area.east - area.west <= _ZONE_WIDTH else 0.0
    return _is_within(degrees, (area.west - aside, area.south, area.east + aside, area.north))


@lru_cache(maxsize=64)
def _area(code: int | None) -> Any:
    if code is None:
        return None
    try:
        return CRS.from_epsg(code).area_of_use
    except CRSError:
        return None


def _code(crs: CRS) -> int | None:
    flat = crs.sub_crs_list[0] if crs.is_compound else crs
    return flat.to_epsg(min_confidence=_MIN_CONFIDENCE)


def _in_degrees(extent: Extent, code: int | None, crs: CRS) -> Extent | None:
    """Return the extent in longitude and latitude, by its corners and the middle; None where it
    has none."""
    if not crs.is_projected or code is None:
        return extent
    x = np.array([extent[0], extent[0], extent[2], extent[2], (extent[0] + extent[2]) / 2])
    y = np.array([extent[1], extent[3], extent[1], extent[3], (extent[1] + extent[3]) / 2])
    longitudes, latitudes = epsg_to_degrees(code).transform(x, y)
    if not (np.isfinite(longitudes).all() and np.isfinite(latitudes).all()):
        return None
    return (
        *(float(longitudes.min()), float(latitudes.min())),
        *(float(longitudes.max()), float(latitudes.max())),
    )


def _with_margin(area: Any, crs: CRS) -> Extent:
    around = aside = _NATIONAL_MARGIN if crs.is_projected else _MARGIN
    if crs.is_projected and area.east - area.west <= _ZONE_WIDTH:
        aside = _ZONE_MARGIN
    return area.west - aside, area.south - around, area.east + aside, area.north + around


def _is_world(area: Any) -> bool:
    return bool(area.east - area.west >= 359)


def _swapped(extent: Extent) -> Extent:
    return extent[1], extent[0], extent[3], extent[2]


def _is_within(extent: Extent, area: Extent) -> bool:
    return (
        area[0] <= extent[0]
        and area[1] <= extent[1]
        and extent[2] <= area[2]
        and extent[3] <= area[3]
    )
