"""Rasters to import, of all formats: what they are, where they lie, and their parts by time."""

import math
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import rasterio.warp
from pyproj import CRS
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.errors import CRSError, RasterioError

from samsyn_admin.imports.rasters.reading.files import RasterFile
from samsyn_admin.imports.sources.layer import file_crs, parse_crs
from samsyn_model.errors import InvalidParameterError
from samsyn_provider.geography.area_of_use import crs_remarks

MAX_BANDS = 32
"""Of a GeoTIFF: more are rarely an image."""
_MAX_BLOCK = 256 * 1024**2  # bytes, which GDAL has in memory as a whole
_KINDS = frozenset({"uint8", "int8", "uint16", "int16", "uint32", "int32", "float32", "float64"})
_MERCATOR_LATITUDE = 85.0511287798066
_DEGREES = "OGC:CRS84"


@dataclass(frozen=True, slots=True)
class Step:
    """The bands of a raster at a time; of one without times all."""

    time: datetime | None
    bands: tuple[int, ...]


@dataclass(slots=True)
class RasterSource:
    """A raster of a file: a GeoTIFF or a grid as a whole, a variable of a NetCDF file.

    `crs` is the CRS that the file names, or None; x is east whatever its order of axes. `refusal`
    says why it cannot be imported. `bounds` are west, south, east, north in the raster's CRS.
    """

    name: str
    file: RasterFile
    dataset: str
    format: str
    steps: list[Step]
    width: int = 0
    height: int = 0
    dtype: str = ""
    nodata: float | None = None
    has_mask: bool = False
    scaling: tuple[tuple[float, float], ...] = ()
    bounds: tuple[float, float, float, float] = (0, 0, 0, 0)
    resolution: tuple[float, float] = (0, 0)
    colours: dict[int, tuple[int, int, int, int]] | None = None
    descriptions: tuple[str | None, ...] = ()
    unit: str | None = None
    crs: CRS | None = None
    crs_origin: str = ""
    refusal: str | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def bands(self) -> tuple[int, ...]:
        """The bands of the first time."""
        return self.steps[0].bands

    @property
    def value_count(self) -> int:
        """How many values there are, of all bands and times."""
        return self.width * self.height * sum(len(step.bands) for step in self.steps)

    @property
    def is_scaled(self) -> bool:
        """Whether what is stored are not the values themselves."""
        return any(scaling != (1.0, 0.0) for scaling in self.scaling)

    def take_crs(self, definition: str, origin: str) -> None:
        """Note the CRS of the file."""
        self.crs, self.crs_origin = parse_crs(definition), origin

    def chosen_crs(self, definition: str | None) -> CRS | None:
        """Return the CRS to read the raster in: that which is chosen, else the file's."""
        return self.crs if definition is None else file_crs(definition)

    def longitudes(self) -> tuple[float, float]:
        """Return west and east in a geographic CRS: where the raster goes past -180 degrees by more
        than a pixel, both a turn of the world further, so that it goes past 180 instead."""
        west, _, east, _ = self.bounds
        is_past = west < -180 - self.resolution[0] and east > -180
        return (west + 360, east + 360) if is_past else (west, east)

    def extent(self, crs: CRS) -> tuple[float, float, float, float]:
        """Return where the raster lies: west, south, east, north in degrees (CRS84), as far as a
        web map shows it. Raises InvalidParameterError where the CRS does not suit it."""
        _, south, _, north = self.bounds
        west, east = self.longitudes()
        if not crs.is_geographic:
            try:
                west, south, east, north = rasterio.warp.transform_bounds(
                    rasterio_crs(crs), _DEGREES, *self.bounds, densify_pts=21
                )
            except (RasterioError, CRSError):
                west = math.inf
        is_finite = all(map(math.isfinite, (west, south, east, north)))
        if is_finite and west > east and not crs.is_geographic:
            raise InvalidParameterError(
                f"{self.name} goes across the meridian of 180 degrees in {crs.name}, which is read"
                " of rasters in longitudes and latitudes alone: transform it to these, or cut it"
                " there in two."
            )
        if not is_finite or west >= east:
            raise InvalidParameterError(
                f"{self.name} does not lie where {crs.name} is used: choose another CRS."
            )
        south, north = max(south, -_MERCATOR_LATITUDE), min(north, _MERCATOR_LATITUDE)
        if south >= north or west > 360 or east < -180:
            raise InvalidParameterError(
                f"{self.name} lies outside of the world as {crs.name} has it, or at a pole: choose"
                " another CRS."
            )
        if east > 180:
            west, east = (-180.0, 180.0) if west < 180 else (west - 360, east - 360)
        return max(west, -180.0), south, min(east, 180.0), north

    def remarks(self, crs: CRS) -> list[str]:
        """Return what is to be said of where the raster lies in a CRS."""
        is_wrapped = crs.is_geographic and self.longitudes()[1] > 180
        return [] if is_wrapped else crs_remarks(self.bounds, crs)


