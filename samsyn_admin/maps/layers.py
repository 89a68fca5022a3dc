"""`/api/v1/maps/{id}/layers`: layers on a map, and their order."""

import uuid
from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response, request
from sqlalchemy import ColumnElement, Connection, delete, insert, update

from samsyn_admin.http.pagination import MAX_LIMIT, PAGE_PARAMETERS, Page, parse_page
from samsyn_admin.http.request_body import read_json, refuse, validated
from samsyn_admin.http.responses import (
    check_if_match,
    no_content,
    respond,
    respond_list,
)
from samsyn_admin.http.update_body import merge_patch, read_change, same_json
from samsyn_admin.maps.layer_order import (
    ReadableMapLayer,
    find_map_layer,
    load_map_layer,
    load_map_layers,
    make_room,
    refuse_addition,
    serialize_map_layer,
    serialize_map_layers,
    store_order,
)
from samsyn_admin.maps.locking import lock_map, map_key, touch_map
from samsyn_admin.maps.schemas import MapLayerCreate, MapLayerUpdate, Reorder
from samsyn_model.database.execution import run
from samsyn_model.database.transactions import reading, writing
from samsyn_model.errors import Fault
from samsyn_model.permissions.actions import Action
from samsyn_model.permissions.layers import owned_by
from samsyn_model.permissions.lookup import find_layer, find_map
from samsyn_model.permissions.principal import Principal
from samsyn_model.properties.validation import MAX_FAULTS
from samsyn_model.quotas.rows import Quota, refuse_excess
from samsyn_model.tables.maps import MapLayer
from samsyn_provider.http.deployment import deployment, public_url
from samsyn_provider.http.guard import principal, requires
from samsyn_provider.query.parameters import parse_boolean, parse_uuid, single_values

bp = Blueprint("map_layers", __name__, url_prefix="/api/v1/maps/<map_id>/layers")

_READ_ONLY = frozenset({"id", "layer_id", "created_at", "layer"})
_SETTABLE = tuple(MapLayerUpdate.model_fields)


@bp.get("")
@requires(Action.READ_MAP)
def list_map_layers(map_id: str) -> Response:
    """List the layers on a map that the caller may read, by their order."""
    key = map_key(map_id)
    values = single_values(request.args, {*PAGE_PARAMETERS, "inline"})
    page, inline = parse_page(values), parse_boolean("inline", values.get("inline", "true"))
    with reading(deployment().engine) as connection:
        find_map(connection, principal(), key, Action.READ_MAP)
        map_layers = load_map_layers(connection, principal(), key)
        page_layers = map_layers[page.offset : page.offset + page.limit]
        texts = serialize_map_layers(connection, principal(), page_layers, inline=inline)
    return respond_list(texts, page, len(map_layers))


def _is_creator(principal: Principal) -> tuple[ColumnElement[bool], ...]:
    return (owned_by(principal).label("is_creator"),)


@bp.post("")
@requires(Action.CHANGE_MAP)
def add_map_layer(map_id: str) -> Response:
    """Add a layer to a map."""
    key = map_key(map_id)
    single_values(request.args, ())
    body = read_json()
    with writing(deployment().engine) as connection:
        lock_map(connection, principal(), key, Action.CHANGE_MAP)
        addition = validated(MapLayerCreate, body)
        layer = find_layer(
            connection,
            principal(),
            addition.layer_id,
            Action.READ_LAYER,
            _is_creator,
            lock="KEY SHARE",
        )
        map_layers = load_map_layers(connection, principal(), key)
        refuse_addition(connection, key, layer)
        values = {**addition.model_dump(), "map_id": key}
        values["order"] = make_room(connection, key, map_layers, addition.order)
        run(connection, insert(MapLayer).values(values))
        map_layer = load_map_layer(connection, principal(), key, addition.layer_id)
        if map_layer.is_shown_to_all:
            touch_map(connection, key)
        serialized = serialize_map_layer(connection, principal(), map_layer, inline=True)
        refuse_excess(connection, deployment().settings, (Quota.LAYERS_OF_MAP, key))
    location = f"{public_url()}{request.path.rstrip('/')}/{addition.layer_id}"
    return respond(*serialized, HTTPStatus.CREATED, location)


@bp.get("/<layer_id>")
@requires(Action.READ_MAP)
def read_map_layer(map_id: str, layer_id: str) -> Response:
    """Return a layer on a map."""
    key = map_key(map_id)
    inline = parse_boolean("inline", single_values(request.args, {"inline"}).get("inline", "true"))
    with reading(deployment().engine) as connection:
        find_map(connection, principal(), key, Action.READ_MAP)
        map_layer = load_map_layer(connection, principal(), key, parse_uuid(layer_id))
        return respond(*serialize_map_layer(connection, principal(), map_layer, inline=inline))


