"""Opens a file to import: detects its format and returns its layers."""

import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from xml.parsers import expat

from samsyn_admin.imports.readers.csv import CSVLayer
from samsyn_admin.imports.readers.geojson import GeoJSONLayer
from samsyn_admin.imports.readers.layer import SourceLayer
from samsyn_admin.imports.readers.ogr import ogr_layers
from samsyn_admin.imports.readers.parquet import ParquetLayer
from samsyn_model.errors import InvalidParameterError, UnreadableFileError

FORMATS = "GeoJSON, GeoPackage, Shapefile (also zipped), FlatGeobuf, KML, KMZ, CSV or GeoParquet"
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
    }
)
_STYLES_TABLE = "layer_styles"  # of a GeoPackage, for QGIS
_CSV_SUFFIXES = frozenset({".csv", ".tsv", ".txt"})


def open_layers(path: Path, source_layer: str | None = None) -> list[SourceLayer]:
    """Return the layers of a file, or only its `source_layer`.

    Tables without geometry are left out unless requested. Raises UnreadableFileError when the file
    cannot be read or has none of FORMATS, InvalidParameterError when it has no such layer.
    """
    layers = _layers(path)
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


def _layers(path: Path) -> list[SourceLayer]:
    try:
        if not path.is_file():
            reason = "is not a file" if path.exists() else "does not exist"
            raise UnreadableFileError(f"{path} {reason}.")
        with path.open("rb") as file:
            start = file.read(512)
    except OSError as error:
        raise UnreadableFileError(f"{path} cannot be read: {error.strerror}.") from error
    if not start:
        raise UnreadableFileError(f"{path} is empty.")
    return _format(path, start)(path)


def _format(path: Path, start: bytes) -> Callable[[Path], list[SourceLayer]]:
    """Return the reader for a file with this start; the suffix only distinguishes text formats."""
    suffix = path.suffix.lower()
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    if start.startswith(b"PK"):
        return _zipped
    if start.startswith(b"PAR1"):
        return lambda path: [ParquetLayer(path)]
    if start.startswith(b"SQLite format 3\0") or start.startswith(b"fgb\x03"):
        return _ogr
    if start.startswith(b"\x00\x00\x27\x0a"):
        return _shapefile
    if suffix in _JSON_SUFFIXES or text.startswith((b"{", b"\x1e")):
        return lambda path: [GeoJSONLayer(path)]
    if suffix == ".kml" or (text.startswith(b"<") and b"<kml" in start):
        return _kml
    if suffix in _CSV_SUFFIXES:
        return lambda path: [CSVLayer(path)]
    raise UnreadableFileError(f"{path} cannot be imported: it is not {FORMATS}.")


def _ogr(path: Path) -> list[SourceLayer]:
    return ogr_layers(str(path), path)


def _kml(path: Path) -> list[SourceLayer]:
    parser = expat.ParserCreate()
    try:
        with path.open("rb") as file:
            parser.ParseFile(file)
    except expat.ExpatError as error:
        raise UnreadableFileError(f"{path} is not valid XML: {error}.") from error
    return ogr_layers(str(path), path)


def _shapefile(path: Path) -> list[SourceLayer]:
    for suffix in (".shp", ".shx", ".dbf"):
        part = _sibling(path, suffix)
        if part is None:
            if suffix == ".dbf":
                continue
            raise UnreadableFileError(f"{path} lacks its part {path.with_suffix(suffix).name}.")
        with part.open("rb") as file:
            _refuse_truncated(str(part), file.read(100), part.stat().st_size)
    return ogr_layers(str(path), path)


def _sibling(path: Path, suffix: str) -> Path | None:
    for candidate in (path.with_suffix(suffix), path.with_suffix(suffix.upper())):
        if candidate.is_file():
            return candidate
    return None


def _refuse_truncated(name: str, header: bytes, size: int) -> None:
    """Raise UnreadableFileError when a part of a shapefile is shorter than its header states.

    GDAL returns null geometries and fewer rows for the missing part, without an error.
    """
    if name.lower().endswith(".dbf"):
        count, start, length = (
            int.from_bytes(header[a:b], "little") for a, b in ((4, 8), (8, 10), (10, 12))
        )
        expected = start + count * length
    else:
        expected = 2 * int.from_bytes(header[24:28], "big")
    if size < expected:
        raise UnreadableFileError(f"{name} is truncated: {size} bytes of {expected}.")


def _zipped(path: Path) -> list[SourceLayer]:
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
            if damaged:
                raise UnreadableFileError(f"{path} is damaged in {damaged}.")
            names = archive.namelist()
            if any(name.lower().endswith(".kml") for name in names):
                return ogr_layers(str(path), path)
            shapefiles = [name for name in names if _is_shapefile(name)]
            for name in shapefiles:
                stem = name[:-4].lower()
                for part in archive.infolist():
                    if part.filename.lower() in {stem + s for s in (".shp", ".shx", ".dbf")}:
                        with archive.open(part) as file:
                            _refuse_truncated(part.filename, file.read(100), part.file_size)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, RuntimeError, EOFError, OSError) as error:
        raise UnreadableFileError(f"{path} is not a valid zip file: {error}.") from error
    if not shapefiles:
        raise UnreadableFileError(
            f"{path} contains no shapefile; zip files of other formats are not read."
        )
    return [
        layer
        for name in shapefiles
        for layer in ogr_layers(f"/vsizip/{{{path.resolve()}}}/{name}", path)
    ]


def _is_shapefile(name: str) -> bool:
    path = PurePosixPath(name)
    return (
        path.suffix.lower() == ".shp"
        and not path.name.startswith("._")
        and "__MACOSX" not in path.parts
    )
