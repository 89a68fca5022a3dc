"""Opens a file to import: detects its format and returns its layers."""

from collections.abc import Callable, Sequence
from pathlib import Path

from samsyn_admin.imports.readers.archives import gzipped_layers, zipped_layers
from samsyn_admin.imports.readers.json.files import json_layers
from samsyn_admin.imports.readers.kml.files import kml_layers
from samsyn_admin.imports.readers.ogr.signatures import (
    geodatabase_layers,
    is_geodatabase,
    ogr_reader,
)
from samsyn_admin.imports.readers.parquet import ParquetLayer
from samsyn_admin.imports.readers.refusals import refuse_other_content, refuse_part
from samsyn_admin.imports.readers.shapefile.layer import shapefile_layers
from samsyn_admin.imports.readers.shapefile.records import SIGNATURE as SHAPEFILE
from samsyn_admin.imports.readers.tables.csv import CSVLayer
from samsyn_admin.imports.readers.tables.workbooks import spreadsheet_reader
from samsyn_admin.imports.sources.layer import SourceLayer
from samsyn_admin.imports.sources.options import DEFAULTS, ReadOptions
from samsyn_model.errors import InvalidParameterError, UnreadableFileError

type Reader = Callable[[Path, ReadOptions], Sequence[SourceLayer]]

FORMATS = (
    "GeoJSON, JSON-FG, TopoJSON, Esri JSON, GeoPackage, Shapefile, File Geodatabase, FlatGeobuf,"
    " GML, GPX, KML, KMZ, CSV, XLSX, ODS, GeoParquet, SpatiaLite, MapInfo TAB or MIF, DXF or S-57"
)
_JSON_SUFFIXES = frozenset(
    {
        ".json",
        ".geojson",
        ".geojsonl",
        ".geojsons",
        ".geojsonseq",
        ".jsonl",
        ".ndjson",
        ".ndgeojson",
        ".topojson",
        ".jsonfg",
        ".jsonld",
    }
)
_FAMILIES: tuple[tuple[str, bytes | None, frozenset[str]], ...] = (
    ("a zip file", b"PK", frozenset({".zip", ".kmz", ".xlsx", ".ods"})),
    ("a gzip file", b"\x1f\x8b", frozenset({".gz"})),
    ("GeoParquet", b"PAR1", frozenset({".parquet", ".geoparquet"})),
    ("an SQLite database", b"SQLite format 3\0", frozenset({".gpkg", ".sqlite", ".db"})),
    ("FlatGeobuf", b"fgb\x03", frozenset({".fgb"})),
    ("a shapefile", SHAPEFILE, frozenset({".shp"})),
    ("JSON", b"{", _JSON_SUFFIXES),
    ("XML", b"<", frozenset({".kml", ".gml", ".gpx", ".xml"})),
    ("a table as text", None, frozenset({".csv", ".tsv"})),
)
"""Kinds of files by how they begin, and the suffixes that they have."""
_STYLES_TABLE = "layer_styles"  # of a GeoPackage, for QGIS
_CSV_SUFFIXES = frozenset({".csv", ".tsv", ".txt"})


def open_layers(
    path: Path, source_layer: str | None = None, options: ReadOptions = DEFAULTS
) -> Sequence[SourceLayer]:
    """Return the layers of a file, or only its `source_layer`.

    Tables without geometry are left out unless requested. Raises UnreadableFileError when the file
    cannot be read or has none of FORMATS, InvalidParameterError when it has no such layer.
    """
    layers = _selected(_layers(path, options), path, source_layer)
    readable = [layer for layer in layers if not layer.refusal]
    if not readable:
        raise UnreadableFileError(layers[0].refusal or f"{path} has no layer.")
    for layer in layers:
        if layer.refusal:
            readable[0].note(f"Left out: {layer.refusal}")
    return readable


def all_layers(path: Path, options: ReadOptions = DEFAULTS) -> Sequence[SourceLayer]:
    """Return all layers of a file, those too that have no geometries or cannot be read.

    Raises UnreadableFileError as `open_layers`.
    """
    return [layer for layer in _layers(path, options) if layer.name != _STYLES_TABLE]


def _selected(
    layers: Sequence[SourceLayer], path: Path, source_layer: str | None
) -> Sequence[SourceLayer]:
    if source_layer is not None:
        matches = [layer for layer in layers if layer.name == source_layer]
        if not matches:
            names = ", ".join(repr(layer.name) for layer in layers)
            raise InvalidParameterError(f"{path} has no layer {source_layer!r}; it has {names}.")
        return matches[:1]
    with_geometry = [layer for layer in layers if layer.has_geometry]
    if not with_geometry:
        raise UnreadableFileError(f"{path} has no layer with geometries.")
    for layer in layers:
        if not layer.has_geometry and layer.name != _STYLES_TABLE:
            with_geometry[0].note(
                f"The table {layer.name!r} has no geometries and was left out"
                f" (`--source-layer {layer.name}` imports it)."
            )
    return with_geometry


def _layers(path: Path, options: ReadOptions) -> Sequence[SourceLayer]:
    try:
        if is_geodatabase(path):
            return geodatabase_layers(path, options)
        if not path.is_file():
            reason = "is not a file" if path.exists() else "does not exist"
            raise UnreadableFileError(f"{path} {reason}.")
        with path.open("rb") as file:
            start = file.read(512)
    except OSError as error:
        raise UnreadableFileError(f"{path} cannot be read: {error.strerror}.") from error
    if not start:
        raise UnreadableFileError(f"{path} is empty.")
    layers = _format(path, start)(path, options)
    if layers and (found := _belied(path, start)):
        layers[0].note(f"The file is {found}, although its suffix is {path.suffix}.")
    return layers


def _belied(path: Path, start: bytes) -> str | None:
    """Return the kind of a file whose suffix is that of another kind."""
    suffix, text = path.suffix.lower(), start.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not any(suffix in suffixes for _, _, suffixes in _FAMILIES):
        return None
    for name, signature, suffixes in _FAMILIES:
        if signature is not None and text.startswith(signature):
            return None if suffix in suffixes else name
    return None


def _format(path: Path, start: bytes) -> Reader:
    """Return the reader for a file with this start; the suffix only distinguishes text formats."""
    suffix = path.suffix.lower()
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    refuse_other_content(path, start)
    if start.startswith(b"PK"):
        if reader := spreadsheet_reader(path):
            return reader
        return lambda path, options: zipped_layers(path, options, _format, _layers)
    if start.startswith(b"\x1f\x8b"):
        return lambda path, options: gzipped_layers(path, options, _layers)
    if start.startswith(b"PAR1"):
        return lambda path, options: [ParquetLayer(path, options)]
    if start.startswith(SHAPEFILE):
        return shapefile_layers
    if reader := ogr_reader(path, start):
        return reader
    if suffix in _JSON_SUFFIXES or _is_json(text):
        return json_layers
    if suffix == ".kml" or (text.startswith(b"<") and b"<kml" in start):
        return kml_layers
    if suffix in _CSV_SUFFIXES:
        return lambda path, options: [CSVLayer(path, options)]
    refuse_part(path)
    raise UnreadableFileError(f"{path} cannot be imported: it is not {FORMATS}.")


def _is_json(text: bytes) -> bool:
    """Return whether a file begins like JSON, in UTF-8 or UTF-16 with or without its mark."""
    plain = text.removeprefix(b"\xff\xfe").removeprefix(b"\xfe\xff").replace(b"\0", b"").lstrip()
    return plain.startswith((b"{", b"\x1e", b"[{"))
