"""The formats of features beside GeoJSON and HTML."""

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
    """The name of the column with the features' ids."""
    has_times: bool = True
    """Whether the format has types for dates and timestamps."""
    plain_names: bool = False
    """Whether column names must not contain the characters of XML markup."""


FORMATS = {
    "csv": Format(media_types.CSV, "CSV", "csv", has_times=False),
    "fgb": Format(media_types.FLATGEOBUF, "FlatGeobuf", "fgb", needs_geometry=True),
    "geojsonseq": Format(media_types.GEOJSON_SEQUENCE, "GeoJSON text sequence", "geojsonl"),
    "gpkg": Format(media_types.GEOPACKAGE, "GeoPackage", "gpkg", id_name="fid"),
    "jsonfg": Format(media_types.JSON_FG, "JSON-FG", "fg.json"),
    "kml": Format(
        media_types.KML,
        "KML",
        "kml",
        needs_geometry=True,
        id_name="fid",  # `id` is an attribute of a placemark
        has_times=False,
        plain_names=True,
    ),
    "parquet": Format(media_types.PARQUET, "GeoParquet", "parquet"),
}
"""The formats by their value of `f`."""
MEDIA_TYPES = {code: file_format.media_type for code, file_format in FORMATS.items()}
