"""Maps as the management API answers them, with their collaborators and layers."""

import uuid
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import takewhile
from typing import Any

from sqlalchemy import Connection, Row, any_, bindparam, case, func, literal, null, select
from sqlalchemy.dialects.postgresql import ARRAY, UUID, aggregate_order_by

from samsyn_admin.layer_answers import layer_texts
from samsyn_admin.responses import iso, json_text, version_of
from samsyn_admin.user_answers import user_object, utc
from samsyn_model.errors import NotFoundError
from samsyn_model.permissions import (
    Principal,
    WrittenStatement,
    asking,
    kind_of,
    owned_maps,
    readable_layers,
    readable_maps,
    written,
)
from samsyn_model.tables import Layer, Map, MapCollaborator, MapLayer, User

MAX_LIST = 64 * 1024 * 1024
"""Up to how many bytes the maps of one list have together, but for the very first."""

_STORED = (
    *("name", "description", "center_lat", "center_lng", "zoom"),
    *("view_permission", "edit_permission", "map_metadata"),
)


def find_map_answer(
    connection: Connection, principal: Principal, map_id: uuid.UUID, *, inline: bool
) -> tuple[bytes, str]:
    """Return a map as JSON as the principal sees it, and its version.

    At most three statements. Raises NotFoundError when the principal may not read it.
    """
    rows = _rows(connection, principal, [map_id])
    if not rows:
        raise NotFoundError("There is no such map.")
    (text,) = _texts(connection, principal, rows, inline=inline)
    return text, version_of(rows[0].updated_at)


def map_texts(
    connection: Connection, principal: Principal, map_ids: Sequence[uuid.UUID], *, inline: bool
) -> list[bytes]:
    """Return the JSON of maps in their order, in at most three statements.

    They end before the first map, but for the very first, that would make them longer than
    MAX_LIST, or with a layer whose features would make the answer too large: a client would take
    it for an empty layer. Maps that the principal may not read (any more) are left out.
    """
    return _texts(connection, principal, _rows(connection, principal, map_ids), inline=inline)


def placed_layers(principal: Principal) -> Any:
    """Return the column of `maps` with the layers on it that the principal may read, as JSON.

    By their order; which place each has is its place in the array.
    """
    entry = func.jsonb_build_object(
        *("id", MapLayer.id),
        *("layer_id", MapLayer.layer_id),
        *("visible", MapLayer.visible),
        *("opacity", MapLayer.opacity),
        *("style_override", MapLayer.style_override),
        *("created_at", utc(MapLayer.created_at)),
    )
    return (
        select(func.jsonb_agg(aggregate_order_by(entry, MapLayer.order)))
        .join(Layer, Layer.id == MapLayer.layer_id)
        .where(MapLayer.map_id == Map.id, readable_layers(principal))
        .correlate(Map)
        .scalar_subquery()
    )


def placed_parts(entry: dict[str, Any], order: int, layer: bytes) -> tuple[bytes, ...]:
    """Return the JSON of a layer on a map, in parts: an entry of `placed_layers` and its layer's.

    `order` is its place among those that the reader sees.
    """
    members = json_text({**entry, "order": order})
    return members[:-1].encode(), b',"layer":', layer, b"}"


def _rows(
    connection: Connection, principal: Principal, map_ids: Sequence[uuid.UUID]
) -> list[Row[Any]]:
    statement = _select_maps(kind_of(principal))
    found = {row.id: row for row in statement.run(connection, principal, keys=list(map_ids))}
    return [found[map_id] for map_id in map_ids if map_id in found]


@cache
def _select_maps(kind: Principal) -> WrittenStatement:
    creator = select(user_object(kind)).where(User.id == Map.created_by)
    keys = bindparam("keys", type_=ARRAY(UUID(as_uuid=True)))
    statement = select(
        Map.__table__,
        creator.correlate(Map).scalar_subquery().label("creator"),
        _collaborators(kind).label("collaborators"),
        placed_layers(kind).label("map_layers"),
        _role(kind).label("user_role"),
    )
    return written(statement.where(Map.id == any_(keys), readable_maps(kind)))


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
        select(func.jsonb_agg(ordered))
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
        MapCollaborator.map_id == Map.id, MapCollaborator.user_id == asking(principal)
    )
    return case(
        (owned_maps(principal), literal("owner")), else_=role.correlate(Map).scalar_subquery()
    )


def _texts(
    connection: Connection, principal: Principal, rows: Sequence[Row[Any]], *, inline: bool
) -> list[bytes]:
    placed = [[uuid.UUID(entry["layer_id"]) for entry in row.map_layers or []] for row in rows]
    layer_ids = list(dict.fromkeys(layer_id for layers in placed for layer_id in layers))
    layers: dict[uuid.UUID, bytes | None] = {}
    if layer_ids:
        texts = layer_texts(connection, principal, layer_ids, inline=inline, whole=len(placed[0]))
        # once, though a layer is on many maps
        layers = {
            layer_id: None if text is None else text.encode() for layer_id, text in texts.items()
        }
    fitting = takewhile(
        lambda pair: all(layers.get(layer_id, b"") is not None for layer_id in pair[1]),
        zip(rows, placed, strict=True),
    )
    return _shortened(_text(row, layers) for row, _ in fitting)


def _shortened(texts: Iterable[bytes]) -> list[bytes]:
    # a layer is read once, but its text is in every map that holds it
    kept: list[bytes] = []
    size = 0
    for text in texts:
        size += len(text)
        if kept and size > MAX_LIST:
            break
        kept.append(text)
    return kept


def _text(row: Row[Any], layers: dict[uuid.UUID, bytes | None]) -> bytes:
    # a layer that somebody has deleted or hidden between two statements is gone
    entries = [
        (entry, layers[uuid.UUID(entry["layer_id"])] or b"null")
        for entry in row.map_layers or []
        if uuid.UUID(entry["layer_id"]) in layers
    ]
    document = {
        "id": str(row.id),
        **{name: getattr(row, name) for name in _STORED},
        "created_by": str(row.created_by),
        "creator": row.creator,
        "created_at": iso(row.created_at),
        "updated_at": iso(row.updated_at),
        "collaborators": row.collaborators or [],
        "user_role": row.user_role,
    }
    parts = [json_text(document)[:-1].encode(), b',"map_layers":[']
    for order, (entry, layer) in enumerate(entries):
        parts += [b"," * (order > 0), *placed_parts(entry, order, layer)]
    return b"".join((*parts, b"]}"))
