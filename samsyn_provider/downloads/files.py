"""Features written to temporary files, by the writer of their format."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO

from pyarrow import RecordBatch
from pyogrio.errors import DataLayerError, DataSourceError, FeatureError
from sqlalchemy import Connection
from xlsxwriter.exceptions import XlsxFileError

from samsyn_model.errors import StorageFullError
from samsyn_model.scratch import ScratchFolder
from samsyn_provider.collections.collection import Collection
from samsyn_provider.downloads.formats.kml import write_kml
from samsyn_provider.downloads.formats.ogr import write_flatgeobuf, write_geopackage
from samsyn_provider.downloads.formats.shapefile import write_shapefiles
from samsyn_provider.downloads.formats.spreadsheets import spreadsheet_writer
from samsyn_provider.downloads.formats.workbook import write_workbook
from samsyn_provider.downloads.formats.writers import (
    FileContent,
    Writer,
    write_csv,
    write_parquet,
)
from samsyn_provider.downloads.tables.batches import feature_batches, while_connected
from samsyn_provider.downloads.tables.columns import describe_table, table_batches
from samsyn_provider.http.formats import Format
from samsyn_provider.http.media_types import CSV, FLATGEOBUF, GEOPACKAGE, KML, PARQUET, XLSX, ZIP
from samsyn_provider.query.items_query import DIALECTS, ItemsQuery
from samsyn_provider.styles.symbols import layer_style

_PREFIX = "samsyn-download-"

WRITERS: dict[tuple[str, str | None], Writer] = {
    (CSV, None): write_csv,
    (FLATGEOBUF, None): write_flatgeobuf,
    (GEOPACKAGE, None): write_geopackage,
    (KML, None): write_kml,
    (PARQUET, None): write_parquet,
    **{(CSV, dialect): spreadsheet_writer(dialect) for dialect in DIALECTS},
    (XLSX, None): write_workbook,
    (ZIP, None): write_shapefiles,
}
"""The function that writes each format, by media type and dialect."""


@contextmanager
def written_file(write: Writer, content: FileContent) -> Iterator[IO[bytes]]:
    """Write a file and yield it open for reading, already deleted with its folder.

    Raises StorageFullError, or OSError, when it cannot be written as a whole.
    """
    folder = ScratchFolder(_PREFIX)
    try:
        path = folder.path / "features"
        with full_disk():
            write(path, content)
        file = path.open("rb")
    finally:
        folder.remove()
    yield file


@contextmanager
def full_disk() -> Iterator[None]:
    """Raise StorageFullError where a library cannot write a file."""
    try:
        yield
    except (DataSourceError, DataLayerError, FeatureError, XlsxFileError) as error:
        raise StorageFullError(
            "The file cannot be written, as when the disk of the server is full: try again later."
        ) from error


def file_content(
    connection: Connection,
    collection: Collection,
    query: ItemsQuery,
    file_format: Format,
    limit: int | None,
) -> FileContent:
    """Return what a file of a query's features is written of, at most `limit` or all.

    Two statements; the features are read while they are written. Raises InvalidParameterError for
    features that the format cannot hold.
    """
    table = describe_table(connection, collection, query, file_format)

    def read(ids: Iterable[Sequence[int]]) -> Iterator[RecordBatch]:
        return table_batches(connection, collection, query, table, while_connected(ids))

    ids = feature_batches(connection, collection, query, limit)
    style = layer_style(collection.style_config)
    return FileContent(table, ids, read, query.crs, collection.title, style)
