"""`/api/v1/layers`: the layer library."""

import json
import uuid
from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response, request
from sqlalchemy import Connection, insert

from samsyn_admin.layer_answers import (
    LayerAnswer,
    find_answer,
    layer_etag,
    version_column,
)
from samsyn_admin.layer_schemas import LayerCreate
from samsyn_admin.request_body import read_json, validated
from samsyn_model.database import reading, run, writing
from samsyn_model.errors import (
    ConflictError,
    InvalidBodyError,
    InvalidParameterError,
    NotFoundError,
    PermissionDeniedError,
    PreconditionFailedError,
)
from samsyn_model.feature_writing import feature_collection_faults, insert_features
from samsyn_model.permissions import Action, Principal, find_layer, require_user
from samsyn_model.tables import Layer
from samsyn_provider.deployment import deployment, public_url
from samsyn_provider.guard import principal, requires
from samsyn_provider.parameters import single_values

bp = Blueprint("layers", __name__, url_prefix="/api/v1/layers")

_DELETION_TIMEOUT = "10min"
_COMPUTED = ("geojson", "featureCount", "bounds")

_COUNT_MAPS_OF_OTHERS = """
SELECT count(*) FROM map_layers JOIN maps ON maps.id = map_id
WHERE layer_id = %(layer)s AND maps.created_by <> %(user)s"""


@bp.post("")
@requires(Action.SIGNED_IN)
def create_layer() -> Response:
    """Make a layer, with its features in the same transaction."""
    single_values(request.args, ())
    user_id = require_user(principal())
    layer = validated(LayerCreate, read_json())
    if layer.is_global and not principal().is_admin:
        raise PermissionDeniedError("Only administrators put layers into the library for all.")
    with writing(deployment().engine) as connection:
        layer_id = _insert(connection, layer, user_id)
        answer = find_answer(connection, principal(), layer_id, inline=True)
    response = _respond(answer, HTTPStatus.CREATED)
    response.headers["Location"] = f"{public_url()}{bp.url_prefix}/{layer_id}"
    return response


@bp.get("/<layer_id>")
@requires(Action.READ_LAYER)
def read_layer(layer_id: str) -> Response:
    """One layer as the caller sees it; `inline=false` leaves its features out."""
    key = _key(layer_id)
    with reading(deployment().engine) as connection:
        answer = find_answer(connection, principal(), key, inline=_flag("inline", default=True))
    response = _respond(answer, HTTPStatus.OK)
    response.make_conditional(request)
    return response


@bp.delete("/<layer_id>")
@requires(Action.OWN_LAYER)
def delete_layer(layer_id: str) -> tuple[str, int]:
    """Delete a layer with its features; `force=true` also when it is on others' maps."""
    key = _key(layer_id)
    with writing(deployment().engine) as connection:
        run(connection, f"SET LOCAL statement_timeout = '{_DELETION_TIMEOUT}'")
        row = find_layer(connection, principal(), key, Action.OWN_LAYER, version_column())
        force = _flag("force", default=False)
        if request.if_match and not request.if_match.contains(layer_etag(row).strip('"')):
            raise PreconditionFailedError("The layer has changed since you read it.")
        if not force:
            _refuse_while_others_use_it(connection, key, principal())
        run(connection, "DELETE FROM layers WHERE id = %(layer)s", {"layer": key})
    return "", HTTPStatus.NO_CONTENT


def _insert(connection: Connection, layer: LayerCreate, user_id: uuid.UUID) -> uuid.UUID:
    values = layer.model_dump()
    config: dict[str, Any] = values["source_config"]
    collection = config.get("geojson")
    if layer.source_type == "vector":
        for name in _COMPUTED:
            config.pop(name, None)
    if collection is not None:
        schema = None if layer.property_schema is None else json.dumps(layer.property_schema)
        faults = feature_collection_faults(
            collection,
            pointer="/source_config/geojson",
            geometry_type=layer.geometry_type,
            property_schema=schema,
        )
        if faults:
            raise InvalidBodyError(f"{faults[0].pointer}: {faults[0].detail}", faults)
    statement = insert(Layer).values(created_by=user_id, **values).returning(Layer.id)
    layer_id: uuid.UUID = run(connection, statement).scalar_one()
    if collection is not None:
        insert_features(connection, layer_id, collection["features"], user_id)
    return layer_id


def _refuse_while_others_use_it(
    connection: Connection, layer_id: uuid.UUID, asking: Principal
) -> None:
    values = {"layer": layer_id, "user": asking.user_id}
    maps = run(connection, _COUNT_MAPS_OF_OTHERS, values).scalar_one()
    if maps:
        others = "a map" if maps == 1 else f"{maps} maps"
        raise ConflictError(
            f"The layer is on {others} of others; force=true deletes it all the same."
        )


def _respond(answer: LayerAnswer, status: HTTPStatus) -> Response:
    response = Response(answer.text, status, mimetype="application/json")
    response.headers["ETag"] = answer.etag
    response.headers["Cache-Control"] = "private, no-cache"
    response.headers["Vary"] = "Authorization"
    return response


def _key(text: str) -> uuid.UUID:
    try:
        key = uuid.UUID(text)
    except ValueError:
        raise NotFoundError("There is no such layer.") from None
    if str(key) != text.lower():
        raise NotFoundError("There is no such layer.")
    return key


def _flag(name: str, *, default: bool) -> bool:
    text = single_values(request.args, {name}).get(name)
    if text is None:
        return default
    if text not in {"true", "false"}:
        raise InvalidParameterError(f"{name} is either true or false.")
    return text == "true"
