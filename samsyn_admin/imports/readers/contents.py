"""The files of an archive by their roles: data, parts of data, others."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from samsyn_admin.imports.readers.kml.files import MAX_UNPACKED_KML
from samsyn_admin.imports.readers.shapefile.parts import SIDE_FILES
from samsyn_model.errors import UnreadableFileError

_ZIP = b"PK\x03\x04"
_GZIP = b"\x1f\x8b"
ZIPPED_FORMATS = frozenset({".kmz", ".xlsx", ".ods"})
"""Formats that are zip files themselves: they are read in an archive, but none in them."""
_MAYBE_DATA = frozenset({".csv", ".tsv"})
_RARELY_DATA = frozenset({".txt", ".json", ".xml", ""})
"""Files of these are read where there are no others: they describe the others as a rule."""
_LONG_SUFFIXES = (".shp.xml", ".shp.iso.xml")
_GEODATABASE = ".gdb"
_TABLE_OF_GEODATABASE = ".gdbtable"


@dataclass(frozen=True, slots=True)
class ArchivedFile:
    """A file, or the folder of a geodatabase, that has a reader.

    `target` is its path when it is unpacked. One that `is_weak` need not be data.
    """

    name: str
    target: str
    is_weak: bool = False


class ArchiveContents:
    """Which files of an archive are to be read, and which others have to be unpacked for them.

    `kml` are those of KML, at most `max_kml` bytes; `unread` are the names of those that are no
    data, `refused` of those that would be, with the reasons.
    """

    max_kml = MAX_UNPACKED_KML

    def __init__(
        self,
        path: Path,
        names: Collection[str],
        start_of: Callable[[str], bytes],
        reader_of: Callable[[Path, bytes], object],
        *,
        is_nested: bool,
    ) -> None:
        """Look at the first bytes of the files, which `start_of` returns."""
        self._path = path
        self._zipped_formats = frozenset() if is_nested else ZIPPED_FORMATS
        self._start_of = start_of
        self._reader_of = reader_of
        self.refused: dict[str, str] = {}
        self._first_reason: str | None = None
        self._folders = self._geodatabases(names)
        others = [name for name in names if not self._is_in_geodatabase(name)]
        stems = {_stem(name) for name in others if name.lower().endswith(".shp")}
        sides = {name for name in others if _is_side_file(name, stems)}
        files = [ArchivedFile(name, target) for name, target in self._folders.items()]
        rare: list[ArchivedFile] = []
        for name in others:
            if name in sides:
                continue
            if self._has_reader(name):
                suffix = PurePosixPath(name).suffix.lower()
                is_weak = suffix in _MAYBE_DATA
                found = ArchivedFile(name, name, is_weak)
                (rare if suffix in _RARELY_DATA else files).append(found)
        self.files = files or ([] if self.refused else rare)
        self.kml = [file.name for file in self.files if file.name.lower().endswith(".kml")]
        read = {_stem(file.name) for file in self.files}
        self.needed = [
            name for name in names if _stem(name) in read or self._is_in_geodatabase(name)
        ]
        known = {file.name for file in self.files} | sides | self.refused.keys()
        self.unread = [name for name in others if name not in known and _stem(name) not in read]

    def target(self, name: str) -> str:
        """Return the path of an unpacked file: a geodatabase is in a folder that is called so."""
        for folder, target in self._folders.items():
            if _is_below(name, folder):
                return f"{target}/{name[len(folder) :].lstrip('/')}"
        return name

    def nothing(self) -> UnreadableFileError:
        """Return the error for an archive without data."""
        if self._first_reason:
            return UnreadableFileError(self._first_reason)
        found = ", ".join(sorted(self.unread)[:5]) or "no files"
        return UnreadableFileError(
            f"{self._path} contains no data that can be imported, such as a shapefile with its"
            f" .shp: it has {found}."
        )

    def _geodatabases(self, names: Collection[str]) -> dict[str, str]:
        """Return the folders of File Geodatabases, and what they are called when unpacked."""
        folders = {
            str(PurePosixPath(name).parent)
            for name in names
            if name.lower().endswith(_TABLE_OF_GEODATABASE)
        }
        result = {}
        for folder in sorted(folders):
            plain = "" if folder == "." else folder
            called = plain or self._path.stem.removesuffix(".zip")
            is_called = called.lower().endswith(_GEODATABASE)
            result[plain] = called if is_called else f"{called or 'data'}{_GEODATABASE}"
        return result

    def _is_in_geodatabase(self, name: str) -> bool:
        return any(_is_below(name, folder) for folder in self._folders)

    def _has_reader(self, name: str) -> bool:
        path = PurePosixPath(name)
        start = self._start_of(name)
        suffix = path.suffix.lower()
        if start.startswith((_ZIP, _GZIP)) and suffix not in self._zipped_formats:
            self._refuse(name, "is packed within this archive: unpack it, and import it by itself")
            return False
        if not start:
            return False
        if suffix == ".shp" and not start.startswith(b"\x00\x00\x27\x0a"):
            self._refuse(name, "is damaged: it is no shapefile, whatever it is called")
            return False
        try:
            self._reader_of(Path(name), start)
        except UnreadableFileError as error:
            self._first_reason = self._first_reason or f"{self._path}: {error.detail}"
            return False
        return True

    def _refuse(self, name: str, reason: str) -> None:
        self.refused[name] = f"{name} in {self._path} {reason}."
        self._first_reason = self.refused[name]


def _stem(name: str) -> str:
    """Return what files that belong together have in common: folder and name, in lower case."""
    lower = name.lower()
    for suffix in _LONG_SUFFIXES:
        if lower.endswith(suffix):
            lower = lower.removesuffix(suffix) + ".shp"
    folder, _, last = lower.rpartition("/")
    return f"{folder}/{last.rpartition('.')[0] or last}"


def _is_side_file(name: str, stems: Collection[str]) -> bool:
    lower = name.lower()
    return _stem(name) in stems and any(lower.endswith(suffix) for suffix in SIDE_FILES)


def _is_below(name: str, folder: str) -> bool:
    return not folder or name.startswith(f"{folder}/")
