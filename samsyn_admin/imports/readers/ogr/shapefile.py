"""Shapefiles: what is checked before GDAL reads them."""

import zipfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from samsyn_admin.imports.readers.ogr.layer import ogr_layers
from samsyn_admin.imports.sources.layer import SourceLayer
from samsyn_admin.imports.sources.options import ReadOptions
from samsyn_model.errors import UnreadableFileError

SIGNATURE = b"\x00\x00\x27\x0a"


def shapefile_layers(path: Path, _: ReadOptions) -> Sequence[SourceLayer]:
    """Return the layer of a shapefile. Raises UnreadableFileError."""
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


def check_zipped_shapefile(path: Path, archive: zipfile.ZipFile, name: str) -> None:
    """Raise UnreadableFileError where a shapefile in a zip file is damaged."""
    if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
        raise UnreadableFileError(f"{path} has a part outside of its folders: {name[:200]!r}.")
    stem = name[:-4].lower()
    for part in archive.infolist():
        if part.filename.lower() in {stem + suffix for suffix in (".shp", ".shx", ".dbf")}:
            with archive.open(part) as file:
                start = file.read(100)
            if part.filename.lower().endswith(".shp") and not start.startswith(SIGNATURE):
                raise UnreadableFileError(f"{path} is damaged: {name} is no shapefile.")
            _refuse_truncated(part.filename, start, part.file_size)


def is_shapefile(name: str) -> bool:
    """Whether a part of a zip file is a shapefile's main one."""
    path = PurePosixPath(name)
    return (
        path.suffix.lower() == ".shp"
        and not path.name.startswith("._")
        and "__MACOSX" not in path.parts
    )
