"""Views that write single features: OGC API Features Part 4, here and in the management API."""

import re
import uuid
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response, request
from sqlalchemy import Connection
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from samsyn_model.database.execution import run
from samsyn_model.database.transactions import LOCK_TIMEOUT, reading, set_in_transaction, writing
from samsyn_model.errors import (
    CredentialsError,
    PermissionDeniedError,
)
from samsyn_model.features.writing import (
    delete_features,
    insert_features,
    update_features,
)
from samsyn_model.permissions.actions import Action
from samsyn_model.permissions.checks import require_user
from samsyn_model.quotas.features import refuse_excess_features
from samsyn_provider.collections.collection import Collection
from samsyn_provider.collections.comments import CommentsSubject
from samsyn_provider.collections.lookup import find_collection
from samsyn_provider.collections.requested import requested_items
from samsyn_provider.cql2.parsing import UPDATED
from samsyn_provider.features.provider import missing_feature
from samsyn_provider.features.statements import select_feature, select_features
from samsyn_provider.geography.crs import ReferenceSystem, reference_system
from samsyn_provider.http.deployment import deployment, public_url
from samsyn_provider.http.guard import principal, requires
from samsyn_provider.http.media_types import GEOJSON, JSON, MERGE_PATCH
from samsyn_provider.http.problems import problem_of_http_exception
from samsyn_provider.http.request_body import read_json
from samsyn_provider.items.content_crs import content_crs
from samsyn_provider.items.feature_body import (
    check_feature,
    parse_feature,
    parse_features,
    parse_patch,
    without_last_change,
)
from samsyn_provider.items.preconditions import check_preconditions
from samsyn_provider.query.parameters import parse_feature_id, single_values
from samsyn_provider.versions.parameters import refuse_writing_versions

_READING = ("GET", "HEAD", "OPTIONS")
_ITEMS = re.compile(r"/ogc/collections/([^/]+)/items(?:/[^/]*)?/?")
_NOT_WRITTEN_HERE = "Comments are written at /api/v1/comments."
_LOCK_FEATURE = """
SELECT version, properties, updated_at FROM layer_features
WHERE layer_id = %(layer)s AND id = %(id)s FOR NO KEY UPDATE"""


def add_editing_rules(bp: Blueprint, items: str) -> None:
    """Register the views that write features at a path of items, and their OPTIONS.

    Views that read there have to be registered without Flask's automatic OPTIONS.
    """
    item = f"{items}/<feature_id>"
    for path, method, view in (
        (items, "POST", create_item),
        (items, "OPTIONS", items_options),
        (item, "PUT", replace_item),
        (item, "PATCH", update_item),
        (item, "DELETE", delete_item),
        (item, "OPTIONS", item_options),
    ):
        bp.add_url_rule(path, view_func=view, methods=[method], provide_automatic_options=False)


def respond_method_not_allowed(error: MethodNotAllowed) -> Response | HTTPException:
    """Return 405; for comments' items with the methods that are allowed there, not all that the
    address has for layers."""
    match = _ITEMS.fullmatch(request.path)
    if match and CommentsSubject.of(match[1]) is not None:
        error.valid_methods = _READING
        error.description = _NOT_WRITTEN_HERE
    return problem_of_http_exception(error)


@requires(Action.READ_LAYER)
def items_options(collection_id: str) -> Response:
    """Return the methods that the caller may use on the items, in `Allow`."""
    return _options(collection_id, "POST")


@requires(Action.READ_LAYER)
def item_options(collection_id: str, feature_id: str) -> Response:  # noqa: ARG001
    """Return the methods that the caller may use on an item, whether it exists or not.

    Clients request them of an empty collection with an arbitrary id.
    """
    return _options(collection_id, "PUT", "PATCH", "DELETE")


@requires(Action.WRITE_FEATURES)
def create_item(collection_id: str) -> Response:
    """Add the feature in the body: 201 with its URL, /req/create-replace-delete/post-op.

    A feature collection adds all its features or none; the response has the new features.
    """
    body = _body(GEOJSON, JSON)
    with writing(deployment().engine) as connection:
        collection = _lock_collection(connection, collection_id)
        crs = content_crs(body, collection.crs)
        user_id = require_user(principal())
        if isinstance(body, dict) and body.get("type") == "FeatureCollection":
            features = parse_features(body, collection, crs)
            ids = _insert(connection, collection, features, user_id)
            return _features_response(connection, collection, ids, crs)
        feature = parse_feature(body, collection, crs)
        check_feature(collection, feature)
        (feature_id,) = _insert(connection, collection, [feature], user_id)
        return _feature_response(connection, collection, feature_id, crs, HTTPStatus.CREATED)


@requires(Action.WRITE_FEATURES)
def replace_item(collection_id: str, feature_id: str) -> Response:
    """Replace a feature by that in the body, /req/create-replace-delete/put-op.

    The path identifies the feature; an id in the body is ignored, and no feature is created.
    """
    refuse_writing_versions()
    body = _body(GEOJSON, JSON)
    with writing(deployment().engine) as connection:
        collection = _lock_collection(connection, collection_id)
        crs = content_crs(body, collection.crs)
        key, stored = _lock_feature(connection, collection, feature_id)
        feature = parse_feature(body, collection, crs)
        _update(connection, collection, key, feature, stored)
        return _feature_response(connection, collection, key, crs, HTTPStatus.OK)


