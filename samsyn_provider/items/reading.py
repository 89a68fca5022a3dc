"""Views that read features: OGC API Features Part 1, here and in the management API."""

from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from http import HTTPStatus

from flask import Blueprint, Response, request
from sqlalchemy import Connection
from werkzeug.datastructures import MultiDict

from samsyn_model.database.transactions import reading
from samsyn_model.errors import NotAcceptableError
from samsyn_model.metrics.counting import count_lookup
from samsyn_model.permissions.actions import Action
from samsyn_provider.cache.response_cache import CachedResponse
from samsyn_provider.collections.collection import Collection
from samsyn_provider.collections.description import with_fields
from samsyn_provider.collections.documents import collection_document
from samsyn_provider.collections.requested import requested_items
from samsyn_provider.downloads.responses import next_position, respond_download
from samsyn_provider.features.documents import item_document, items_document
from samsyn_provider.features.filter_costs import refuse_costly_filter
from samsyn_provider.http import links
from samsyn_provider.http.deployment import deployment
from samsyn_provider.http.formats import FILE_FORMATS, FORMATS, MEDIA_TYPES, Format
from samsyn_provider.http.guard import requires, spend, spend_search
from samsyn_provider.http.links import PageLink
from samsyn_provider.http.media_types import GEOJSON, HTML, negotiate_media_type
from samsyn_provider.http.representations import (
    must_revalidate,
    not_modified,
    respond,
    response_from_cache,
)
from samsyn_provider.items.page import HTML_CRS, items_page, tiles_url, version_instant
from samsyn_provider.items.paging import pagination_links
from samsyn_provider.query.items_query import (
    Capabilities,
    ItemsQuery,
    names_properties,
    parse_item_query,
    parse_items_query,
    refuse_dialect,
)
from samsyn_provider.query.parameters import parse_feature_id, single_values
from samsyn_provider.query.search_body import read_search
from samsyn_provider.rates.rate_limits import Rate
from samsyn_provider.styles.symbols import colour_code
from samsyn_provider.versions.links import address_of
from samsyn_provider.versions.parameters import parse_version_request
from samsyn_provider.versions.responses import (
    headers_of_version,
    is_immutable,
    keep_for_long,
    links_of_version,
)
from samsyn_provider.versions.states import (
    last_keys,
    one_version,
    profile_links,
    refuse_history,
    with_versions,
)

_UNCACHED_HEADERS = {"Cache-Control", "Content-Length", "Date", "Vary"}
"""Headers that are set anew for each response."""
_DOWNLOADS = tuple(
    (media_type, code, FORMATS[code].title) for code, media_type in MEDIA_TYPES.items()
)
_PAGE_PARAMETERS = frozenset({"limit", "offset", "after", "resulttype"})
"""Parameters with which `f=geojson` is a page, as other servers have it, and no file."""


