"""The rasters of a file, by its format."""

from typing import Any

from rasterio.enums import ColorInterp

from samsyn_admin.imports.rasters.reading.files import RasterFile
from samsyn_admin.imports.rasters.reading.gdal import opened
from samsyn_admin.imports.rasters.reading.netcdf import netcdf_sources
from samsyn_admin.imports.rasters.reading.sources import RasterSource, Step, described
from samsyn_admin.imports.rasters.reading.times import time_in_name
from samsyn_model.errors import UnreadableFileError

_NAMES = {"GTiff": "GeoTIFF", "AAIGrid": "ASCII grid"}


def raster_sources(file: RasterFile) -> list[RasterSource]:
    """Return the rasters of a file: the variables of a NetCDF file, one of the other formats.

    Raises UnreadableFileError.
    """
    if file.driver == "netCDF":
        return netcdf_sources(file)
    with opened(str(file.path), file.driver, file.name) as dataset:
        if not dataset.count:
            raise UnreadableFileError(
                f"{file.name} has several images, and none of its own: import each by itself."
            )
        return [
            described(
                dataset,
                file,
                name=file.stem,
                dataset_name=str(file.path),
                format_name=_NAMES[file.driver],
                steps=[Step(time_in_name(file.stem), _bands(dataset))],
            )
        ]


def _bands(dataset: Any) -> tuple[int, ...]:
    """Return the bands of values; what is transparent becomes a mask."""
    kinds = zip(dataset.indexes, dataset.colorinterp, strict=True)
    return tuple(i for i, kind in kinds if kind is not ColorInterp.alpha) or (1,)
