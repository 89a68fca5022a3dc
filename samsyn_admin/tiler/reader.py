"""A raster as TiTiler reads it: its tiles, its values, what it is."""

import math
from collections import OrderedDict
from contextlib import AbstractContextManager
from threading import Lock
from typing import Any

import attr
import numpy
from rasterio.crs import CRS
from rasterio.enums import ColorInterp, Resampling
from rasterio.transform import from_bounds
from rasterio.vrt import WarpedVRT
from rasterio.warp import transform_bounds
from rio_tiler.constants import WGS84_CRS
from rio_tiler.errors import PointOutsideBounds, TileOutsideBounds
from rio_tiler.io import Reader
from rio_tiler.models import BandStatistics, ImageData, Info, PointData

from samsyn_admin.tiler.opening import Opened
from samsyn_model.errors import UnusableRasterError

MAX_ZOOM = 24
_TILE_SIZE = 256  # pixels
_TOLERANCE = 1.1  # times that the pixels of an overview may be larger than those of a tile
_SAMPLE = 512  # pixels of a side, of which the range of the values is taken
_PERCENTILES = (2, 98)
_MERCATOR = CRS.from_epsg(3857)
_EDGE = 20037508.342789244  # of Web Mercator, in metres
_MAX_LATITUDE = 85.06
_MAX_RANGES = 2_000

type Range = tuple[float, float]

_RANGES: OrderedDict[tuple[str, tuple[int, ...], str], list[Range]] = OrderedDict()
_LOCK = Lock()


