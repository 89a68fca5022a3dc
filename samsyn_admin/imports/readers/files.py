"""Opens a file to import: detects its format and returns its layers."""

import zipfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import IO
from xml.parsers import expat

from samsyn_admin.imports.readers.csv import CSVLayer
from samsyn_admin.imports.readers.geojson import GeoJSONLayer
from samsyn_admin.imports.readers.geopackage import GeoPackage
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
MAX_LAYERS = 200
"""The maximum number of layers in a file: for each, GDAL opens the file again."""
MAX_UNPACKED = 4 * 1024**3
"""The maximum size of what a zip file contains in bytes: a `.shp` and a `.dbf` have 2 GB each."""
MAX_UNPACKED_KML = 256 * 1024**2
"""The maximum size of the KML in a zip file in bytes: GDAL reads all of it into memory."""
_MAX_ENTRIES = 10_000
_SHAPEFILE = b"\x00\x00\x27\x0a"
_MAX_KML_DEPTH = 100


def open_layers(path: Path, source_layer: str | None = None) -> Sequence[SourceLayer]:
    """Return the layers of a file, or only its `source_layer`.

    Tables without geometry are left out unless requested. Raises UnreadableFileError when the file
    cannot be read or has none of FORMATS, InvalidParameterError when it has no such layer.
    """
    layers = _selected(_layers(path), path, source_layer)
    for layer in layers:
        if layer.refusal:
            raise UnreadableFileError(layer.refusal)
    return layers


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


def _layers(path: Path) -> Sequence[SourceLayer]:
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


def _format(path: Path, start: bytes) -> Callable[[Path], Sequence[SourceLayer]]:
    """Return the reader for a file with this start; the suffix only distinguishes text formats."""
    suffix = path.suffix.lower()
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    if start.startswith(b"PK"):
        return _zipped
    if start.startswith(b"PAR1"):
        return lambda path: [ParquetLayer(path)]
    if start.startswith(b"SQLite format 3\0"):
        return _geopackage
    if start.startswith(b"fgb\x03"):
        return lambda path: ogr_layers(str(path.absolute()), path)
    if start.startswith(_SHAPEFILE):
        return _shapefile
    if suffix in _JSON_SUFFIXES or text.startswith((b"{", b"\x1e")):
        return lambda path: [GeoJSONLayer(path)]
    if suffix == ".kml" or (text.startswith(b"<") and b"<kml" in start):
        return _kml
    if suffix in _CSV_SUFFIXES:
        return lambda path: [CSVLayer(path)]
    raise UnreadableFileError(f"{path} cannot be imported: it is not {FORMATS}.")


def _geopackage(path: Path) -> Sequence[SourceLayer]:
    package = GeoPackage(path)
    _check_count(path, len(package.layers))
    return ogr_layers(str(path.absolute()), path, package)


def _check_count(path: Path, count: int) -> None:
    if count > MAX_LAYERS:
        raise UnreadableFileError(
            f"{path} has {count:,} layers: at most {MAX_LAYERS} are read from a file."
        )


def _kml(path: Path) -> Sequence[SourceLayer]:
    with path.open("rb") as file:
        _check_kml(path, file)
    return ogr_layers(str(path.absolute()), path)


def _check_kml(path: Path, file: IO[bytes]) -> None:
    """Raise UnreadableFileError for what GDAL should not read: it does so recursively, and expands
    entities."""
    parser = expat.ParserCreate()
    depth = 0
    counts: Counter[str] = Counter()

    def start(name: str, _: object) -> None:
        nonlocal depth
        plain = name.rpartition(":")[2]
        if not depth and plain != "kml":
            raise UnreadableFileError(f"{path} is not KML: its root element is {name[:100]!r}.")
        depth += 1
        counts[plain] += plain in {"Document", "Folder", "NetworkLink", "Placemark"}
        if depth > _MAX_KML_DEPTH:
            raise UnreadableFileError(
                f"{path} is nested too deeply: KML has at most {_MAX_KML_DEPTH} levels."
            )

    def end(_: str) -> None:
        nonlocal depth
        depth -= 1

    def refuse_doctype(*_: object) -> None:
        raise UnreadableFileError(f"{path} is not KML: it has a document type declaration.")

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.StartDoctypeDeclHandler = refuse_doctype
    try:
        parser.ParseFile(file)
    except (expat.ExpatError, LookupError) as error:  # the latter for an unknown encoding
        raise UnreadableFileError(f"{path} is not valid XML: {error}.") from error
    _check_count(path, counts["Document"] + counts["Folder"])
    if counts["NetworkLink"] and not counts["Placemark"]:
        raise UnreadableFileError(f"{path} has links to other files only, which are not followed.")


