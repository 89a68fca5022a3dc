"""Zip and gzip files: which of the files in them are data, unpacked and read."""

import gzip
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from samsyn_admin.imports.readers.contents import ZIPPED_FORMATS, ArchiveContents
from samsyn_admin.imports.readers.refusals import refuse_package
from samsyn_admin.imports.readers.unpacking import (
    UnpackedPath,
    check_unpacked,
    scratch_folder,
    unpack,
)
from samsyn_admin.imports.readers.zip_entries import check_directory, safe_entries
from samsyn_admin.imports.sources.layer import SourceLayer
from samsyn_admin.imports.sources.limits import MAX_UNPACKED, check_count, check_size
from samsyn_admin.imports.sources.options import ReadOptions
from samsyn_model.errors import UnreadableFileError

type Reader = Callable[[Path, ReadOptions], Sequence[SourceLayer]]
type ReaderOf = Callable[[Path, bytes], Reader]
"""Returns the reader of a file with a name and a start; raises UnreadableFileError for none."""

_START = 512  # bytes that tell a format
_NAMED = 5
"""So many files that were not read are named; the others are counted."""
_DAMAGE = (
    *(zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, EOFError, OSError),
    *(NotImplementedError, UnicodeDecodeError, struct.error),
)


class RefusedLayer(SourceLayer):
    """A file among others of an archive that cannot be read."""

    def __init__(self, file: str, refusal: str) -> None:
        super().__init__()
        self.name = PurePosixPath(file).name
        self.source_file = file
        self.refusal = refusal

    @property
    def kinds(self) -> dict[str, None]:
        """No fields."""
        return {}

    def batches(self) -> Iterator[None]:  # type: ignore[override]
        """Raise UnreadableFileError."""
        raise UnreadableFileError(self.refusal or "")


def zipped_layers(
    path: Path, options: ReadOptions, reader_of: ReaderOf, read: Reader
) -> Sequence[SourceLayer]:
    """Return the layers of the files in a zip file; `read` reads one that is unpacked.

    Raises UnreadableFileError, and StorageFullError where the files cannot be unpacked.
    """
    is_nested = isinstance(path, UnpackedPath)
    if is_nested and path.suffix.lower() not in ZIPPED_FORMATS:
        raise UnreadableFileError(f"{path} is an archive within an archive: unpack it first.")
    with archive_damage(path):
        check_directory(path)
        with zipfile.ZipFile(path) as archive:
            entries = safe_entries(path, archive)
            check_size(path, list(entries.values()), MAX_UNPACKED)
            refuse_package(path, frozenset(entries))
            contents = ArchiveContents(
                path, entries, _starts(archive, entries), reader_of, is_nested=is_nested
            )
            needed = {name: entries[name] for name in contents.needed}
            check_size(path, [entries[name] for name in contents.kml], contents.max_kml)
            check_count(path, len(contents.files))
            for entry in needed.values():
                check_unpacked(path, entry.file_size, entry.compress_size)
            size = sum(entry.file_size for entry in needed.values())
            folder = scratch_folder(path, size)
            for name, entry in needed.items():
                with archive.open(entry) as source:
                    unpack(source, folder / contents.target(name), path, entry.compress_size)
    return _layers_of(path, folder, contents, options, read)


def _starts(
    archive: zipfile.ZipFile, entries: dict[str, zipfile.ZipInfo]
) -> Callable[[str], bytes]:
    def start(name: str) -> bytes:
        with archive.open(entries[name]) as file:
            return file.read(_START)

    return start


def _layers_of(
    path: Path, folder: UnpackedPath, contents: ArchiveContents, options: ReadOptions, read: Reader
) -> Sequence[SourceLayer]:
    layers: list[SourceLayer] = []
    unread = list(contents.unread)
    is_alone = len(contents.files) == 1
    for file in contents.files:
        try:
            found = read(folder / file.target, options)
        except UnreadableFileError as error:
            if is_alone:
                raise
            if file.is_weak:
                unread.append(file.name)
                continue
            found = [RefusedLayer(file.name, error.detail)]
        for layer in found:
            layer.source_file = file.name
            if layer.name == "doc" and file.name.lower().endswith("doc.kml"):
                layer.name = path.stem  # the name of a KMZ's document says nothing
        layers.extend(found)
    for name, reason in contents.refused.items():
        layers.append(RefusedLayer(name, reason))
    check_count(path, len(layers))
    if not layers:
        raise contents.nothing()
    _note_sources(layers)
    _rename_same(layers)
    if unread:
        first = next((layer for layer in layers if not layer.refusal), layers[0])
        first.note(_unread_note(sorted(unread)))
    return layers


def _note_sources(layers: Sequence[SourceLayer]) -> None:
    """Tell which layer is from which file, where several have some."""
    if len({layer.source_file for layer in layers}) > 1:
        for layer in layers:
            layer.note(f"Read from {layer.source_file}, one of several files in the archive.")


def _rename_same(layers: Sequence[SourceLayer]) -> None:
    """Give layers of the same name that of their file too."""
    numbers = Counter(layer.name for layer in layers)
    for layer in layers:
        if numbers[layer.name] > 1 and layer.source_file:
            layer.name = f"{layer.name} ({layer.source_file})"


def _unread_note(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_NAMED])
    others = f" and {len(names) - _NAMED:,} others" if len(names) > _NAMED else ""
    return f"Not read, being no data: {shown}{others}."


@contextmanager
def archive_damage(path: Path) -> Iterator[None]:
    """Raise what a damaged zip file raises as UnreadableFileError."""
    try:
        yield
    except _DAMAGE as error:
        raise UnreadableFileError(
            f"{path} is not a valid zip file, or is damaged: {error}. Was it uploaded as a whole?"
        ) from error


def gzipped_layers(path: Path, options: ReadOptions, read: Reader) -> Sequence[SourceLayer]:
    """Return the layers of a file compressed with gzip. Raises as `zipped_layers` does."""
    if isinstance(path, UnpackedPath):
        raise UnreadableFileError(f"{path} is compressed within an archive: unpack it first.")
    name = path.stem if path.suffix.lower() == ".gz" else path.name
    folder = scratch_folder(path, 0, is_alone=True)
    target = folder / (name or "features")
    try:
        with gzip.open(path) as source:
            if not unpack(source, target, path, path.stat().st_size):
                raise UnreadableFileError(f"{path} is empty.")
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise UnreadableFileError(
            f"{path} is not a valid gzip file, or is damaged: {error}. Was it uploaded as a whole?"
        ) from error
    return read(target, options)
