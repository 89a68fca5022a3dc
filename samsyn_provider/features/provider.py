"""pygeoapi's feature provider over `layer_features`."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pygeoapi.provider.base import BaseProvider
from sqlalchemy import Connection

from samsyn_model.database.execution import run, stream
from samsyn_model.database.statement import Statement
from samsyn_model.errors import GoneError, NotFoundError
from samsyn_model.history.horizons import refuse_pruned
from samsyn_provider.collections.collection import Collection
from samsyn_provider.features.count_statements import is_filtered, select_hits
from samsyn_provider.features.counting import count_matches
from samsyn_provider.features.page_statements import (
    select_box_page,
    select_page,
    select_streamed_page,
)
from samsyn_provider.features.version_statements import (
    select_item,
    select_latest,
    select_present_version,
    select_version,
)
from samsyn_provider.http.representations import SerializedFeatures
from samsyn_provider.query.items_query import ItemsQuery
from samsyn_provider.query.position import encode_position

MAX_BUFFERED_LIMIT = 500
"""The highest `limit` of a page that is read as one row; a longer page is streamed in parts."""


@dataclass(frozen=True, slots=True)
class ItemsRequest:
    """The connection and the parsed query of a request, for the provider."""

    connection: Connection
    query: ItemsQuery
    moment: datetime | None = None
    """When the one feature is to be read, None for now."""


class PostGISProvider(BaseProvider):  # type: ignore[misc]
    """Reads one collection for one request, on the request's connection.

    pygeoapi's arguments are not used: the request has them parsed and typed.
    """

    def __init__(self, provider_def: Mapping[str, Any]) -> None:
        super().__init__(provider_def)
        self.collection: Collection = provider_def["collection"]
        self.request: ItemsRequest | None = provider_def["request"]

    @property
    def fields(self) -> dict[str, dict[str, Any]]:
        """The schemas of the properties by name."""
        return self.collection.fields

    def get_fields(self) -> dict[str, dict[str, Any]]:
        """Return the schemas of the properties by name."""
        return self.fields

    def query(self, **_: Any) -> dict[str, Any]:
        """Return a page: a feature collection whose `features` are SerializedFeatures.

        `next_position` is the `after` parameter of the next page; `numberMatched` is left out
        where it is not known.
        """
        query = self._items_request().query
        collection = self.collection
        if query.hits:
            row = self._read_row(
                select_hits(collection.id, query, collection.times, indexed=collection.indexed)
            )
            return {
                "type": "FeatureCollection",
                "features": SerializedFeatures(iter(()), 0),
                "numberMatched": row.matched,
                "numberReturned": 0,
            }
        row, features, matched = self._read_page(query)
        page = {
            "type": "FeatureCollection",
            "features": features,
            "numberReturned": row.returned,
        }
        if matched is not None:
            page["numberMatched"] = matched
        if row.has_more:
            page["next_position"] = encode_position(row.last)
        return page

    def get(self, identifier: int, **_: Any) -> dict[str, Any]:
        """Return one feature: its bytes as `feature`, and its row as `stored`.

        Raises NotFoundError when the collection never had such a feature, GoneError when it has
        none at the moment of the request, HistoryPrunedError when that is not known any more.
        """
        moment = self._items_request().moment
        source = (self.collection.id, identifier, self._items_request().query)
        names = self.collection.names
        if self.collection.source is not None:
            row = self._read_row(select_item(*source, names))
            if row is None:
                raise NotFoundError("There is no such comment.")
        elif moment is None:
            row = self._read_row(select_present_version(*source, names))
        else:
            row = self._read_row(select_version(*source, names, moment))
        if row is None or row.feature is None:
            connection = self._items_request().connection
            refuse_pruned(connection, self.collection.id, moment)
            raise missing_feature(connection, self.collection, identifier)
        return {"feature": row.feature, "stored": row, "properties": {}}

    def _read_page(self, query: ItemsQuery) -> tuple[Any, SerializedFeatures, int | None]:
        """Return the row of a page without the features, the features, maybe yet to be read, and
        the number of matches, None where it is not known."""
        collection = self.collection
        connection = self._items_request().connection
        if query.limit <= MAX_BUFFERED_LIMIT:
            row = self._read_buffered_page(query)
            parts = (row.features,) if row.features else ()
            matched = _count_of_page(query, row)
            if matched is None:
                matched = count_matches(connection, collection, query)
            return row, SerializedFeatures(iter(parts), row.returned), matched
        # counted first: nothing else can run on the connection of a page that is being streamed
        counted = (
            count_matches(connection, collection, query)
            if is_filtered(query, collection.times)
            else None
        )
        statement = select_streamed_page(
            *(collection.id, query, collection.times),
            names=collection.names,
            indexed=collection.indexed,
            is_counted=counted is None,
        )
        rows = stream(connection, statement.text, statement.values)
        row = next(rows)
        features = SerializedFeatures(
            (part.features for part in rows), row.returned, is_streamed=True
        )
        return row, features, _count_of_page(query, row) if counted is None else counted

    def _read_buffered_page(self, query: ItemsQuery) -> Any:
        """Return the row of a page that is not streamed."""
        collection = self.collection
        box_page = select_box_page(collection.id, query, names=collection.names)
        row = self._read_row(box_page) if box_page else None
        if row is not None and row.matched is not None:
            return row
        # planned for its box: with so many features a scan in the order of ids may be faster
        return self._read_row(
            select_page(
                *(collection.id, query, collection.times),
                names=collection.names,
                indexed=collection.indexed,
                is_counted=box_page is None,
            )
        )

    def _items_request(self) -> ItemsRequest:
        if self.request is None:
            raise RuntimeError("this provider describes a collection and cannot read it")
        return self.request

    def _read_row(self, statement: Statement) -> Any:
        return run(
            self._items_request().connection,
            statement.text,
            statement.values,
            prepared=statement.prepared,
        ).one_or_none()


def missing_feature(
    connection: Connection, collection: Collection, feature_id: int
) -> NotFoundError:
    """Return the error of a request for a feature that a collection does not have: GoneError where
    it had it once. One statement."""
    statement = select_latest(collection.id, feature_id)
    latest = run(connection, statement.text, statement.values).scalar_one()
    if latest is None:
        return NotFoundError("There is no such feature in this collection.")
    return GoneError(
        "There is no such feature in this collection at this moment; it has versions of others.",
        layer_id=collection.id,
        feature_id=feature_id,
        latest=latest,
        has_own_time=collection.has_own_time,
    )


def _count_of_page(query: ItemsQuery, row: Any) -> int | None:
    """Return the number of matches where a page's row has it, or the page is the last one and was
    read by offset."""
    if row.matched is not None:
        return int(row.matched)
    is_end = not row.has_more and (row.returned or not query.offset)
    return query.offset + row.returned if is_end and query.after is None else None
