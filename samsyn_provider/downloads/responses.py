"""Features as files, requested by `f` or `Accept`.

Without `limit` a download has all features that match the query. No download holds a connection
while a slow client reads. Files are written completely, from one snapshot of the database, before
they are sent; texts are sent while they are read.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain
from threading import BoundedSemaphore
from typing import IO
from urllib.parse import quote

from flask import Response, request
from sqlalchemy import Connection

from samsyn_model.database.cancellation import lift_time_limits
from samsyn_model.database.execution import run
from samsyn_model.database.transactions import readable, snapshot
from samsyn_model.errors import DatabaseUnavailableError, InvalidParameterError
from samsyn_provider.collections.collection import Collection
from samsyn_provider.downloads.texts import TEXT_FORMATS, TIMEOUT, text_parts
from samsyn_provider.features.page_statements import select_page
from samsyn_provider.geography.crs import CRS84
from samsyn_provider.http import media_types
from samsyn_provider.http.deployment import deployment
from samsyn_provider.http.formats import Format, plain_name
from samsyn_provider.query.items_query import ItemsQuery, refuse_dialect
from samsyn_provider.query.position import encode_position

_CHUNK_SIZE = 64 * 1024  # bytes
FILE_SLOTS = BoundedSemaphore(2)  # files that a process writes at the same time


def respond_download(
    collection: Collection, query: ItemsQuery, file_format: Format, limit: int | None
) -> Response:
    """Return the features that match a query as an attachment in a format.

    At most `limit` features, or all; the query's own limit is ignored. Raises
    InvalidParameterError for a query that the format cannot represent, DatabaseUnavailableError
    when all file slots are taken.
    """
    check_format(file_format, query)
    if query.filter is None and not query.areas:
        lift_time_limits()  # it takes as long as the layer is large
    media_type = file_format.media_type
    if request.method == "HEAD":
        response = Response(iter(()))  # of a length that only the file has
    elif media_type in TEXT_FORMATS:
        parts = text_parts(readable(deployment().engine), collection, query, media_type, limit)
        # an error in the first part can still become a problem document
        response = Response(chain([next(parts, "")], parts))
    else:
        response = _file_response(collection, query, limit, file_format)
    response.content_type = media_type
    response.headers["Content-Disposition"] = _content_disposition(
        collection.title, file_format.extension
    )
    return response


def check_format(file_format: Format, query: ItemsQuery) -> None:
    """Raise InvalidParameterError for a query that a format cannot represent."""
    if query.hits:
        raise InvalidParameterError("resulttype=hits is available as GeoJSON only.")
    if file_format.media_type != media_types.CSV:
        refuse_dialect(query)
    if query.skip_geometry and file_format.needs_geometry:
        raise InvalidParameterError(f"{file_format.title} needs geometries (skipGeometry).")
    if file_format.plain_crs and query.crs.uri != CRS84:
        raise InvalidParameterError(
            f"crs: {file_format.title} is in {CRS84} only, and cannot name another CRS; GeoJSON,"
            " GeoPackage, FlatGeobuf and GeoParquet name it."
        )


def next_position(connection: Connection, collection: Collection, query: ItemsQuery) -> str | None:
    """Return the `after` parameter of the page after the query's, None where nothing follows."""
    bare = replace(query, properties=(), skip_geometry=True)
    statement = select_page(collection.id, bare, collection.times)
    row = run(connection, statement.text, statement.values).one()
    return encode_position(row.last) if row.has_more else None


def _file_response(
    collection: Collection, query: ItemsQuery, limit: int | None, file_format: Format
) -> Response:
    # imported here: 60 MB of libraries, which only processes that write files need
    from samsyn_provider.downloads.files import WRITERS, file_content, written_file  # noqa: PLC0415

    with _file_slot(), snapshot(deployment().engine, TIMEOUT) as connection:
        content = file_content(connection, collection, query, file_format, limit)
        with written_file(WRITERS[file_format.media_type, query.dialect], content) as file:
            return _streamed(file)


@contextmanager
def _file_slot() -> Iterator[None]:
    """Hold a file slot; raise DatabaseUnavailableError when none is free."""
    if not FILE_SLOTS.acquire(blocking=False):
        raise DatabaseUnavailableError("Other downloads are being written: try again.")
    try:
        yield
    finally:
        FILE_SLOTS.release()


def _streamed(file: IO[bytes]) -> Response:
    size = file.seek(0, 2)
    file.seek(0)
    response = Response(_chunks(file))
    response.content_length = size
    return response


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while chunk := file.read(_CHUNK_SIZE):
            yield chunk


def _content_disposition(title: str, extension: str) -> str:
    """Return the header with the file name (RFC 6266), in ASCII and in UTF-8."""
    full = quote(f"{title[:100]}.{extension}", safe="")
    return f"attachment; filename=\"{plain_name(title)}.{extension}\"; filename*=UTF-8''{full}"
