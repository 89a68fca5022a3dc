"""Views that write single features: OGC API Features Part 4, here and in the management API."""

import json
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from itertools import islice
from typing import Any

from flask import Blueprint, Response, request
from sqlalchemy import Connection

from samsyn_model.database.execution import run
from samsyn_model.database.transactions import LOCK_TIMEOUT, reading, set_in_transaction, writing
from samsyn_model.errors import (
    CredentialsError,
    Fault,
    NotFoundError,
    PermissionDeniedError,
    PreconditionFailedError,
)
from samsyn_model.features.geometry import geometry_faults
from samsyn_model.features.writing import (
    delete_features,
    feature_collection_faults,
    insert_features,
    update_features,
)
from samsyn_model.permissions.actions import Action
from samsyn_model.permissions.checks import require_user
from samsyn_model.properties.json_schema import validation_deadline
from samsyn_model.properties.validation import MAX_FAULTS, property_faults
from samsyn_provider.collections.collection import Collection
from samsyn_provider.collections.lookup import find_collection
from samsyn_provider.features.statements import select_feature, select_features
from samsyn_provider.geography.crs import CRS84, ReferenceSystem, in_degrees, reference_system
from samsyn_provider.http.deployment import deployment, public_url
from samsyn_provider.http.guard import principal, requires
from samsyn_provider.http.media_types import GEOJSON, JSON, MERGE_PATCH
from samsyn_provider.http.request_body import merge_patch, read_json, refuse
from samsyn_provider.query.parameters import parse_feature_id, single_values

_LOCK = """
SELECT version, properties FROM layer_features
WHERE layer_id = %(layer)s AND id = %(id)s FOR NO KEY UPDATE"""


