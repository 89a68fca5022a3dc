"""Who may do what: each rule is one SQL expression, used to check and to list.

A caller sees what `readable_layers` or `readable_maps` admits, and nothing else exists for it.
"""

import enum
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    exists,
    false,
    or_,
    select,
    true,
    union_all,
)
from sqlalchemy.dialects.postgresql import UUID, psycopg
from sqlalchemy.sql.expression import bindparam

from samsyn_model.database import run
from samsyn_model.errors import CredentialsError, NotFoundError, PermissionDeniedError
from samsyn_model.sql_text import Rows
from samsyn_model.tables import Layer, Map, MapCollaborator, MapLayer, User

Lock = Literal["UPDATE", "NO KEY UPDATE", "KEY SHARE"]
_KEY = bindparam("key", type_=UUID(as_uuid=True))


class Action(enum.Enum):
    """What a request does; every route declares one."""

    READ_PUBLIC = "read what is public, whoever asks"
    SIGNED_IN = "act as a signed-in user"
    READ_LAYER = "read a layer"
    SEARCH_LAYER = "read a layer as a body asks"
    WRITE_FEATURES = "write a layer's features"
    CHANGE_LAYER = "change a layer's definition"
    OWN_LAYER = "change who sees and edits a layer, index it, or delete it"
    READ_MAP = "read a map"
    CHANGE_MAP = "change a map, its layers and their order"
    COPY_MAP = "copy a map"
    LEAVE_MAP = "leave a map"
    OWN_MAP = "delete a map, change its permissions, collaborators or owner"
    WEBHOOK = "deliver a signed event"


WRITING = frozenset(Action) - {
    Action.READ_PUBLIC,
    Action.SIGNED_IN,
    Action.READ_LAYER,
    Action.SEARCH_LAYER,
    Action.READ_MAP,
    Action.WEBHOOK,
}


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks: anonymous, or a user signed in by a Clerk session or by an API token."""

    user_id: uuid.UUID | None = None
    is_admin: bool = False
    scope: Literal["read", "write"] = "write"

    @property
    def is_anonymous(self) -> bool:
        """Whether nobody has signed in."""
        return self.user_id is None


ANONYMOUS = Principal()
SOMEBODY = Principal(uuid.UUID(int=0))
"""Stands, where a statement is written out, for every user but administrators."""

Columns = Callable[[Principal], tuple[ColumnElement[Any], ...]]
"""A function of a module that gives what a statement selects besides, for a principal."""


def asking(principal: Principal) -> ColumnElement[uuid.UUID]:
    """Return the value that is the principal's user in whichever statement it stands."""
    return bindparam("principal", principal.user_id, UUID(as_uuid=True), unique=False)


def _collaborates(principal: Principal, role: str | None = None) -> ColumnElement[bool]:
    rule = and_(MapCollaborator.map_id == Map.id, MapCollaborator.user_id == asking(principal))
    if role is not None:
        rule = and_(rule, MapCollaborator.role == role)
    return exists().where(rule).correlate(Map)


def readable_maps(principal: Principal) -> ColumnElement[bool]:
    """Return the condition on `maps` under which the principal may read a map."""
    public = Map.view_permission == "public"
    if principal.is_anonymous:
        return public
    return or_(public, Map.created_by == asking(principal), _collaborates(principal))


def changeable_maps(principal: Principal) -> ColumnElement[bool]:
    """Return the condition under which the principal may change a map that it may read."""
    if principal.is_anonymous:
        return false()
    return or_(
        Map.created_by == asking(principal),
        and_(Map.edit_permission == "public", readable_maps(principal)),
        and_(Map.edit_permission == "collaborators", _collaborates(principal, "editor")),
    )


def owned_maps(principal: Principal) -> ColumnElement[bool]:
    """Return the condition under which the principal owns a map."""
    return false() if principal.is_anonymous else Map.created_by == asking(principal)


