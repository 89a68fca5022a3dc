"""Which reader a file needs that GDAL reads, by the bytes at its beginning."""

from collections.abc import Callable, Sequence
from pathlib import Path

from samsyn_admin.imports.readers.ogr.dxf import dxf_layers
from samsyn_admin.imports.readers.ogr.geopackage import GeoPackage
from samsyn_admin.imports.readers.ogr.gml import gml_layers, gpx_layers
from samsyn_admin.imports.readers.ogr.layer import list_names, ogr_layers
from samsyn_admin.imports.readers.ogr.mapinfo import mif_layers, tab_layers
from samsyn_admin.imports.readers.ogr.sqlite import SpatiaLite, is_system_table
from samsyn_admin.imports.sources.layer import SourceLayer
from samsyn_admin.imports.sources.options import ReadOptions
from samsyn_model.errors import UnreadableFileError

type Reader = Callable[[Path, ReadOptions], Sequence[SourceLayer]]

_DXF_STARTS = (b"0\nSECTION", b"0\r\nSECTION", b"999\n", b"999\r\n")
_LEADER_TYPES = b"123"  # of ISO 8211, the format of S-57


def ogr_reader(path: Path, start: bytes) -> Reader | None:
    """Return the reader for a file with this start, None for one that GDAL does not read here.

    Raises UnreadableFileError for formats that are known, and known not to be read.
    """
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    for is_format, reader in _READERS:
        if is_format(path, start, text):
            return reader
    for signature, name, advice in _REFUSED:
        if text.startswith(signature):
            raise UnreadableFileError(f"{path} is {name}, which is not imported: {advice}.")
    return None


def geodatabase_layers(path: Path, _: ReadOptions) -> Sequence[SourceLayer]:
    """Return the layers of a File Geodatabase, a folder. Raises UnreadableFileError."""
    if not is_geodatabase(path):
        raise UnreadableFileError(f"{path} is no File Geodatabase: its tables are missing.")
    for part in path.iterdir():
        if part.is_symlink():
            raise UnreadableFileError(f"{path} has a link to another file: {part.name}.")
    return ogr_layers(str(path.absolute()), path, driver="OpenFileGDB")


def is_geodatabase(path: Path) -> bool:
    """Whether a folder is a File Geodatabase."""
    return path.is_dir() and (path / "a00000001.gdbtable").is_file()


def _s57_layers(path: Path, _: ReadOptions) -> Sequence[SourceLayer]:
    layers = ogr_layers(str(path.absolute()), path, driver="S57")
    if layers and any(path.with_suffix(suffix).is_file() for suffix in (".001", ".1")):
        layers[0].note("The update files beside the chart (.001, …) were not applied.")
    return [layer for layer in layers if layer.feature_count or layer.refusal]


def _flatgeobuf_layers(path: Path, _: ReadOptions) -> Sequence[SourceLayer]:
    return ogr_layers(str(path.absolute()), path, driver="FlatGeobuf")


def _sqlite_layers(path: Path, _: ReadOptions) -> Sequence[SourceLayer]:
    database = SpatiaLite(path)
    if "gpkg_contents" in database.tables:
        return ogr_layers(str(path.absolute()), path, GeoPackage(path), driver="GPKG")
    if {"tiles", "metadata"} <= database.tables.keys():
        raise UnreadableFileError(
            f"{path} is MBTiles: tiles drawn from features, not the features themselves. Import the"
            " file that they were made from, a GeoPackage or GeoJSON, say."
        )
    copy, folder, removed = database.only_tables()
    database.layers = {
        name: has_geometry
        for name, has_geometry in list_names(str(copy), path)
        if not is_system_table(name)
    }
    database.layers |= {
        name: False for name in database.own_tables() if name not in database.layers
    }
    layers = ogr_layers(str(copy.absolute()), path, database, driver="SQLite")
    for layer in layers:
        layer.keep(folder)
    if layers and removed:
        layers[0].note(f"Views and virtual tables were left out: {', '.join(removed)}.")
    return layers


def _is_gml(path: Path, _: bytes, text: bytes) -> bool:
    named = path.suffix.lower() == ".gml" or b"opengis.net/gml" in text
    return text.startswith(b"<") and (named or b"FeatureCollection" in text) and b"<kml" not in text


def _is_mif(path: Path, _: bytes, text: bytes) -> bool:
    is_named = path.suffix.lower() == ".mif" or b"columns" in text.lower()
    return text[:7].lower() == b"version" and is_named


def _is_s57(_: Path, start: bytes, __: bytes) -> bool:
    return start[5:6] in _LEADER_TYPES and start[6:7] == b"L" and b"DSID" in start


_READERS: tuple[tuple[Callable[[Path, bytes, bytes], bool], Reader], ...] = (
    (lambda _, start, __: start.startswith(b"SQLite format 3\0"), _sqlite_layers),
    (lambda _, start, __: start.startswith(b"fgb\x03"), _flatgeobuf_layers),
    (lambda _, __, text: text.startswith(b"<") and b"<gpx" in text, gpx_layers),
    (_is_gml, gml_layers),
    (_is_s57, _s57_layers),
    (lambda _, __, text: text[:6].lower() == b"!table", tab_layers),
    (_is_mif, mif_layers),
    (lambda _, __, text: text.startswith(_DXF_STARTS) and b"SECTION" in text, dxf_layers),
)
_AS_DXF = "save it as DXF, or export its layers from the program that made it"
_REFUSED = (
    (
        b".HODE",
        "SOSI",
        "get the data as GML or GeoPackage (Geonorge offers both), or convert it with a program"
        " that has FYBA, such as QGIS for Windows",
    ),
    (b"AC10", "a drawing of AutoCAD (DWG)", _AS_DXF),
    (b"AutoCAD Binary DXF", "a binary DXF", "save it as a DXF of text (ASCII)"),
    (b"PMTiles", "tiles (PMTiles)", "import the file that they were made from"),
    (b"<ExceptionReport", "an error message of a server", "request the features again"),
)
