"""The formats of features as files, and the encodings of styles."""

import unicodedata
from dataclasses import dataclass

from samsyn_provider.http import media_types


@dataclass(frozen=True, slots=True)
class Format:
    """A format of downloads."""

    media_type: str
    title: str
    extension: str
    needs_geometry: bool = False
    id_name: str = "id"
    """The name of the column with the features' ids, if no property has it."""
    has_dates: bool = True
    """Whether the format has a type for dates."""
    has_timestamps: bool = True
    """Whether the format has a type for timestamps."""
    same_dimensions: bool = False
    """Whether all geometries of a file have heights, or none."""
    plain_crs: bool = False
    """Whether the format has longitude and latitude only, and cannot name another CRS."""


FORMATS = {
    "csv": Format(media_types.CSV, "CSV", "csv", has_dates=False, has_timestamps=False),
    "fgb": Format(
        media_types.FLATGEOBUF, "FlatGeobuf", "fgb", needs_geometry=True, same_dimensions=True
    ),
    "geojson": Format(media_types.GEOJSON, "GeoJSON", "geojson"),
    "geojsonseq": Format(
        media_types.GEOJSON_SEQUENCE, "GeoJSON text sequence", "geojsonl", plain_crs=True
    ),
    "gpkg": Format(media_types.GEOPACKAGE, "GeoPackage", "gpkg", id_name="fid"),
    "jsonfg": Format(media_types.JSON_FG, "JSON-FG", "fg.json"),
    "kml": Format(
        media_types.KML,
        "KML",
        "kml",
        needs_geometry=True,
        id_name="fid",  # `id` is an attribute of a placemark
        has_dates=False,
        has_timestamps=False,
        plain_crs=True,
    ),
    "parquet": Format(media_types.PARQUET, "GeoParquet", "parquet"),
    "shp": Format(
        media_types.ZIP, "Shapefile", "shp.zip", needs_geometry=True, has_timestamps=False
    ),
    "xlsx": Format(media_types.XLSX, "Excel workbook", "xlsx"),
}
"""The formats by their value of `f`."""
MEDIA_TYPES = {
    code: file_format.media_type
    for code, file_format in FORMATS.items()
    if file_format.media_type != media_types.GEOJSON
}
"""The media types that only files have, by their value of `f`: a page is GeoJSON too."""
FILE_FORMATS = {media_type: FORMATS[code] for code, media_type in MEDIA_TYPES.items()}
"""The formats by the media types that only files have."""


@dataclass(frozen=True, slots=True)
class StyleEncoding:
    """An encoding of styles."""

    media_type: str
    title: str
    extension: str


STYLE_ENCODINGS = {
    "mbgl": StyleEncoding(media_types.MAPLIBRE, "MapLibre style", "json"),
    "sld": StyleEncoding(media_types.SLD, "Styled Layer Descriptor 1.0", "sld"),
    "qml": StyleEncoding(media_types.QML, "QGIS layer style", "qml"),
}
"""The encodings of styles by their value of `f`, that of the draft where it has one."""


def plain_name(title: str) -> str:
    """Return a file name for a title, without extension: of ASCII letters, digits, `-` and `_`."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode()
    safe = "".join(c if c.isalnum() or c in "-_" else "_" for c in plain)[:100].strip("_")
    return safe or "features"
