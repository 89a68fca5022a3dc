"""The formats that features can be had in beside GeoJSON and pages."""

from dataclasses import dataclass

from samsyn_provider import media_types


@dataclass(frozen=True, slots=True)
class Format:
    """A format of downloads."""

    media_type: str
    title: str
    extension: str
    needs_geometry: bool = False


FORMATS = {
    "csv": Format(media_types.CSV, "CSV", "csv"),
    "fgb": Format(media_types.FLATGEOBUF, "FlatGeobuf", "fgb", needs_geometry=True),
    "geojsonseq": Format(media_types.GEOJSON_SEQUENCE, "GeoJSON text sequence", "geojsonl"),
    "gpkg": Format(media_types.GEOPACKAGE, "GeoPackage", "gpkg"),
    "jsonfg": Format(media_types.JSON_FG, "JSON-FG", "fg.json"),
    "kml": Format(media_types.KML, "KML", "kml", needs_geometry=True),
    "parquet": Format(media_types.PARQUET, "GeoParquet", "parquet"),
}
"""The formats by the `f` that asks for each."""
MEDIA_TYPES = {code: form.media_type for code, form in FORMATS.items()}
