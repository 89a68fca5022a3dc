"""Positions transformed to longitude and latitude, and held to the area of their CRS."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS, Transformer
from pyproj.network import set_network_enabled  # type: ignore[attr-defined]

Values = NDArray[np.float64]

set_network_enabled(False)  # grids for changes of datum would be fetched

_TOLERANCE = 0.001  # metres
_MERCATOR_EDGE = 20_037_508.342789244  # metres from the prime meridian to the antimeridian
_PSEUDO_MERCATOR = 1024  # the EPSG code of the method of EPSG:3857


class ToDegrees:
    """Transforms positions of one CRS, x before y, to longitude and latitude in degrees (CRS84)."""

    def __init__(self, crs: CRS) -> None:
        self._transformer = Transformer.from_crs(crs, "OGC:CRS84", always_xy=True)
        self._projection: Transformer | None = None
        self._edge = np.inf
        projected = crs.source_crs if crs.is_bound and crs.source_crs else crs
        if projected.is_projected and projected.geodetic_crs:
            # without a change of datum, which does not come back to the millimetre
            self._projection = Transformer.from_crs(
                projected, projected.geodetic_crs, always_xy=True
            )
            factor = projected.axis_info[0].unit_conversion_factor or 1.0
            self._tolerance = _TOLERANCE / factor
            operation = projected.coordinate_operation
            if operation and operation.method_code == str(_PSEUDO_MERCATOR):
                self._edge = _MERCATOR_EDGE

    def transform(self, x: Values, y: Values) -> tuple[Values, Values]:
        """Return longitudes and latitudes, infinite where a position is not one of the CRS.

        That is where the projection does not lead back to within a millimetre of the position: it
        has folded or wrapped what lies outside its area.
        """
        rounded = (np.abs(x) > self._edge) & (np.abs(x) <= self._edge + _TOLERANCE)
        x = np.where(rounded, np.clip(x, -self._edge, self._edge), x)
        longitudes, latitudes = self._transformer.transform(x, y)
        if self._projection is not None:
            there = self._projection.transform(x, y)
            back_x, back_y = self._projection.transform(*there, direction="INVERSE")
            with np.errstate(invalid="ignore"):
                is_back = np.hypot(back_x - x, back_y - y) <= self._tolerance
            longitudes = np.where(is_back, longitudes, np.inf)
            latitudes = np.where(is_back, latitudes, np.inf)
        return longitudes, latitudes


@lru_cache(maxsize=64)
def epsg_to_degrees(code: int) -> ToDegrees:
    """Return the transformation from the CRS with this EPSG code."""
    return ToDegrees(CRS.from_epsg(code))