def readable_layers(principal: Principal) -> ColumnElement[bool]:
    """Return the condition on `layers` under which the principal may read a layer.

    A private layer is read through a map by the map's owner and collaborators; a map's other
    readers see it only when the map's owner made the layer, so that nobody but its creator ever
    makes a private layer public.
    """
    shown_by_creator = and_(Map.view_permission == "public", Map.created_by == Layer.created_by)
    through_map = shown_by_creator
    if not principal.is_anonymous:
        through_map = or_(
            shown_by_creator, Map.created_by == asking(principal), _collaborates(principal)
        )
    placed = and_(MapLayer.layer_id == Layer.id, Map.id == MapLayer.map_id, through_map)
    # Correlated with nothing but `layers`: any map counts, also where a statement joins maps.
    on_map = exists().where(placed).correlate(Layer)
    rule = or_(Layer.is_global, Layer.visibility == "public", on_map)
    if principal.is_anonymous:
        return rule
    return or_(Layer.created_by == asking(principal), rule)


def owned_by(principal: Principal) -> ColumnElement[bool]:
    """Return the condition under which the principal has made a layer."""
    return false() if principal.is_anonymous else Layer.created_by == asking(principal)


def library_layers(principal: Principal) -> ColumnElement[bool]:
    """Return the condition under which a layer is in the principal's library.

    That is every layer which needs no map to be read: global, public, and one's own.
    """
    return or_(Layer.is_global, Layer.visibility == "public", owned_by(principal))


def editable_layers(principal: Principal) -> ColumnElement[bool]:
    """Return the condition under which the principal may write a readable layer's features."""
    if principal.is_anonymous:
        return false()
    rule = or_(Layer.created_by == asking(principal), Layer.editable == "everyone")
    return or_(rule, Layer.is_global) if principal.is_admin else rule


def acquainted(principal: Principal, user_id: Any = User.id) -> ColumnElement[bool]:
    """Return the condition on a user's id under which the principal may see the user's email.

    That is oneself, and whoever owns or collaborates on a map that one owns or collaborates on.
    """
    if principal.is_anonymous:
        return false()
    # Sets, looked up once a statement, whose size depends on nobody else's maps.
    ours = union_all(
        select(Map.id).where(Map.created_by == asking(principal)).correlate(None),
        select(MapCollaborator.map_id)
        .where(MapCollaborator.user_id == asking(principal))
        .correlate(None),
    )
    theirs = union_all(
        select(Map.created_by).where(Map.id.in_(ours)).correlate(None),
        select(MapCollaborator.user_id).where(MapCollaborator.map_id.in_(ours)).correlate(None),
    )
    return or_(user_id == asking(principal), user_id.in_(theirs))


def owned_layers(principal: Principal) -> ColumnElement[bool]:
    """Return the condition under which the principal may delete or share a layer."""
    if principal.is_anonymous:
        return false()
    rule = Layer.created_by == asking(principal)
    return or_(rule, Layer.is_global) if principal.is_admin else rule


def require_user(principal: Principal, action: Action = Action.SIGNED_IN) -> uuid.UUID:
    """Return the signed-in user's id.

    Raises CredentialsError when nobody has signed in, PermissionDeniedError when a token of scope
    `read` is used to write.
    """
    if principal.user_id is None:
        raise CredentialsError("Sign in to do this.")
    if action in WRITING:
        require_write_scope(principal)
    return principal.user_id


def require_write_scope(principal: Principal) -> None:
    """Raise PermissionDeniedError when the principal's token may only read."""
    if principal.scope != "write":
        raise PermissionDeniedError("This token may only read.")


_LAYER_RULES = {
    Action.READ_LAYER: lambda _: true(),
    Action.SEARCH_LAYER: lambda _: true(),
    Action.WRITE_FEATURES: editable_layers,
    Action.CHANGE_LAYER: editable_layers,
    Action.OWN_LAYER: owned_layers,
}
_MAP_RULES = {
    Action.READ_MAP: lambda _: true(),
    Action.CHANGE_MAP: changeable_maps,
    Action.COPY_MAP: lambda _: true(),
    Action.LEAVE_MAP: lambda _: true(),
    Action.OWN_MAP: owned_maps,
}


