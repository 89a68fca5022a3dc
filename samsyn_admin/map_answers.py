"""Maps as the management API answers them, with their collaborators and layers."""

import uuid
from collections.abc import Iterable, Sequence
from itertools import takewhile
from typing import Any

from sqlalchemy import Connection, Row, case, func, literal, null, select
from sqlalchemy.dialects.postgresql import aggregate_order_by

from samsyn_admin.layer_answers import layer_texts
from samsyn_admin.responses import iso, json_text, version_of
from samsyn_admin.user_answers import user_object, utc
from samsyn_model.database import run
from samsyn_model.errors import NotFoundError
from samsyn_model.permissions import Principal, owned_maps, readable_layers, readable_maps
from samsyn_model.tables import Layer, Map, MapCollaborator, MapLayer, User

MAX_LIST = 64 * 1024 * 1024
"""Up to how many characters the maps of one list have together, but for the very first."""

_STORED = (
    *("name", "description", "center_lat", "center_lng", "zoom"),
    *("view_permission", "edit_permission", "map_metadata"),
)


def find_map_answer(
    connection: Connection, principal: Principal, map_id: uuid.UUID, *, inline: bool
) -> tuple[str, str]:
    """Return a map as JSON text as the principal sees it, and its version.

    At most three statements. Raises NotFoundError when the principal may not read it.
    """
    rows = _rows(connection, principal, [map_id])
    if not rows:
        raise NotFoundError("There is no such map.")
    (text,) = _texts(connection, principal, rows, inline=inline)
    return text, version_of(rows[0].updated_at)


def map_texts(
    connection: Connection, principal: Principal, map_ids: Sequence[uuid.UUID], *, inline: bool
) -> list[str]:
    """Return the JSON texts of maps in their order, in at most three statements.

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


def placed_text(entry: dict[str, Any], order: int, layer: str) -> str:
    """Return the JSON text of a layer on a map: an entry of `placed_layers` and its layer's text.

    `order` is its place among those that the reader sees.
    """
    members = json_text({**entry, "order": order})
    return f'{members[:-1]},"layer":{layer}}}'


def _rows(
    connection: Connection, principal: Principal, map_ids: Sequence[uuid.UUID]
) -> list[Row[Any]]:
    creator = select(user_object(principal)).where(User.id == Map.created_by)
    statement = select(
        Map.__table__,
        creator.correlate(Map).scalar_subquery().label("creator"),
        _collaborators(principal).label("collaborators"),
        placed_layers(principal).label("map_layers"),
        _role(principal).label("user_role"),
    ).where(Map.id.in_(map_ids), readable_maps(principal))
    found = {row.id: row for row in run(connection, statement)}
    return [found[map_id] for map_id in map_ids if map_id in found]


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
        MapCollaborator.map_id == Map.id, MapCollaborator.user_id == principal.user_id
    )
    return case(
        (owned_maps(principal), literal("owner")), else_=role.correlate(Map).scalar_subquery()
    )


def _texts(
    connection: Connection, principal: Principal, rows: Sequence[Row[Any]], *, inline: bool
) -> list[str]:
    placed = [[uuid.UUID(entry["layer_id"]) for entry in row.map_layers or []] for row in rows]
    layer_ids = list(dict.fromkeys(layer_id for layers in placed for layer_id in layers))
    layers: dict[uuid.UUID, str | None] = {}
    if layer_ids:
        layers = layer_texts(connection, principal, layer_ids, inline=inline, whole=len(placed[0]))
    fitting = takewhile(
        lambda pair: all(layers.get(layer_id, "") is not None for layer_id in pair[1]),
        zip(rows, placed, strict=True),
    )
    return _shortened(_text(row, layers) for row, _ in fitting)


def _shortened(texts: Iterable[str]) -> list[str]:
    # a layer is read once, but its text is in every map that holds it
    kept: list[str] = []
    size = 0
    for text in texts:
        size += len(text)
        if kept and size > MAX_LIST:
            break
        kept.append(text)
    return kept


def _text(row: Row[Any], layers: dict[uuid.UUID, str | None]) -> str:
    # a layer that somebody has deleted or hidden between two statements is gone
    entries = [
        (entry, layers[uuid.UUID(entry["layer_id"])])
        for entry in row.map_layers or []
        if uuid.UUID(entry["layer_id"]) in layers
    ]
    placed = ",".join(
        placed_text(entry, order, str(layer)) for order, (entry, layer) in enumerate(entries)
    )
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
    return f'{json_text(document)[:-1]},"map_layers":[{placed}]}}'
