"""The change sets of a scope, the newest first: who made them, when and by which way.

Each layer, and the map, has them in the order of an index. They are merged as they are read: a
statement costs what it brings, and one look for each layer.
"""

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from itertools import batched
from typing import Any

from sqlalchemy import BigInteger, Connection, Select, literal_column, or_, select
from sqlalchemy.dialects.postgresql import UUID
from sqlalchemy.sql.expression import bindparam

from samsyn_model.database.execution import run
from samsyn_model.database.statement import Statement
from samsyn_model.history.scopes import Scope
from samsyn_model.permissions.changes import readable_changes, readable_permission_changes
from samsyn_model.permissions.compiled import CompiledStatement, compile_statement
from samsyn_model.permissions.principal import Principal, principal_kind
from samsyn_model.tables.history import SubjectChange

NEWEST = 2**63 - 1
"""Above the numbers of all change sets."""
_LAYERS = 200  # of one statement, which is planned for each of them

# Numbers are given in the order of these times, but for what lies between two calls.
_NUMBERS = """
SELECT (SELECT id FROM change_sets WHERE created_at >= %(since)s::timestamptz - interval '1 minute'
        ORDER BY created_at, id LIMIT 1) AS first,
    (SELECT id FROM change_sets WHERE created_at <= %(until)s::timestamptz + interval '1 minute'
        ORDER BY created_at DESC, id DESC LIMIT 1) AS last"""

_BOUNDS = "change_set_id BETWEEN %(first)s AND %(last)s ORDER BY change_set_id DESC LIMIT %(limit)s"
_OF_LAYERS = """(SELECT change_set_id FROM unnest(%(layers)s::uuid[]) AS listed (id)
    CROSS JOIN LATERAL ({of_layer}) AS of_layer ORDER BY change_set_id DESC LIMIT %(limit)s)"""
_OF_FEATURES = f"""(SELECT change_set_id FROM layer_change_sets
    WHERE layer_id = %(layer_{{number}})s AND {_BOUNDS})"""
_OF_SUBJECTS = f"(SELECT change_set_id FROM subject_changes WHERE {_BOUNDS})"
_OF_ALL = """(SELECT id AS change_set_id FROM change_sets
    WHERE id BETWEEN %(first)s AND %(last)s ORDER BY id DESC LIMIT %(limit)s)"""

# Who is gone has no name, whatever the row still has.
_SELECT = """
WITH recent AS MATERIALIZED (
    SELECT change_set_id FROM ({streams}) AS streams ORDER BY change_set_id DESC LIMIT %(limit)s)
SELECT made.id, made.user_id, made.via, made.message, made.created_at,
    coalesce(nullif(concat_ws(' ', nullif(btrim(author.first_name), ''),
        nullif(btrim(author.last_name), '')), ''), author.username) AS author_name,
    (SELECT count(*) FROM recent) < %(limit)s AS are_all
FROM (SELECT DISTINCT change_set_id FROM recent) AS listed
JOIN change_sets AS made ON made.id = listed.change_set_id
LEFT JOIN users AS author ON author.id = made.user_id AND author.deleted_at IS NULL
ORDER BY made.id DESC"""


@dataclass(frozen=True, slots=True)
class ChangeSet:
    """A transaction that changed something."""

    id: int
    user_id: uuid.UUID | None
    author_name: str | None
    via: str
    message: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Window:
    """Which change sets are looked for: by number, the newest of them, up to `limit` or so."""

    first: int
    last: int
    limit: int
    of_features: bool = True
    """Whether those that changed features."""
    of_subjects: bool = True
    """Whether those that changed something else."""


def numbers_between(
    connection: Connection, since: datetime | None, until: datetime | None
) -> tuple[int, int]:
    """Return between which numbers the change sets of a time are: others are between them too, of
    a minute before and after."""
    row = run(connection, _NUMBERS, {"since": since, "until": until}).one()
    first = 0 if since is None else row.first
    last = NEWEST if until is None else row.last
    return (NEWEST, 0) if first is None or last is None else (first, last)


def change_sets_of(
    connection: Connection, scope: Scope, window: Window
) -> tuple[list[ChangeSet], bool]:
    """Return change sets of a window, the newest first, and whether these are all; none is left
    out between them. One statement for the map, and one for each 200 layers.

    Each did something that the principal may know, but for those of an audit: `changes_in` tells.
    """
    found = dict[int, ChangeSet]()
    horizon, are_all = window.first, True
    for statement in select_change_sets(scope, window):
        rows = run(connection, statement.text, statement.values).all()
        for row in rows:
            found[row.id] = _change_set(row)
        if rows and not rows[0].are_all:
            horizon, are_all = max(horizon, rows[-1].id), False
    return [found[id_] for id_ in sorted(found, reverse=True) if id_ >= horizon], are_all


def select_change_sets(scope: Scope, window: Window) -> Iterator[Statement]:
    """Yield the statements for the change sets of a window: rows as `ChangeSet`, and `are_all`,
    whether there are no more of what the statement is about."""
    values: dict[str, Any] = {"first": window.first, "last": window.last, "limit": window.limit}
    if scope.kind == "audit":
        yield _statement([_OF_ALL if window.of_features else _OF_SUBJECTS], values)
        return
    kind = principal_kind(scope.principal)
    values["principal"] = scope.principal.user_id
    if scope.map_id is not None and window.of_subjects:
        of_map = _of_map(kind)
        yield _statement([f"({of_map.text})"], {**of_map.values, **values, "map": scope.map_id})
    of_layer = _of_layer(kind)
    for layers in batched(scope.layers, _LAYERS):
        keys = {f"layer_{number}": layer for number, layer in enumerate(layers)}
        chunk = {**of_layer.values, **values, **keys, "layers": list(layers)}
        streams = [_OF_LAYERS.format(of_layer=of_layer.text)] if window.of_subjects else []
        if window.of_features:
            streams += [_OF_FEATURES.format(number=number) for number in range(len(layers))]
        yield _statement(streams, chunk)


@cache
def _of_map(kind: Principal) -> CompiledStatement:
    on_map = SubjectChange.map_id == bindparam("map", type_=UUID(as_uuid=True))
    return compile_statement(_readable(kind).where(on_map))


@cache
def _of_layer(kind: Principal) -> CompiledStatement:
    """Return the statement for the changes of a layer alone, of what it is joined to (`listed`)."""
    of_layer = SubjectChange.layer_id == literal_column("listed.id")
    return compile_statement(_readable(kind).where(of_layer, SubjectChange.map_id.is_(None)))


def _readable(kind: Principal) -> Select[Any]:
    """Return the statement for change sets of which the principal may know: what is hidden takes
    no place on a page."""
    number = SubjectChange.change_set_id
    first, last, limit = (bindparam(name, type_=BigInteger) for name in ("first", "last", "limit"))
    known = or_(readable_changes(kind), readable_permission_changes(kind))
    statement = select(number).where(number.between(first, last), known)
    return statement.order_by(number.desc()).limit(limit)


def _statement(streams: Sequence[str], values: dict[str, Any]) -> Statement:
    return Statement(_SELECT.format(streams="\nUNION ALL ".join(streams)), values)


def _change_set(row: Any) -> ChangeSet:
    return ChangeSet(row.id, row.user_id, row.author_name, row.via, row.message, row.created_at)
