"""The layers on a map in their order, as somebody who may not read all of them sees it.

What one does not see keeps its place: a new order of the others is one of their places.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile
from typing import Any

from sqlalchemy import Connection, Row, func, select

from samsyn_admin.http.responses import Parts, iso, json_text, version_of
from samsyn_admin.layers.serializer import serialize_layers
from samsyn_admin.maps.serializer import serialize_map_layer
from samsyn_model.database.execution import run
from samsyn_model.errors import ConflictError, NotFoundError, PermissionDeniedError
from samsyn_model.permissions.layers import readable_layers
from samsyn_model.permissions.principal import Principal
from samsyn_model.tables.layers import Layer
from samsyn_model.tables.maps import MapLayer

MAX_LAYERS = 200
"""How many layers a map has at most."""

_MAKE_ROOM = """
UPDATE map_layers SET "order" = "order" + 1 WHERE map_id = %(map)s AND "order" >= %(place)s"""

_ARRANGE = """
UPDATE map_layers SET "order" = given.place
FROM unnest(%(ids)s::uuid[], %(places)s::bigint[]) AS given (id, place)
WHERE map_layers.id = given.id AND "order" <> given.place"""


@dataclass(frozen=True, slots=True)
class PlacedLayer:
    """A layer on a map: `order` counts those that the reader sees, `place` is the stored one."""

    id: uuid.UUID
    layer_id: uuid.UUID
    order: int
    place: int
    visible: bool
    opacity: int
    style_override: dict[str, Any] | None
    created_at: datetime
    updated_at: datetime


def read_placed(
    connection: Connection, principal: Principal, map_id: uuid.UUID
) -> list[PlacedLayer]:
    """Return the layers on a map that the principal may read, by their order."""
    statement = (
        select(MapLayer.__table__)
        .join_from(MapLayer, Layer, Layer.id == MapLayer.layer_id)
        .where(MapLayer.map_id == map_id, readable_layers(principal))
        .order_by(MapLayer.order)
    )
    return [
        PlacedLayer(
            id=row.id,
            layer_id=row.layer_id,
            order=number,
            place=row.order,
            visible=row.visible,
            opacity=row.opacity,
            style_override=row.style_override,
            created_at=row.created_at,
            updated_at=row.updated_at,
        )
        for number, row in enumerate(run(connection, statement))
    ]


def find_placed(placed: Sequence[PlacedLayer], layer_id: uuid.UUID | None) -> PlacedLayer:
    """Return the layer's place; raises NotFoundError when it is not among these."""
    for entry in placed:
        if entry.layer_id == layer_id:
            return entry
    raise NotFoundError("There is no such layer on this map.")


def serialize_placed_layers(
    connection: Connection,
    principal: Principal,
    placed: Sequence[PlacedLayer],
    *,
    inline: bool,
    whole: int = 1,
) -> list[Parts]:
    """Return layers on a map as JSON, up to where their features would be too many.

    The first `whole` never are. What somebody has deleted or hidden meanwhile is left out.
    """
    ids = [entry.layer_id for entry in placed]
    layers = serialize_layers(connection, principal, ids, inline=inline, whole=whole) if ids else {}
    there = [entry for entry in placed if entry.layer_id in layers]
    fitting = takewhile(lambda entry: layers[entry.layer_id] is not None, there)
    return [
        serialize_map_layer(_members(entry), entry.order, layers[entry.layer_id] or ())
        for entry in fitting
    ]


def serialize_placed_layer(
    connection: Connection,
    principal: Principal,
    map_id: uuid.UUID,
    layer_id: uuid.UUID | None,
    *,
    inline: bool,
) -> tuple[Parts, str]:
    """Return a layer on a map as JSON as the principal sees it, and its version.

    Raises NotFoundError when it is not there, or not any more.
    """
    found = find_placed(read_placed(connection, principal, map_id), layer_id)
    texts = serialize_placed_layers(connection, principal, [found], inline=inline)
    if not texts:
        raise NotFoundError("There is no such layer on this map.")
    return texts[0], version_of(found.updated_at)


def refuse_placing(connection: Connection, map_id: uuid.UUID, layer: Row[Any]) -> None:
    """Raise an error where a layer may not be put on a map; its row has `made`.

    PermissionDeniedError when it is somebody else's private one, ConflictError when it is there
    already or the map is full.
    """
    if not (layer.is_global or layer.visibility == "public" or layer.made):
        raise PermissionDeniedError("Only its creator puts a private layer on a map.")
    on_map = func.count().filter(MapLayer.layer_id == layer.id)
    statement = select(func.count().label("layers"), on_map.label("same"))
    found = run(connection, statement.where(MapLayer.map_id == map_id)).one()
    if found.same:
        raise ConflictError("The layer is on this map already.")
    if found.layers >= MAX_LAYERS:
        raise ConflictError(f"A map has up to {MAX_LAYERS} layers.")


def free_place(
    connection: Connection, map_id: uuid.UUID, placed: Sequence[PlacedLayer], order: int | None
) -> int:
    """Return where a new layer is stored, once those from there on have made room for it.

    Without an order, or with one past the end, that is the end.
    """
    if order is None or order >= len(placed):
        end = select(func.coalesce(func.max(MapLayer.order) + 1, 0))
        return int(run(connection, end.where(MapLayer.map_id == map_id)).scalar_one())
    place = placed[order].place
    run(connection, _MAKE_ROOM, {"map": map_id, "place": place})
    return place


def arrange(
    connection: Connection, placed: Sequence[PlacedLayer], layer_ids: Sequence[uuid.UUID]
) -> bool:
    """Give layers on a map this order, within the places that they have together.

    Returns whether any has moved.
    """
    ids = {entry.layer_id: entry.id for entry in placed}
    values = {
        "ids": [ids[layer_id] for layer_id in layer_ids],
        "places": [entry.place for entry in placed],
    }
    return run(connection, _ARRANGE, values).rowcount > 0


def _members(entry: PlacedLayer) -> bytes:
    return json_text(
        {
            "id": str(entry.id),
            "layer_id": str(entry.layer_id),
            "visible": entry.visible,
            "opacity": entry.opacity,
            "style_override": entry.style_override,
            "created_at": iso(entry.created_at),
        }
    ).encode()
