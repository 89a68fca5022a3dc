"""KML and KMZ: what is checked before GDAL reads them."""

import zipfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import IO
from xml.parsers import expat

from samsyn_admin.imports.readers.ogr.layer import ogr_layers
from samsyn_admin.imports.sources.layer import SourceLayer
from samsyn_admin.imports.sources.limits import check_count, check_size
from samsyn_admin.imports.sources.options import ReadOptions
from samsyn_model.errors import UnreadableFileError

MAX_UNPACKED_KML = 256 * 1024**2
"""The maximum size of the KML in a zip file in bytes: GDAL reads all of it into memory."""
_MAX_KML_DEPTH = 100


def kml_layers(path: Path, _: ReadOptions) -> Sequence[SourceLayer]:
    """Return the layers of a KML file. Raises UnreadableFileError."""
    with path.open("rb") as file:
        _check_kml(path, file)
    return ogr_layers(str(path.absolute()), path)


def _check_kml(path: Path, file: IO[bytes]) -> None:
    """Raise UnreadableFileError for what GDAL should not read: it does so recursively, and expands
    entities."""
    parser = expat.ParserCreate()
    depth = 0
    counts: Counter[str] = Counter()

    def start(name: str, _: object) -> None:
        nonlocal depth
        plain = name.rpartition(":")[2]
        if not depth and plain != "kml":
            raise UnreadableFileError(f"{path} is not KML: its root element is {name[:100]!r}.")
        depth += 1
        counts[plain] += plain in {"Document", "Folder", "NetworkLink", "Placemark"}
        if depth > _MAX_KML_DEPTH:
            raise UnreadableFileError(
                f"{path} is nested too deeply: KML has at most {_MAX_KML_DEPTH} levels."
            )

    def end(_: str) -> None:
        nonlocal depth
        depth -= 1

    def refuse_doctype(*_: object) -> None:
        raise UnreadableFileError(f"{path} is not KML: it has a document type declaration.")

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.StartDoctypeDeclHandler = refuse_doctype
    try:
        parser.ParseFile(file)
    except (expat.ExpatError, LookupError) as error:  # the latter for an unknown encoding
        raise UnreadableFileError(f"{path} is not valid XML: {error}.") from error
    check_count(path, counts["Document"] + counts["Folder"])
    if counts["NetworkLink"] and not counts["Placemark"]:
        raise UnreadableFileError(f"{path} has links to other files only, which are not followed.")


def kmz_layers(
    path: Path, archive: zipfile.ZipFile, parts: Sequence[zipfile.ZipInfo]
) -> Sequence[SourceLayer]:
    """Return the layers of a zip file with these parts of KML. Raises UnreadableFileError."""
    check_size(path, parts, MAX_UNPACKED_KML)
    for part in parts:
        with archive.open(part) as file:
            _check_kml(path, file)
    return ogr_layers(str(path.absolute()), path)