@bp.put("/<layer_id>")
@bp.patch("/<layer_id>")
@requires(Action.CHANGE_MAP)
def update_map_layer(map_id: str, layer_id: str) -> Response:
    """Change how a layer is drawn on a map, and its order, which moves the others."""
    key = map_key(map_id)
    single_values(request.args, ())
    body = read_change(_READ_ONLY)
    with writing(deployment().engine) as connection:
        lock_map(connection, principal(), key, Action.CHANGE_MAP)
        map_layers = load_map_layers(connection, principal(), key)
        map_layer = find_map_layer(map_layers, parse_uuid(layer_id))
        present = {name: getattr(map_layer, name) for name in _SETTABLE}
        if request.method == "PATCH":
            body = {name: merge_patch(present.get(name), value) for name, value in body.items()}
        change = validated(MapLayerUpdate, {**present, **body}).model_dump()
        check_if_match(map_layer.version)
        _change(connection, key, map_layers, map_layer, change)
        map_layer = load_map_layer(connection, principal(), key, map_layer.layer_id)
        return respond(*serialize_map_layer(connection, principal(), map_layer, inline=True))


@bp.delete("/<layer_id>")
@requires(Action.CHANGE_MAP)
def remove_map_layer(map_id: str, layer_id: str) -> tuple[str, HTTPStatus]:
    """Remove a layer from a map."""
    key = map_key(map_id)
    single_values(request.args, ())
    with writing(deployment().engine) as connection:
        lock_map(connection, principal(), key, Action.CHANGE_MAP)
        map_layer = load_map_layer(connection, principal(), key, parse_uuid(layer_id))
        check_if_match(map_layer.version)
        run(connection, delete(MapLayer).where(MapLayer.id == map_layer.id))
        if map_layer.is_shown_to_all:
            touch_map(connection, key)
    return no_content()


@bp.put("/reorder")
@requires(Action.CHANGE_MAP)
def reorder_map_layers(map_id: str) -> Response:
    """Reorder the layers on a map that the caller may read, all at once."""
    key = map_key(map_id)
    single_values(request.args, ())
    body = read_json()
    with writing(deployment().engine) as connection:
        lock_map(connection, principal(), key, Action.CHANGE_MAP)
        map_layers = load_map_layers(connection, principal(), key)
        if store_order(
            connection, map_layers, _requested_order(validated(Reorder, body), map_layers)
        ):
            touch_map(connection, key)
        map_layers = load_map_layers(connection, principal(), key)
        texts = serialize_map_layers(connection, principal(), map_layers, inline=True)
    return respond_list(texts, Page(MAX_LIMIT), len(texts))


def _change(
    connection: Connection,
    map_id: uuid.UUID,
    map_layers: list[ReadableMapLayer],
    map_layer: ReadableMapLayer,
    change: dict[str, Any],
) -> None:
    order = change.pop("order")
    changed = {
        name: value
        for name, value in change.items()
        if not same_json(value, getattr(map_layer, name))
    }
    if changed:
        run(connection, update(MapLayer).where(MapLayer.id == map_layer.id).values(changed))
    others = [entry.layer_id for entry in map_layers if entry is not map_layer]
    index = map_layer.order if order is None else order
    moved = store_order(
        connection, map_layers, [*others[:index], map_layer.layer_id, *others[index:]]
    )
    if moved or (changed and map_layer.is_shown_to_all):
        touch_map(connection, map_id)


def _requested_order(reorder: Reorder, map_layers: list[ReadableMapLayer]) -> list[uuid.UUID]:
    """Return the layers in the requested order; raises InvalidBodyError unless it has each once."""
    on_map = {entry.layer_id for entry in map_layers}
    listed: set[uuid.UUID] = set()
    orders: set[int] = set()
    faults = []
    for number, entry in enumerate(reorder.layer_orders):
        pointer = f"/layer_orders/{number}"
        if entry.layer_id not in on_map:
            faults.append(Fault(f"{pointer}/layer_id", "This layer is not on the map."))
        elif entry.layer_id in listed:
            faults.append(Fault(f"{pointer}/layer_id", "This layer is listed twice."))
        if entry.order in orders:
            faults.append(Fault(f"{pointer}/order", "Another layer has this order."))
        listed.add(entry.layer_id)
        orders.add(entry.order)
    missing = len(on_map - listed)
    if missing and not faults:
        faults.append(Fault("/layer_orders", f"{missing} of the map's layers are not listed."))
    refuse(faults[:MAX_FAULTS])
    by_order = sorted(reorder.layer_orders, key=lambda entry: entry.order)
    return [entry.layer_id for entry in by_order]
