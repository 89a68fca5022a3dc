"""The routes of the OGC side, `/ogc`."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from flask import Blueprint, Response, request

from samsyn_model.database import reading
from samsyn_model.permissions import Action
from samsyn_provider import documents, links, openapi
from samsyn_provider.collections import (
    Collection,
    described,
    find_collection,
    list_collections,
    with_fields,
)
from samsyn_provider.crs import CRS84, reference_system
from samsyn_provider.deployment import deployment, public_url
from samsyn_provider.feature_editing import add_editing_rules
from samsyn_provider.guard import principal, requires
from samsyn_provider.media_types import GEOJSON, HTML, JSON, OPENAPI, SCHEMA, wanted
from samsyn_provider.parameters import (
    DOCUMENT_PARAMETERS,
    names_properties,
    parse_collections_query,
    parse_feature_id,
    parse_item_query,
    parse_items_query,
    single_values,
)
from samsyn_provider.representations import respond

bp = Blueprint(
    "ogc",
    __name__,
    url_prefix="/ogc",
    template_folder="templates",
    static_folder="static",
)


@bp.app_context_processor
def addresses() -> dict[str, str]:
    """Give every page the addresses that its links start with."""
    return {"base_url": links.ogc_url(), "home_url": f"{public_url()}/"}


add_editing_rules(bp, "/collections/<collection_id>/items")

_PAGE_ROWS = 500
_PAGE_CRS = reference_system(CRS84, "crs")  # what the map on a page draws


@bp.get("/")
@requires(Action.READ_PUBLIC)
def landing_page() -> Response:
    """OGC API Common Part 1, /req/core/root-op."""
    shown = wanted(JSON)
    single_values(request.args, DOCUMENT_PARAMETERS)
    document = documents.landing_page()
    document["links"] = links.own_links(shown, JSON, "This document") + document["links"]
    return respond(shown, document, "ogc/landing.html")


@bp.get("/conformance")
@requires(Action.READ_PUBLIC)
def conformance() -> Response:
    """OGC API Common Part 1, /req/core/conformance-op."""
    shown = wanted(JSON)
    single_values(request.args, DOCUMENT_PARAMETERS)
    document = documents.conformance_declaration()
    document["links"] = links.own_links(shown, JSON, "This document")
    return respond(shown, document, "ogc/conformance.html")


@bp.get("/openapi")
@requires(Action.READ_PUBLIC)
def api_definition() -> Response:
    """The OpenAPI 3.0 document: OGC API Features Part 1, /req/core/api-definition-op."""
    shown = wanted(OPENAPI)
    single_values(request.args, DOCUMENT_PARAMETERS)
    return respond(OPENAPI if shown == JSON else shown, openapi.definition(), "ogc/openapi.html")


@bp.get("/collections")
@requires(Action.READ_LAYER)
def collections() -> Response:
    """The collections that the caller may read: OGC API Common Part 2, /req/collections."""
    shown = wanted(JSON)
    query = parse_collections_query(request.args)
    with reading(deployment().engine) as connection:
        found, more = list_collections(connection, principal(), query)
    document = documents.collections_document(found)
    following = links.request_url(offset=query.offset + query.limit) if more else None
    previous = _previous(query.offset, query.limit)
    pages = links.page_links(shown, JSON, next=following, prev=previous)
    document["links"] = links.own_links(shown, JSON, "These collections") + pages
    return respond(
        shown, document, "ogc/collections.html", headers={"Link": links.header(document["links"])}
    )


@bp.get("/collections/<collection_id>")
@requires(Action.READ_LAYER)
def collection(collection_id: str) -> Response:
    """One collection: OGC API Features Part 1, /req/core/sfc-md-op."""
    with reading(deployment().engine) as connection:
        found = find_collection(connection, principal(), collection_id, Action.READ_LAYER)
        shown = wanted(JSON)
        single_values(request.args, DOCUMENT_PARAMETERS)
        found = described(connection, found)
    document = documents.collection_document(found)
    return respond(shown, document, "ogc/collection.html", collection=document)


@bp.get("/collections/<collection_id>/schema")
@requires(Action.READ_LAYER)
def schema(collection_id: str) -> Response:
    """The schema of a collection's features: OGC API Features Part 5."""
    return _schema(collection_id, documents.schema_document, "ogc/schema.html")


