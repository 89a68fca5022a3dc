"""The formats that GDAL reads: their names for people, and what it declares of their layers."""

from typing import NamedTuple

from samsyn_model.features.bulk_copy import GEOMETRY_TYPES
from samsyn_model.properties.schema import Kind


class OgrFormat(NamedTuple):
    """A format of one of GDAL's drivers."""

    name: str
    crs_origin: str


FORMATS = {
    "DXF": OgrFormat("DXF", ""),
    "FlatGeobuf": OgrFormat("FlatGeobuf", "the file's header"),
    "GML": OgrFormat("GML", "the srsName of its geometries"),
    "GPKG": OgrFormat("GeoPackage", "the table's definition"),
    "GPX": OgrFormat("GPX", "the format, which is always in WGS 84"),
    "MapInfo File": OgrFormat("MapInfo", "the file's CoordSys"),
    "OpenFileGDB": OgrFormat("File Geodatabase", "the layer's definition"),
    "S57": OgrFormat("S-57", "the format, which is always in WGS 84"),
    "SQLite": OgrFormat("SQLite", "the table's definition"),
}
"""By the name of the driver."""
_KINDS = {
    "OFTInteger": Kind.INTEGER,
    "OFTInteger64": Kind.INTEGER,
    "OFTReal": Kind.NUMBER,
    "OFTString": Kind.STRING,
    "OFTWideString": Kind.STRING,
    "OFTDate": Kind.DATE,
    "OFTTime": Kind.TIME,
    "OFTDateTime": Kind.DATE_TIME,
    "OFTBinary": Kind.BINARY,
}


def kind_of(ogr_type: str, ogr_subtype: str) -> Kind:
    """Return what a field of this OGR type (`OFTReal`) and subtype (`OFSTJSON`) holds."""
    if ogr_subtype == "OFSTJSON":
        return Kind.JSON_VALUE
    if ogr_subtype == "OFSTBoolean" and ogr_type == "OFTInteger":
        return Kind.BOOLEAN
    return Kind.ARRAY if ogr_type.endswith("List") else _KINDS.get(ogr_type, Kind.STRING)


def declared_type(name: str | None) -> str | None:
    """Return the `layers.geometry_type` of a type as pyogrio names it (`2.5D Point`)."""
    plain = (name or "").removeprefix("2.5D ").removeprefix("Measured ").removeprefix("3D ")
    plain = plain.split(" ")[0]
    return plain if plain in GEOMETRY_TYPES else None
