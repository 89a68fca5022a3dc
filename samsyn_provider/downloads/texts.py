"""Downloads that PostgreSQL serializes: GeoJSON, JSON-FG, and GeoJSON text sequences.

Only the ids, eight bytes a feature, are read from one snapshot: one cursor finds and sorts them,
where keyset pages would sort again for each page. The features are then read as they are sent: one
that exists throughout is sent exactly once.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from flask import has_request_context
from sqlalchemy import Engine

from samsyn_model.database.execution import run
from samsyn_model.database.transactions import reading, snapshot
from samsyn_provider.collections.collection import Collection
from samsyn_provider.downloads.tables.batches import feature_batches
from samsyn_provider.features.documents import timestamp
from samsyn_provider.features.json_fg import collection_head
from samsyn_provider.features.statements import select_texts
from samsyn_provider.geography.crs import WGS84, ReferenceSystem
from samsyn_provider.http import links
from samsyn_provider.http.media_types import GEOJSON, GEOJSON_SEQUENCE, JSON_FG
from samsyn_provider.query.items_query import ItemsQuery

TIMEOUT = 600
"""Seconds that a statement which reads all features may take."""


@dataclass(frozen=True, slots=True)
class _Form:
    """The text around a download's features."""

    head: str
    separator: str
    tail: Callable[[int], str]
    """The text after the last feature, by the number of features."""
    query: ItemsQuery
    is_json_fg: bool = False
    may_lack_head: bool = False
    """Whether a download without features is empty."""


def text_parts(
    engine: Engine, collection: Collection, query: ItemsQuery, media_type: str, limit: int | None
) -> Iterator[str]:
    """Yield a query's features as text, at most `limit`, batch by batch.

    A connection is held only while one is read; a request is needed for the first part only, which
    has links within one.
    """
    if query.versions is not None:
        # who imports the file would take its validity for a property of the feature
        query = replace(query, versions=replace(query.versions, time_member=None))
    form = _FORMS[media_type](collection, query)
    with snapshot(engine, TIMEOUT) as connection:
        batches = list(feature_batches(connection, collection, query, limit))
    prefix = form.head
    count = 0
    for ids in batches:
        statement = select_texts(
            *(collection.id, ids, form.query, collection.times),
            names=collection.names,
            separator=form.separator,
            json_fg=form.is_json_fg,
        )
        with reading(engine) as connection:
            row = run(connection, statement.text, statement.values).one()
        if row.returned:  # not if all of them were deleted in the meantime
            yield prefix + row.features
            prefix = form.separator
            count += row.returned
    if count:
        yield form.tail(count)
    elif not form.may_lack_head:
        yield form.head + form.tail(0)


def _geojson(collection: Collection, query: ItemsQuery) -> _Form:
    """Return the form of a feature collection (RFC 7946), with what a page has beside features.

    In another CRS than longitude and latitude it has the `crs` member of the specification of 2008,
    with x before y, as programs that know the member read it.
    """
    head: dict[str, Any] = {"type": "FeatureCollection", "name": collection.title}
    if query.crs.srid != WGS84:
        head["crs"] = _crs_member(query.crs)
    members: dict[str, Any] = {"timeStamp": timestamp()}
    if has_request_context():
        members["links"] = [
            *links.self_links(GEOJSON, GEOJSON, "These items", code="geojson"),
            links.collection_link(collection.key, collection.title),
        ]

    def tail(count: int) -> str:
        numbers = {"numberMatched": count, "numberReturned": count}
        return f"\n],{_compact({**numbers, **members})[1:]}\n"

    return _Form(
        head=f'{_compact(head)[:-1]},"features":[\n',
        separator=",\n",
        tail=tail,
        query=replace(query, crs=replace(query.crs, y_first=False)),
    )


def _crs_member(crs: ReferenceSystem) -> dict[str, Any]:
    return {"type": "name", "properties": {"name": f"urn:ogc:def:crs:EPSG::{crs.srid}"}}


def _compact(document: Mapping[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def _json_fg(collection: Collection, query: ItemsQuery) -> _Form:
    head = collection_head(collection.title, query.crs)
    return _Form(head, ",\n", lambda _: "\n]}\n", query, is_json_fg=True)


def _sequence(_: Collection, query: ItemsQuery) -> _Form:
    return _Form("\x1e", "\n\x1e", lambda _: "\n", query, may_lack_head=True)


_FORMS: Mapping[str, Callable[[Collection, ItemsQuery], _Form]] = {
    GEOJSON: _geojson,
    GEOJSON_SEQUENCE: _sequence,
    JSON_FG: _json_fg,
}
TEXT_FORMATS = frozenset(_FORMS)
"""The media types of these downloads."""
