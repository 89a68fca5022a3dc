"""Which of the files of an import are rasters, also in zip files."""

import os
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from samsyn_admin.imports.readers.archives import archive_damage
from samsyn_admin.imports.readers.unpacking import check_unpacked, unpack
from samsyn_admin.imports.readers.zip_entries import check_directory, safe_entries
from samsyn_admin.imports.sources.limits import MAX_UNPACKED, check_size
from samsyn_model.errors import ConflictError

_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_NETCDF = (b"CDF\x01", b"CDF\x02", b"CDF\x05")
_HDF5 = b"\x89HDF\r\n\x1a\n"
_START = 512
_SIDE_FILES = frozenset({".prj", ".tfw", ".tifw", ".wld"})
"""What GDAL may read beside a raster: a CRS, a position. All others of its kind stay away."""
_IGNORED = frozenset(
    {".xml", ".ovr", ".msk", ".txt", ".md", ".pdf", ".html", ".qml", ".sld", ".lyr"}
)
_MAX_NAMED = 5


@dataclass(frozen=True, slots=True)
class RasterFile:
    """A file that is a raster: its name for people, and where it is, alone but for side files."""

    name: str
    path: Path
    driver: str

    @property
    def stem(self) -> str:
        """The name without folders and suffix."""
        return PurePosixPath(self.name).stem


@dataclass(frozen=True, slots=True)
class RasterFiles:
    """The rasters of an import, by name, and what is to be said of the others."""

    files: tuple[RasterFile, ...]
    notes: tuple[str, ...]


def raster_driver(start: bytes, name: str) -> str | None:
    """Return GDAL's driver for a file that begins so; None for what is no raster."""
    if start.startswith(_TIFF):
        return "GTiff"
    if start.startswith((*_NETCDF, _HDF5)):
        return "netCDF"
    if start.lstrip().lower().startswith((b"ncols", b"nrows")) and not name.lower().endswith(
        ".csv"
    ):
        return "AAIGrid"
    return None


def find_rasters(names: Sequence[str]) -> RasterFiles | None:
    """Return the rasters among files of the present folder; None where there are none.

    A zip file with features in it too is not one of rasters. The files are moved into a folder of
    their own. Raises ConflictError for rasters and features side by side, UnreadableFileError.
    """
    found: dict[str, str] = {}
    others: list[str] = []
    for name in names:
        path = Path(name)
        with path.open("rb") as file:
            start = file.read(_START)
        if driver := raster_driver(start, name):
            found[name] = driver
        elif start.startswith(b"PK") and path.suffix.lower() == ".zip":
            unpacked = _unpacked_rasters(path)
            if unpacked is None:
                others.append(name)
            else:
                found |= unpacked
        else:
            others.append(name)
    if not found:
        return None
    sides = [name for name in others if _suffix(name) in _SIDE_FILES]
    unread = [name for name in others if name not in sides]
    if features := [name for name in unread if _suffix(name) not in _IGNORED]:
        raise ConflictError(
            f"{features[0]} is no raster, as {next(iter(found))} is: import them one after the"
            " other."
        )
    return _apart(found, sides, unread)


def _unpacked_rasters(path: Path) -> dict[str, str] | None:
    """Unpack the rasters of a zip file into the present folder; None where it has none, or
    features beside them."""
    with archive_damage(path):
        check_directory(path)
        with zipfile.ZipFile(path) as archive:
            entries = safe_entries(path, archive)
            found: dict[str, str] = {}
            for name, entry in entries.items():
                with archive.open(entry) as file:
                    driver = raster_driver(file.read(_START), name)
                if driver is not None:
                    found[name] = driver
                elif _suffix(name) not in _SIDE_FILES | _IGNORED:
                    return None
            if not found:
                return None
            needed = {n: e for n, e in entries.items() if n in found or _suffix(n) in _SIDE_FILES}
            check_size(path, list(needed.values()), MAX_UNPACKED)
            folder = Path(tempfile.mkdtemp(dir=Path.cwd(), prefix="unpacked-"))
            unpacked = {}
            for name, entry in needed.items():
                check_unpacked(path, entry.file_size, entry.compress_size)
                with archive.open(entry) as source:
                    unpack(source, folder / name, path, entry.compress_size)
                if name in found:
                    unpacked[os.path.relpath(folder / name)] = found[name]
    return unpacked


def _apart(found: dict[str, str], sides: Sequence[str], unread: Sequence[str]) -> RasterFiles:
    """Move each raster to a plain name in a folder of its own: GDAL reads more into names."""
    files = []
    for number, (name, driver) in enumerate(sorted(found.items())):
        folder = Path(tempfile.mkdtemp(dir=Path.cwd(), prefix="raster-"))
        suffix = {"GTiff": ".tif", "netCDF": ".nc", "AAIGrid": ".asc"}[driver]
        path = folder / f"{number}{suffix}"
        for side in _side_files(Path(name), sides):
            side.rename(path.with_suffix(side.suffix.lower()))
        Path(name).rename(path)
        shown = name.split("/", 1)[1] if name.startswith("unpacked-") else name
        files.append(RasterFile(shown, path, driver))
    notes: tuple[str, ...] = ()
    if unread:
        shown = ", ".join(unread[:_MAX_NAMED])
        more = f" and {len(unread) - _MAX_NAMED:,} others" if len(unread) > _MAX_NAMED else ""
        notes = (f"Not read, being no rasters: {shown}{more}.",)
    return RasterFiles(tuple(files), notes)


def _side_files(path: Path, sides: Sequence[str]) -> Iterator[Path]:
    """Yield the side files of a raster: those of a zip file lie beside it."""
    beside = {Path(name) for name in sides} | set(path.parent.iterdir())
    for other in sorted(beside):
        if _suffix(other.name) in _SIDE_FILES and other.stem.lower() == path.stem.lower():
            yield other


def _suffix(name: str) -> str:
    return PurePosixPath(name).suffix.lower()
