"""Files of KML, by themselves or from a zip file (KMZ)."""

from collections.abc import Sequence
from pathlib import Path

from samsyn_admin.imports.readers.kml.layer import layers_of
from samsyn_admin.imports.sources.layer import SourceLayer
from samsyn_admin.imports.sources.options import ReadOptions

MAX_UNPACKED_KML = 256 * 1024**2
"""The maximum size of the KML in a zip file in bytes."""


def kml_layers(path: Path, _: ReadOptions) -> Sequence[SourceLayer]:
    """Return the layers of a KML file. Raises UnreadableFileError."""
    return layers_of(lambda: path.open("rb"), path, path.stem)
