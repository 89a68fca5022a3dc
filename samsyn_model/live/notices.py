"""Notices of committed change sets, read in the order of their commits.

A notice is of one layer, map or API token. All notices of a transaction have one position; whoever
has read up to a position has missed nothing before it.
"""

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from samsyn_model.database.execution import run

CHANNEL = "samsyn_changes"
"""What the trigger notifies; the payload is a position."""
FEW = 20
"""Features of a layer up to which a notice names those that changed; the trigger has it too."""

_COLUMNS = """n.position, n.subject_id, n.change_set_id, n.committed_at,
    n.inserted, n.updated, n.deleted, n.features,
    (SELECT jsonb_agg(jsonb_build_object('kind', kind, 'action', action, 'id', subject_id,
            'map_id', map_id, 'layer_id', layer_id, 'changed', details -> 'changed',
            'owner_id', CASE kind
                WHEN 'map' THEN (SELECT created_by FROM maps WHERE maps.id = s.map_id)
                WHEN 'layer' THEN (SELECT created_by FROM layers WHERE layers.id = s.layer_id)
            END) ORDER BY id)
        FROM subject_changes AS s
        WHERE s.change_set_id = n.change_set_id AND kind <> 'import'
            AND coalesce(map_id, layer_id, subject_id) = n.subject_id) AS subjects"""

_NEWEST = """
SELECT position, change_set_id FROM change_notices ORDER BY position DESC LIMIT 1"""

# as many as there are up to the last position, so that a transaction is whole
_AFTER = f"""
SELECT {_COLUMNS} FROM change_notices AS n
WHERE position > %(after)s AND position <= (
    SELECT max(position) FROM (
        SELECT position FROM change_notices WHERE position > %(after)s
        ORDER BY position LIMIT %(limit)s) AS next)
ORDER BY position, subject_id"""

_POSITIONS = """
SELECT DISTINCT change_set_id, position FROM change_notices
WHERE change_set_id = ANY(%(change_sets)s)"""

_MISSED = f"""
SELECT a.number, n.* FROM unnest(%(numbers)s::int[], %(subjects)s::uuid[], %(after)s::bigint[])
    AS a (number, subject_id, after)
CROSS JOIN LATERAL (
    SELECT {_COLUMNS} FROM change_notices AS n
    WHERE n.subject_id = a.subject_id AND position > a.after AND position <= %(until)s
    ORDER BY position LIMIT %(limit)s) AS n
ORDER BY a.number, n.position, n.subject_id"""

_REMOVE_OLD = """
DELETE FROM change_notices WHERE position IN (
    SELECT position FROM change_notices WHERE committed_at < now() - interval '7 days'
    ORDER BY position LIMIT 10000)"""


@dataclass(frozen=True, slots=True)
class SubjectChange:
    """A change of what is not a feature: its members' names, never their values."""

    kind: str
    action: str
    id: uuid.UUID
    map_id: uuid.UUID | None
    layer_id: uuid.UUID | None
    changed: frozenset[str]
    owner_id: uuid.UUID | None = None
    """Whose the map or the layer is now; None of other things, and where it is not there."""


@dataclass(frozen=True, slots=True)
class Notice:
    """What a transaction did to one layer, map or API token."""

    position: int
    subject_id: uuid.UUID
    change_set_id: int
    committed_at: datetime
    inserted: int
    updated: int
    deleted: int
    features: tuple[tuple[str, int], ...] | None
    """The last operation on each feature, `create`, `update` or `delete`; None where they are
    more than FEW. One that was made and deleted is left out."""
    subjects: tuple[SubjectChange, ...]

    @property
    def feature_count(self) -> int:
        """How many changes of features there were."""
        return self.inserted + self.updated + self.deleted


def newest_position(connection: Connection) -> tuple[int, int]:
    """Return the last position and its change set's number; both 0 where there is none."""
    row = run(connection, _NEWEST).one_or_none()
    return (0, 0) if row is None else (row.position, row.change_set_id)


def notices_after(connection: Connection, position: int, limit: int) -> list[Notice]:
    """Return the notices of the next `limit` positions, or some more; in their order."""
    rows = run(connection, _AFTER, {"after": position, "limit": limit})
    return [_notice(row) for row in rows]


def positions_of(connection: Connection, change_sets: Sequence[int]) -> dict[int, int]:
    """Return the positions of change sets by their numbers; those that are not known are absent."""
    rows = run(connection, _POSITIONS, {"change_sets": list(change_sets)})
    return {row.change_set_id: row.position for row in rows}


def missed_notices(
    connection: Connection, missed: Sequence[tuple[int, uuid.UUID, int]], until: int, limit: int
) -> Iterator[tuple[int, Notice]]:
    """Yield notices of subjects, each after its position, by a number of the caller's: at most
    `limit` a subject, none after the position `until`."""
    numbers, subjects, after = zip(*missed, strict=True) if missed else ((), (), ())
    values = {
        "numbers": list(numbers),
        "subjects": list(subjects),
        "after": list(after),
        "until": until,
        "limit": limit,
    }
    for row in run(connection, _MISSED, values):
        yield row.number, _notice(row)


def remove_old_notices(connection: Connection) -> None:
    """Remove notices of more than a week ago, 10,000 at most: streams are resumed within it."""
    run(connection, _REMOVE_OLD)


def _notice(row: Any) -> Notice:
    return Notice(
        row.position,
        row.subject_id,
        row.change_set_id,
        row.committed_at,
        row.inserted,
        row.updated,
        row.deleted,
        None if row.features is None else _last_operations(row.features),
        tuple(_subject_change(change) for change in row.subjects or ()),
    )


def _last_operations(entries: list[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
    last = dict[int, str]()
    for operation, feature_id in entries:
        was_made = last.get(feature_id) == "create"
        if not was_made:
            last[feature_id] = operation
        elif operation == "delete":
            del last[feature_id]
    return tuple((operation, feature_id) for feature_id, operation in last.items())


def _subject_change(change: dict[str, Any]) -> SubjectChange:
    map_id, layer_id, owner_id = change["map_id"], change["layer_id"], change["owner_id"]
    return SubjectChange(
        change["kind"],
        change["action"],
        uuid.UUID(change["id"]),
        map_id and uuid.UUID(map_id),
        layer_id and uuid.UUID(layer_id),
        frozenset(change["changed"] or ()),
        owner_id and uuid.UUID(owner_id),
    )
