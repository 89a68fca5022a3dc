"""Views that read features: OGC API Features Part 1, here and in the management API."""

from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response, request
from sqlalchemy import Connection
from werkzeug.datastructures import MultiDict

from samsyn_model.database.transactions import reading
from samsyn_model.errors import NotAcceptableError
from samsyn_model.permissions.actions import Action
from samsyn_provider.cache.response_cache import CachedResponse
from samsyn_provider.collections.collection import Collection
from samsyn_provider.collections.description import with_fields
from samsyn_provider.collections.documents import collection_document
from samsyn_provider.collections.lookup import find_collection
from samsyn_provider.collections.requested import requested_collection
from samsyn_provider.downloads.responses import next_position, respond_download
from samsyn_provider.features.documents import item_document, items_document
from samsyn_provider.geography.crs import CRS84, reference_system
from samsyn_provider.http import links
from samsyn_provider.http.deployment import deployment
from samsyn_provider.http.formats import FORMATS, MEDIA_TYPES
from samsyn_provider.http.guard import principal, requires
from samsyn_provider.http.links import PageLink
from samsyn_provider.http.media_types import GEOJSON, HTML, negotiate_media_type
from samsyn_provider.http.representations import (
    must_revalidate,
    not_modified,
    respond,
    response_from_cache,
)
from samsyn_provider.query.items_query import (
    Capabilities,
    ItemsQuery,
    names_properties,
    parse_item_query,
    parse_items_query,
)
from samsyn_provider.query.parameters import parse_feature_id, single_values
from samsyn_provider.query.search_body import read_search

_PAGE_ROWS = 500
_MOMENTARY = {"Cache-Control", "Content-Length", "Date", "Vary"}
"""Headers of an answer that another one to the same question may not have."""
_FILES = tuple((form.media_type, code, form.title) for code, form in FORMATS.items())
_PAGE_CRS = reference_system(CRS84, "crs")  # what the map on a page draws


def add_reading_rules(bp: Blueprint, path: str, relations: frozenset[str] = frozenset()) -> None:
    """Let features be read at a path of items.

    `relations` names parameters that are geometries, of AREA_PARAMETERS. OPTIONS is left to
    whoever lets features be written there.
    """
    for rule, view, defaults in (
        (path, items, {"relations": relations}),
        (f"{path}/<feature_id>", item, {}),
    ):
        bp.add_url_rule(
            rule,
            view_func=view,
            methods=["GET"],
            defaults=defaults,
            provide_automatic_options=False,
        )


@requires(Action.READ_LAYER)
def items(collection_id: str, relations: frozenset[str]) -> Response:
    """A page of items, /req/core/fc-op; or what there is in another format, as a file."""
    with ExitStack() as held:
        connection = held.enter_context(reading(deployment().engine))
        found = requested_collection(connection, collection_id)
        shown = negotiate_media_type(GEOJSON, MEDIA_TYPES)
        tag = links.entity_tag(str(found.version), shown)
        kept = _kept(tag)
        if kept is not None:
            return kept
        found, query = _asked(connection, found, request.args, relations)
        if shown != HTML and request.if_none_match.contains_weak(tag):
            return not_modified(tag)
        if shown not in MEDIA_TYPES.values():
            page = _page(connection, found, query, shown, following=links.page_link, tag=tag)
            return _released(_keeping(tag, shown, page), held)
        has_limit = "limit" in request.args
        position = next_position(connection, found, query) if has_limit else None
    response = respond_download(found, query, shown, query.limit if has_limit else None)
    following = [links.page_link(shown, "next", after=position, offset=None)]
    here = [links.collection_link(found.id, found.title)]
    response.headers["Link"] = links.header([*(following if position else []), *here])
    response.headers["Content-Crs"] = f"<{query.crs.uri}>"
    response.set_etag(tag, weak=True)
    return must_revalidate(response)


@requires(Action.SEARCH_LAYER)
def search(collection_id: str) -> Response:
    """A page of items as GET answers it, its parameters in the body: for filters too long for an
    address. `next` says which body asks for the page behind."""
    single_values(request.args, {"f"})
    with ExitStack() as held:
        connection = held.enter_context(reading(deployment().engine))
        found = find_collection(connection, principal(), collection_id, Action.SEARCH_LAYER)
        if negotiate_media_type(GEOJSON) == HTML:
            raise NotAcceptableError("A search is answered as GeoJSON.")
        body, arguments = read_search()
        found, query = _asked(connection, found, arguments)
        following = partial(links.search_page_link, body)
        return _released(_page(connection, found, query, GEOJSON, following=following), held)


