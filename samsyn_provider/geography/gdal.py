"""GDAL with the drivers of our formats alone, and without the network.

A driver recognizes a file by its content: a VRT that is named `plan.kml` would publish any file of
the server, or fetch an address. So nothing else here imports pyogrio's functions.
"""

import os

import pyogrio
from pyogrio import list_layers, open_arrow, read_info, write_arrow
from pyogrio._geometry import GEOMETRY_TYPE_CODES, GEOMETRY_TYPES
from pyogrio.core import _register_drivers
from pyogrio.raw import read as read_features

DRIVERS = frozenset(
    {
        *("DXF", "ESRI Shapefile", "FlatGeobuf", "GML", "GPKG", "GPX", "KML", "LIBKML"),
        *("MapInfo File", "OpenFileGDB", "S57", "SQLite"),
    }
)
"""The drivers that GDAL has in this process."""

# Curves, surfaces of patches, and any geometry with Z: pyogrio refuses layers declared so, although
# it reads their WKB.
_UNKNOWN_Z = 0x80000000
GEOMETRY_TYPES.update(
    dict.fromkeys(
        [
            *(_UNKNOWN_Z, -_UNKNOWN_Z, 2000, 3000),
            *(thousands + kind for thousands in (0, 1000, 2000, 3000) for kind in range(8, 18)),
        ],
        "Unknown",
    )
)

# FlatGeobuf keeps the heights of a mixture in a layer of this type, which pyogrio has no name for
GEOMETRY_TYPE_CODES["Unknown Z"] = _UNKNOWN_Z

__all__ = ["DRIVERS", "list_layers", "open_arrow", "read_features", "read_info", "write_arrow"]


def _unregister_other_drivers() -> None:
    others = sorted(pyogrio.list_drivers().keys() - DRIVERS)
    pyogrio.set_gdal_config_options({"GDAL_SKIP": ",".join(others)})
    _register_drivers()  # GDAL reads the option when it registers drivers
    left = pyogrio.list_drivers().keys() - DRIVERS
    if left:
        raise RuntimeError(f"GDAL does not unregister the drivers {sorted(left)}.")


_unregister_other_drivers()
pyogrio.set_gdal_config_options(
    {
        # pyogrio hears GDAL in one thread; what is said in others would go to the terminal
        "CPL_LOG": os.devnull,
        "CPL_VSIL_CURL_ALLOWED_FILENAME": "none",
        "GML_DOWNLOAD_SCHEMA": "NO",
        "GML_SKIP_CORRUPTED_FEATURES": "YES",
        "GML_SKIP_RESOLVE_ELEMS": "ALL",
        "LIBKML_EXTERNAL_STYLE": "NO",
        "OGR_S57_OPTIONS": (
            "UPDATES=IGNORE,SPLIT_MULTIPOINT=ON,ADD_SOUNDG_DEPTH=ON,RECODE_BY_DSSI=ON"
        ),
        "OGR_SQLITE_ALLOW_EXTERNAL_ACCESS": "NO",
        # GDAL's faster path from FlatGeobuf to Arrow returns null geometries of impossible lengths
        "OGR_FLATGEOBUF_STREAM_BASE_IMPL": True,
    }
)
