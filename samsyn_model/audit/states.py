"""States of features, layer by layer, against the digests of their seals.

Three sequences in the order of change sets and ids are merged: what was sealed of states, the
states that there are, and what was sealed of their ends. None of them is in memory as a whole.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from heapq import merge
from itertools import groupby
from operator import itemgetter
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from samsyn_model.audit.encoding import DIGEST_BYTES, state_digest
from samsyn_model.audit.findings import Finding, Tally
from samsyn_model.database.execution import run
from samsyn_model.history.horizons import HORIZON, PRUNED_TO

_FETCHED = 2_000  # rows
_FETCHED_PARTS = 20

_NEXT_LAYER = """
SELECT layer_id FROM (
    (SELECT layer_id FROM layer_features WHERE {after} ORDER BY layer_id LIMIT 1)
    UNION ALL
    (SELECT layer_id FROM feature_versions WHERE {after} ORDER BY layer_id LIMIT 1)
    UNION ALL
    (SELECT layer_id FROM layer_seals WHERE {after} ORDER BY layer_id LIMIT 1)
) AS next ORDER BY layer_id LIMIT 1"""

_QUEUED = "SELECT change_set_id FROM unsealed_change_sets"

_HORIZONS = f"""
SELECT ({PRUNED_TO}) AS pruned_to,
    ({HORIZON}) AS begins_at"""

_SEALED = """
SELECT change_set_id, made, digests FROM layer_seals
WHERE layer_id = %(layer)s AND change_set_id >= %(least)s ORDER BY change_set_id, part"""

_STORED = f"""
SELECT coalesce(change_set, 0) AS from_change, id, {state_digest()} AS digest,
    NULL::bigint AS to_change, NULL::boolean AS was_deleted
FROM layer_features WHERE layer_id = %(layer)s{{present_since}}
UNION ALL
SELECT from_change, feature_id, {state_digest("feature_id")}, to_change, was_deleted
FROM feature_versions WHERE layer_id = %(layer)s{{former_since}}
ORDER BY 1, 2"""

_PRESENT_SINCE = " AND change_set >= %(least)s"
_FORMER_SINCE = " AND (from_change >= %(least)s OR to_change >= %(least)s)"

_ENDED = """
SELECT sealed.from_change, sealed.id, seals.change_set_id AS to_change, sealed.was_deleted,
    done.committed_at
FROM layer_seals AS seals
CROSS JOIN unnest(seals.ended, seals.ended_from, seals.deleted)
    AS sealed (id, from_change, was_deleted)
LEFT JOIN layer_change_sets AS done USING (layer_id, change_set_id)
WHERE seals.layer_id = %(layer)s AND seals.change_set_id >= %(least)s
ORDER BY 1, 2"""

type Key = tuple[int, int]
"""The change set that made a state, and the id of the feature."""


@dataclass(slots=True)
class _Group:
    """What there is of one state of a feature."""

    sealed: bytes | None = None
    stored: list[Any] = field(default_factory=list)
    ended: Any = None


def next_layer(connection: Connection, after: UUID | None) -> UUID | None:
    """Return the first layer after one in the order of ids that has features, versions or seals."""
    condition = "true" if after is None else "layer_id > %(after)s"
    statement = _NEXT_LAYER.format(after=condition)
    layer_id: UUID | None = run(connection, statement, {"after": after}).scalar()
    return layer_id


def verify_states(
    connection: Connection, layer_id: UUID, tally: Tally, least: int = 0
) -> Iterator[Finding]:
    """Yield what is wrong with the states of a layer's features that change sets from a number on
    have made or ended; count them in the tally.

    `connection` has one snapshot for all of its statements.
    """
    queued = frozenset(run(connection, _QUEUED).scalars())
    horizons = run(connection, _HORIZONS, {"layer": layer_id}).one()
    if horizons.pruned_to != horizons.begins_at:
        yield Finding("altered", "since when the history of a layer is kept", layer_id=layer_id)
    for key, group in _groups(connection, layer_id, least):
        made_by, feature_id = key
        tally.add_state(layer_id)
        if group.sealed is None and made_by >= least and made_by not in queued:
            for _ in group.stored:
                yield Finding("added", "state of a feature", made_by, layer_id, feature_id)
        elif group.stored:
            yield from _verify_stored(group, key, layer_id, queued)
        elif group.sealed is not None or made_by < least:
            if _is_pruned(group.ended, horizons.pruned_to):
                tally.pruned += 1
            else:
                yield Finding("missing", "state of a feature", made_by, layer_id, feature_id)


def _verify_stored(
    group: _Group, key: Key, layer_id: UUID, queued: frozenset[int]
) -> Iterator[Finding]:
    state, *others = group.stored
    made_by, feature_id = key
    for _ in others:
        yield Finding("added", "state of a feature", made_by, layer_id, feature_id)
    if group.sealed is not None and group.sealed != state.digest:
        yield Finding("altered", "state of a feature", made_by, layer_id, feature_id)
    now = None if state.to_change is None else (state.to_change, state.was_deleted)
    sealed = None if group.ended is None else (group.ended.to_change, group.ended.was_deleted)
    if now != sealed and not (sealed is None and state.to_change in queued):
        yield Finding("altered", "end of a state of a feature", made_by, layer_id, feature_id)


def _is_pruned(ended: Any, pruned_to: datetime | None) -> bool:
    return (
        ended is not None
        and pruned_to is not None
        and ended.committed_at is not None
        and ended.committed_at <= pruned_to
    )


def _groups(connection: Connection, layer_id: UUID, least: int) -> Iterator[tuple[Key, _Group]]:
    """Yield what there is of each state, in the order of keys."""
    values = {"layer": layer_id, "least": least}
    stored = _STORED.format(
        present_since=_PRESENT_SINCE if least else "", former_since=_FORMER_SINCE if least else ""
    )
    sequences = (
        _sealed(_fetched(connection, "sealed", _SEALED, values, _FETCHED_PARTS)),
        (
            ((row.from_change, row.id), 1, row)
            for row in _fetched(connection, "stored", stored, values, _FETCHED)
        ),
        (
            ((row.from_change, row.id), 2, row)
            for row in _fetched(connection, "ended", _ENDED, values, _FETCHED)
        ),
    )
    for key, entries in groupby(merge(*sequences, key=itemgetter(0, 1)), itemgetter(0)):
        group = _Group()
        for _, sequence, value in entries:
            if sequence == 0:
                group.sealed = value
            elif sequence == 1:
                group.stored.append(value)
            else:
                group.ended = value
        yield key, group


def _sealed(parts: Iterator[Any]) -> Iterator[tuple[Key, int, bytes]]:
    for part in parts:
        for place, feature_id in enumerate(part.made):
            digest = part.digests[DIGEST_BYTES * place : DIGEST_BYTES * (place + 1)]
            yield (part.change_set_id, feature_id), 0, digest


def _fetched(
    connection: Connection, name: str, statement: str, values: dict[str, Any], number: int
) -> Iterator[Any]:
    """Yield the rows of a statement, a number at a time from a cursor of the database."""
    run(connection, f"DECLARE {name} NO SCROLL CURSOR FOR {statement}", values)
    while rows := run(connection, f"FETCH {number} FROM {name}").all():
        yield from rows
    run(connection, f"CLOSE {name}")