def _shapefile(path: Path) -> Sequence[SourceLayer]:
    for suffix in (".shp", ".shx", ".dbf"):
        part = _sibling(path, suffix)
        if part is None:
            if suffix == ".dbf":
                continue
            raise UnreadableFileError(f"{path} lacks its part {path.with_suffix(suffix).name}.")
        with part.open("rb") as file:
            _refuse_truncated(str(part), file.read(100), part.stat().st_size)
    return ogr_layers(str(path.absolute()), path)


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


def _zipped(path: Path) -> Sequence[SourceLayer]:
    try:
        with zipfile.ZipFile(path) as archive:
            _check_size(path, archive.infolist(), MAX_UNPACKED)
            damaged = archive.testzip()
            if damaged:
                raise UnreadableFileError(f"{path} is damaged in {damaged}.")
            kml = [part for part in archive.infolist() if part.filename.lower().endswith(".kml")]
            if kml:
                return _kmz(path, archive, kml)
            names = [name for name in archive.namelist() if _is_shapefile(name)]
            _check_count(path, len(names))
            for name in names:
                _check_shapefile(path, archive, name)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, RuntimeError, EOFError, OSError) as error:
        raise UnreadableFileError(f"{path} is not a valid zip file: {error}.") from error
    if not names:
        raise UnreadableFileError(
            f"{path} contains no shapefile; zip files of other formats are not read."
        )
    return [
        layer
        for name in names
        for layer in ogr_layers(f"/vsizip/{{{path.absolute()}}}/{name}", path)
    ]


def _check_size(path: Path, parts: Sequence[zipfile.ZipInfo], limit: int) -> None:
    """Raise UnreadableFileError before anything is unpacked that would take too long or too much.

    A part of another size than it declares is damaged.
    """
    if len(parts) > _MAX_ENTRIES:
        raise UnreadableFileError(f"{path} has more than {_MAX_ENTRIES:,} parts.")
    size = sum(part.file_size for part in parts)
    if size > limit:
        raise UnreadableFileError(
            f"{path} is too large unpacked: {size:,} bytes, at most {limit:,} are read."
        )


def _kmz(
    path: Path, archive: zipfile.ZipFile, parts: Sequence[zipfile.ZipInfo]
) -> Sequence[SourceLayer]:
    _check_size(path, parts, MAX_UNPACKED_KML)
    for part in parts:
        with archive.open(part) as file:
            _check_kml(path, file)
    return ogr_layers(str(path.absolute()), path)


def _check_shapefile(path: Path, archive: zipfile.ZipFile, name: str) -> None:
    if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
        raise UnreadableFileError(f"{path} has a part outside of its folders: {name[:200]!r}.")
    stem = name[:-4].lower()
    for part in archive.infolist():
        if part.filename.lower() in {stem + suffix for suffix in (".shp", ".shx", ".dbf")}:
            with archive.open(part) as file:
                start = file.read(100)
            if part.filename.lower().endswith(".shp") and not start.startswith(_SHAPEFILE):
                raise UnreadableFileError(f"{path} is damaged: {name} is no shapefile.")
            _refuse_truncated(part.filename, start, part.file_size)


def _is_shapefile(name: str) -> bool:
    path = PurePosixPath(name)
    return (
        path.suffix.lower() == ".shp"
        and not path.name.startswith("._")
        and "__MACOSX" not in path.parts
    )
