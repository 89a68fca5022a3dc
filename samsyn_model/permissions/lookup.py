"""Layers and maps looked up as a principal sees them, the action checked in the same statement."""

import uuid
from collections.abc import Mapping
from functools import cache
from typing import Any, Literal

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import UUID
from sqlalchemy.sql.expression import bindparam

from samsyn_model.errors import NotFoundError, PermissionDeniedError
from samsyn_model.permissions.actions import WRITING, Action
from samsyn_model.permissions.checks import require_user
from samsyn_model.permissions.compiled import CompiledStatement, compile_statement
from samsyn_model.permissions.layers import (
    HOLDS_FEATURES,
    editable_layers,
    owned_layers,
    readable_layers,
)
from samsyn_model.permissions.maps import changeable_maps, owned_maps, readable_maps
from samsyn_model.permissions.principal import Columns, Principal, principal_kind
from samsyn_model.tables.layers import Layer
from samsyn_model.tables.maps import Map

Lock = Literal["UPDATE", "NO KEY UPDATE", "KEY SHARE"]

_KEY = bindparam("key", type_=UUID(as_uuid=True))

_LAYER_RULES = {
    Action.READ_LAYER: lambda _: true(),
    Action.SEARCH_LAYER: lambda _: true(),
    Action.FOLLOW_LAYER: lambda _: true(),
    Action.EXPORT_LAYER: lambda _: true(),
    Action.WRITE_FEATURES: editable_layers,
    Action.CHANGE_LAYER: editable_layers,
    Action.OWN_LAYER: owned_layers,
}

_MAP_RULES = {
    Action.READ_MAP: lambda _: true(),
    Action.FOLLOW_MAP: lambda _: true(),
    Action.CHANGE_MAP: changeable_maps,
    Action.COPY_MAP: lambda _: true(),
    Action.EXPORT_MAP: lambda _: true(),
    Action.LEAVE_MAP: lambda _: true(),
    Action.OWN_MAP: owned_maps,
}


def _no_columns(_: Principal) -> tuple[ColumnElement[Any], ...]:
    return ()


_LOCKS: dict[Lock, dict[str, bool]] = {
    "UPDATE": {},
    "NO KEY UPDATE": {"key_share": True},
    "KEY SHARE": {"key_share": True, "read": True},
}


def find_layer(  # noqa: PLR0913 - what a layer is looked up by
    connection: Connection,
    principal: Principal,
    layer_id: uuid.UUID,
    action: Action,
    columns: Columns = _no_columns,
    *,
    values: Mapping[str, Any] | None = None,
    all_columns: bool = True,
    lock: Lock | None = None,
    source_type: str | None = None,
) -> Row[tuple[object, ...]]:
    """Return the layer's row if the principal may read it and do `action`, in one statement.

    It has `source_type`, `holds_features`, `may_act`, what `columns` returns (`values` are the
    values it binds) and, with `all_columns`, every column of `layers`. With `lock` the row is
    locked until the transaction ends. Raises NotFoundError when the principal may not read the
    layer or the layer is not of this `source_type`; CredentialsError or PermissionDeniedError when
    the principal may read it but not do this.
    """
    lookup = layer_statement(principal_kind(principal), action, columns, all_columns, lock)
    row = lookup.run(connection, principal, key=layer_id, **(values or {})).one_or_none()
    return checked_layer(row, principal, action, source_type)


def checked_layer(
    row: Row[tuple[object, ...]] | None,
    principal: Principal,
    action: Action,
    source_type: str | None = None,
) -> Row[tuple[object, ...]]:
    """Return the row of a `layer_statement`; raises the errors of `find_layer`."""
    if row is not None and source_type not in {None, row.source_type}:
        raise NotFoundError(f"This layer is not a {source_type} layer: it is {row.source_type}.")
    if row is not None and source_type == "vector" and not row.holds_features:
        raise NotFoundError("A layer of Global Fishing Watch has no features.")
    return _allowed(row, principal, action, "layer")


def find_map(
    connection: Connection, principal: Principal, map_id: uuid.UUID, action: Action
) -> Row[tuple[object, ...]]:
    """Return the map's row if the principal may read it and do `action`; errors as `find_layer`."""
    lookup = _map_statement(principal_kind(principal), action)
    row = lookup.run(connection, principal, key=map_id).one_or_none()
    return _allowed(row, principal, action, "map")


# As many as there are actions, kinds of principals and functions that give columns.
@cache
def layer_statement(
    kind: Principal,
    action: Action,
    columns: Columns,
    all_columns: bool,
    lock: Lock | None,
) -> CompiledStatement:
    """Return the statement of `find_layer`, which binds the layer's id as `key`."""
    columns_of_layer = Layer.__table__ if all_columns else Layer.source_type
    statement = select(
        columns_of_layer,
        HOLDS_FEATURES.label("holds_features"),
        _LAYER_RULES[action](kind).label("may_act"),
        *columns(kind),
    ).where(Layer.id == _KEY, readable_layers(kind))
    if lock is not None:
        statement = statement.with_for_update(of=Layer, **_LOCKS[lock])
    return compile_statement(statement)


@cache
def _map_statement(kind: Principal, action: Action) -> CompiledStatement:
    return compile_statement(
        select(Map.__table__, _MAP_RULES[action](kind).label("may_act")).where(
            Map.id == _KEY, readable_maps(kind)
        )
    )


def _allowed(
    row: Row[tuple[object, ...]] | None, principal: Principal, action: Action, kind: str
) -> Row[tuple[object, ...]]:
    if row is None:
        raise NotFoundError(f"There is no such {kind}.")
    if action in WRITING:
        require_user(principal, action)
    if not row.may_act:
        raise PermissionDeniedError(f"You may not {action.value}.")
    return row