def _nothing(_: Principal) -> tuple[ColumnElement[Any], ...]:
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
    columns: Columns = _nothing,
    *,
    values: Mapping[str, Any] | None = None,
    whole: bool = True,
    lock: Lock | None = None,
    source_type: str | None = None,
) -> Row[tuple[object, ...]]:
    """Return the layer's row if the principal may read it and do `action`, in one statement.

    It has `source_type`, `may_act`, what `columns` gives (`values` are those that it binds), and
    if `whole` every column of `layers`. With `lock` the row is PostgreSQL's `FOR …`, as it is then,
    until the transaction ends. Raises NotFoundError when it may not read the layer, or when that
    is not of this `source_type`; CredentialsError or PermissionDeniedError when it may read it but
    not do this.
    """
    look = look_for_layer(kind_of(principal), action, columns, whole, lock)
    row = look.run(connection, principal, key=layer_id, **(values or {})).one_or_none()
    return checked_layer(row, principal, action, source_type)


def checked_layer(
    row: Row[tuple[object, ...]] | None,
    principal: Principal,
    action: Action,
    source_type: str | None = None,
) -> Row[tuple[object, ...]]:
    """Return what `look_for_layer` has found for a principal; raises the errors of `find_layer`."""
    if row is not None and source_type not in {None, row.source_type}:
        raise NotFoundError(f"This layer is not a {source_type} layer: it is {row.source_type}.")
    return _allowed(row, principal, action, "layer")


def find_map(
    connection: Connection, principal: Principal, map_id: uuid.UUID, action: Action
) -> Row[tuple[object, ...]]:
    """Return the map's row if the principal may read it and do `action`; errors as `find_layer`."""
    look = _look_for_map(kind_of(principal), action)
    row = look.run(connection, principal, key=map_id).one_or_none()
    return _allowed(row, principal, action, "map")


def kind_of(principal: Principal) -> Principal:
    """Return the principal as far as a statement's text depends on it: a key to keep it by."""
    return Principal(None if principal.is_anonymous else SOMEBODY.user_id, principal.is_admin)


@dataclass(frozen=True, slots=True)
class WrittenStatement:
    """A statement written out once for all principals of a kind."""

    text: str
    values: Mapping[str, Any]

    def run(self, connection: Connection, principal: Principal, **values: Any) -> Rows:
        """Run it for a principal; `values` are those that it binds by name."""
        values = {**self.values, "principal": principal.user_id, **values}
        return run(connection, self.text, values, prepared=True)


# As many as there are actions, kinds of principals and functions that give columns.
@cache
def look_for_layer(
    kind: Principal,
    action: Action,
    columns: Columns,
    whole: bool,
    lock: Lock | None,
) -> WrittenStatement:
    """Return the statement of `find_layer`, which binds the layer's id as `key`."""
    own = Layer.__table__ if whole else Layer.source_type
    statement = select(own, _LAYER_RULES[action](kind).label("may_act"), *columns(kind)).where(
        Layer.id == _KEY, readable_layers(kind)
    )
    if lock is not None:
        statement = statement.with_for_update(of=Layer, **_LOCKS[lock])
    return written(statement)


@cache
def _look_for_map(kind: Principal, action: Action) -> WrittenStatement:
    return written(
        select(Map.__table__, _MAP_RULES[action](kind).label("may_act")).where(
            Map.id == _KEY, readable_maps(kind)
        )
    )


def written(statement: Select[Any]) -> WrittenStatement:
    """Write out a statement made for `kind_of` a principal, which SQLAlchemy takes long over."""
    compiled = statement.compile(dialect=psycopg.dialect())  # type: ignore[no-untyped-call]
    return WrittenStatement(str(compiled), dict(compiled.params))


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
