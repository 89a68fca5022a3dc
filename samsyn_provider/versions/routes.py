"""The routes of versions, under `/ogc`: the history of a feature, and that of a layer."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from flask import Blueprint, Response, request
from sqlalchemy import Connection
from werkzeug.http import http_date

from samsyn_model.database.execution import run
from samsyn_model.database.transactions import read_through, reading
from samsyn_model.errors import GoneError, HistoryPrunedError, NotFoundError
from samsyn_model.permissions.actions import Action
from samsyn_provider.collections.collection import Collection
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
from samsyn_provider.versions.attributions import blame_text
from samsyn_provider.versions.change_sets import change_sets_document
from samsyn_provider.versions.changes import changes_document
from samsyn_provider.versions.differences import (
    difference_text,
    find_difference,
    requested_moments,
)
from samsyn_provider.versions.links import FeatureAddress, address_of, latest_link
from samsyn_provider.versions.parameters import moment_text
from samsyn_provider.versions.responses import respond_gone

bp = Blueprint("ogc_versions", __name__, url_prefix="/ogc")
bp.register_error_handler(GoneError, respond_gone)
bp.before_request(lambda: read_through(None))  # a replica may lack versions

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
        is_page = media_type == HTML
        values = single_values(
            request.args, {"f", "since", "until"} if is_page else DOCUMENT_PARAMETERS
        )
        key = parse_feature_id(feature_id)
        address = address_of(collection, key)
        statement = (
            select_differences(collection.id, key, MAX_ROWS + 1)
            if is_page
            else select_moments(collection.id, key)
        )
        rows = run(connection, statement.text, statement.values).all()
        if not rows:
            raise NotFoundError("There is no version of such a feature in this collection.")
        if is_page:
            return _history_page(connection, collection, address, rows, values)
    document_links = [
        links.link("self", media_type, "The versions of this feature", address.time_map),
        *_memento_links(address, rows),
    ]
    if media_type == LINK_FORMAT:
        return respond_text(LINK_FORMAT, ",\n".join(map(_link_value, document_links)) + "\n")
    return respond(JSON, {"links": document_links}, template="")  # never HTML


def _history_page(
    connection: Connection,
    collection: Collection,
    address: FeatureAddress,
    rows: Sequence[Any],
    values: Mapping[str, str],
) -> Response:
    """Return the page of a feature's versions, and of what differs between the two that are chosen
    there, or the last two."""
    spend_search()
    is_chosen = values.keys() & {"since", "until"}
    chosen = requested_moments(connection, collection, values) if is_chosen else None
    moments = chosen or _last_change(rows)
    find = partial(find_difference, connection, collection, address.feature_id, has_shapes=True)
    try:
        found = find(moments)
    except HistoryPrunedError:
        if chosen:
            raise
        moments = (moments[1], moments[1])  # what is kept begins with this version
        found = find(moments)
    return respond_page(
        "ogc/versions.html",
        collection=collection_document(collection),
        address=address,
        rows=rows[:MAX_ROWS],
        has_more=len(rows) > MAX_ROWS,
        json_url=links.request_url(f="json", since=None, until=None),
        found=found,
        attributes=json.loads(found.row.attributes or "[]"),
        shapes={
            "former": json.loads(found.row.former_shape or "null"),
            "present": json.loads(found.row.present_shape or "null"),
        },
        moments=_moments(rows[:MAX_ROWS], moments),
        chosen=[moment_text(moment) for moment in moments],
    )


def _last_change(rows: Sequence[Any]) -> tuple[datetime, datetime]:
    """Return the moments between which a feature changed last, of its versions, the last first."""
    last = rows[0]
    if last.valid_to:
        return last.valid_from, last.valid_to
    since = rows[1].valid_from if len(rows) > 1 else last.valid_from - timedelta(microseconds=1)
    return since, last.valid_from


def _moments(rows: Sequence[Any], chosen: Iterable[datetime]) -> list[str]:
    """Return the moments that a page offers: when versions began, when the last one ended, those
    that are chosen, the last one first."""
    ends = [rows[0].valid_to] if rows[0].valid_to else []
    moments = {*ends, *chosen, *(row.valid_from for row in rows)}
    return [moment_text(moment) for moment in sorted(moments, reverse=True)]


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
        media_type = negotiate_offered({"json": JSON, "geojson": GEOJSON})
        spend_search()
        text, headers = changes_document(connection, collection, request.args, media_type)
    response = respond_text(media_type, text)
    response.headers.update(headers)
    return response


@bp.get("/collections/<collection_id>/items/<feature_id>/difference")
@requires(Action.READ_LAYER)
def difference(collection_id: str, feature_id: str) -> Response:
    """Return what differs between two moments of a feature: attributes and geometry."""
    with reading(deployment().engine) as connection:
        collection = requested_collection(connection, collection_id)
        negotiate_offered({"json": JSON})
        key = parse_feature_id(feature_id)
        spend_search()
        return respond_text(JSON, difference_text(connection, collection, key, request.args))


@bp.get("/collections/<collection_id>/items/<feature_id>/blame")
@requires(Action.READ_LAYER)
def blame(collection_id: str, feature_id: str) -> Response:
    """Return who set each attribute of a feature to what it is, and its geometry."""
    with reading(deployment().engine) as connection:
        collection = requested_collection(connection, collection_id)
        negotiate_offered({"json": JSON})
        single_values(request.args, DOCUMENT_PARAMETERS)
        key = parse_feature_id(feature_id)
        spend_search()
        return respond_text(JSON, blame_text(connection, collection, key))


@bp.get("/collections/<collection_id>/change-sets")
@requires(Action.READ_LAYER)
def change_sets(collection_id: str) -> Response:
    """Return who has changed a layer's features, and when, the last change set first."""
    with reading(deployment().engine) as connection:
        collection = requested_collection(connection, collection_id)
        media_type = negotiate_offered({"json": JSON, "html": HTML})
        document = change_sets_document(connection, collection, request.args, media_type)
    return respond(
        media_type,
        document,
        "ogc/change_sets.html",
        headers=links.header(document["links"]),
        collection=collection_document(collection),
    )
