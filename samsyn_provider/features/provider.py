"""pygeoapi's feature provider over `layer_features`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pygeoapi.provider.base import BaseProvider
from sqlalchemy import Connection

from samsyn_model.database.execution import run, stream
from samsyn_model.database.statement import Statement
from samsyn_model.errors import NotFoundError
from samsyn_provider.collections.collection import Collection
from samsyn_provider.features.page_statements import (
    select_box_page,
    select_hits,
    select_page,
    select_streamed_page,
)
from samsyn_provider.features.statements import select_feature
from samsyn_provider.http.representations import SerializedFeatures
from samsyn_provider.query.items_query import ItemsQuery
from samsyn_provider.query.position import encode_position

LONG = 500
"""How many features a page has at most that is made at once; a longer one is passed on in parts."""


@dataclass(frozen=True, slots=True)
class ItemsRequest:
    """What a request brings to the provider: a connection, and its query already parsed."""

    connection: Connection
    query: ItemsQuery


class PostGISProvider(BaseProvider):  # type: ignore[misc]
    """Reads one collection; made for one request, and makes no connection of its own.

    pygeoapi's arguments repeat what the request already says parsed and typed; they are not used.
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

        `next_position` is the `after` parameter of the next page; `numberMatched` is there where
        it is known.
        """
        query = self._asked().query
        collection = self.collection
        if query.hits:
            row = self._row(
                select_hits(collection.id, query, collection.times, indexed=collection.indexed)
            )
            return {
                "type": "FeatureCollection",
                "features": SerializedFeatures(iter(()), 0),
                "numberMatched": row.matched,
                "numberReturned": 0,
            }
        row, features = self._page(query)
        page = {
            "type": "FeatureCollection",
            "features": features,
            "numberReturned": row.returned,
        }
        matched = _last_place(query, row) if row.matched is None else int(row.matched)
        if matched is not None:
            page["numberMatched"] = matched
        if row.more:
            page["next_position"] = encode_position(row.last)
        return page

    def get(self, identifier: int, **_: Any) -> dict[str, Any]:
        """Return one feature: its bytes as `feature`, and its `version`.

        Raises NotFoundError when the collection has no such feature.
        """
        asked = self._asked()
        row = self._row(select_feature(self.collection.id, identifier, asked.query.crs))
        if row is None:
            raise NotFoundError("There is no such feature in this collection.")
        return {"feature": row.feature, "version": row.version, "properties": {}}

    def _page(self, query: ItemsQuery) -> tuple[Any, SerializedFeatures]:
        """Return what is told of a page, and its features: those of a long one are yet to come."""
        collection = self.collection
        if query.limit <= LONG:
            row = self._short_page(query)
            parts = (row.features,) if row.features else ()
            return row, SerializedFeatures(iter(parts), row.returned)
        statement = select_streamed_page(
            collection.id, query, collection.times, indexed=collection.indexed
        )
        rows = stream(self._asked().connection, statement.text, statement.values)
        row = next(rows)
        return row, SerializedFeatures((part.features for part in rows), row.returned, is_long=True)

    def _short_page(self, query: ItemsQuery) -> Any:
        """Return the row of a page that is made at once."""
        found = self.collection
        near = select_box_page(found.id, query)
        row = self._row(near) if near else None
        if row is not None and row.matched is not None:
            return row
        # planned for its box: so many may be found sooner in the order of their ids
        return self._row(
            select_page(
                *(found.id, query, found.times), indexed=found.indexed, is_counted=near is None
            )
        )

    def _asked(self) -> ItemsRequest:
        if self.request is None:
            raise RuntimeError("this provider was made to describe a collection, not to read it")
        return self.request

    def _row(self, statement: Statement) -> Any:
        return run(
            self._asked().connection, statement.text, statement.values, prepared=statement.prepared
        ).one_or_none()


def _last_place(query: ItemsQuery, row: Any) -> int | None:
    """Return how many features there are up to the end of a page behind which there are none."""
    is_end = not row.more and (row.returned or not query.offset)
    return query.offset + row.returned if is_end and query.after is None else None