@bp.get("/collections/<collection_id>/queryables")
@requires(Action.READ_LAYER)
def queryables(collection_id: str) -> Response:
    """What a collection's items can be filtered by: OGC API Features Part 3."""
    return _schema(collection_id, documents.queryables_document, "ogc/queryables.html")


def _schema(
    collection_id: str, document_of: Callable[[Collection], dict[str, Any]], template: str
) -> Response:
    with reading(deployment().engine) as connection:
        found = find_collection(connection, principal(), collection_id, Action.READ_LAYER)
        shown = wanted(SCHEMA)
        single_values(request.args, DOCUMENT_PARAMETERS)
        found = with_fields(connection, found)
    return respond(shown, document_of(found), template, **_page_context(shown, found))


@bp.get("/collections/<collection_id>/items", provide_automatic_options=False)
@requires(Action.READ_LAYER)
def items(collection_id: str, relations: frozenset[str] = frozenset()) -> Response:
    """A page of items: OGC API Features Part 1, /req/core/fc-op.

    `relations` names parameters that are geometries, as `parse_items_query` takes them.
    """
    with reading(deployment().engine) as connection:
        found = find_collection(connection, principal(), collection_id, Action.READ_LAYER)
        shown = wanted(GEOJSON)
        if names_properties(request.args, relations):
            found = with_fields(connection, found)
        query = parse_items_query(request.args, found.fields, relations)
        if shown == HTML:
            query = replace(query, limit=min(query.limit, _PAGE_ROWS), crs=_PAGE_CRS)
        document = documents.items_document(connection, found, query)
    position = document.pop("next_position", None)
    following = links.request_url(after=position, offset=None) if position else None
    previous = _previous(query.offset, query.limit)
    document["links"] = [
        *links.own_links(shown, GEOJSON, "These items"),
        *links.page_links(shown, GEOJSON, next=following, prev=previous),
        links.collection_link(found.id, found.title),
    ]
    headers = {
        "Content-Crs": f"<{query.crs.uri}>",
        "Link": links.header(document["links"]),
        "OGC-NumberReturned": str(document["numberReturned"]),
    }
    if "numberMatched" in document:
        headers["OGC-NumberMatched"] = str(document["numberMatched"])
    return respond(
        shown,
        document,
        "ogc/items.html",
        headers=headers,
        **_page_context(shown, found),
    )


@bp.get("/collections/<collection_id>/items/<feature_id>", provide_automatic_options=False)
@requires(Action.READ_LAYER)
def item(collection_id: str, feature_id: str) -> Response:
    """One item: OGC API Features Part 1, /req/core/f-op."""
    with reading(deployment().engine) as connection:
        found = find_collection(connection, principal(), collection_id, Action.READ_LAYER)
        shown = wanted(GEOJSON)
        query = parse_item_query(request.args)
        if shown == HTML:
            query = replace(query, crs=_PAGE_CRS)
        key = parse_feature_id(feature_id)
        document = documents.item_document(connection, found, key, query)
    document["links"] = links.own_links(shown, GEOJSON, "This item") + document["links"]
    headers = {
        "Content-Crs": f"<{query.crs.uri}>",
        "ETag": f'"{document["version"]}"',
        "Link": links.header(document["links"]),
    }
    return respond(shown, document, "ogc/item.html", headers=headers, **_page_context(shown, found))


def _previous(offset: int, limit: int) -> str | None:
    return links.request_url(offset=max(0, offset - limit)) if offset else None


def _page_context(shown: str, found: Collection) -> dict[str, Any]:
    return {"collection": documents.collection_document(found)} if shown == HTML else {}
