"""`/api/v1/layers/{id}/indexes`: the property indexes of a layer."""

from http import HTTPStatus
from typing import Annotated, Any

from flask import Blueprint, Response, request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection, Row, update

from samsyn_admin.http.request_body import read_json, refuse, validated
from samsyn_admin.http.responses import check_if_match, json_text, no_content, respond, version_of
from samsyn_admin.layers.index_checks import MAX_INDEXES, Fields, index_faults
from samsyn_model.database.execution import run
from samsyn_model.database.transactions import LOCK_TIMEOUT, reading, set_in_transaction, writing
from samsyn_model.errors import ConflictError, Fault, NotFoundError
from samsyn_model.permissions.actions import Action
from samsyn_model.permissions.lookup import find_layer
from samsyn_model.properties.roles import temporal_properties
from samsyn_model.tables.layers import Layer
from samsyn_provider.collections.collection import collection_of
from samsyn_provider.collections.description import with_fields
from samsyn_provider.http.deployment import deployment
from samsyn_provider.http.guard import principal, requires
from samsyn_provider.query.parameters import parse_key, single_values

_MAX_TEMPORAL = 2  # temporal properties are always indexed, beside MAX_INDEXES others

bp = Blueprint("layer_indexes", __name__, url_prefix="/api/v1/layers/<layer_id>/indexes")


class LayerIndexes(BaseModel):
    """The properties of a layer that have an index."""

    model_config = ConfigDict(extra="forbid", strict=True)

    properties: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=255)]],
        Field(max_length=MAX_INDEXES + _MAX_TEMPORAL),
    ]


@bp.get("")
@requires(Action.READ_LAYER)
def list_layer_indexes(layer_id: str) -> Response:
    """List the properties of a layer that have an index."""
    single_values(request.args, ())
    with reading(deployment().engine) as connection:
        row = _find_layer(connection, layer_id, Action.READ_LAYER)
        return _respond(row, _fields(connection, row))


@bp.put("")
@requires(Action.OWN_LAYER)
def set_layer_indexes(layer_id: str) -> Response:
    """Replace the list of properties of a layer that have an index."""
    single_values(request.args, ())
    body = read_json()
    with writing(deployment().engine) as connection:
        row = _lock(connection, layer_id)
        names = validated(LayerIndexes, body).properties
        fields = _fields(connection, row)
        refuse(list(index_faults(names, fields, row.indexed_properties)))
        others = [name for name in names if name not in _temporal_names(row)]
        if len(others) > MAX_INDEXES:
            refuse([Fault("/properties", f"At most {MAX_INDEXES} properties are indexed.")])
        return _respond(_store(connection, row, [*others, *_temporal_names(row)]), fields)


@bp.delete("/<path:property_name>")
@requires(Action.OWN_LAYER)
def remove_layer_index(layer_id: str, property_name: str) -> tuple[str, HTTPStatus]:
    """Remove the index of a property."""
    single_values(request.args, ())
    with writing(deployment().engine) as connection:
        row = _lock(connection, layer_id)
        if property_name not in row.indexed_properties:
            raise NotFoundError("There is no index on this property.")
        if property_name in _temporal_names(row):
            raise ConflictError("The layer's temporal properties keep their index.")
        _store(connection, row, [n for n in row.indexed_properties if n != property_name])
    return no_content()


def _find_layer(connection: Connection, layer_id: str, action: Action, **options: Any) -> Row[Any]:
    key = parse_key(layer_id, "layer")
    return find_layer(connection, principal(), key, action, source_type="vector", **options)


def _lock(connection: Connection, layer_id: str) -> Row[Any]:
    """Return the layer for its owner, locked until the transaction ends."""
    # Building an index reads all features; writers of the layer wait meanwhile.
    set_in_transaction(connection, lock_timeout=LOCK_TIMEOUT, statement_timeout="5min")
    row = _find_layer(connection, layer_id, Action.OWN_LAYER, lock="UPDATE")
    check_if_match(version_of(row.updated_at))
    return row


def _temporal_names(row: Row[Any]) -> list[str]:
    """Return the temporal properties of the layer."""
    times = temporal_properties(row.property_schema, row.time_field)
    names = {times.start, times.end} if times else set()
    return sorted(name for name in names if name is not None)


def _fields(connection: Connection, row: Row[Any]) -> Fields:
    return with_fields(connection, collection_of(row)).fields


def _store(connection: Connection, row: Row[Any], names: list[str]) -> Row[Any]:
    """Store the list, whose triggers build new indexes; return the updated layer."""
    if names == row.indexed_properties:
        return row
    statement = update(Layer).where(Layer.id == row.id).values(indexed_properties=names)
    return run(connection, statement.returning(Layer.__table__)).one()


def _respond(row: Row[Any], fields: Fields) -> Response:
    entries = [
        {"property": name, "type": fields.get(name, {}).get("type", "string")}
        for name in row.indexed_properties
    ]
    return respond(json_text(entries), version_of(row.updated_at))
