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
    version_of,
)
from samsyn_admin.http.update_body import merge_patch, read_change, same_json
from samsyn_admin.maps.layer_order import (
    PlacedLayer,
    arrange,
    find_placed,
    free_place,
    read_placed,
    refuse_placing,
    serialize_placed_layer,
    serialize_placed_layers,
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
from samsyn_model.tables.maps import MapLayer
from samsyn_provider.http.deployment import deployment, public_url
from samsyn_provider.http.guard import principal, requires
from samsyn_provider.query.parameters import parse_boolean, parse_uuid, single_values

bp = Blueprint("map_layers", __name__, url_prefix="/api/v1/maps/<map_id>/layers")

_ANSWERED = frozenset({"id", "layer_id", "created_at", "layer"})
_SETTABLE = tuple(MapLayerUpdate.model_fields)


@bp.get("")
@requires(Action.READ_MAP)
def list_map_layers(map_id: str) -> Response:
    """Answer the layers on a map that the caller may read, by their order."""
    key = map_key(map_id)
    values = single_values(request.args, {*PAGE_PARAMETERS, "inline"})
    page, inline = parse_page(values), parse_boolean("inline", values.get("inline", "true"))
    with reading(deployment().engine) as connection:
        find_map(connection, principal(), key, Action.READ_MAP)
        placed = read_placed(connection, principal(), key)
        shown = placed[page.offset : page.offset + page.limit]
        texts = serialize_placed_layers(connection, principal(), shown, inline=inline)
    return respond_list(texts, page, len(placed))


def _made(principal: Principal) -> tuple[ColumnElement[bool], ...]:
    return (owned_by(principal).label("made"),)


@bp.post("")
@requires(Action.CHANGE_MAP)
def add_map_layer(map_id: str) -> Response:
    """Put a layer on a map."""
    key = map_key(map_id)
    single_values(request.args, ())
    body = read_json()
    with writing(deployment().engine) as connection:
        lock_map(connection, principal(), key, Action.CHANGE_MAP)
        place = validated(MapLayerCreate, body)
        layer = find_layer(
            connection, principal(), place.layer_id, Action.READ_LAYER, _made, lock="KEY SHARE"
        )
        placed = read_placed(connection, principal(), key)
        refuse_placing(connection, key, layer)
        values = {**place.model_dump(), "map_id": key}
        values["order"] = free_place(connection, key, placed, place.order)
        run(connection, insert(MapLayer).values(values))
        touch_map(connection, key)
        answer = serialize_placed_layer(connection, principal(), key, place.layer_id, inline=True)
    location = f"{public_url()}{request.path.rstrip('/')}/{place.layer_id}"
    return respond(*answer, HTTPStatus.CREATED, location)


@bp.get("/<layer_id>")
@requires(Action.READ_MAP)
def read_map_layer(map_id: str, layer_id: str) -> Response:
    """Answer one layer on a map."""
    key = map_key(map_id)
    inline = parse_boolean("inline", single_values(request.args, {"inline"}).get("inline", "true"))
    with reading(deployment().engine) as connection:
        find_map(connection, principal(), key, Action.READ_MAP)
        place = parse_uuid(layer_id)
        return respond(*serialize_placed_layer(connection, principal(), key, place, inline=inline))


@bp.put("/<layer_id>")
@bp.patch("/<layer_id>")
@requires(Action.CHANGE_MAP)
def update_map_layer(map_id: str, layer_id: str) -> Response:
    """Change how a layer is drawn on a map, and its place, which moves the others."""
    key = map_key(map_id)
    single_values(request.args, ())
    body = read_change(_ANSWERED)
    with writing(deployment().engine) as connection:
        lock_map(connection, principal(), key, Action.CHANGE_MAP)
        placed = read_placed(connection, principal(), key)
        found = find_placed(placed, parse_uuid(layer_id))
        present = {name: getattr(found, name) for name in _SETTABLE}
        if request.method == "PATCH":
            body = {name: merge_patch(present.get(name), value) for name, value in body.items()}
        change = validated(MapLayerUpdate, {**present, **body}).model_dump()
        check_if_match(version_of(found.updated_at))
        _change(connection, key, placed, found, change)
        return respond(
            *serialize_placed_layer(connection, principal(), key, found.layer_id, inline=True)
        )


@bp.delete("/<layer_id>")
@requires(Action.CHANGE_MAP)
def remove_map_layer(map_id: str, layer_id: str) -> tuple[str, HTTPStatus]:
    """Take a layer off a map."""
    key = map_key(map_id)
    single_values(request.args, ())
    with writing(deployment().engine) as connection:
        lock_map(connection, principal(), key, Action.CHANGE_MAP)
        found = find_placed(read_placed(connection, principal(), key), parse_uuid(layer_id))
        check_if_match(version_of(found.updated_at))
        run(connection, delete(MapLayer).where(MapLayer.id == found.id))
        touch_map(connection, key)
    return no_content()


@bp.put("/reorder")
@requires(Action.CHANGE_MAP)
def reorder_map_layers(map_id: str) -> Response:
    """Give the layers that the caller sees on a map another order, all at once."""
    key = map_key(map_id)
    single_values(request.args, ())
    body = read_json()
    with writing(deployment().engine) as connection:
        lock_map(connection, principal(), key, Action.CHANGE_MAP)
        placed = read_placed(connection, principal(), key)
        if arrange(connection, placed, _wanted(validated(Reorder, body), placed)):
            touch_map(connection, key)
        placed = read_placed(connection, principal(), key)
        texts = serialize_placed_layers(
            connection, principal(), placed, inline=True, whole=len(placed)
        )
    return respond_list(texts, Page(MAX_LIMIT), len(texts))


def _change(
    connection: Connection,
    map_id: uuid.UUID,
    placed: list[PlacedLayer],
    found: PlacedLayer,
    change: dict[str, Any],
) -> None:
    order = change.pop("order")
    changed = {k: value for k, value in change.items() if not same_json(value, getattr(found, k))}
    if changed:
        run(connection, update(MapLayer).where(MapLayer.id == found.id).values(changed))
    others = [entry.layer_id for entry in placed if entry is not found]
    place = found.order if order is None else order
    moved = arrange(connection, placed, [*others[:place], found.layer_id, *others[place:]])
    if changed or moved:
        touch_map(connection, map_id)


def _wanted(reorder: Reorder, placed: list[PlacedLayer]) -> list[uuid.UUID]:
    """Return the layers in the order asked for; raises InvalidBodyError unless it has each once."""
    seen = {entry.layer_id for entry in placed}
    named: set[uuid.UUID] = set()
    orders: set[int] = set()
    faults = []
    for number, place in enumerate(reorder.layer_orders):
        where = f"/layer_orders/{number}"
        if place.layer_id not in seen:
            faults.append(Fault(f"{where}/layer_id", "This layer is not on the map."))
        elif place.layer_id in named:
            faults.append(Fault(f"{where}/layer_id", "This layer is named twice."))
        if place.order in orders:
            faults.append(Fault(f"{where}/order", "Another layer has this place."))
        named.add(place.layer_id)
        orders.add(place.order)
    missing = len(seen - named)
    if missing and not faults:
        faults.append(Fault("/layer_orders", f"{missing} of the map's layers are not named."))
    refuse(faults[:MAX_FAULTS])
    by_order = sorted(reorder.layer_orders, key=lambda place: place.order)
    return [place.layer_id for place in by_order]
