"""Files of archives, unpacked into a folder that is removed when nothing reads them any more."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PosixPath
from typing import Protocol, Self

from samsyn_admin.imports.sources.limits import MAX_UNPACKED
from samsyn_model.errors import StorageFullError, UnreadableFileError
from samsyn_model.scratch import ScratchFolder

_PREFIX = "samsyn-import-"
_CHUNK = 1024 * 1024
_MAX_RATIO = 500
"""Data become a hundred times smaller at most, bytes of one value a thousand times."""
_SMALL = 128 * 1024
_NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class Readable(Protocol):
    """A stream of bytes."""

    def read(self, size: int, /) -> bytes:
        """Return at most so many bytes, none at the end."""


class UnpackedPath(PosixPath):
    """A file of an archive, unpacked: messages name it as its user knows it.

    It keeps the folder that it is in, and so do paths that are made of it.
    """

    _scratch: ScratchFolder
    _archive: str
    _is_alone: bool

    @classmethod
    def below(cls, scratch: ScratchFolder, archive: str, *, is_alone: bool = False) -> Self:
        """Return the path of a folder of unpacked files; with `is_alone` of the one of a `.gz`."""
        path = cls(scratch.path)
        path._scratch, path._archive, path._is_alone = scratch, archive, is_alone
        return path

    def with_segments(self, *segments: str | os.PathLike[str]) -> Self:
        """Return another path of the same archive."""
        path = type(self)(*segments)
        path._scratch, path._archive = self._scratch, self._archive
        path._is_alone = self._is_alone
        return path

    def __format__(self, specification: str) -> str:
        text = os.fspath(self)
        inside = os.path.relpath(text, self._scratch.path)
        shown = self._archive if self._is_alone else f"{inside} in {self._archive}"
        return format(shown, specification)


def scratch_folder(archive: Path, size: int, *, is_alone: bool = False) -> UnpackedPath:
    """Return a new folder for `size` bytes; raises StorageFullError where they do not fit."""
    with storage_errors(archive):
        scratch = ScratchFolder(_PREFIX)
        if shutil.disk_usage(scratch.path).free < size:
            raise _no_space(archive)
    return UnpackedPath.below(scratch, f"{archive}", is_alone=is_alone)


def check_unpacked(archive: Path, size: int, packed: int) -> None:
    """Raise UnreadableFileError where a file is larger unpacked than is read, or than data are."""
    if size > MAX_UNPACKED:
        raise UnreadableFileError(
            f"{archive} is too large unpacked: at most {MAX_UNPACKED:,} bytes are read."
        )
    if size > _MAX_RATIO * max(packed, _SMALL):
        raise UnreadableFileError(
            f"{archive} is too large unpacked: more than {_MAX_RATIO} times as large, as no data"
            " are."
        )


def unpack(source: Readable, target: Path, archive: Path, packed: int) -> int:
    """Write a stream into a new file; return its size. `packed` is its size in the archive.

    Raises UnreadableFileError for more bytes than the limit, StorageFullError.
    """
    size = 0
    with storage_errors(archive):
        target.parent.mkdir(parents=True, exist_ok=True)
        file = target.open("xb")
    with file:
        while chunk := source.read(_CHUNK):
            size += len(chunk)
            check_unpacked(archive, size, packed)
            with storage_errors(archive):
                file.write(chunk)
        with storage_errors(archive):
            file.flush()
    return size


@contextmanager
def storage_errors(archive: Path) -> Iterator[None]:
    """Turn errors of writing unpacked files into StorageFullError and UnreadableFileError."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_SPACE:
            raise _no_space(archive) from error
        raise UnreadableFileError(f"{archive} cannot be unpacked: {error.strerror}.") from error


def _no_space(archive: Path) -> StorageFullError:
    return StorageFullError(
        f"{archive} cannot be unpacked: the disk of the server is full. Try again later."
    )
