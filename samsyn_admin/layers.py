"""`/api/v1/layers`: the layer library."""

import json
import uuid
from http import HTTPStatus

from flask import Blueprint, Response, request
from sqlalchemy import Connection, insert, select

from samsyn_admin.layer_answers import LayerAnswer, data_version, find_answer, layer_version
from samsyn_admin.layer_schemas import COMPUTED, LayerCreate, parse_layer
from samsyn_admin.request_body import read_json, refuse
from samsyn_model.database import reading, run, writing
from samsyn_model.errors import (
    ConflictError,
    NotFoundError,
    PermissionDeniedError,
    PreconditionFailedError,
)
from samsyn_model.feature_writing import feature_collection_faults, insert_features
from samsyn_model.permissions import Action, find_layer, require_user
from samsyn_model.tables import Layer
from samsyn_provider.deployment import deployment, public_url
from samsyn_provider.guard import principal, requires
from samsyn_provider.parameters import parse_boolean, parse_uuid, single_values

bp = Blueprint("layers", __name__, url_prefix="/api/v1/layers")

# Millions of features take their time to go; whoever else writes to the layer is not waited for.
_SET_TIMEOUTS = """
SELECT set_config('statement_timeout', '5min', true), set_config('lock_timeout', '10s', true)"""

_LOCK = "SELECT id FROM layers WHERE id = %(layer)s FOR UPDATE"

_COUNT_MAPS_OF_OTHERS = """
SELECT count(*) FROM map_layers JOIN maps ON maps.id = map_id
WHERE layer_id = %(layer)s AND maps.created_by <> %(user)s"""

_DELETE = "DELETE FROM layers WHERE id = %(layer)s"


@bp.post("")
@requires(Action.SIGNED_IN)
def create_layer() -> Response:
    """Make a layer, with its features in the same transaction."""
    single_values(request.args, ())
    user_id = require_user(principal())
    layer = parse_layer(read_json())
    if layer.is_global and not principal().is_admin:
        raise PermissionDeniedError("Only administrators put layers into everybody's library.")
    with writing(deployment().engine) as connection:
        layer_id = _insert(connection, layer, user_id)
        answer = find_answer(connection, principal(), layer_id, inline=True)
    response = _respond(answer, HTTPStatus.CREATED)
    response.headers["Location"] = f"{public_url()}{bp.url_prefix}/{layer_id}"
    return response


@bp.get("/<layer_id>")
@requires(Action.READ_LAYER)
def read_layer(layer_id: str) -> Response:
    """Answer one layer as the caller sees it; `inline=false` leaves its features out."""
    key = _key(layer_id)
    inline = _flag("inline", default=True)
    with reading(deployment().engine) as connection:
        answer = find_answer(connection, principal(), key, inline=inline)
    response = _respond(answer, HTTPStatus.OK)
    response.make_conditional(request)
    return response


@bp.delete("/<layer_id>")
@requires(Action.OWN_LAYER)
def delete_layer(layer_id: str) -> tuple[str, int]:
    """Delete a layer and its features; one on others' maps only with `force=true`."""
    key = _key(layer_id)
    force = _flag("force", default=False)
    with writing(deployment().engine) as connection:
        run(connection, _SET_TIMEOUTS)
        find_layer(connection, principal(), key, Action.OWN_LAYER)
        # From here on nobody puts the layer on a map or writes to it.
        if run(connection, _LOCK, {"layer": key}).one_or_none() is None:
            raise NotFoundError("There is no such layer.")
        _refuse_stale(connection, key)
        if not force:
            _refuse_in_use(connection, key)
        run(connection, _DELETE, {"layer": key})
    return "", HTTPStatus.NO_CONTENT


def _insert(connection: Connection, layer: LayerCreate, user_id: uuid.UUID) -> uuid.UUID:
    values = layer.model_dump()
    collection = None
    if layer.source_type == "vector":
        config = layer.source_config
        collection = config.get("geojson")
        values["source_config"] = {n: value for n, value in config.items() if n not in COMPUTED}
    if collection is not None:
        schema = None if layer.property_schema is None else json.dumps(layer.property_schema)
        place = "/source_config/geojson"
        refuse(feature_collection_faults(collection, place, layer.geometry_type, schema))
    statement = insert(Layer).values(created_by=user_id, **values).returning(Layer.id)
    layer_id: uuid.UUID = run(connection, statement).scalar_one()
    if collection is not None:
        insert_features(connection, layer_id, collection["features"], user_id)
    return layer_id


def _refuse_stale(connection: Connection, layer_id: uuid.UUID) -> None:
    """Raise PreconditionFailedError when `If-Match` names no tag of the layer's present state."""
    if "If-Match" not in request.headers or request.if_match.star_tag:
        return
    statement = select(Layer.updated_at, data_version()).where(Layer.id == layer_id)
    version = layer_version(run(connection, statement).one())
    if not any(tag.startswith(version) for tag in request.if_match.as_set()):
        raise PreconditionFailedError("The layer has changed since you read it.")


def _refuse_in_use(connection: Connection, layer_id: uuid.UUID) -> None:
    """Raise ConflictError when the layer is on a map that is not the caller's."""
    values = {"layer": layer_id, "user": principal().user_id}
    count = run(connection, _COUNT_MAPS_OF_OTHERS, values).scalar_one()
    if count:
        maps = "a map" if count == 1 else f"{count} maps"
        raise ConflictError(
            f"The layer is on {maps} of others; force=true deletes it all the same."
        )


def _respond(answer: LayerAnswer, status: HTTPStatus) -> Response:
    response = Response(answer.text, status, mimetype="application/json")
    response.set_etag(answer.etag)
    response.headers["Cache-Control"] = "private, no-cache"
    response.headers["Vary"] = "Authorization"
    return response


def _key(text: str) -> uuid.UUID:
    key = parse_uuid(text)
    if key is None:
        raise NotFoundError("There is no such layer.")
    return key


def _flag(name: str, *, default: bool) -> bool:
    text = single_values(request.args, {name}).get(name)
    return default if text is None else parse_boolean(name, text)