def add_reading_rules(bp: Blueprint, path: str, relations: frozenset[str] = frozenset()) -> None:
    """Register the views that read features at a path of items.

    `relations` are the parameters that are geometries, of AREA_PARAMETERS. OPTIONS is left to
    `add_editing_rules`.
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
    """Return a page of items, /req/core/fc-op; or the items in another format, as an attachment."""
    with ExitStack() as stack:
        connection = stack.enter_context(reading(deployment().engine))
        collection = requested_items(connection, collection_id)
        media_type = negotiate_media_type(GEOJSON, MEDIA_TYPES)
        tag = _tag(collection, media_type)
        cached = _cached_response(tag)
        if cached is not None:
            return cached
        if media_type == HTML:
            return items_page(connection, collection, request.args, relations)
        collection, query = _parse_query(connection, collection, request.args, relations)
        if tag is not None and request.if_none_match.contains_weak(tag):
            return not_modified(tag)
        file_format = _file_format(media_type)
        if file_format is not None:
            refuse_history(query)
        _spend(query, is_download=file_format is not None)
        if file_format is None:
            page = _page(connection, collection, query, make_link=links.page_link, tag=tag)
            return _keep_open(_cache_response(tag, media_type, page), stack)
        has_limit = "limit" in request.args
        position = next_position(connection, collection, query) if has_limit else None
    response = respond_download(collection, query, file_format, query.limit if has_limit else None)
    if position:
        next_link = links.page_link(media_type, "next", after=position, offset=None)
        response.headers.update(links.header([next_link]))
    response.headers["Content-Crs"] = f"<{query.crs.uri}>"
    if tag is not None:
        response.set_etag(tag, weak=True)
    return must_revalidate(response)


def _tag(collection: Collection, media_type: str) -> str | None:
    """Return the entity tag of the representation; None for comments, which have no version."""
    if collection.version is None:
        return None
    return links.entity_tag(collection.version, media_type)


def _file_format(media_type: str) -> Format | None:
    """Return the format of the file that is requested, None where it is a page."""
    if media_type == GEOJSON:
        is_file = request.args.get("f") == "geojson" and _PAGE_PARAMETERS.isdisjoint(request.args)
        return FORMATS["geojson"] if is_file else None
    return FILE_FORMATS.get(media_type)


@requires(Action.SEARCH_LAYER)
def search(collection_id: str) -> Response:
    """Return a page of items as GET does, with the parameters in the body: for long filters.

    The `next` link has the body that requests the next page.
    """
    single_values(request.args, {"f"})
    with ExitStack() as stack:
        connection = stack.enter_context(reading(deployment().engine))
        collection = requested_items(connection, collection_id)
        if negotiate_media_type(GEOJSON) == HTML:
            raise NotAcceptableError("The result of a search is available as GeoJSON only.")
        body, arguments = read_search()
        collection, query = _parse_query(connection, collection, arguments)
        spend_search()
        make_link = partial(links.search_page_link, body)
        return _keep_open(_page(connection, collection, query, make_link=make_link), stack)


@requires(Action.READ_LAYER)
def item(collection_id: str, feature_id: str) -> Response:
    """Return one item: OGC API Features Part 1, /req/core/f-op."""
    with reading(deployment().engine) as connection:
        collection = requested_items(connection, collection_id)
        media_type = negotiate_media_type(GEOJSON)
        tag = _tag(collection, media_type)
        cached = _cached_response(tag)
        if cached is not None:
            return cached
        arguments, moment = version_instant(collection, request.args)
        query = parse_item_query(arguments, collection.crs)
        if media_type == HTML:
            query = replace(query, crs=HTML_CRS)
        if moment is not None:
            query = replace(query, versions=one_version(collection))
        elif collection.source is not None:
            query = replace(query, versions=collection.source)
        key = parse_feature_id(feature_id)
        document = item_document(connection, collection, key, query, moment)
    stored = document.pop("stored")
    headers = {"Content-Crs": f"<{query.crs.uri}>"}
    version_links: list[links.Link] = []
    if collection.source is None:
        version_links = links_of_version(address_of(collection, key), stored)
        headers["ETag"] = f'"{stored.version}"'
        headers |= headers_of_version(version_links, stored)
    document["links"] = [
        *links.self_links(media_type, GEOJSON, "This item"),
        *document["links"],
        *version_links,
    ]
    context = {}
    if media_type == HTML:
        context = {
            "collection": collection_document(collection),
            "tiles": tiles_url(collection),
            "colour": colour_code(collection.style_config),
            "stored": stored,
            "version_links": {link["rel"]: link["href"] for link in version_links},
        }
    response = respond(media_type, document, "ogc/item.html", headers=headers, **context)
    if media_type == GEOJSON and is_immutable(stored):
        return keep_for_long(response)
    return _cache_response(tag, media_type, response)


def _cached_response(tag: str | None) -> Response | None:
    """Return the cached response to this request with the layer in the same version, if any."""
    if tag is None or "If-None-Match" in request.headers:
        return None
    cached = deployment().response_cache.get(tag)
    count_lookup("responses", is_hit=cached is not None)
    return response_from_cache(cached) if cached else None


def _cache_response(tag: str | None, media_type: str, response: Response) -> Response:
    """Return the response, stored in the cache if it is GeoJSON with a tag and not streamed."""
    if tag is None:
        return response
    if media_type == GEOJSON and response.status_code == HTTPStatus.OK and not response.is_streamed:
        headers = tuple(pair for pair in response.headers if pair[0] not in _UNCACHED_HEADERS)
        deployment().response_cache.put(tag, CachedResponse(response.get_data(), headers))
    return response


def _spend(query: ItemsQuery, *, is_download: bool) -> None:
    """Count the request where it costs; raises TooManyRequestsError."""
    if is_download and request.method != "HEAD":
        spend(Rate.DOWNLOADS)
    elif query.is_search:
        spend_search()


def _keep_open(response: Response, stack: ExitStack) -> Response:
    """Return the response; while one is streamed, its connection stays open."""
    if response.is_streamed:
        response.call_on_close(stack.pop_all().close)
    return response


def _parse_query(
    connection: Connection,
    collection: Collection,
    arguments: MultiDict[str, str],
    relations: frozenset[str] = frozenset(),
) -> tuple[Collection, ItemsQuery]:
    """Return the collection, with its fields where the parameters name any, and their query.

    Raises the errors of `refuse_costly_filter` too.
    """
    arguments, asked = parse_version_request(
        arguments,
        has_own_time=collection.has_own_time,
        has_versions=collection.source is None,
    )
    if names_properties(arguments, relations):
        collection = with_fields(connection, collection)
    keys = last_keys(asked)
    capabilities = Capabilities(collection.fields, collection.crs, relations, keys)
    query = parse_items_query(arguments, capabilities)
    query = with_versions(connection, collection, query, asked)
    refuse_costly_filter(connection, collection.id, query)
    return collection, query


def _page(
    connection: Connection,
    collection: Collection,
    query: ItemsQuery,
    *,
    make_link: PageLink,
    tag: str | None = None,
) -> Response:
    refuse_dialect(query)
    is_address = make_link is links.page_link  # a search has its query in the body
    own = links.self_links(GEOJSON, GEOJSON, "These items", _DOWNLOADS) if is_address else []
    document = items_document(connection, collection, query)
    profile = profile_links(query.versions)
    document["links"] = [
        *own,
        *profile,
        *pagination_links(GEOJSON, document.pop("next_position", None), query, make_link),
        links.collection_link(collection.key, collection.title),
    ]
    headers = {
        "Content-Crs": f"<{query.crs.uri}>",
        "OGC-NumberReturned": str(document["numberReturned"]),
        **links.header(document["links"]),
    }
    if tag:
        headers["ETag"] = f'W/"{tag}"'
    if "numberMatched" in document:
        headers["OGC-NumberMatched"] = str(document["numberMatched"])
    return respond(GEOJSON, document, template="", headers=headers)  # never HTML
