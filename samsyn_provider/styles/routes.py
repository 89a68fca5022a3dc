"""The routes of OGC API Styles (draft, OGC 20-009) under `/ogc`: the style of a collection."""

from typing import Any

from flask import Blueprint, Response, request

from samsyn_model.database.transactions import reading
from samsyn_model.errors import NotFoundError
from samsyn_model.permissions.actions import Action
from samsyn_provider.collections.documents import STYLE_ID, collection_document, stylesheet_links
from samsyn_provider.collections.requested import requested_collection
from samsyn_provider.http.deployment import deployment
from samsyn_provider.http.formats import STYLE_ENCODINGS
from samsyn_provider.http.guard import requires
from samsyn_provider.http.links import collection_link, collection_url, self_links
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
    """Return the list of a collection's styles: OGC API Styles, /req/collection-styles/styles-op.

    There is one, the default.
    """
    with reading(deployment().engine) as connection:
        collection = requested_collection(connection, collection_id)
    media_type = negotiate_media_type(JSON)
    single_values(request.args, DOCUMENT_PARAMETERS)
    links = stylesheet_links(collection.id)
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
    """Return a style as a MapLibre style, SLD or QML: /req/collection-styles/style-op."""
    with reading(deployment().engine) as connection:
        collection = requested_collection(connection, collection_id)
        if style_id != STYLE_ID:
            raise NotFoundError("There is no such style.")
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
