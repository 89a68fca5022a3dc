"""Files that are no data to import: what they are, and what to do instead."""

from pathlib import Path

from samsyn_model.errors import UnreadableFileError

_IMAGE = "an image: export the features that it shows (as GeoPackage, say)"
_OFFICE = "a document of an office program: save its table as CSV or XLSX"
_ARCHIVE = "an archive that is not read: unpack it, and pack the files as .zip"
_RASTER = "raster data: only features (points, lines, areas) are imported"
_SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"%PDF", "a PDF document: ask for the data that it was made of"),
    (b"\x89PNG", _IMAGE),
    (b"\xff\xd8\xff", _IMAGE),
    (b"GIF8", _IMAGE),
    (b"II*\0", f"a TIFF image or GeoTIFF, {_RASTER}"),
    (b"MM\0*", f"a TIFF image or GeoTIFF, {_RASTER}"),
    (b"II+\0", f"a GeoTIFF, {_RASTER}"),
    (b"MM\0+", f"a GeoTIFF, {_RASTER}"),
    (b"\x89HDF", f"HDF5 or NetCDF, {_RASTER}"),
    (b"CDF\x01", f"NetCDF, {_RASTER}"),
    (b"CDF\x02", f"NetCDF, {_RASTER}"),
    (b"\xd0\xcf\x11\xe0", _OFFICE),
    (b"{\\rtf", _OFFICE),
    (b"Rar!", _ARCHIVE),
    (b"7z\xbc\xaf\x27\x1c", _ARCHIVE),
    (b"BZh", _ARCHIVE),
    (b"\xfd7zXZ", _ARCHIVE),
    (b"\x28\xb5\x2f\xfd", _ARCHIVE),
    (b"AC10", "a DWG drawing: save it as DXF"),
    (b"LASF", "a point cloud (LAS): only features are imported"),
    (b"version https://git-lfs", "a placeholder of Git LFS: fetch the file itself"),
)
_TEXTS: tuple[tuple[bytes, str], ...] = (
    (b"<!doctype html", "a web page: the address of the download answered with a page"),
    (b"<html", "a web page: the address of the download answered with a page"),
    (b"<!doctype qgis", "a QGIS project: it only names data, import their files"),
    (b"<qgis", "a QGIS project or style: import the files of its data"),
    (b"<styledlayerdescriptor", "a style (SLD): import the file of its data"),
)
_IN_START: tuple[tuple[bytes, str], ...] = (
    (b"exceptionreport", "an error message of a server that was asked for data: ask it again"),
    (b"serviceexception", "an error message of a server that was asked for data: ask it again"),
    (b"<html", "a web page: the address of the download answered with a page"),
    (b"<qgis", "a QGIS project or style: import the files of its data"),
    (b"styledlayerdescriptor", "a style (SLD): import the file of its data"),
)
_PARTS_OF_SHAPEFILES = frozenset({".dbf", ".shx", ".prj", ".cpg", ".sbn", ".sbx", ".qix"})
_PACKAGES: tuple[tuple[str, str], ...] = (
    ("word/document.xml", _OFFICE),
    ("ppt/presentation.xml", _OFFICE),
    ("content.opf", _OFFICE),
)
_TAR = slice(257, 262)


def refuse_other_content(path: Path, start: bytes) -> None:
    """Raise UnreadableFileError for a file that is known to be no data, by its first bytes."""
    for signature, what in _SIGNATURES:
        if start.startswith(signature):
            raise _refusal(path, what)
    if start[_TAR] == b"ustar":
        raise _refusal(path, _ARCHIVE)
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith(b"<"):
        for beginning, what in _TEXTS:
            if text.startswith(beginning):
                raise _refusal(path, what)
        for part, what in _IN_START:
            if part in text:
                raise _refusal(path, what)


def refuse_package(path: Path, names: frozenset[str]) -> None:
    """Raise UnreadableFileError for a zip file of an office program or a QGIS project."""
    for name, what in _PACKAGES:
        if name in names:
            raise _refusal(path, what)
    if any(name.endswith(".qgs") for name in names):
        raise _refusal(path, "a QGIS project: it only names data, import their files")


def refuse_part(path: Path) -> None:
    """Raise UnreadableFileError for a part of a shapefile without the main one."""
    if path.suffix.lower() in _PARTS_OF_SHAPEFILES:
        raise UnreadableFileError(
            f"{path} is a part of a shapefile: import {path.stem}.shp, with its other parts beside"
            " it or in one zip file."
        )


def _refusal(path: Path, what: str) -> UnreadableFileError:
    return UnreadableFileError(f"{path} cannot be imported: it is {what}.")
