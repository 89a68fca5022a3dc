"""Features in other formats than GeoJSON: what `f` and `Accept` ask for beside it.

Without `limit` a download is everything that the query finds. Neither kind holds a connection while
a slow client reads. Files are written whole, from one snapshot of the database, before they are
sent. Of text of GeoJSON's kind a snapshot tells the ids alone, eight bytes a feature: one cursor
finds and sorts them, where pages by position would do so for each page anew. The features
themselves are then read as they are sent: one that exists all along is there exactly once.
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

_BY_MEDIA_TYPE = {form.media_type: form for form in FORMATS.values()}
_TIMEOUT = 600  # seconds that one statement may take which reads all features
_CHUNK = 64 * 1024
FILES_AT_ONCE = BoundedSemaphore(2)  # files that a process writes


def respond_download(
    found: Collection, query: ItemsQuery, media_type: str, limit: int | None
) -> Response:
    """Return what a query finds in the format with this media type, as a file to be kept.

    At most `limit` features, or all, whatever the query's own limit is. Raises
    InvalidParameterError for what the format cannot hold, DatabaseUnavailableError when too many
    are under way.
    """
    form = _BY_MEDIA_TYPE[media_type]
    _refuse_misfit(form, query)
    if request.method == "HEAD":
        response = Response()
    elif media_type in {media_types.JSON_FG, media_types.GEOJSON_SEQUENCE}:
        texts = _texts(deployment().engine, found, query, limit, form)
        # what cannot be had is known by the first: a problem document can still tell
        response = Response(chain([next(texts, "")], texts))
    else:
        response = _file(found, query, limit, form)
    response.content_type = media_type
    response.headers["Content-Disposition"] = _disposition(found.title, form.extension)
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _refuse_misfit(form: Format, query: ItemsQuery) -> None:
    if query.hits:
        raise InvalidParameterError("resulttype=hits is answered as GeoJSON alone.")
    if query.skip_geometry and form.needs_geometry:
        raise InvalidParameterError(f"{form.title} cannot do without geometries (skipGeometry).")
    if form.media_type == media_types.KML and query.crs.uri != CRS84:
        raise InvalidParameterError(f"crs: KML is in {CRS84} alone.")


def next_position(connection: Connection, found: Collection, query: ItemsQuery) -> str | None:
    """Return the `after` parameter of the page behind a query's, None where nothing follows."""
    bare = replace(query, properties=(), skip_geometry=True)
    statement = select_page(found.id, bare, found.times)
    row = run(connection, statement.text, statement.values).one()
    return encode_position(row.last) if row.more else None


def _texts(
    engine: Engine, found: Collection, query: ItemsQuery, limit: int | None, form: Format
) -> Iterator[str]:
    """Yield the features as text, group by group: a connection is held while one is read."""
    is_json_fg = form.media_type == media_types.JSON_FG
    head = collection_head(found.title, query.crs) if is_json_fg else "\x1e"
    separator, tail = (",\n", "\n]}\n") if is_json_fg else ("\n\x1e", "\n")
    with snapshot(engine, _TIMEOUT) as connection:
        groups = list(_while_wanted(feature_batches(connection, found, query, limit)))
    before = head
    for ids in groups:
        statement = select_texts(
            found.id, ids, query, found.times, separator=separator, json_fg=is_json_fg
        )
        with reading(engine) as connection:
            features = run(connection, statement.text, statement.values).scalar_one()
        if features:  # unless all have been deleted meanwhile
            yield before + features
            before = separator
    if before == separator:
        yield tail
    elif is_json_fg:
        yield head + tail


def _while_wanted[Part](parts: Iterable[Part]) -> Iterator[Part]:
    """Yield the parts of a download; raise ClientDisconnected once nobody waits for it."""
    client = request.environ.get("gunicorn.socket")
    for part in parts:
        if client is not None and _has_left(client):
            raise ClientDisconnected
        yield part


def _has_left(client: socket.socket) -> bool:
    try:
        return client.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False  # waiting without a word
    except OSError:
        return True


def _file(found: Collection, query: ItemsQuery, limit: int | None, form: Format) -> Response:
    # 60 MB of libraries, which a process that writes no files does without
    from samsyn_provider.downloads.tables import describe_table, table_batches  # noqa: PLC0415
    from samsyn_provider.downloads.writers import Writing, written_file  # noqa: PLC0415

    with _writing(), snapshot(deployment().engine, _TIMEOUT) as connection:
        table = describe_table(connection, found, query, form)
        groups = _while_wanted(feature_batches(connection, found, query, limit))
        batches = table_batches(connection, found, query, table, groups)
        with written_file(form.media_type, Writing(table, batches, query.crs, found.title)) as file:
            return _sent(file)


@contextmanager
def _writing() -> Iterator[None]:
    """Take one of the places that there are for files under way."""
    if not FILES_AT_ONCE.acquire(blocking=False):
        raise DatabaseUnavailableError("Other downloads are being written: try again.")
    try:
        yield
    finally:
        FILES_AT_ONCE.release()


def _sent(file: IO[bytes]) -> Response:
    size = file.seek(0, 2)
    file.seek(0)
    response = Response(_chunks(file))
    response.content_length = size
    return response


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while chunk := file.read(_CHUNK):
            yield chunk


def _disposition(title: str, extension: str) -> str:
    """Return the header that names the file (RFC 6266): in ASCII, and as it is called."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode()
    safe = "".join(c if c.isalnum() or c in "-_" else "_" for c in plain)[:100].strip("_")
    full = quote(f"{title[:100]}.{extension}", safe="")
    return f"attachment; filename=\"{safe or 'features'}.{extension}\"; filename*=UTF-8''{full}"
