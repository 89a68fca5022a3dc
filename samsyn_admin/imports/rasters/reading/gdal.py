"""GDAL's readers of rasters, with the drivers of our formats alone, and without the network.

A raster can name other files, which GDAL then opens by what they hold: an overview of a GeoTIFF
that is a VRT would publish any file of the server, or fetch an address. So nothing of the imports
opens rasters of users but by `opened`. Only processes of jobs load this.
"""

import ctypes
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import rasterio
import rasterio._env
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.io import DatasetReader

from samsyn_model.errors import UnreadableFileError

DRIVERS = frozenset({"AAIGrid", "COG", "GTiff", "MEM", "PNG", "netCDF"})
"""The drivers that GDAL has in this process: PNG writes tiles and previews."""
CACHE = 256
"""MiB of blocks that GDAL keeps."""

_OPTIONS = {
    "CPL_VSIL_CURL_ALLOWED_FILENAME": "none",
    "GDAL_CACHEMAX": CACHE,
    "GDAL_NUM_THREADS": "1",
    "GDAL_PAM_ENABLED": "NO",  # a side file in XML, which may name others
    "GDAL_TIFF_INTERNAL_MASK": True,
}


@contextmanager
def raster_environment() -> Iterator[None]:
    """Have GDAL set up as it has to be wherever rasters are read or written."""
    with rasterio.Env(**_OPTIONS), warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        yield


@contextmanager
def opened(dataset: str, driver: str, shown: str) -> Iterator[DatasetReader]:
    """Open a raster by GDAL's name of it; errors name the file as it is `shown` to people.

    Raises UnreadableFileError, also for what is found while it is read.
    """
    _unregister_other_drivers()  # GDAL registers that of VRTs wherever something is warped
    options: dict[str, Any] = {"OVERVIEW_LEVEL": "NONE"} if driver == "GTiff" else {}
    with raster_environment():
        try:
            with rasterio.open(dataset, driver=driver, **options) as opened_dataset:
                yield opened_dataset
        except (RasterioError, rasterio._env.CPLE_BaseError) as error:
            raise UnreadableFileError(
                f"{shown} cannot be read: it is damaged, or of a kind that is not known."
                " Was it uploaded as a whole?"
            ) from error


def _unregister_other_drivers() -> None:
    """Leave GDAL the drivers that are needed; rasterio has no function for that."""
    library = ctypes.CDLL(rasterio._env.__file__)  # which finds GDAL's functions too
    library.GDALGetDriverByName.argtypes = [ctypes.c_char_p]
    library.GDALGetDriverByName.restype = ctypes.c_void_p
    library.GDALDeregisterDriver.argtypes = [ctypes.c_void_p]
    library.GDALDeregisterDriver.restype = None
    with rasterio.Env() as environment:
        for name in environment.drivers().keys() - DRIVERS:
            library.GDALDeregisterDriver(library.GDALGetDriverByName(name.encode()))
        left = environment.drivers().keys() - DRIVERS
    if left:
        raise RuntimeError(f"GDAL does not unregister the drivers {sorted(left)}.")


_unregister_other_drivers()
# what GDAL warns of while it converts says nothing to whoever reads the log
logging.getLogger("rasterio._env").setLevel(logging.ERROR)
