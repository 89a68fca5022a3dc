"""The ids of a query's features, in batches that fit into memory."""

import socket
from array import array
from collections.abc import Iterable, Iterator

from flask import has_request_context, request
from sqlalchemy import Connection
from werkzeug.exceptions import ClientDisconnected

from samsyn_model.database.execution import run
from samsyn_provider.collections.collection import Collection
from samsyn_provider.downloads.tables.statements import CURSOR, declare_sizes
from samsyn_provider.query.items_query import ItemsQuery

_MAX_ROWS = 1_000
_MAX_BYTES = 1024 * 1024  # as stored
_FETCH = f"FETCH FORWARD {_MAX_ROWS} FROM {CURSOR}"


def feature_batches(
    connection: Connection, collection: Collection, query: ItemsQuery, limit: int | None
) -> Iterator[array[int]]:
    """Yield the ids of a query's features in its order, at most `limit`, batch by batch.

    Within one transaction. A batch has at most a megabyte of features, as stored, or one feature.
    Within a request: raises ClientDisconnected once its client has disconnected.
    """
    return while_connected(_batches(connection, collection, query, limit))


def _batches(
    connection: Connection, collection: Collection, query: ItemsQuery, limit: int | None
) -> Iterator[array[int]]:
    statement = declare_sizes(collection.id, query, collection.times, limit)
    run(connection, statement.text, statement.values)
    while rows := run(connection, _FETCH).all():
        batch = array("q")
        size = 0
        for row in rows:
            if batch and size + row.size > _MAX_BYTES:
                yield batch
                batch, size = array("q"), 0
            batch.append(row.id)
            size += row.size
        yield batch
    run(connection, f"CLOSE {CURSOR}")


def while_connected[Part](parts: Iterable[Part]) -> Iterator[Part]:
    """Yield the parts of a download; raise ClientDisconnected once the client has disconnected.

    A file that a job writes has no client.
    """
    client = request.environ.get("gunicorn.socket") if has_request_context() else None
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
