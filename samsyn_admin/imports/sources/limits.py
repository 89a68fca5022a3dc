"""Limits of a file: how many layers and parts it has, and how large it is unpacked."""

import zipfile
from collections.abc import Sequence
from pathlib import Path

from samsyn_model.errors import UnreadableFileError

MAX_LAYERS = 200
"""The maximum number of layers in a file: for each, GDAL opens the file again."""
MAX_UNPACKED = 4 * 1024**3
"""The maximum size of what a zip file contains in bytes: a `.shp` and a `.dbf` have 2 GB each."""
_MAX_ENTRIES = 10_000


def check_count(path: Path, count: int) -> None:
    """Raise UnreadableFileError where a file has more layers than are read."""
    if count > MAX_LAYERS:
        raise UnreadableFileError(
            f"{path} has {count:,} layers: at most {MAX_LAYERS} are read from a file."
        )


def check_parts(path: Path, count: int) -> None:
    """Raise UnreadableFileError where a zip file has too many parts."""
    if count > _MAX_ENTRIES:
        raise UnreadableFileError(f"{path} has more than {_MAX_ENTRIES:,} parts.")


def check_size(path: Path, parts: Sequence[zipfile.ZipInfo], limit: int) -> None:
    """Raise UnreadableFileError before anything is unpacked that would take too long or too much.

    A part of another size than it declares is damaged.
    """
    check_parts(path, len(parts))
    size = sum(part.file_size for part in parts)
    if size > limit:
        raise UnreadableFileError(
            f"{path} is too large unpacked: {size:,} bytes, at most {limit:,} are read."
        )
