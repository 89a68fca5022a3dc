"""Maps as the management API answers them, with their collaborators and layers."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from itertools import chain, takewhile
from typing import Any

from sqlalchemy import (
    Connection,
    Row,
    any_,
    bindparam,
    case,
    cast,
    func,
    literal,
    literal_column,
    null,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import ARRAY, UUID, aggregate_order_by

from samsyn_admin.http.json_columns import PassedText, json_object, utc
from samsyn_admin.http.responses import Parts, version_of
from samsyn_admin.layers.serializer import serialize_layers
from samsyn_admin.users.serializer import user_object
from samsyn_model.errors import NotFoundError
from samsyn_model.permissions.compiled import CompiledStatement, compile_statement
from samsyn_model.permissions.layers import readable_layers
from samsyn_model.permissions.maps import owned_maps, readable_maps
from samsyn_model.permissions.principal import Principal, principal_kind, principal_parameter
from samsyn_model.tables.layers import Layer
from samsyn_model.tables.maps import Map, MapCollaborator, MapLayer
from samsyn_model.tables.users import User

MAX_LIST = 64 * 1024 * 1024
"""Up to how many bytes the maps of one list have together, but for the very first."""


_OWN = (
    *("id", "name", "description", "center_lat", "center_lng", "zoom"),
    *("view_permission", "edit_permission", "map_metadata", "created_by"),
)


def serialize_map(
    connection: Connection, principal: Principal, map_id: uuid.UUID, *, inline: bool
) -> tuple[Parts, str]:
    """Return a map as JSON as the principal sees it, and its version.

    At most three statements. Raises NotFoundError when the principal may not read it.
    """
    rows = _rows(connection, principal, [map_id])
    if not rows:
        raise NotFoundError("There is no such map.")
    (text,) = _texts(connection, principal, rows, inline=inline)
    return text, version_of(rows[0].updated_at)


def serialize_maps(
    connection: Connection, principal: Principal, map_ids: Sequence[uuid.UUID], *, inline: bool
) -> list[Parts]:
    """Return the JSON of maps in their order, in at most three statements.

    They end before the first map, but for the very first, that would make them longer than
    MAX_LIST, or with a layer whose features would make the answer too large: a client would take
    it for an empty layer. Maps that the principal may not read (any more) are left out.
    """
    return _texts(connection, principal, _rows(connection, principal, map_ids), inline=inline)


def serialize_map_layer(entry: bytes, order: int, layer: Parts) -> Parts:
    """Return the JSON of a layer on a map: what its place has for members, and the layer's.

    `order` is its place among those that the reader sees.
    """
    return (b'%b,"order":%d,"layer":' % (entry[:-1], order), *layer, b"}")


def _rows(
    connection: Connection, principal: Principal, map_ids: Sequence[uuid.UUID]
) -> list[Row[Any]]:
    statement = _select_maps(principal_kind(principal))
    found = {row.id: row for row in statement.run(connection, principal, keys=list(map_ids))}
    return [found[map_id] for map_id in map_ids if map_id in found]


@cache
def _select_maps(kind: Principal) -> CompiledStatement:
    creator = select(user_object(kind)).where(User.id == Map.created_by).correlate(Map)
    members = json_object(
        Map,
        *(Map.__table__.c[name] for name in _OWN),
        creator.scalar_subquery().label("creator"),
        utc(Map.created_at).label("created_at"),
        utc(Map.updated_at).label("updated_at"),
        _collaborators(kind).label("collaborators"),
        _role(kind).label("user_role"),
    )
    placed = _placed_layers(kind)
    keys = bindparam("keys", type_=ARRAY(UUID(as_uuid=True)))
    statement = select(Map.id, Map.updated_at, members.label("members"), placed)
    joined = statement.select_from(Map).join(placed, true())
    return compile_statement(joined.where(Map.id == any_(keys), readable_maps(kind)))


def _placed_layers(principal: Principal) -> Any:
    """Return the `layer_ids` on a map that the principal may read, by their order, and `entries`.

    These are what each place has for members; which it is is its place in the array.
    """
    entry = func.jsonb_build_object(
        *("id", MapLayer.id),
        *("layer_id", MapLayer.layer_id),
        *("visible", MapLayer.visible),
        *("opacity", MapLayer.opacity),
        *("style_override", MapLayer.style_override),
        *("created_at", utc(MapLayer.created_at)),
    )
    ordered = (
        func.array_agg(aggregate_order_by(column, MapLayer.order)).label(name)
        for name, column in (
            ("layer_ids", MapLayer.layer_id),
            ("entries", cast(entry, PassedText())),
        )
    )
    return (
        select(*ordered)
        .join_from(MapLayer, Layer, Layer.id == MapLayer.layer_id)
        .where(MapLayer.map_id == Map.id, readable_layers(principal))
        .lateral()
    )


def _collaborators(principal: Principal) -> Any:
    entry = func.jsonb_build_object(
        *("id", MapCollaborator.id),
        *("user_id", MapCollaborator.user_id),
        *("role", MapCollaborator.role),
        *("created_at", utc(MapCollaborator.created_at)),
        *("user", user_object(principal)),
    )
    ordered = aggregate_order_by(entry, MapCollaborator.created_at, MapCollaborator.id)
    return (
        select(func.coalesce(func.jsonb_agg(ordered), literal_column("'[]'")))
        .select_from(MapCollaborator)
        .join(User, User.id == MapCollaborator.user_id)
        .where(MapCollaborator.map_id == Map.id)
        .correlate(Map)
        .scalar_subquery()
    )


def _role(principal: Principal) -> Any:
    if principal.is_anonymous:
        return null()
    role = select(MapCollaborator.role).where(
        MapCollaborator.map_id == Map.id, MapCollaborator.user_id == principal_parameter(principal)
    )
    return case(
        (owned_maps(principal), literal("owner")), else_=role.correlate(Map).scalar_subquery()
    )


def _texts(
    connection: Connection, principal: Principal, rows: Sequence[Row[Any]], *, inline: bool
) -> list[Parts]:
    placed = [row.layer_ids or [] for row in rows]
    layer_ids = list(dict.fromkeys(chain.from_iterable(placed)))
    layers: dict[uuid.UUID, Parts | None] = {}
    if layer_ids:
        layers = serialize_layers(
            connection, principal, layer_ids, inline=inline, whole=len(placed[0])
        )
    fitting = takewhile(
        lambda pair: all(layers.get(layer_id, ()) is not None for layer_id in pair[1]),
        zip(rows, placed, strict=True),
    )
    return _shortened(_text(row, layers) for row, _ in fitting)


def _shortened(texts: Iterable[Parts]) -> list[Parts]:
    # a layer is kept once, but sent with every map that holds it
    kept: list[Parts] = []
    size = 0
    for text in texts:
        size += sum(map(len, text))
        if kept and size > MAX_LIST:
            break
        kept.append(text)
    return kept


def _text(row: Row[Any], layers: Mapping[uuid.UUID, Parts | None]) -> Parts:
    # a layer that somebody has deleted or hidden between two statements is gone
    there = (
        (entry, layers[layer_id] or ())
        for layer_id, entry in zip(row.layer_ids or (), row.entries or (), strict=True)
        if layer_id in layers
    )
    parts = [row.members[:-1], b',"map_layers":[']
    for order, (entry, layer) in enumerate(there):
        parts += (b"," * (order > 0), *serialize_map_layer(entry, order, layer))
    return (*parts, b"]}")
