"""Zip files that are workbooks: recognized by their parts."""

import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

from samsyn_admin.imports.readers.tables.ods import CONTENT, ods_layers
from samsyn_admin.imports.readers.tables.spreadsheets import Workbook
from samsyn_admin.imports.readers.tables.xlsx import WORKBOOK, xlsx_layers
from samsyn_admin.imports.sources.layer import SourceLayer
from samsyn_admin.imports.sources.options import ReadOptions

_SPREADSHEETS = b"application/vnd.oasis.opendocument.spreadsheet"


def spreadsheet_reader(
    path: Path,
) -> Callable[[Path, ReadOptions], Sequence[SourceLayer]] | None:
    """Return the reader of a zip file that is an XLSX or ODS workbook, or None."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if WORKBOOK in names:
                return lambda path, options: xlsx_layers(Workbook(path), options)
            if CONTENT in names and "mimetype" in names:
                with archive.open("mimetype") as file:
                    if file.read(len(_SPREADSHEETS)) == _SPREADSHEETS:
                        return lambda path, options: ods_layers(Workbook(path), options)
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError, EOFError):
        pass
    return None
