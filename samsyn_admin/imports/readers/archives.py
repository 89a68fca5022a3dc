"""Zip files: the shapefiles or the KML in them."""

import zipfile
from collections.abc import Sequence
from pathlib import Path

from samsyn_admin.imports.readers.kml.files import kmz_layers
from samsyn_admin.imports.readers.ogr.layer import ogr_layers
from samsyn_admin.imports.readers.ogr.shapefile import check_zipped_shapefile, is_shapefile
from samsyn_admin.imports.sources.layer import SourceLayer
from samsyn_admin.imports.sources.limits import MAX_UNPACKED, check_count, check_size
from samsyn_admin.imports.sources.options import ReadOptions
from samsyn_model.errors import UnreadableFileError


def zipped_layers(path: Path, _: ReadOptions) -> Sequence[SourceLayer]:
    """Return the layers of a zip file. Raises UnreadableFileError."""
    try:
        with zipfile.ZipFile(path) as archive:
            check_size(path, archive.infolist(), MAX_UNPACKED)
            damaged = archive.testzip()
            if damaged:
                raise UnreadableFileError(f"{path} is damaged in {damaged}.")
            kml = [part for part in archive.infolist() if part.filename.lower().endswith(".kml")]
            if kml:
                return kmz_layers(path, archive, kml)
            names = [name for name in archive.namelist() if is_shapefile(name)]
            check_count(path, len(names))
            for name in names:
                check_zipped_shapefile(path, archive, name)
    except (zipfile.BadZipFile, zipfile.LargeZipFile, RuntimeError, EOFError, OSError) as error:
        raise UnreadableFileError(f"{path} is not a valid zip file: {error}.") from error
    if not names:
        raise UnreadableFileError(
            f"{path} contains no shapefile; zip files of other formats are not read."
        )
    return [
        layer
        for name in names
        for layer in ogr_layers(f"/vsizip/{{{path.absolute()}}}/{name}", path)
    ]
