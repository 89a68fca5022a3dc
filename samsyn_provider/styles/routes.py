"""The routes of OGC API Styles (draft, OGC 20-009) under `/ogc`: the style of a collection."""

from typing import Any

from flask import Blueprint, Response, request
from sqlalchemy import Connection

from samsyn_model.database.transactions import reading
from samsyn_model.errors import NotFoundError
from samsyn_model.permissions.actions import Action
from samsyn_provider.collections.collection import Collection
from samsyn_provider.collections.documents import STYLE_ID, collection_document, stylesheet_links
from samsyn_provider.collections.requested import requested_collection
from samsyn_provider.http.deployment import deployment
from samsyn_provider.http.formats import STYLE_ENCODINGS
from samsyn_provider.http.guard import requires
from samsyn_provider.http.links import (
    collection_link,
    collection_url,
    link,
    request_url,
    self_links,
)
from samsyn_provider.http.media_types import (
    HTML,
    JSON,
    MAPLIBRE,
    QML,
    negotiate_media_type,
    negotiate_offered,
)
from samsyn_provider.http.representations import respond, respond_text
from samsyn_provider.query.parameters import DOCUMENT_PARAMETERS, single_values
from samsyn_provider.styles.maplibre import maplibre_style
from samsyn_provider.styles.qml import qml_document
from samsyn_provider.styles.shapes import collection_shapes
from samsyn_provider.styles.sld import sld_document
from samsyn_provider.styles.symbols import layer_style

bp = Blueprint("ogc_styles", __name__, url_prefix="/ogc")

_STYLES = "/collections/<collection_id>/styles"
_MEDIA_TYPES = {code: encoding.media_type for code, encoding in STYLE_ENCODINGS.items()}


@bp.get(_STYLES)
@requires(Action.READ_LAYER)
def collection_styles(collection_id: str) -> Response:
    """Return the list of a collection's styles: OGC API Styles, /req/core/styles-op.

    There is one, the default.
    """
    with reading(deployment().engine) as connection:
        collection = requested_collection(connection, collection_id)
    media_type = negotiate_media_type(JSON)
    single_values(request.args, DOCUMENT_PARAMETERS)
    url = f"{collection_url(collection.id)}/styles/{STYLE_ID}/metadata"
    links = [
        *stylesheet_links(collection.id),
        link("describedby", JSON, "Metadata of this style", url),
    ]
    document = {
        "default": STYLE_ID,
        "styles": [{"id": STYLE_ID, "title": collection.title, "links": links}],
        "links": [
            *self_links(media_type, JSON, "These styles"),
            collection_link(collection.id, collection.title),
        ],
    }
    context: dict[str, Any] = {}
    if media_type == HTML:
        extensions = {e.media_type: e.extension for e in STYLE_ENCODINGS.values()}
        context = {
            "collection": collection_document(collection),
            "style": layer_style(collection.style_config),
            "extensions": extensions,
        }
    return respond(media_type, document, "ogc/styles.html", **context)


@bp.get(f"{_STYLES}/<style_id>")
@requires(Action.READ_LAYER)
def collection_style(collection_id: str, style_id: str) -> Response:
    """Return a style as a MapLibre style, SLD or QML: OGC API Styles, /req/core/style-op."""
    with reading(deployment().engine) as connection:
        collection = _styled_collection(connection, collection_id, style_id)
        media_type = negotiate_offered(_MEDIA_TYPES)
        single_values(request.args, DOCUMENT_PARAMETERS)
        shapes = collection_shapes(connection, collection)
    style = layer_style(collection.style_config)
    layer, title = str(collection.id), collection.title
    if media_type == MAPLIBRE:
        url = f"{collection_url(layer)}/tiles/WebMercatorQuad?f=tilejson"
        document = maplibre_style(style, shapes, source=layer, tilejson_url=url, title=title)
        return respond(media_type, document, template="")  # never HTML
    if media_type == QML:
        return respond_text(media_type, qml_document(style, shapes))
    text = sld_document(style, shapes, layer=layer, style_id=style_id, title=title)
    return respond_text(media_type, text)


@bp.get(f"{_STYLES}/<style_id>/metadata")
@requires(Action.READ_LAYER)
def collection_style_metadata(collection_id: str, style_id: str) -> Response:
    """Return what a style is and in which encodings: OGC API Styles, /req/core/style-md-op."""
    with reading(deployment().engine) as connection:
        collection = _styled_collection(connection, collection_id, style_id)
    media_type = negotiate_offered({"json": JSON})
    single_values(request.args, DOCUMENT_PARAMETERS)
    document = {
        "id": STYLE_ID,
        "title": collection.title,
        "scope": "style",
        "stylesheets": [
            {"title": stylesheet["title"], "native": False, "link": stylesheet}
            for stylesheet in stylesheet_links(collection.id)
        ],
        "links": [
            link("self", JSON, "This metadata", request_url()),
            collection_link(collection.id, collection.title),
        ],
    }
    return respond(media_type, document, template="")  # never HTML


def _styled_collection(connection: Connection, collection_id: str, style_id: str) -> Collection:
    """Return a collection that may be read and has this style; raises NotFoundError."""
    collection = requested_collection(connection, collection_id)
    if style_id != STYLE_ID:
        raise NotFoundError("There is no such style.")
    return collection
