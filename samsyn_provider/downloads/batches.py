"""The ids of a query's features, in batches that fit into memory."""

from array import array
from collections.abc import Iterator

from sqlalchemy import Connection

from samsyn_model.database.execution import run
from samsyn_provider.collections.collection import Collection
from samsyn_provider.downloads.statements import CURSOR, declare_sizes
from samsyn_provider.query.items_query import ItemsQuery

_MAX_ROWS = 1_000
_MAX_BYTES = 1024 * 1024  # as stored
_FETCH = f"FETCH FORWARD {_MAX_ROWS} FROM {CURSOR}"


def feature_batches(
    connection: Connection, collection: Collection, query: ItemsQuery, limit: int | None
) -> Iterator[array[int]]:
    """Yield the ids of a query's features in its order, at most `limit`, batch by batch.

    Within one transaction. A batch has at most a megabyte of features, as stored, or one feature.
    """
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