def add_editing_rules(bp: Blueprint, items: str) -> None:
    """Let features be written at a path of items, and ask there what may be written.

    Whatever reads there has to be registered without Flask's own OPTIONS.
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


@requires(Action.READ_LAYER)
def items_options(collection_id: str) -> Response:
    """Answer which methods the caller may use on the items, in `Allow`."""
    return _options(collection_id, "POST")


@requires(Action.READ_LAYER)
def item_options(collection_id: str, feature_id: str) -> Response:  # noqa: ARG001
    """Answer which methods the caller may use on an item, also one that is not there.

    Clients ask an empty collection with an id of their own making.
    """
    return _options(collection_id, "PUT", "PATCH", "DELETE")


@requires(Action.WRITE_FEATURES)
def create_item(collection_id: str) -> Response:
    """Add the feature in the body: 201 with its address, /req/create-replace-delete/post-op.

    A feature collection adds all its features or none, and is answered with those made.
    """
    body = _body(GEOJSON, JSON)
    with writing(deployment().engine) as connection:
        found = _editable(connection, collection_id)
        crs = _content_crs(found)
        user_id = require_user(principal())
        if isinstance(body, dict) and body.get("type") == "FeatureCollection":
            features = _all(body, found, crs)
            ids = insert_features(connection, found.id, features, user_id)
            return _answer_all(connection, found, ids, crs)
        feature = _whole(body, crs)
        _refuse_misfit(found, feature)
        (feature_id,) = insert_features(connection, found.id, [feature], user_id)
        return _answer(connection, found, feature_id, crs, HTTPStatus.CREATED)


@requires(Action.WRITE_FEATURES)
def replace_item(collection_id: str, feature_id: str) -> Response:
    """Replace a feature by that in the body, /req/create-replace-delete/put-op.

    The address says which one; an id in the body does not count, and nothing is made.
    """
    body = _body(GEOJSON, JSON)
    with writing(deployment().engine) as connection:
        found = _editable(connection, collection_id)
        crs = _content_crs(found)
        key = _locked(connection, found, feature_id)[0]
        feature = _whole(body, crs)
        _refuse_misfit(found, feature)
        _update(connection, found, {"id": key, **feature})
        return _answer(connection, found, key, crs, HTTPStatus.OK)


@requires(Action.WRITE_FEATURES)
def update_item(collection_id: str, feature_id: str) -> Response:
    """Change what the body names of a feature, a JSON merge patch: /req/update/patch-op.

    A geometry is replaced as a whole.
    """
    body = _body(MERGE_PATCH, GEOJSON, JSON)
    with writing(deployment().engine) as connection:
        found = _editable(connection, collection_id)
        crs = _content_crs(found)
        key, present = _locked(connection, found, feature_id)
        change = _change(body, present, crs)
        _refuse_misfit(found, change)
        _update(connection, found, {"id": key, **change})
        return _answer(connection, found, key, crs, HTTPStatus.OK)


@requires(Action.WRITE_FEATURES)
def delete_item(collection_id: str, feature_id: str) -> tuple[str, HTTPStatus]:
    """Delete a feature, /req/create-replace-delete/delete-op."""
    single_values(request.args, ())
    with writing(deployment().engine) as connection:
        found = _editable(connection, collection_id)
        delete_features(connection, found.id, [_locked(connection, found, feature_id)[0]])
    return "", HTTPStatus.NO_CONTENT


def _options(collection_id: str, *writing: str) -> Response:
    with reading(deployment().engine) as connection:
        find_collection(connection, principal(), collection_id, Action.READ_LAYER)
        try:
            find_collection(connection, principal(), collection_id, Action.WRITE_FEATURES)
        except (CredentialsError, PermissionDeniedError):
            writing = ()
    response = Response(status=HTTPStatus.NO_CONTENT)
    response.headers["Allow"] = ", ".join(("GET", "HEAD", "OPTIONS", *writing))
    if writing:
        response.headers["Accept-Patch"] = MERGE_PATCH
    response.headers["Vary"] = "Authorization"
    return response


def _body(*media_types: str) -> Any:
    single_values(request.args, ())
    return read_json(*media_types)


def _content_crs(found: Collection) -> ReferenceSystem:
    uri = request.headers.get("Content-Crs", CRS84).strip().removeprefix("<").removesuffix(">")
    return reference_system(uri, "Content-Crs", found.crs)


def _editable(connection: Connection, collection_id: str) -> Collection:
    """Return the collection, whose schema nobody changes until the transaction ends."""
    set_in_transaction(connection, lock_timeout=LOCK_TIMEOUT)
    return find_collection(
        connection, principal(), collection_id, Action.WRITE_FEATURES, lock="KEY SHARE"
    )


def _locked(
    connection: Connection, found: Collection, feature_id: str
) -> tuple[int, dict[str, Any]]:
    """Return a feature's id and properties; nobody changes it until the transaction ends.

    Raises NotFoundError, and PreconditionFailedError when `If-Match` names another version or
    `If-None-Match` this one.
    """
    key = parse_feature_id(feature_id)
    row = run(connection, _LOCK, {"layer": found.id, "id": key}).one_or_none()
    if row is None:
        raise NotFoundError("There is no such feature in this collection.")
    if "If-Match" in request.headers and str(row.version) not in request.if_match:
        raise PreconditionFailedError(
            f"The feature has changed since you read it: it is at version {row.version} now."
        )
    if str(row.version) in request.if_none_match:
        raise PreconditionFailedError(
            f"The feature is at version {row.version}, which If-None-Match rules out."
        )
    return key, row.properties


def _whole(body: Any, crs: ReferenceSystem) -> dict[str, Any]:
    if not isinstance(body, dict) or body.get("type") != "Feature":
        refuse([Fault("", "This is no GeoJSON Feature.")])
    geometry = in_degrees(body.get("geometry"), crs)
    return {"geometry": geometry, "properties": body.get("properties") or {}}


def _all(body: dict[str, Any], found: Collection, crs: ReferenceSystem) -> list[dict[str, Any]]:
    members = body.get("features")
    if isinstance(members, list):
        moved = [
            {**member, "geometry": in_degrees(member.get("geometry"), crs)}
            if isinstance(member, dict)
            else member
            for member in members
        ]
        body = {**body, "features": moved}
    refuse(feature_collection_faults(body, "", found.geometry_type, _schema_text(found)))
    return list(body["features"])


def _change(body: Any, present: dict[str, Any], crs: ReferenceSystem) -> dict[str, Any]:
    named = set(body) & {"geometry", "properties"} if isinstance(body, dict) else set()
    if not named:
        refuse([Fault("", "Expected an object with `geometry`, `properties` or both.")])
    change: dict[str, Any] = {}
    if "geometry" in named:
        change["geometry"] = in_degrees(body["geometry"], crs)
    if "properties" in named:
        given = body["properties"]
        change["properties"] = {} if given is None else merge_patch(present, given)
    return change


def _refuse_misfit(found: Collection, feature: dict[str, Any]) -> None:
    """Raise InvalidBodyError where what is to be written does not suit the collection."""
    schema = _schema_text(found)

    def faults() -> Iterator[Fault]:
        if "geometry" in feature:
            yield from geometry_faults(feature["geometry"], "/geometry", found.geometry_type)
        if "properties" in feature:
            yield from property_faults(feature["properties"], schema, "/properties")

    with validation_deadline():
        refuse(list(islice(faults(), MAX_FAULTS)))


def _schema_text(found: Collection) -> str | None:
    return None if found.property_schema is None else json.dumps(found.property_schema)


def _update(connection: Connection, found: Collection, change: dict[str, Any]) -> None:
    update_features(connection, found.id, [change], require_user(principal()))


def _answer(
    connection: Connection,
    found: Collection,
    feature_id: int,
    crs: ReferenceSystem,
    status: HTTPStatus,
) -> Response:
    """Answer with the feature in the CRS that it was sent in, or as little as `Prefer` asks for."""
    statement = select_feature(found.id, feature_id, crs)
    row = run(connection, statement.text, statement.values).one()
    response = Response(row.feature, status, mimetype=GEOJSON)
    response.headers["ETag"] = f'"{row.version}"'
    response.headers["Content-Crs"] = f"<{crs.uri}>"
    if status == HTTPStatus.CREATED:
        response.headers["Location"] = f"{public_url()}{request.path.rstrip('/')}/{feature_id}"
    return _as_preferred(response)


def _answer_all(
    connection: Connection, found: Collection, feature_ids: Sequence[int], crs: ReferenceSystem
) -> Response:
    """Answer with the features made, in the order that they were sent in."""
    statement = select_features(found.id, feature_ids, crs)
    features = run(connection, statement.text, statement.values).scalar_one() or ""
    text = f'{{"type":"FeatureCollection","features":[{features}]}}'
    response = Response(text, HTTPStatus.CREATED, mimetype=GEOJSON)
    response.headers["Content-Crs"] = f"<{crs.uri}>"
    response.headers["Location"] = f"{public_url()}{request.path.rstrip('/')}"
    return _as_preferred(response)


def _as_preferred(response: Response) -> Response:
    """Return the answer without its body where `Prefer` asks for that (RFC 7240)."""
    if "return=minimal" in request.headers.get("Prefer", "").replace(" ", ""):
        response.data = b""
        del response.headers["Content-Type"]
        response.headers["Preference-Applied"] = "return=minimal"
        if response.status_code == HTTPStatus.OK:
            response.status_code = HTTPStatus.NO_CONTENT
    return response
