"""Pages of items and single items, as pygeoapi's functions build them over our provider."""

from datetime import UTC, datetime
from functools import lru_cache
from time import time
from typing import Any

from sqlalchemy import Connection

from samsyn_provider.collections.collection import Collection
from samsyn_provider.collections.resources import resources
from samsyn_provider.features.provider import ItemsRequest
from samsyn_provider.http.links import collection_link
from samsyn_provider.query.items_query import ItemsQuery
from samsyn_provider.upstream.api import api_for
from samsyn_provider.upstream.deviations import DocumentRequest
from samsyn_provider.upstream.itemtypes import itemtypes


def timestamp() -> str:
    """Return the time now, to the second, as documents have it."""
    return _timestamp(int(time()))


@lru_cache(maxsize=2)
def _timestamp(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def items_document(
    connection: Connection, collection: Collection, query: ItemsQuery
) -> dict[str, Any]:
    """Return a page of items: SerializedFeatures, and `next_position` where more follow."""
    _, _, document = itemtypes.get_collection_items(
        api_for(resources([collection], ItemsRequest(connection, query))),
        DocumentRequest(),
        collection.key,
    )
    document["timeStamp"] = timestamp()
    return dict(document)


def item_document(
    connection: Connection,
    collection: Collection,
    feature_id: int,
    query: ItemsQuery,
    moment: datetime | None = None,
) -> dict[str, Any]:
    """Return one item, as it was at a moment or is now: its bytes as `feature`, its row as `stored`
    (that of `select_version`) and its link to the collection.

    Raises the errors of `PostGISProvider.get`.
    """
    _, _, document = itemtypes.get_collection_item(
        api_for(resources([collection], ItemsRequest(connection, query, moment))),
        DocumentRequest(),
        collection.key,
        feature_id,
    )
    return {**document, "links": [collection_link(collection.key, collection.title)]}
