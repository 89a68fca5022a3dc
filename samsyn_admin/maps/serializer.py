"""Maps as JSON of the management API, with their collaborators and layers."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from itertools import chain
from typing import Any

from sqlalchemy import (
    ColumnElement,
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

from samsyn_admin.http.json_columns import RawText, json_object, utc
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
"""The maximum size of the maps of one list in bytes; the first map has no limit."""


_COLUMNS = (
    *("id", "name", "description", "center_lat", "center_lng", "zoom"),
    *("view_permission", "edit_permission", "map_metadata", "created_by"),
)


def serialize_map(
    connection: Connection, principal: Principal, map_id: uuid.UUID, *, inline: bool
) -> tuple[Parts, str]:
    """Return a map as JSON as the principal may read it, and its version.

    At most three statements. Raises NotFoundError when the principal may not read it.
    """
    rows = _rows(connection, principal, [map_id])
    if not rows:
        raise NotFoundError("There is no such map.")
    (text,) = _serialize_rows(connection, principal, rows, inline=inline)
    return text, version_of(rows[0].updated_at)


def serialize_maps(
    connection: Connection, principal: Principal, map_ids: Sequence[uuid.UUID], *, inline: bool
) -> list[Parts]:
    """Return the JSON of maps in their order, in at most three statements.

    They end before the first map that would exceed MAX_LIST; the first map has no limit. Maps that
    the principal may not read (any more) are left out.
    """
    return _serialize_rows(
        connection, principal, _rows(connection, principal, map_ids), inline=inline
    )


def map_layer_parts(entry: bytes, order: int, layer: Parts) -> Parts:
    """Return the JSON of a layer on a map: the members in `entry`, its order and the layer.

    `order` is its position among the layers that the reader may read.
    """
    return (b'%b,"order":%d,"layer":' % (entry[:-1], order), *layer, b"}")


def _rows(
    connection: Connection, principal: Principal, map_ids: Sequence[uuid.UUID]
) -> list[Row[Any]]:
    statement = _select_maps(principal_kind(principal))
    rows_by_id = {row.id: row for row in statement.run(connection, principal, keys=list(map_ids))}
    return [rows_by_id[map_id] for map_id in map_ids if map_id in rows_by_id]


@cache
def _select_maps(kind: Principal) -> CompiledStatement:
    creator = select(user_object(kind)).where(User.id == Map.created_by).correlate(Map)
    members = json_object(
        Map,
        *(Map.__table__.c[name] for name in _COLUMNS),
        creator.scalar_subquery().label("creator"),
        utc(Map.created_at).label("created_at"),
        utc(Map.updated_at).label("updated_at"),
        _collaborators(kind).label("collaborators"),
        _role(kind).label("user_role"),
    )
    map_layers = _map_layers(kind)
    keys = bindparam("keys", type_=ARRAY(UUID(as_uuid=True)))
    statement = select(Map.id, Map.updated_at, members.label("members"), map_layers)
    joined = statement.select_from(Map).join(map_layers, true())
    return compile_statement(joined.where(Map.id == any_(keys), readable_maps(kind)))


def _map_layers(principal: Principal) -> Any:
    """Return the `layer_ids` on a map that the principal may read, by their order, and `entries`.

    An entry has the members of a map layer but `order`, which is its position in the array.
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
            ("entries", cast(entry, RawText())),
        )
    )
    return (
        select(*ordered)
        .join_from(MapLayer, Layer, Layer.id == MapLayer.layer_id)
        .where(MapLayer.map_id == Map.id, readable_layers(principal))
        .lateral()
    )


def collaborator_object(principal: Principal) -> ColumnElement[Any]:
    """Return a collaborator as JSON, of a statement with `map_collaborators` and their `users`."""
    return func.jsonb_build_object(
        *("id", MapCollaborator.id),
        *("user_id", MapCollaborator.user_id),
        *("role", MapCollaborator.role),
        *("created_at", utc(MapCollaborator.created_at)),
        *("user", user_object(principal)),
    )


def _collaborators(principal: Principal) -> Any:
    entry = collaborator_object(principal)
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


def _serialize_rows(
    connection: Connection, principal: Principal, rows: Sequence[Row[Any]], *, inline: bool
) -> list[Parts]:
    # A layer is sent with each of its maps.
    layer_ids = list(chain.from_iterable(row.layer_ids or () for row in rows))
    layers = serialize_layers(connection, principal, layer_ids, inline=inline) if layer_ids else {}
    return _within_limit(_serialize_row(row, layers) for row in rows)


def _within_limit(texts: Iterable[Parts]) -> list[Parts]:
    # a layer is in memory once, but sent with each of its maps
    included: list[Parts] = []
    size = 0
    for text in texts:
        size += sum(map(len, text))
        if included and size > MAX_LIST:
            break
        included.append(text)
    return included


def _serialize_row(row: Row[Any], layers: Mapping[uuid.UUID, Parts]) -> Parts:
    # a layer may have been deleted or hidden between the two statements
    readable = (
        (entry, layers[layer_id])
        for layer_id, entry in zip(row.layer_ids or (), row.entries or (), strict=True)
        if layer_id in layers
    )
    parts = [row.members[:-1], b',"map_layers":[']
    for order, (entry, layer) in enumerate(readable):
        parts += (b"," * (order > 0), *map_layer_parts(entry, order, layer))
    return (*parts, b"]}")
