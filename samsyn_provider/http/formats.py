"""The formats that features can be had in beside GeoJSON and pages."""

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
    """What the column of the features' ids is called."""
    has_times: bool = True
    """Whether dates and moments have types of their own."""
    plain_names: bool = False
    """Whether names of columns are without the characters that mark up XML."""


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
        id_name="fid",  # a placemark has an `id` of another kind
        has_times=False,
        plain_names=True,
    ),
    "parquet": Format(media_types.PARQUET, "GeoParquet", "parquet"),
}
"""The formats by the `f` that asks for each."""
MEDIA_TYPES = {code: form.media_type for code, form in FORMATS.items()}
