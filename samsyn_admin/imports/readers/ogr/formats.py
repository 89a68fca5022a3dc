"""The formats that GDAL reads: their names for people, and where they keep their CRS."""

from typing import NamedTuple


class OgrFormat(NamedTuple):
    """A format of one of GDAL's drivers."""

    name: str
    crs_origin: str


FORMATS = {
    "DXF": OgrFormat("DXF", ""),
    "ESRI Shapefile": OgrFormat("Shapefile", "the .prj file"),
    "FlatGeobuf": OgrFormat("FlatGeobuf", "the file's header"),
    "GML": OgrFormat("GML", "the srsName of its geometries"),
    "GPKG": OgrFormat("GeoPackage", "the table's definition"),
    "GPX": OgrFormat("GPX", "the format, which is always in WGS 84"),
    "KML": OgrFormat("KML", "the format, which is always in WGS 84"),
    "LIBKML": OgrFormat("KML", "the format, which is always in WGS 84"),
    "MapInfo File": OgrFormat("MapInfo", "the file's CoordSys"),
    "OpenFileGDB": OgrFormat("File Geodatabase", "the layer's definition"),
    "S57": OgrFormat("S-57", "the format, which is always in WGS 84"),
    "SQLite": OgrFormat("SQLite", "the table's definition"),
}
"""By the name of the driver."""
