"""Features written to temporary files, by the writer of their format."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from samsyn_provider.downloads import writers
from samsyn_provider.downloads.shapefile import write_shapefiles
from samsyn_provider.downloads.spreadsheets import spreadsheet_writer
from samsyn_provider.downloads.workbook import write_workbook
from samsyn_provider.downloads.writers import FileContent, Writer
from samsyn_provider.http.media_types import CSV, XLSX, ZIP
from samsyn_provider.query.items_query import DIALECTS

WRITERS: dict[tuple[str, str | None], Writer] = {
    **{(media_type, None): writer for media_type, writer in writers.WRITERS.items()},
    **{(CSV, dialect): spreadsheet_writer(dialect) for dialect in DIALECTS},
    (XLSX, None): write_workbook,
    (ZIP, None): write_shapefiles,
}
"""The function that writes each format, by media type and dialect."""


@contextmanager
def written_file(write: Writer, content: FileContent) -> Iterator[IO[bytes]]:
    """Write a file and yield it open for reading, already deleted with its folder."""
    with tempfile.TemporaryDirectory(prefix="samsyn-download-") as folder:
        path = Path(folder, "features")
        write(path, content)
        file = path.open("rb")
    yield file