def described(  # noqa: PLR0913 - what is known of it
    dataset: Any,
    file: RasterFile,
    *,
    name: str,
    dataset_name: str,
    format_name: str,
    steps: list[Step],
) -> RasterSource:
    """Return the raster that an open dataset is."""
    source = RasterSource(name, file, dataset_name, format_name, steps)
    source.width, source.height = dataset.width, dataset.height
    source.dtype = dataset.dtypes[0]
    bands = source.bands
    source.nodata = dataset.nodatavals[bands[0] - 1]
    flags = dataset.mask_flag_enums[bands[0] - 1]
    source.has_mask = MaskFlags.per_dataset in flags
    source.scaling = tuple(
        (float(dataset.scales[band - 1]), float(dataset.offsets[band - 1])) for band in bands
    )
    source.descriptions = tuple(dataset.descriptions[band - 1] for band in bands)
    source.unit = next((unit for unit in dataset.units if unit), None)
    source.resolution = tuple(map(abs, dataset.res))
    if len(bands) == 1 and dataset.colorinterp[bands[0] - 1] is ColorInterp.palette:
        source.colours = dataset.colormap(bands[0])
    corners = [
        dataset.transform @ corner
        for corner in (
            (0, 0),
            (dataset.width, 0),
            (0, dataset.height),
            (dataset.width, dataset.height),
        )
    ]
    xs, ys = zip(*corners, strict=True)
    source.bounds = (min(xs), min(ys), max(xs), max(ys))
    if dataset.crs is not None:
        try:
            source.crs, source.crs_origin = file_crs(dataset.crs.to_wkt()), "the file"
        except (InvalidParameterError, CRSError):
            source.notes.append("The CRS of the file is not known.")
    source.refusal = _refusal(dataset, source)
    return source


def _refusal(dataset: Any, source: RasterSource) -> str | None:
    """Return why a raster cannot be imported."""
    kinds = {dataset.dtypes[band - 1] for step in source.steps for band in step.bands}
    if dataset.gcps[0] and dataset.crs is None:
        return "It has control points alone: georeference it first (QGIS, Raster, Georeferencer)."
    if dataset.transform.is_identity and not dataset.gcps[0]:
        return (
            "It is not georeferenced: nothing in it says where it lies. Save it as a GeoTIFF with"
            " its position, or upload its world file (.tfw) beside it."
        )
    if dataset.transform.is_degenerate or not all(map(math.isfinite, source.bounds)):
        return "Its position is not valid: a pixel has no size."
    if not kinds <= _KINDS:
        return f"Its values are of the type {sorted(kinds - _KINDS)[0]}, which is not drawn."
    if len(kinds) > 1:
        return f"Its bands have values of different types ({', '.join(sorted(kinds))}): split it."
    if len(source.bands) > MAX_BANDS:
        return f"It has {len(source.bands):,} bands: at most {MAX_BANDS} are imported."
    height, width = dataset.block_shapes[0]
    if height * width * 8 > _MAX_BLOCK:
        return (
            "It is stored in one piece that is too large to be read: save it with tiles (GDAL's"
            " option TILED=YES)."
        )
    return None


def rasterio_crs(crs: CRS) -> rasterio.crs.CRS:
    """Return the same CRS as rasterio has it."""
    code = crs.to_epsg()
    return rasterio.crs.CRS.from_epsg(code) if code else rasterio.crs.CRS.from_wkt(crs.to_wkt())
