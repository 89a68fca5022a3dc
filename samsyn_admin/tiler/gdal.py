"""GDAL of the tiler: with the drivers of GeoTIFF and PNG alone, without the network and sidecars.

A raster may name other files, and a driver recognizes a file by its content: whatever gets through
to GDAL must find nothing there that opens another file or an address. So VRT, WMS, WMTS, STACIT and
all the others are not there. It has to be so before rasterio is imported.
"""

import os
import sys

DRIVERS = frozenset({"GTiff", "MEM", "PNG"})
"""The drivers that GDAL has in this process."""

_OPTIONS = {
    "CPL_LOG": os.devnull,
    "CPL_VSIL_CURL_ALLOWED_FILENAME": "none",
    "GDAL_CACHEMAX": "64",  # MiB
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",  # no .ovr, .msk, .aux.xml
    "GDAL_DRIVER_PATH": "disable",
    "GDAL_GEOREF_SOURCES": "INTERNAL",
    "GDAL_HTTP_MAX_RETRY": "0",
    "GDAL_NUM_THREADS": "1",
    "GDAL_PAM_ENABLED": "NO",
    "OPENBLAS_NUM_THREADS": "1",
    "PROJ_NETWORK": "OFF",
}
_SKIP = "GDAL_SKIP"


def leave_drivers() -> None:
    """Have GDAL with DRIVERS alone: this process begins anew, once, with the others named.

    Raises RuntimeError where GDAL keeps one of the others.
    """
    begins_anew = _SKIP not in os.environ
    os.environ.update(_OPTIONS)
    import rasterio  # noqa: PLC0415 - GDAL reads its options when it is loaded

    with rasterio.Env() as environment:
        others = environment.drivers().keys() - DRIVERS
    if begins_anew:
        os.environ[_SKIP] = ",".join(sorted(others))
        os.execv(sys.executable, sys.orig_argv)  # noqa: S606 - the same program
    if others:
        raise RuntimeError(f"GDAL does not unregister the drivers {sorted(others)}.")