@requires(Action.READ_LAYER)
def item(collection_id: str, feature_id: str) -> Response:
    """One item: OGC API Features Part 1, /req/core/f-op."""
    with reading(deployment().engine) as connection:
        found = requested_collection(connection, collection_id)
        shown = negotiate_media_type(GEOJSON)
        tag = links.entity_tag(str(found.version), shown)
        kept = _kept(tag)
        if kept is not None:
            return kept
        query = parse_item_query(request.args, found.crs)
        if shown == HTML:
            query = replace(query, crs=_PAGE_CRS)
        key = parse_feature_id(feature_id)
        document = item_document(connection, found, key, query)
    document["links"] = links.own_links(shown, GEOJSON, "This item") + document["links"]
    headers = {
        "Content-Crs": f"<{query.crs.uri}>",
        "ETag": f'"{document["version"]}"',
        "Link": links.header(document["links"]),
    }
    answer = respond(
        shown, document, "ogc/item.html", headers=headers, **_page_context(shown, found)
    )
    return _keeping(tag, shown, answer)


def _kept(tag: str) -> Response | None:
    """Return what this process has answered before with the layer in the same version."""
    if "If-None-Match" in request.headers:
        return None
    found = deployment().response_cache.get(tag)
    return response_from_cache(found) if found else None


def _keeping(tag: str, shown: str, response: Response) -> Response:
    """Return the response, kept where it may be asked for again and is short."""
    if shown == GEOJSON and response.status_code == HTTPStatus.OK and not response.is_streamed:
        headers = tuple(pair for pair in response.headers if pair[0] not in _MOMENTARY)
        deployment().response_cache.keep(tag, CachedResponse(response.get_data(), headers))
    return response


def _released(response: Response, held: ExitStack) -> Response:
    """Return the response; one that the database goes on making takes what it needs along."""
    if response.is_streamed:
        response.call_on_close(held.pop_all().close)
    return response


def _asked(
    connection: Connection,
    found: Collection,
    arguments: MultiDict[str, str],
    relations: frozenset[str] = frozenset(),
) -> tuple[Collection, ItemsQuery]:
    """Return the collection, with its fields where the parameters name any, and their query."""
    if names_properties(arguments, relations):
        found = with_fields(connection, found)
    return found, parse_items_query(arguments, Capabilities(found.fields, found.crs, relations))


def _page(  # noqa: PLR0913 - what a page is of, and how it is told
    connection: Connection,
    found: Collection,
    query: ItemsQuery,
    shown: str,
    *,
    following: PageLink,
    tag: str | None = None,
) -> Response:
    if shown == HTML:
        query = replace(query, limit=min(query.limit, _PAGE_ROWS), crs=_PAGE_CRS)
    document = items_document(connection, found, query)
    document["links"] = [
        *(links.own_links(shown, GEOJSON, "These items", _FILES) if tag else []),
        *_neighbours(shown, document.pop("next_position", None), query, following),
        links.collection_link(found.id, found.title),
    ]
    headers = {
        "Content-Crs": f"<{query.crs.uri}>",
        "Link": links.header(document["links"]),
        "OGC-NumberReturned": str(document["numberReturned"]),
    }
    if tag:
        headers["ETag"] = f'W/"{tag}"'
    if "numberMatched" in document:
        headers["OGC-NumberMatched"] = str(document["numberMatched"])
    return respond(
        shown, document, "ogc/items.html", headers=headers, **_page_context(shown, found)
    )


def _neighbours(
    shown: str, position: str | None, query: ItemsQuery, following: PageLink
) -> list[links.Link]:
    """Return the links to the pages behind and before this one."""
    media_type = HTML if shown == HTML else GEOJSON
    found = []
    if position:
        found.append(following(media_type, "next", after=position, offset=None))
    if query.offset:
        before = max(0, query.offset - query.limit)
        found.append(following(media_type, "prev", offset=before))
    return found


def _page_context(shown: str, found: Collection) -> dict[str, Any]:
    if shown != HTML:
        return {}
    downloads = {
        form.title: links.request_url(f=code, limit=None, offset=None, after=None)
        for code, form in FORMATS.items()
    }
    return {"collection": collection_document(found), "downloads": downloads}
