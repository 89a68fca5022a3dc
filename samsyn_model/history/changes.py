"""What change sets did, as far as a principal may read it: one statement for many of them."""

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from operator import attrgetter
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Select,
    SQLColumnExpression,
    Text,
    and_,
    any_,
    case,
    func,
    literal,
    null,
    or_,
    select,
    true,
    union_all,
)
from sqlalchemy import cast as sql_cast
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID
from sqlalchemy.orm import aliased
from sqlalchemy.sql.expression import bindparam

from samsyn_model.history.scopes import Scope, ScopeKind, public_layers
from samsyn_model.permissions.changes import (
    PERMISSIONS,
    audited_changes,
    audited_permission_changes,
    readable_changes,
    readable_permission_changes,
)
from samsyn_model.permissions.compiled import CompiledStatement, compile_statement
from samsyn_model.permissions.principal import Principal, principal_kind
from samsyn_model.tables.history import LayerChangeSet, SubjectChange
from samsyn_model.tables.layers import Layer
from samsyn_model.tables.maps import Map

KINDS = (
    *("layer", "map", "map_layer", "permission", "collaborator", "comment", "import", "features"),
)
AUDIT_KINDS = (*KINDS, "user", "wms_server")
ACTIONS = ("create", "update", "delete")
MAX_CHANGES = 20
"""How many changes of a change set are told one by one."""

_UUID = UUID(as_uuid=True)
_IDS = bindparam("change_sets", type_=ARRAY(BigInteger))
_LAYERS = bindparam("layers", type_=ARRAY(_UUID))
_NUMBERS = ("inserted", "updated", "deleted")


@dataclass(frozen=True, slots=True)
class Change:
    """What a change set did to one thing; for features, to those of one layer."""

    kind: str
    action: str
    id: uuid.UUID
    map_id: uuid.UUID | None
    layer_id: uuid.UUID | None
    name: str | None
    """The present name of the layer, or else of the map."""
    changed: tuple[str, ...]
    """The names of members; none of what was made or deleted."""
    old: Mapping[str, Any]
    new: Mapping[str, Any]
    inserted: int
    updated: int
    deleted: int


@dataclass(frozen=True, slots=True)
class Changes:
    """What a change set did."""

    listed: Sequence[Change]
    """The first MAX_CHANGES."""
    count: int
    inserted: int
    """How many features of all layers, also of those not listed."""
    updated: int
    deleted: int


def changes_in(
    connection: Connection,
    scope: Scope,
    change_sets: Collection[int],
    kinds: Sequence[str] | None = None,
    actions: Sequence[str] | None = None,
) -> dict[int, Changes]:
    """Return what change sets did in a scope, of these kinds and actions where they are given;
    those that did nothing of it are absent. One statement; two more for what is public."""
    layers = scope.layers
    if scope.kind == "audit":
        layers = public_layers(connection, change_sets)
    statement = _statement(scope.kind, principal_kind(scope.principal))
    rows = statement.run(
        connection,
        scope.principal,
        change_sets=list(change_sets),
        map=scope.map_id,
        layers=list(layers),
        kinds=None if kinds is None else list(kinds),
        actions=None if actions is None else list(actions),
    )
    return {
        number: _changes([*of_change_set], layers)
        for number, of_change_set in groupby(rows, attrgetter("change_set_id"))
    }


@cache
def _statement(kind: ScopeKind, principal: Principal) -> CompiledStatement:
    is_audit = kind == "audit"
    subjects = SubjectChange.kind
    parts = [
        _of_subjects(
            kind, subjects, audited_changes() if is_audit else readable_changes(principal)
        ),
        _of_subjects(
            kind,
            literal("permission"),
            audited_permission_changes() if is_audit else readable_permission_changes(principal),
        ),
        _of_imports(),
        _of_features(),
    ]
    every = union_all(*parts).subquery()
    wanted = [
        or_(chosen.is_(None), column == any_(chosen))
        for column, chosen in (
            (every.c.kind, bindparam("kinds", type_=ARRAY(Text))),
            (every.c.action, bindparam("actions", type_=ARRAY(Text))),
        )
    ]
    change_set = every.c.change_set_id
    sums = (
        func.coalesce(func.sum(every.c[name]).over(partition_by=change_set), 0).label(f"all_{name}")
        for name in _NUMBERS
    )
    placed = (
        select(
            *every.c,
            func.row_number().over(partition_by=change_set, order_by=every.c.number).label("place"),
            func.count().over(partition_by=change_set).label("change_count"),
            *sums,
        )
        .where(*wanted)
        .subquery()
    )
    return compile_statement(
        select(placed)
        .where(placed.c.place <= MAX_CHANGES)
        .order_by(placed.c.change_set_id.desc(), placed.c.place)
    )


