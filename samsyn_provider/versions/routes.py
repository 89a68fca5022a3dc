"""The routes of versions, under `/ogc`: the time map of a feature, and the changes of a layer."""

from typing import Any

from flask import Blueprint, Response, request
from werkzeug.http import http_date

from samsyn_model.database.execution import run
from samsyn_model.database.transactions import reading
from samsyn_model.errors import GoneError, NotFoundError
from samsyn_model.permissions.actions import Action
from samsyn_provider.collections.documents import collection_document
from samsyn_provider.collections.requested import requested_collection
from samsyn_provider.features.version_statements import select_differences, select_moments
from samsyn_provider.http import links
from samsyn_provider.http.deployment import deployment
from samsyn_provider.http.guard import requires, spend_search
from samsyn_provider.http.links import Link
from samsyn_provider.http.media_types import (
    GEOJSON,
    HTML,
    JSON,
    LINK_FORMAT,
    negotiate_offered,
)
from samsyn_provider.http.representations import respond, respond_page, respond_text
from samsyn_provider.query.parameters import DOCUMENT_PARAMETERS, parse_feature_id, single_values
from samsyn_provider.versions.changes import changes_document
from samsyn_provider.versions.links import FeatureAddress, address_of, latest_link
from samsyn_provider.versions.responses import respond_gone

bp = Blueprint("ogc_versions", __name__, url_prefix="/ogc")
bp.register_error_handler(GoneError, respond_gone)

_MEDIA_TYPES = {"json": JSON, "html": HTML, "link-format": LINK_FORMAT}
MAX_ROWS = 500
"""The most versions of a feature on its page."""


@bp.get("/collections/<collection_id>/items/<feature_id>/versions")
@requires(Action.READ_LAYER)
def time_map(collection_id: str, feature_id: str) -> Response:
    """Return the versions of a feature: the draft's Time Map (RFC 7089), also as link-format."""
    with reading(deployment().engine) as connection:
        collection = requested_collection(connection, collection_id)
        media_type = negotiate_offered(_MEDIA_TYPES)
        single_values(request.args, DOCUMENT_PARAMETERS)
        key = parse_feature_id(feature_id)
        address = address_of(collection, key)
        statement = (
            select_differences(collection.id, key, MAX_ROWS + 1)
            if media_type == HTML
            else select_moments(collection.id, key)
        )
        rows = run(connection, statement.text, statement.values).all()
    if not rows:
        raise NotFoundError("There is no version of such a feature in this collection.")
    if media_type == HTML:
        return respond_page(
            "ogc/versions.html",
            collection=collection_document(collection),
            address=address,
            rows=rows[:MAX_ROWS],
            has_more=len(rows) > MAX_ROWS,
            json_url=links.request_url(f="json"),
        )
    document_links = [
        links.link("self", media_type, "The versions of this feature", address.time_map),
        *_memento_links(address, rows),
    ]
    if media_type == LINK_FORMAT:
        return respond_text(LINK_FORMAT, ",\n".join(map(_link_value, document_links)) + "\n")
    return respond(JSON, {"links": document_links}, template="")  # never HTML


def _memento_links(address: FeatureAddress, rows: Any) -> list[Link]:
    """Return the links of a time map to the feature and to its versions, the first one first."""
    mementos = [
        {
            **links.link("memento", GEOJSON, f"Version {number}", address.memento(row.valid_from)),
            "datetime": http_date(row.valid_from),
        }
        for number, row in enumerate(rows, start=1)
    ]
    return [
        links.link("original", GEOJSON, "The feature as it is now", address.original),
        # the feature's own address chooses a version by its parameter
        links.link("timegate", GEOJSON, "The feature at any moment", address.original),
        *mementos,
        latest_link(address, rows[-1].valid_from),
    ]


def _link_value(one: Link) -> str:
    """Return a link in the form of RFC 6690."""
    moment = f'; datetime="{one["datetime"]}"' if "datetime" in one else ""
    return f'<{one["href"]}>; rel="{one["rel"]}"; type="{one["type"]}"{moment}'


@bp.get("/collections/<collection_id>/changes")
@requires(Action.READ_LAYER)
def changes(collection_id: str) -> Response:
    """Return what has been made, changed and deleted in a layer between two moments."""
    with reading(deployment().engine) as connection:
        collection = requested_collection(connection, collection_id)
        negotiate_offered({"json": JSON})
        spend_search()
        text, headers = changes_document(connection, collection, request.args)
    response = respond_text(JSON, text)
    response.headers.update(headers)
    return response