@requires(Action.WRITE_FEATURES)
def update_item(collection_id: str, feature_id: str) -> Response:
    """Update the members of a feature in the body, a JSON merge patch: /req/update/patch-op.

    A geometry is replaced as a whole.
    """
    refuse_writing_versions()
    body = _body(MERGE_PATCH, GEOJSON, JSON)
    with writing(deployment().engine) as connection:
        collection = _lock_collection(connection, collection_id)
        crs = content_crs(body, collection.crs)
        key, stored = _lock_feature(connection, collection, feature_id)
        change = parse_patch(body, stored.properties, collection, crs)
        _update(connection, collection, key, change, stored)
        return _feature_response(connection, collection, key, crs, HTTPStatus.OK)


@requires(Action.WRITE_FEATURES)
def delete_item(collection_id: str, feature_id: str) -> tuple[str, HTTPStatus]:
    """Delete a feature, /req/create-replace-delete/delete-op."""
    refuse_writing_versions()
    single_values(request.args, ())
    with writing(deployment().engine) as connection:
        collection = _lock_collection(connection, collection_id)
        delete_features(
            connection, collection.id, [_lock_feature(connection, collection, feature_id)[0]]
        )
    return "", HTTPStatus.NO_CONTENT


def _options(collection_id: str, *methods: str) -> Response:
    with reading(deployment().engine) as connection:
        if requested_items(connection, collection_id).source is not None:
            methods = ()  # comments
        else:
            try:
                find_collection(connection, principal(), collection_id, Action.WRITE_FEATURES)
            except (CredentialsError, PermissionDeniedError):
                methods = ()
    response = Response(status=HTTPStatus.NO_CONTENT)
    response.headers["Allow"] = ", ".join((*_READING, *methods))
    if methods:
        response.headers["Accept-Patch"] = MERGE_PATCH
    response.headers["Vary"] = "Authorization"
    return response


def _body(*media_types: str) -> Any:
    single_values(request.args, ())
    return read_json(*media_types)


def _lock_collection(connection: Connection, collection_id: str) -> Collection:
    """Return the collection; its schema is locked until the transaction ends.

    Raises MethodNotAllowed for comments, which are written in the management API.
    """
    if CommentsSubject.of(collection_id) is not None:
        requested_items(connection, collection_id)
        raise MethodNotAllowed(_READING, _NOT_WRITTEN_HERE)
    set_in_transaction(connection, lock_timeout=LOCK_TIMEOUT)
    return find_collection(
        connection, principal(), collection_id, Action.WRITE_FEATURES, lock="KEY SHARE"
    )


def _lock_feature(
    connection: Connection, collection: Collection, feature_id: str
) -> tuple[int, Any]:
    """Return a feature's id, and its row with `properties` and `updated_at`; it is locked until the
    transaction ends.

    Raises NotFoundError, GoneError, and the errors of `check_preconditions`.
    """
    key = parse_feature_id(feature_id)
    values = {"layer": collection.id, "id": key}
    row = run(connection, _LOCK_FEATURE, values).one_or_none()
    if row is None:
        raise missing_feature(connection, collection, key)
    check_preconditions(connection, collection.id, key, row.version)
    return key, row


def _insert(
    connection: Connection,
    collection: Collection,
    features: Sequence[dict[str, Any]],
    user_id: uuid.UUID,
) -> list[int]:
    """Insert features and return their ids; raises LimitReachedError where they are too many."""
    ids = insert_features(connection, collection.id, features, user_id)
    settings = deployment().settings
    refuse_excess_features(connection, settings, collection.id, of_account=len(ids) > 1)
    return ids


def _update(
    connection: Connection, collection: Collection, key: int, change: dict[str, Any], stored: Any
) -> None:
    check_feature(collection, change, stored.properties)
    if UPDATED not in collection.fields:
        change = without_last_change(change, stored.properties, stored.updated_at)
    user_id = require_user(principal())
    update_features(connection, collection.id, [{"id": key, **change}], user_id)


def _feature_response(
    connection: Connection,
    collection: Collection,
    feature_id: int,
    crs: ReferenceSystem,
    status: HTTPStatus,
) -> Response:
    """Return the response with a feature in the request's CRS, without body if `Prefer` says so."""
    crs = reference_system(crs.uri, "crs", collection.crs)  # in its own axis order
    statement = select_feature(collection.id, feature_id, crs, collection.names)
    row = run(connection, statement.text, statement.values).one()
    response = Response(row.feature, status, mimetype=GEOJSON)
    response.headers["ETag"] = f'"{row.version}"'
    response.headers["Content-Crs"] = f"<{crs.uri}>"
    if status == HTTPStatus.CREATED:
        response.headers["Location"] = f"{public_url()}{request.path.rstrip('/')}/{feature_id}"
    return _apply_preference(response)


def _features_response(
    connection: Connection, collection: Collection, feature_ids: Sequence[int], crs: ReferenceSystem
) -> Response:
    """Return the response with the new features, in the order of the request."""
    crs = reference_system(crs.uri, "crs", collection.crs)
    statement = select_features(collection.id, feature_ids, crs, collection.names)
    features = run(connection, statement.text, statement.values).scalar_one() or ""
    text = f'{{"type":"FeatureCollection","features":[{features}]}}'
    response = Response(text, HTTPStatus.CREATED, mimetype=GEOJSON)
    response.headers["Content-Crs"] = f"<{crs.uri}>"
    response.headers["Location"] = f"{public_url()}{request.path.rstrip('/')}"
    return _apply_preference(response)


def _apply_preference(response: Response) -> Response:
    """Return the response, without its body for `Prefer: return=minimal` (RFC 7240)."""
    if "return=minimal" in request.headers.get("Prefer", "").replace(" ", ""):
        response.data = b""
        del response.headers["Content-Type"]
        response.headers["Preference-Applied"] = "return=minimal"
        if response.status_code == HTTPStatus.OK:
            response.status_code = HTTPStatus.NO_CONTENT
    return response