def _of_subjects(
    scope: ScopeKind, kind: SQLColumnExpression[str], readable: ColumnElement[bool]
) -> Select[Any]:
    return select(
        SubjectChange.change_set_id,
        SubjectChange.id.label("number"),
        sql_cast(kind, Text).label("kind"),
        sql_cast(SubjectChange.action, Text).label("action"),
        SubjectChange.subject_id,
        SubjectChange.map_id,
        SubjectChange.layer_id,
        _name().label("name"),
        SubjectChange.details,
        *(sql_cast(null(), BigInteger).label(name) for name in _NUMBERS),
    ).where(SubjectChange.change_set_id == any_(_IDS), _is_in(scope), readable)


def _is_in(scope: ScopeKind) -> ColumnElement[bool]:
    """Return the condition that a change is of a scope: what is on a map is told by the map."""
    of_layers = and_(SubjectChange.map_id.is_(None), SubjectChange.layer_id == any_(_LAYERS))
    if scope == "layer":
        return of_layers
    if scope == "map":
        return or_(SubjectChange.map_id == bindparam("map", type_=_UUID), of_layers)
    return true()


def _name() -> ColumnElement[Any]:
    of_layer = select(Layer.name).where(Layer.id == SubjectChange.layer_id)
    of_map = select(Map.name).where(Map.id == SubjectChange.map_id)
    return func.coalesce(
        of_layer.correlate(SubjectChange).scalar_subquery(),
        of_map.correlate(SubjectChange).scalar_subquery(),
    )


def _of_imports() -> Select[Any]:
    """Return the statement for imports into layers of the scope: they name no layer themselves."""
    other = aliased(SubjectChange)
    of_features = select(LayerChangeSet.change_set_id).where(
        LayerChangeSet.change_set_id == any_(_IDS), LayerChangeSet.layer_id == any_(_LAYERS)
    )
    of_layers = select(other.change_set_id).where(
        other.change_set_id == any_(_IDS), other.kind == "layer", other.layer_id == any_(_LAYERS)
    )
    number = SubjectChange.change_set_id
    # no union: within another one Citus loses what such a subquery has found
    reached = or_(number.in_(of_features), number.in_(of_layers))
    return _of_subjects("audit", SubjectChange.kind, and_(SubjectChange.kind == "import", reached))


def _of_features() -> Select[Any]:
    inserted, updated, deleted = (getattr(LayerChangeSet, name) for name in _NUMBERS)
    action = case(
        (and_(updated == 0, deleted == 0), "create"),
        (and_(inserted == 0, updated == 0), "delete"),
        else_="update",
    )
    return select(
        LayerChangeSet.change_set_id,
        sql_cast(literal(0), BigInteger).label("number"),
        sql_cast(literal("features"), Text).label("kind"),
        sql_cast(action, Text).label("action"),
        LayerChangeSet.layer_id.label("subject_id"),
        sql_cast(null(), _UUID).label("map_id"),
        LayerChangeSet.layer_id,
        sql_cast(null(), Text).label("name"),
        sql_cast(null(), JSONB).label("details"),
        *(inserted, updated, deleted),
    ).where(LayerChangeSet.change_set_id == any_(_IDS), LayerChangeSet.layer_id == any_(_LAYERS))


def _changes(rows: Sequence[Any], layers: Mapping[uuid.UUID, str]) -> Changes:
    sums = (int(getattr(rows[0], f"all_{name}")) for name in _NUMBERS)
    return Changes([_change(row, layers) for row in rows], rows[0].change_count, *sums)


def _change(row: Any, layers: Mapping[uuid.UUID, str]) -> Change:
    details = row.details or {}
    of_permissions = row.kind == "permission"
    is_shown = row.kind not in {"map", "layer", "permission"}

    def shown(names: Any) -> list[str]:
        return [name for name in names if is_shown or (name in PERMISSIONS) == of_permissions]

    old, new = (
        {name: values[name] for name in shown(values)}
        for values in (details.get("old", {}), details.get("new", {}))
    )
    return Change(
        row.kind,
        row.action,
        row.subject_id,
        row.map_id,
        row.layer_id,
        row.name if row.kind != "features" else layers.get(row.layer_id),
        tuple(shown(details.get("changed", ()))),
        old,
        new,
        row.inserted or 0,
        row.updated or 0,
        row.deleted or 0,
    )
