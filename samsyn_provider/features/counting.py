"""The number of a query's matches, where a page's own statement does not count them."""

from dataclasses import replace
from hashlib import blake2b

from sqlalchemy import Connection

from samsyn_model.database.execution import run_within
from samsyn_provider.collections.collection import Collection
from samsyn_provider.features.count_statements import select_hits
from samsyn_provider.geography.crs import CRS84, reference_system
from samsyn_provider.http.deployment import deployment
from samsyn_provider.query.items_query import ItemsQuery
from samsyn_provider.query.property_indexes import is_narrowed

_CRS = reference_system(CRS84, "crs")


def count_matches(connection: Connection, collection: Collection, query: ItemsQuery) -> int | None:
    """Return the exact number of a query's matches, None where counting exceeds COUNT_BUDGET.

    One statement at most: the number is cached for this version of the collection, if it has one.
    """
    budget, cache = deployment().settings.count_budget, deployment().count_cache
    if not budget:
        return None
    if collection.version is None:
        hits = select_hits(collection.id, query, collection.times)
        found = run_within(connection, budget, hits.text, hits.values)
        return None if found is None else int(found.scalar_one())
    key = _key(collection, query)
    known = cache.get(key)
    if known is not None:
        return known[0]
    statement = select_hits(collection.id, query, collection.times, indexed=collection.indexed)
    kind_key = _digest(f"{collection.id} {statement.text}")
    is_scan = not is_narrowed(query) and not statement.text.lstrip().startswith("WITH")
    if is_scan and cache.get(kind_key):
        return None
    rows = run_within(connection, budget, statement.text, statement.values)
    count = None if rows is None else int(rows.scalar_one())
    cache.put(key, count)
    if is_scan and count is None:  # the same scan for all values that are compared with
        cache.put(kind_key, None)
    return count


def _key(collection: Collection, query: ItemsQuery) -> str:
    """Return the key of a result in this version of the collection, whichever page is read."""
    result = replace(
        query,
        crs=_CRS,
        limit=1,
        offset=0,
        after=None,
        properties=None,
        sortby=(),
        skip_geometry=False,
    )
    return _digest(f"{collection.id} {collection.version} {result!r}")


def _digest(text: str) -> str:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
