"""Files of KML, by themselves or in a zip file (KMZ)."""

import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import IO

from samsyn_admin.imports.readers.kml.layer import layers_of
from samsyn_admin.imports.sources.layer import SourceLayer
from samsyn_admin.imports.sources.limits import check_count, check_size
from samsyn_admin.imports.sources.options import ReadOptions

MAX_UNPACKED_KML = 256 * 1024**2
"""The maximum size of the KML in a zip file in bytes."""


def kml_layers(path: Path, _: ReadOptions) -> Sequence[SourceLayer]:
    """Return the layers of a KML file. Raises UnreadableFileError."""
    return layers_of(lambda: path.open("rb"), path, path.stem)


def kmz_layers(
    path: Path, archive: zipfile.ZipFile, parts: Sequence[zipfile.ZipInfo]
) -> Sequence[SourceLayer]:
    """Return the layers of a zip file with these parts of KML. Raises UnreadableFileError."""
    check_size(path, parts, MAX_UNPACKED_KML)
    layers = [
        layer
        for part in parts
        for layer in layers_of(_opening(path, part), path, _stem(path, part.filename))
    ]
    check_count(path, len(layers))
    others = sum(not info.is_dir() for info in archive.infolist()) - len(parts)
    if others:
        layers[0].note(f"Icons, pictures and other files in it were left out ({others:,}).")
    return layers


def _opening(path: Path, part: zipfile.ZipInfo) -> Callable[[], IO[bytes]]:
    def open_part() -> IO[bytes]:
        with zipfile.ZipFile(path) as archive:
            return archive.open(part.filename)

    return open_part


def _stem(path: Path, name: str) -> str:
    stem = PurePosixPath(name).stem
    return path.stem if stem.lower() == "doc" else stem
