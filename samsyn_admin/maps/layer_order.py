"""The order of the layers on a map, for a reader who may not read all of them.

Layers that the reader may not read keep their positions: the others are reordered among theirs.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, select

from samsyn_admin.http.responses import Parts, iso, json_text, version_of_content
from samsyn_admin.layers.serializer import serialize_layers
from samsyn_admin.maps.serializer import map_layer_parts
from samsyn_model.database.execution import run
from samsyn_model.errors import ConflictError, NotFoundError, PermissionDeniedError
from samsyn_model.permissions.layers import readable_layers, shown_to_all_readers
from samsyn_model.permissions.principal import Principal
from samsyn_model.tables.layers import Layer
from samsyn_model.tables.maps import Map, MapLayer

_SHIFT_POSITIONS = """
UPDATE map_layers SET "order" = "order" + 1 WHERE map_id = %(map)s AND "order" >= %(position)s"""

_STORE_ORDER = """
UPDATE map_layers SET "order" = changed.position
FROM unnest(%(ids)s::uuid[], %(positions)s::bigint[]) AS changed (id, position)
WHERE map_layers.id = changed.id AND "order" <> changed.position"""


@dataclass(frozen=True, slots=True)
class ReadableMapLayer:
    """A layer on a map: `order` counts the readable layers, `position` is the stored order.

    `is_shown_to_all` says whether every reader of the map may read the layer.
    """

    id: uuid.UUID
    layer_id: uuid.UUID
    order: int
    position: int
    visible: bool
    opacity: int
    style_override: dict[str, Any] | None
    created_at: datetime
    is_shown_to_all: bool

    @property
    def version(self) -> str:
        """The prefix of its entity tags: it changes with nothing that its reader may not see."""
        return version_of_content(b"%d%b" % (self.order, _members(self)))


def load_map_layers(
    connection: Connection, principal: Principal, map_id: uuid.UUID
) -> list[ReadableMapLayer]:
    """Return the layers on a map that the principal may read, by their order."""
    statement = (
        select(MapLayer.__table__, shown_to_all_readers().label("is_shown_to_all"))
        .join_from(MapLayer, Layer, Layer.id == MapLayer.layer_id)
        .join(Map, Map.id == MapLayer.map_id)
        .where(MapLayer.map_id == map_id, readable_layers(principal))
        .order_by(MapLayer.order)
    )
    return [
        ReadableMapLayer(
            id=row.id,
            layer_id=row.layer_id,
            order=number,
            position=row.order,
            visible=row.visible,
            opacity=row.opacity,
            style_override=row.style_override,
            created_at=row.created_at,
            is_shown_to_all=row.is_shown_to_all,
        )
        for number, row in enumerate(run(connection, statement))
    ]


def load_map_layer(
    connection: Connection, principal: Principal, map_id: uuid.UUID, layer_id: uuid.UUID | None
) -> ReadableMapLayer:
    """Return the map layer of a layer; raises NotFoundError when the principal may read none."""
    return find_map_layer(load_map_layers(connection, principal, map_id), layer_id)


def find_map_layer(
    map_layers: Sequence[ReadableMapLayer], layer_id: uuid.UUID | None
) -> ReadableMapLayer:
    """Return the map layer of a layer; raises NotFoundError when there is none."""
    for entry in map_layers:
        if entry.layer_id == layer_id:
            return entry
    raise NotFoundError("There is no such layer on this map.")


def serialize_map_layers(
    connection: Connection,
    principal: Principal,
    map_layers: Sequence[ReadableMapLayer],
    *,
    inline: bool,
) -> list[Parts]:
    """Return layers on a map as JSON; those deleted or hidden since are left out."""
    ids = [entry.layer_id for entry in map_layers]
    layers = serialize_layers(connection, principal, ids, inline=inline) if ids else {}
    return [
        map_layer_parts(_members(entry), entry.order, layers[entry.layer_id])
        for entry in map_layers
        if entry.layer_id in layers
    ]


def serialize_map_layer(
    connection: Connection, principal: Principal, map_layer: ReadableMapLayer, *, inline: bool
) -> tuple[Parts, str]:
    """Return a layer on a map as JSON as the principal may read it, and its version.

    Raises NotFoundError when it is not on the map any more.
    """
    texts = serialize_map_layers(connection, principal, [map_layer], inline=inline)
    if not texts:
        raise NotFoundError("There is no such layer on this map.")
    return texts[0], map_layer.version


def refuse_addition(connection: Connection, map_id: uuid.UUID, layer: Row[Any]) -> None:
    """Raise an error when a layer may not be added to a map; its row has `is_creator`.

    PermissionDeniedError when it is another user's private layer, ConflictError when it is on the
    map already.
    """
    if not (layer.is_global or layer.visibility == "public" or layer.is_creator):
        raise PermissionDeniedError("Only its creator adds a private layer to a map.")
    same = select(MapLayer.id).where(MapLayer.map_id == map_id, MapLayer.layer_id == layer.id)
    if run(connection, same).one_or_none() is not None:
        raise ConflictError("The layer is on this map already.")


def make_room(
    connection: Connection,
    map_id: uuid.UUID,
    map_layers: Sequence[ReadableMapLayer],
    order: int | None,
) -> int:
    """Return the position of a new layer, after shifting the layers from there on by one.

    Without an order, or with one past the end, it is the end.
    """
    if order is None or order >= len(map_layers):
        end = select(func.coalesce(func.max(MapLayer.order) + 1, 0))
        return int(run(connection, end.where(MapLayer.map_id == map_id)).scalar_one())
    position = map_layers[order].position
    run(connection, _SHIFT_POSITIONS, {"map": map_id, "position": position})
    return position


def store_order(
    connection: Connection, map_layers: Sequence[ReadableMapLayer], layer_ids: Sequence[uuid.UUID]
) -> bool:
    """Store a new order of layers on a map, within the positions that they occupy.

    Returns whether those that all readers of the map may read are in another order.
    """
    ids = {entry.layer_id: entry.id for entry in map_layers}
    values = {
        "ids": [ids[layer_id] for layer_id in layer_ids],
        "positions": [entry.position for entry in map_layers],
    }
    run(connection, _STORE_ORDER, values)
    shown = [entry.layer_id for entry in map_layers if entry.is_shown_to_all]
    of_all = frozenset(shown)
    return shown != [layer_id for layer_id in layer_ids if layer_id in of_all]


def _members(entry: ReadableMapLayer) -> bytes:
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
