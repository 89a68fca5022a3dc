"""Who may still follow what they follow: many at once, by the rules of `permissions`."""

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from sqlalchemy import CompoundSelect, Connection, Select, or_, select
from sqlalchemy.dialects.postgresql import UUID
from sqlalchemy.sql.expression import bindparam

from samsyn_model.database.execution import run
from samsyn_model.live.notices import SubjectChange
from samsyn_model.permissions.compiled import CompiledStatement, compile_statement
from samsyn_model.permissions.layers import readable_layers
from samsyn_model.permissions.maps import collaborates, owned_maps, readable_maps
from samsyn_model.permissions.principal import ANONYMOUS, ANY_USER, Principal
from samsyn_model.tables.layers import Layer
from samsyn_model.tables.maps import Map, MapLayer

SubjectKind = Literal["layer", "map"]

_KEY = bindparam("key", type_=UUID(as_uuid=True))
_DECIDING = {
    "layer": {"visibility", "is_global", "created_by"},
    "map": {"view_permission", "created_by"},
}
"""Members on which it depends who may read a layer or a map."""

_HOLDS = """
    EXISTS (SELECT FROM users AS u WHERE u.id = a.user_id AND u.deleted_at IS NULL)
    AND (a.token_id IS NULL OR EXISTS (
        SELECT FROM api_tokens AS t WHERE t.id = a.token_id AND t.user_id = a.user_id
            AND t.revoked_at IS NULL AND coalesce(t.expires_at > now(), true)))
    AND (a.session_hash IS NULL OR EXISTS (
        SELECT FROM browser_sessions AS s WHERE s.session_hash = a.session_hash
            AND s.user_id = a.user_id AND s.expires_at > now()))"""


@dataclass(frozen=True, slots=True)
class Follower:
    """Who follows a layer or a map, and what they were admitted by."""

    kind: SubjectKind
    subject_id: uuid.UUID
    user_id: uuid.UUID | None = None
    token_id: uuid.UUID | None = None
    """The API token that the stream ends with."""
    session_hash: bytes | None = None
    """The browser's session that the stream ends with."""


def may_end_rights(change: SubjectChange) -> bool:
    """Return whether somebody may read less, or more, after a change."""
    if change.kind == "collaborator":
        return True
    if change.kind == "map_layer":
        return change.action != "update"
    if change.kind == "token":
        return change.action != "create"
    return change.action == "delete" or not change.changed.isdisjoint(
        _DECIDING.get(change.kind, ())
    )


def readable_subjects(
    connection: Connection, followers: Collection[Follower]
) -> dict[Follower, frozenset[uuid.UUID]]:
    """Return, of those followers who may read what they follow now, the layers that they may read
    of it: a layer alone, or the layers of a map; with the map itself for its owner and its
    collaborators, who are told of what is not for other readers. One statement for each kind of
    subject, and of principal (a user or none)."""
    readable = dict[Follower, frozenset[uuid.UUID]]()
    groups = dict[tuple[SubjectKind, bool], list[Follower]]()
    for follower in followers:
        groups.setdefault((follower.kind, follower.user_id is None), []).append(follower)
    for (kind, is_anonymous), group in groups.items():
        text, values = _statement(kind, is_anonymous)
        values = {
            **values,
            "principal": None,
            "numbers": list(range(len(group))),
            "subjects": [follower.subject_id for follower in group],
            "users": [follower.user_id for follower in group],
            "tokens": [follower.token_id for follower in group],
            "sessions": [follower.session_hash for follower in group],
        }
        for row in run(connection, text, values):
            readable[group[row.number]] = frozenset(row.layers)
    return readable


@cache
def _statement(kind: SubjectKind, is_anonymous: bool) -> tuple[str, dict[str, object]]:
    principal = ANONYMOUS if is_anonymous else ANY_USER
    if kind == "layer":
        subject = _compiled(select(Layer.id).where(Layer.id == _KEY, readable_layers(principal)))
        layers = "ARRAY[a.subject_id]"
        values = {**subject.values}
    else:
        subject = _compiled(select(Map.id).where(Map.id == _KEY, readable_maps(principal)))
        of_map = _compiled(_layers_of_map(principal))
        renamed = {name: f"{name}_of_map" for name in of_map.values}
        text = of_map.text
        for name, other in renamed.items():
            text = text.replace(f"%({name})s", f"%({other})s")
        layers = f"ARRAY({_for_follower(text)})"
        values = {**subject.values, **{renamed[name]: of_map.values[name] for name in renamed}}
    return (
        f"""
SELECT a.number, {layers} AS layers
FROM unnest(%(numbers)s::int[], %(subjects)s::uuid[], %(users)s::uuid[], %(tokens)s::uuid[],
    %(sessions)s::bytea[]) AS a (number, subject_id, user_id, token_id, session_hash)
WHERE EXISTS ({_for_follower(subject.text)}){"" if is_anonymous else " AND" + _HOLDS}""",
        values,
    )


def _layers_of_map(principal: Principal) -> Select[Any] | CompoundSelect[Any]:
    layers = (
        select(Layer.id)
        .join(MapLayer, MapLayer.layer_id == Layer.id)
        .where(MapLayer.map_id == _KEY, readable_layers(principal))
    )
    if principal.is_anonymous:
        return layers
    is_member = or_(owned_maps(principal), collaborates(principal))
    return layers.union_all(select(Map.id).where(Map.id == _KEY, is_member))


def _compiled(statement: Select[Any] | CompoundSelect[Any]) -> CompiledStatement:
    compiled = compile_statement(statement)
    own = {"key", "principal"}
    bound = {name: value for name, value in compiled.values.items() if name not in own}
    return CompiledStatement(compiled.text, bound)


def _for_follower(text: str) -> str:
    """Return the statement for a row of followers, in place of one principal and key."""
    return text.replace("%(key)s::UUID", "a.subject_id").replace("%(principal)s::UUID", "a.user_id")
