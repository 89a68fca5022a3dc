"""Features in other formats than GeoJSON, requested by `f` or `Accept`.

Without `limit` a download has all features that match the query. No download holds a connection
while a slow client reads. Files are written completely, from one snapshot of the database, before
they are sent. For JSON-FG and text sequences only the ids, eight bytes a feature, are read from one
snapshot: one cursor finds and sorts them, where keyset pages would sort again for each page. The
features are then read as they are sent: one that exists throughout is sent exactly once.
"""

import socket
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain
from threading import BoundedSemaphore
from typing import IO
from urllib.parse import quote

from flask import Response, request
from sqlalchemy import Connection, Engine
from werkzeug.exceptions import ClientDisconnected

from samsyn_model.database.execution import run
from samsyn_model.database.transactions import reading, snapshot
from samsyn_model.errors import DatabaseUnavailableError, InvalidParameterError
from samsyn_provider.collections.collection import Collection
from samsyn_provider.downloads.batches import feature_batches
from samsyn_provider.features.json_fg import collection_head
from samsyn_provider.features.page_statements import select_page
from samsyn_provider.features.statements import select_texts
from samsyn_provider.geography.crs import CRS84
from samsyn_provider.http import media_types
from samsyn_provider.http.deployment import deployment
from samsyn_provider.http.formats import FORMATS, Format
from samsyn_provider.query.items_query import ItemsQuery
from samsyn_provider.query.position import encode_position

_FORMATS = {file_format.media_type: file_format for file_format in FORMATS.values()}
_TIMEOUT = 600  # seconds, of a statement that reads all features
_CHUNK_SIZE = 64 * 1024  # bytes
FILE_SLOTS = BoundedSemaphore(2)  # files that a process writes at the same time


def respond_download(
    collection: Collection, query: ItemsQuery, media_type: str, limit: int | None
) -> Response:
    """Return the features that match a query as an attachment in the format with this media type.

    At most `limit` features, or all; the query's own limit is ignored. Raises
    InvalidParameterError for a query that the format cannot represent, DatabaseUnavailableError
    when all file slots are taken.
    """
    file_format = _FORMATS[media_type]
    _check_format(file_format, query)
    if request.method == "HEAD":
        response = Response(iter(()))  # of a length that only the file has
    elif media_type in {media_types.JSON_FG, media_types.GEOJSON_SEQUENCE}:
        parts = _text_parts(deployment().engine, collection, query, limit, file_format)
        # an error in the first part can still become a problem document
        response = Response(chain([next(parts, "")], parts))
    else:
        response = _file_response(collection, query, limit, file_format)
    response.content_type = media_type
    response.headers["Content-Disposition"] = _content_disposition(
        collection.title, file_format.extension
    )
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _check_format(file_format: Format, query: ItemsQuery) -> None:
    if query.hits:
        raise InvalidParameterError("resulttype=hits is available as GeoJSON only.")
    if query.skip_geometry and file_format.needs_geometry:
        raise InvalidParameterError(f"{file_format.title} needs geometries (skipGeometry).")
    if file_format.media_type == media_types.KML and query.crs.uri != CRS84:
        raise InvalidParameterError(f"crs: KML supports {CRS84} only.")


def next_position(connection: Connection, collection: Collection, query: ItemsQuery) -> str | None:
    """Return the `after` parameter of the page after the query's, None where nothing follows."""
    bare = replace(query, properties=(), skip_geometry=True)
    statement = select_page(collection.id, bare, collection.times)
    row = run(connection, statement.text, statement.values).one()
    return encode_position(row.last) if row.has_more else None


def _text_parts(
    engine: Engine,
    collection: Collection,
    query: ItemsQuery,
    limit: int | None,
    file_format: Format,
) -> Iterator[str]:
    """Yield the features as text, batch by batch; a connection is held only while one is read."""
    is_json_fg = file_format.media_type == media_types.JSON_FG
    head = collection_head(collection.title, query.crs) if is_json_fg else "\x1e"
    separator, tail = (",\n", "\n]}\n") if is_json_fg else ("\n\x1e", "\n")
    with snapshot(engine, _TIMEOUT) as connection:
        batches = list(_while_connected(feature_batches(connection, collection, query, limit)))
    prefix = head
    for ids in batches:
        statement = select_texts(
            *(collection.id, ids, query, collection.times),
            names=collection.names,
            separator=separator,
            json_fg=is_json_fg,
        )
        with reading(engine) as connection:
            features = run(connection, statement.text, statement.values).scalar_one()
        if features:  # null where all of them were deleted in the meantime
            yield prefix + features
            prefix = separator
    if prefix == separator:
        yield tail
    elif is_json_fg:
        yield head + tail


def _while_connected[Part](parts: Iterable[Part]) -> Iterator[Part]:
    """Yield the parts of a download; raise ClientDisconnected once the client has disconnected."""
    client = request.environ.get("gunicorn.socket")
    for part in parts:
        if client is not None and _has_disconnected(client):
            raise ClientDisconnected
        yield part


def _has_disconnected(client: socket.socket) -> bool:
    try:
        return client.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False  # connected, with nothing to read
    except OSError:
        return True


def _file_response(
    collection: Collection, query: ItemsQuery, limit: int | None, file_format: Format
) -> Response:
    # imported here: 60 MB of libraries, which only processes that write files need
    from samsyn_provider.downloads.columns import describe_table, table_batches  # noqa: PLC0415
    from samsyn_provider.downloads.writers import FileContent, written_file  # noqa: PLC0415

    with _file_slot(), snapshot(deployment().engine, _TIMEOUT) as connection:
        table = describe_table(connection, collection, query, file_format)
        ids = _while_connected(feature_batches(connection, collection, query, limit))
        batches = table_batches(connection, collection, query, table, ids)
        content = FileContent(table, batches, query.crs, collection.title)
        with written_file(file_format.media_type, content) as file:
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
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode()
    safe = "".join(c if c.isalnum() or c in "-_" else "_" for c in plain)[:100].strip("_")
    full = quote(f"{title[:100]}.{extension}", safe="")
    return f"attachment; filename=\"{safe or 'features'}.{extension}\"; filename*=UTF-8''{full}"
