"""The routes of the OGC side, `/ogc`."""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, request
from werkzeug.exceptions import MethodNotAllowed

from samsyn_model.database.transactions import reading
from samsyn_model.errors import GoneError
from samsyn_model.permissions.actions import Action
from samsyn_provider import landing, openapi
from samsyn_provider.collections import documents, schemas
from samsyn_provider.collections.collection import Collection
from samsyn_provider.collections.description import with_extents, with_fields
from samsyn_provider.collections.listing import list_collections
from samsyn_provider.collections.requested import requested_items
from samsyn_provider.functions import functions_document
from samsyn_provider.http import links
from samsyn_provider.http.deployment import deployment, public_url
from samsyn_provider.http.guard import principal, requires, spend_search
from samsyn_provider.http.media_types import HTML, JSON, OPENAPI, SCHEMA, negotiate_media_type
from samsyn_provider.http.representations import respond
from samsyn_provider.items.editing import add_editing_rules, respond_method_not_allowed
from samsyn_provider.items.page import items_form, tiles_url
from samsyn_provider.items.reading import add_reading_rules, search
from samsyn_provider.query.collections_query import parse_collections_query
from samsyn_provider.query.parameters import DOCUMENT_PARAMETERS, single_values
from samsyn_provider.styles.symbols import colour_code
from samsyn_provider.versions.collections import changes_link, versioning
from samsyn_provider.versions.responses import respond_gone

bp = Blueprint(
    "ogc",
    __name__,
    url_prefix="/ogc",
    template_folder="templates",
    static_folder="static",
)


@bp.app_context_processor
def base_urls() -> dict[str, str | bool]:
    """Return the template variables with the base URLs of links, and whether there are events."""
    home_url = f"{public_url()}/"
    return {
        "base_url": links.ogc_url(),
        "home_url": home_url,
        "has_events": links.has_events(),
    }


add_reading_rules(bp, "/collections/<collection_id>/items")
add_editing_rules(bp, "/collections/<collection_id>/items")
bp.app_errorhandler(MethodNotAllowed)(respond_method_not_allowed)
bp.register_error_handler(GoneError, respond_gone)
bp.add_url_rule("/collections/<collection_id>/search", view_func=search, methods=["POST"])
bp.add_url_rule("/collections/<collection_id>/form", view_func=items_form)


@bp.get("/")
@requires(Action.READ_PUBLIC)
def landing_page() -> Response:
    """Return the landing page: OGC API Common Part 1, /req/core/root-op."""
    media_type = negotiate_media_type(JSON)
    single_values(request.args, DOCUMENT_PARAMETERS)
    document = landing.landing_page()
    document["links"] = links.self_links(media_type, JSON, "This document") + document["links"]
    return respond(media_type, document, "ogc/landing.html")


@bp.get("/conformance")
@requires(Action.READ_PUBLIC)
def conformance() -> Response:
    """Return the conformance classes: OGC API Common Part 1, /req/core/conformance-op."""
    media_type = negotiate_media_type(JSON)
    single_values(request.args, DOCUMENT_PARAMETERS)
    document = landing.conformance_declaration()
    document["links"] = links.self_links(media_type, JSON, "This document")
    return respond(media_type, document, "ogc/conformance.html")


@bp.get("/functions")
@requires(Action.READ_PUBLIC)
def functions() -> Response:
    """Return the functions of filters: OGC API Features Part 3, /req/filter/get-functions."""
    media_type = negotiate_media_type(JSON)
    single_values(request.args, DOCUMENT_PARAMETERS)
    document = functions_document()
    document["links"] = links.self_links(media_type, JSON, "This document")
    return respond(media_type, document, "ogc/functions.html")


@bp.get("/openapi")
@requires(Action.READ_PUBLIC)
def api_definition() -> Response:
    """Return the OpenAPI 3.0 document: OGC API Features Part 1, /req/core/api-definition-op."""
    media_type = negotiate_media_type(OPENAPI)
    single_values(request.args, DOCUMENT_PARAMETERS)
    return respond(
        OPENAPI if media_type == JSON else media_type, openapi.definition(), "ogc/openapi.html"
    )


@bp.get("/collections")
@requires(Action.READ_LAYER)
def collections() -> Response:
    """Return the collections that the caller may read: OGC API Common Part 2, /req/collections."""
    media_type = negotiate_media_type(JSON)
    query = parse_collections_query(request.args)
    if query.words:
        spend_search()
    with reading(deployment().engine) as connection:
        page, has_more = list_collections(connection, principal(), query)
    document = documents.collections_document(page)
    for member, listed in zip(document["collections"], page, strict=True):
        if listed.source is None:
            member.update(versioning(listed))
    document["links"] = links.self_links(media_type, JSON, "These collections")
    if has_more:
        document["links"].append(
            links.page_link(media_type, "next", offset=query.offset + query.limit)
        )
    if query.offset:
        document["links"].append(
            links.page_link(media_type, "prev", offset=max(0, query.offset - query.limit))
        )
    return respond(
        media_type,
        document,
        "ogc/collections.html",
        headers=links.header(document["links"]),
    )


@bp.get("/collections/<collection_id>")
@requires(Action.READ_LAYER)
def collection(collection_id: str) -> Response:
    """Return one collection: OGC API Features Part 1, /req/core/sfc-md-op."""
    with reading(deployment().engine) as connection:
        requested = requested_items(connection, collection_id)
        media_type = negotiate_media_type(JSON)
        single_values(request.args, DOCUMENT_PARAMETERS)
        requested = with_extents(connection, requested)
        if media_type == HTML:
            requested = with_fields(connection, requested)
    document = documents.collection_document(requested)
    if requested.source is None:
        document |= versioning(requested)
        document["links"].append(changes_link(requested))
    context: dict[str, Any] = {}
    if media_type == HTML:
        context = {
            "properties": requested.fields,
            "colour": colour_code(requested.style_config),
            "tiles": tiles_url(requested),
        }
    return respond(media_type, document, "ogc/collection.html", **context)


@bp.get("/collections/<collection_id>/schema")
@requires(Action.READ_LAYER)
def schema(collection_id: str) -> Response:
    """Return the schema of a collection's features: OGC API Features Part 5."""
    return _schema(collection_id, schemas.schema_document, "ogc/schema.html")


@bp.get("/collections/<collection_id>/queryables")
@requires(Action.READ_LAYER)
def queryables(collection_id: str) -> Response:
    """Return the queryables of a collection: OGC API Features Part 3."""
    return _schema(collection_id, schemas.queryables_document, "ogc/queryables.html")


@bp.get("/collections/<collection_id>/sortables")
@requires(Action.READ_LAYER)
def sortables(collection_id: str) -> Response:
    """Return the sortables of a collection: OGC API Features Part 5, /req/sortables."""
    return _schema(collection_id, schemas.sortables_document, "ogc/sortables.html")


def _schema(
    collection_id: str, build: Callable[[Collection], dict[str, Any]], template: str
) -> Response:
    with reading(deployment().engine) as connection:
        requested = requested_items(connection, collection_id)
        media_type = negotiate_media_type(SCHEMA)
        single_values(request.args, DOCUMENT_PARAMETERS)
        requested = with_fields(connection, requested)
    return respond(media_type, build(requested), template, **_page_context(media_type, requested))


def _page_context(media_type: str, requested: Collection) -> dict[str, Any]:
    return {"collection": documents.collection_document(requested)} if media_type == HTML else {}
