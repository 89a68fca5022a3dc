"""Which features a query finds, as many at a time as may be in memory at once."""

from array import array
from collections.abc import Iterator

from sqlalchemy import Connection

from samsyn_model.database.execution import run
from samsyn_provider.collections.collection import Collection
from samsyn_provider.downloads.statements import CURSOR, declare_sizes
from samsyn_provider.query.items_query import ItemsQuery

_MOST_ROWS = 1_000
_MOST_BYTES = 1024 * 1024  # as stored
_FETCH = f"FETCH FORWARD {_MOST_ROWS} FROM {CURSOR}"


def feature_batches(
    connection: Connection, collection: Collection, query: ItemsQuery, limit: int | None
) -> Iterator[array[int]]:
    """Yield the ids of what a query finds in its order, at most `limit`, group by group.

    Within one transaction. A group is a megabyte of features, as stored, or a single one.
    """
    statement = declare_sizes(collection.id, query, collection.times, limit)
    run(connection, statement.text, statement.values)
    while found := run(connection, _FETCH).all():
        group = array("q")
        size = 0
        for row in found:
            if group and size + row.size > _MOST_BYTES:
                yield group
                group, size = array("q"), 0
            group.append(row.id)
            size += row.size
        yield group
    run(connection, f"CLOSE {CURSOR}")