@attr.s(these={})
class RasterReader(Reader):  # type: ignore[misc]
    """rio-tiler's reader of what is opened by `input`, a context manager of Opened.

    Tiles are warped here: rio-tiler's way needs GDAL's driver of VRT. All methods raise
    UnusableRasterError for a band that there is not.
    """

    input: AbstractContextManager[Opened]

    def __attrs_post_init__(self) -> None:
        """Open the raster; raises the errors of `Rasters.opened`."""
        try:
            opened = self._ctx_stack.enter_context(self.input)
            self.opened, self.dataset = opened, opened.dataset
            super().__attrs_post_init__()
        except BaseException:
            self._ctx_stack.close()
            raise

    def __exit__(self, *error: Any) -> None:
        """Close the raster; an error of the block may become another one, which says why."""
        self._ctx_stack.__exit__(*error)

    def tile(  # noqa: PLR0913, PLR0917 - rio-tiler's
        self,
        tile_x: int,
        tile_y: int,
        tile_z: int,
        tilesize: int | None = None,
        indexes: list[int] | None = None,
        nodata: Any = None,
        **_: Any,
    ) -> ImageData:
        """Return a tile of Web Mercator; raises TileOutsideBounds."""
        side = 2 * _EDGE / 2**tile_z
        west, north = tile_x * side - _EDGE, _EDGE - tile_y * side
        bounds = (west, north - side, west + side, north)
        if tile_z > MAX_ZOOM or not _overlap(bounds, self._mercator_bounds()):
            raise TileOutsideBounds("The tile is outside the raster.")
        chosen = self._chosen(indexes)
        image = self._warped(bounds, tilesize or _TILE_SIZE, chosen, nodata)
        image.dataset_statistics = self._ranges(chosen, nodata)
        return image

    def preview(
        self,
        indexes: list[int] | None = None,
        max_size: int | None = 1024,
        height: int | None = None,
        width: int | None = None,
        nodata: Any = None,
        **_: Any,
    ) -> ImageData:
        """Return a picture of the whole that fits into the size, in the raster's own CRS."""
        box_width, box_height = width or max_size or 1024, height or max_size or 1024
        scale = min(box_width / self.width, box_height / self.height, 1.0)
        chosen = self._chosen(indexes)
        image = self.read(
            indexes=chosen,
            max_size=None,
            width=max(1, round(self.width * scale)),
            height=max(1, round(self.height * scale)),
            nodata=self._nodata(nodata),
        )
        image.dataset_statistics = self._ranges(chosen, nodata)
        return image

    def info(self) -> Info:
        """Return TiTiler's information, with bounds in WGS 84, zoom levels and `nodata`."""
        west, south, east, north = self._degrees()
        nodata = self.dataset.nodata
        found = super().info().model_dump(exclude={"nodata_value"})
        resolution = self._resolution(west, south, east, north)
        most = _zoom(resolution)
        coarsest = max(1.0, max(self.width, self.height) / _TILE_SIZE)
        found |= {
            "bounds": (west, south, east, north),
            "minzoom": min(most, _zoom(resolution * coarsest)),
            "maxzoom": most,
            "nodata": nodata if nodata is None or math.isfinite(nodata) else str(nodata),
        }
        return Info.model_validate(found)

    def point(
        self,
        lon: float,
        lat: float,
        coord_crs: CRS = WGS84_CRS,
        indexes: list[int] | None = None,
        nodata: Any = None,
        **_: Any,
    ) -> PointData:
        """Return the values at a place; masked ones are null. Raises UnusableRasterError."""
        try:
            found = super().point(
                lon, lat, coord_crs, indexes=self._chosen(indexes, all_bands=True)
            )
        except PointOutsideBounds as error:
            raise UnusableRasterError("The place is outside the raster.") from error
        missing = self._nodata(nodata)
        if missing is not None and not math.isnan(missing):
            found.array = numpy.ma.masked_equal(found.array, missing)
        found.array = numpy.ma.masked_invalid(found.array)
        return found

    def statistics(self, **_: Any) -> dict[str, BandStatistics]:
        """Not used: TiTiler takes the statistics of a preview."""
        raise NotImplementedError

    def _chosen(self, indexes: list[int] | None, *, all_bands: bool = False) -> list[int]:
        """Return the bands that are asked for, or those that make a picture."""
        if indexes:
            if max(indexes) > self.dataset.count:
                bands = "one band" if self.dataset.count == 1 else f"{self.dataset.count} bands"
                raise UnusableRasterError(
                    f"There is no band {max(indexes)}: the raster has {bands}."
                )
            return indexes
        kinds = self.dataset.colorinterp
        drawn = [band for band, kind in enumerate(kinds, 1) if kind != ColorInterp.alpha]
        if all_bands:
            return drawn or [1]
        return drawn[:3] if len(drawn) >= 3 else drawn[:1] or [1]

    def _nodata(self, given: Any) -> float | None:
        """Return the value of missing pixels: that of a raster of floats is NaN otherwise."""
        nodata = self.dataset.nodata if given is None else float(given)
        is_float = self.dataset.dtypes[0].startswith("float")
        if nodata is None and is_float and not _has_mask(self.dataset):
            return math.nan
        return None if nodata is not None and math.isnan(nodata) and not is_float else nodata

    def _warped(
        self, bounds: tuple[float, float, float, float], size: int, bands: list[int], nodata: Any
    ) -> ImageData:
        missing = self._nodata(nodata)
        options: dict[str, Any] = {"add_alpha": not _has_alpha(self.dataset)}
        if missing is not None:
            options = {"nodata": missing, "src_nodata": missing}
        wanted = (bounds[2] - bounds[0]) / size / self._resolution(*self._degrees())
        with WarpedVRT(
            self.opened.overview(wanted * _TOLERANCE),
            crs=_MERCATOR,
            transform=from_bounds(*bounds, size, size),
            width=size,
            height=size,
            resampling=Resampling.nearest,
            warp_mem_limit=64,
            **options,
        ) as warped:
            values = warped.read(bands)
            if missing is None:
                hidden = warped.dataset_mask() == 0
            elif math.isnan(missing):
                hidden = numpy.isnan(values)
            else:
                hidden = values == missing
        masked = numpy.ma.MaskedArray(values, numpy.broadcast_to(hidden, values.shape))
        return ImageData(
            masked, bounds=bounds, crs=_MERCATOR, band_names=[f"b{band}" for band in bands]
        )

    def _ranges(self, bands: list[int], nodata: Any) -> list[Range] | None:
        """Return the 2nd and the 98th percentile of bands, None of those that are drawn as is."""
        if self.dataset.dtypes[0] == "uint8":
            return None
        key = (self.opened.identity, tuple(bands), str(nodata))
        with _LOCK:
            if (known := _RANGES.get(key)) is not None:
                return known
        scale = min(_SAMPLE / self.width, _SAMPLE / self.height, 1.0)
        width, height = (max(1, round(side * scale)) for side in (self.width, self.height))
        sample = self.read(
            indexes=bands, max_size=None, width=width, height=height, nodata=self._nodata(nodata)
        ).array
        ranges = [_range(band.compressed()) for band in sample]
        with _LOCK:
            _RANGES[key] = ranges
            while len(_RANGES) > _MAX_RANGES:
                _RANGES.popitem(last=False)
        return ranges

    def _mercator_bounds(self) -> tuple[float, float, float, float]:
        if self.crs == _MERCATOR:
            return tuple(self.bounds)
        west, south, east, north = self._degrees()
        if south >= _MAX_LATITUDE or north <= -_MAX_LATITUDE:
            return (math.inf, math.inf, -math.inf, -math.inf)
        south, north = max(south, -_MAX_LATITUDE), min(north, _MAX_LATITUDE)
        if east < west:  # across the antimeridian
            west, east = -180.0, 180.0
        found: tuple[float, float, float, float] = transform_bounds(
            WGS84_CRS, _MERCATOR, west, south, east, north
        )
        return found

    def _degrees(self) -> tuple[float, float, float, float]:
        """Return the bounds in WGS 84: west, south, east, north."""
        try:
            west, south, east, north = transform_bounds(self.crs, WGS84_CRS, *self.bounds)
        except Exception as error:
            raise UnusableRasterError("The place of the GeoTIFF on earth is not known.") from error
        if not all(map(math.isfinite, (west, south, east, north))):
            raise UnusableRasterError("The place of the GeoTIFF on earth is not known.")
        south, north = sorted((south, north))  # of a raster whose first row is its southernmost
        return max(west, -180.0), max(south, -90.0), min(east, 180.0), min(north, 90.0)

    def _resolution(self, west: float, south: float, east: float, north: float) -> float:
        """Return the size of a pixel in metres of Web Mercator, about the raster's middle."""
        if self.crs == _MERCATOR:
            return abs(float(self.dataset.transform.a)) or 1.0
        latitude = math.radians(max(-85.0, min(85.0, (south + north) / 2)))
        degrees_east = (east - west) % 360 or 360.0
        across = degrees_east / self.width * 2 * _EDGE / 360
        along = (north - south) / self.height * 2 * _EDGE / 360 / math.cos(latitude)
        return float(max(min(across, along), 1e-6))


def _overlap(
    one: tuple[float, float, float, float], other: tuple[float, float, float, float]
) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _zoom(resolution: float) -> int:
    """Return the zoom level whose pixels are about as large: metres of Web Mercator."""
    level = math.log2(2 * _EDGE / _TILE_SIZE / resolution)
    return max(0, min(MAX_ZOOM, round(level)))


def _range(values: numpy.ndarray[Any, Any]) -> Range:
    finite = values[numpy.isfinite(values)]
    if not finite.size:
        return 0.0, 1.0
    low, high = (float(value) for value in numpy.percentile(finite, _PERCENTILES))
    return (low, high) if low < high else (low, low + 1.0)


def _has_alpha(dataset: Any) -> bool:
    return ColorInterp.alpha in dataset.colorinterp


def _has_mask(dataset: Any) -> bool:
    flags = {flag for band in dataset.mask_flag_enums for flag in band}
    return any(flag.name in {"alpha", "per_dataset"} for flag in flags if flag.name != "all_valid")
