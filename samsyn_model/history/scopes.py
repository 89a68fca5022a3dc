"""Whose history is told: of a layer, of a map with its layers, of all that is public."""

import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

from sqlalchemy import Connection, SQLColumnExpression, any_, select
from sqlalchemy.dialects.postgresql import ARRAY, UUID
from sqlalchemy.sql.expression import bindparam

from samsyn_model.database.execution import run
from samsyn_model.permissions.actions import Action
from samsyn_model.permissions.compiled import CompiledStatement, compile_statement
from samsyn_model.permissions.layers import readable_layers
from samsyn_model.permissions.lookup import find_layer, find_map
from samsyn_model.permissions.principal import ANONYMOUS, Principal, principal_kind
from samsyn_model.tables.layers import Layer
from samsyn_model.tables.maps import MapLayer

ScopeKind = Literal["layer", "map", "audit"]

_IDS = ARRAY(UUID(as_uuid=True))
_LISTED: tuple[SQLColumnExpression[Any], ...] = (Layer.id, Layer.name)
_MAP = bindparam("map", type_=UUID(as_uuid=True))
_CHANGED_LAYERS = """
SELECT DISTINCT layer_id FROM layer_change_sets WHERE change_set_id = ANY(%(change_sets)s)"""


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose history is told, to whom."""

    kind: ScopeKind
    principal: Principal
    map_id: uuid.UUID | None = None
    layers: Mapping[uuid.UUID, str] = field(default_factory=dict)
    """The layers whose changes are told, which the principal may read, with their names."""


def scope_of_layer(connection: Connection, principal: Principal, layer_id: uuid.UUID) -> Scope:
    """Return the scope of a layer; raises NotFoundError unless the principal may read it."""
    row: Any = find_layer(connection, principal, layer_id, Action.READ_LAYER)
    return Scope("layer", principal, layers={layer_id: row.name})


def scope_of_map(connection: Connection, principal: Principal, map_id: uuid.UUID) -> Scope:
    """Return the scope of a map and of those layers on it that the principal may read; raises
    NotFoundError unless the principal may read the map."""
    find_map(connection, principal, map_id, Action.READ_MAP)
    found = _layers_of_map(principal_kind(principal)).run(connection, principal, map=map_id)
    return Scope("map", principal, map_id, {layer.id: layer.name for layer in found})


def public_layers(connection: Connection, change_sets: Collection[int]) -> dict[uuid.UUID, str]:
    """Return the layers with their names that everybody may read, of those whose features these
    change sets have changed; two statements."""
    changed = run(connection, _CHANGED_LAYERS, {"change_sets": list(change_sets)}).scalars()
    found = _public_layers().run(connection, ANONYMOUS, keys=changed)
    return {layer.id: layer.name for layer in found}


@cache
def _layers_of_map(kind: Principal) -> CompiledStatement:
    statement = select(*_LISTED).join(MapLayer, MapLayer.layer_id == Layer.id)
    return compile_statement(statement.where(MapLayer.map_id == _MAP, readable_layers(kind)))


@cache
def _public_layers() -> CompiledStatement:
    keys = bindparam("keys", type_=_IDS)
    return compile_statement(
        select(*_LISTED).where(Layer.id == any_(keys), readable_layers(ANONYMOUS))
    )
