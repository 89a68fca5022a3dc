"""Removing what is older than a moment from the history: versions that ended before it.

Who changed what and when is kept, and so are the digests of what is removed. A layer's history
begins at that moment then, which its change sets tell: a change of its member `history`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from time import sleep
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine

from samsyn_model.audit.sealing import seal_all
from samsyn_model.database.execution import run
from samsyn_model.database.transactions import reading, set_in_transaction, writing
from samsyn_model.history.horizons import move_horizon
from samsyn_model.origin import Via

BATCH = 2_000
"""Versions that are removed in a transaction."""
_CHANGE_SETS_AT_ONCE = 500
_NEVER = datetime(1, 1, 1, tzinfo=UTC)
_PAUSE = 1  # second, in which requests end that looked a moment up before
_TIMEOUT = "10min"
_VERSION_BYTES = 120  # of a version without its geometry and properties

_NEXT_LAYER = """
SELECT layer_id FROM feature_versions
WHERE layer_id > %(after)s AND (%(only)s::uuid IS NULL OR layer_id = %(only)s)
ORDER BY layer_id LIMIT 1"""

_LOCK_COMMITS = "SELECT pg_advisory_xact_lock(uuid_hash_extended(%(layer)s, 0))"

# What a layer has that can be restored is needed.
_CHANGE_SETS = """
SELECT change_set_id, committed_at FROM layer_change_sets
WHERE layer_id = %(layer)s AND committed_at > %(after)s AND committed_at <= %(before)s
    AND change_set_id IS DISTINCT FROM (
        SELECT change_set_id FROM deleted_layers
        WHERE id = %(layer)s AND deleted_at > now() - %(days)s * interval '1 day')
ORDER BY committed_at LIMIT %(limit)s"""

# By the numbers of change sets alone, whatever statistics say of the layer.
_ENDED = """
FROM feature_versions AS former
WHERE to_change = ANY(%(change_sets)s) AND layer_id IS NOT DISTINCT FROM %(layer)s"""

_IS_ANY = f"SELECT EXISTS (SELECT 1 {_ENDED})"

_BYTES = f"{_VERSION_BYTES} + coalesce(pg_column_size(geom), 0) + pg_column_size(properties)"

_MEASURE = f"""
SELECT count(*) AS number, coalesce(sum({_BYTES}), 0)::bigint AS bytes {_ENDED}"""

# Sizes are of what is chosen: Citus takes no such function of what is returned.
_REMOVE = f"""
WITH chosen AS MATERIALIZED (
    SELECT feature_id, to_change, from_change, {_BYTES} AS bytes {_ENDED}
        AND from_change <> ALL (ARRAY(SELECT change_set_id FROM unsealed_change_sets))
        AND to_change <> ALL (ARRAY(SELECT change_set_id FROM unsealed_change_sets))
    LIMIT %(limit)s
), removed AS (
    DELETE FROM feature_versions
    WHERE layer_id = %(layer)s AND (feature_id, to_change, from_change) IN (
        SELECT feature_id, to_change, from_change FROM chosen)
    RETURNING feature_id, to_change, from_change
)
SELECT count(*) AS number, coalesce(sum(bytes), 0)::bigint AS bytes
FROM removed JOIN chosen USING (feature_id, to_change, from_change)"""

_FORGET_LAYERS = """
DELETE FROM deleted_layers
WHERE deleted_at <= least(%(before)s, now() - %(days)s * interval '1 day')
    AND (%(only)s::uuid IS NULL OR id = %(only)s)"""


@dataclass(frozen=True, slots=True)
class Pruned:
    """How many versions of a layer have been removed, or would be, and their bytes."""

    layer_id: UUID
    versions: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Pruning:
    """What is to be removed: what ended before a moment, of all layers or of `only` one.

    `before` has a time zone and is past. For `days` deleted layers can be restored.
    """

    before: datetime
    days: int
    only: UUID | None = None
    via: Via = "command"

    def values(self, layer_id: UUID | None = None) -> dict[str, Any]:
        """Return the values that the statements bind."""
        return {
            "before": self.before,
            "days": self.days,
            "only": self.only,
            "layer": layer_id,
        }


def measure(engine: Engine, pruning: Pruning) -> Iterator[Pruned]:
    """Yield what would be removed of each layer, where that is anything."""
    for layer_id in _layers(engine, pruning):
        number = size = 0
        for change_sets in _change_sets(engine, pruning, layer_id):
            with writing(engine) as connection:
                _prepare(connection)
                values = {"layer": layer_id, "change_sets": change_sets}
                row = run(connection, _MEASURE, values).one()
            number, size = number + row.number, size + row.bytes
        if number:
            yield Pruned(layer_id, number, size)


def prune(engine: Engine, pruning: Pruning) -> Iterator[Pruned]:
    """Remove what is to be removed, a batch at a time, and yield what each batch was.

    First the history of each layer of which anything goes begins later; what is removed has been
    sealed. Where it ends in the middle, the rest goes with the next one.
    """
    seal_all(engine)
    layers = [
        layer_id for layer_id in _layers(engine, pruning) if _begin(engine, pruning, layer_id)
    ]
    if layers:
        seal_all(engine)
        sleep(_PAUSE)
    for layer_id in layers:
        for change_sets in _change_sets(engine, pruning, layer_id):
            yield from _remove(engine, layer_id, change_sets)
    with writing(engine, via=pruning.via) as connection:
        run(connection, _FORGET_LAYERS, pruning.values())


def _remove(engine: Engine, layer_id: UUID, change_sets: list[int]) -> Iterator[Pruned]:
    """Remove what these change sets have ended, in batches."""
    values = {"layer": layer_id, "change_sets": change_sets, "limit": BATCH}
    while True:
        with writing(engine) as connection:
            _prepare(connection)
            row = run(connection, _REMOVE, values).one()
        if not row.number:
            return
        yield Pruned(layer_id, row.number, row.bytes)


def _layers(engine: Engine, pruning: Pruning) -> Iterator[UUID]:
    """Yield the layers that have versions."""
    values = {"after": UUID(int=0), "only": pruning.only}
    while True:
        with reading(engine) as connection:
            layer_id: UUID | None = run(connection, _NEXT_LAYER, values).scalar()
        if layer_id is None:
            return
        yield layer_id
        values["after"] = layer_id


def _change_sets(engine: Engine, pruning: Pruning, layer_id: UUID) -> Iterator[list[int]]:
    """Yield the change sets of a layer whose ends of states are to be removed, some at a time."""
    values = pruning.values(layer_id) | {"after": _NEVER, "limit": _CHANGE_SETS_AT_ONCE}
    while True:
        with reading(engine) as connection:
            rows = run(connection, _CHANGE_SETS, values).all()
        if not rows:
            return
        yield [row.change_set_id for row in rows]
        values["after"] = rows[-1].committed_at


def _begin(engine: Engine, pruning: Pruning, layer_id: UUID) -> bool:
    """Let the history of a layer begin at the moment if anything is to be removed; return whether
    there is."""
    with writing(engine) as connection:
        # whoever has a time before the moment is seen after this
        run(connection, _LOCK_COMMITS, {"layer": layer_id})
    for change_sets in _change_sets(engine, pruning, layer_id):
        with writing(engine, via=pruning.via, message="History is pruned.") as connection:
            _prepare(connection)
            values = {"layer": layer_id, "change_sets": change_sets}
            if run(connection, _IS_ANY, values).scalar_one():
                move_horizon(connection, layer_id, pruning.before)
                return True
    return False


def _prepare(connection: Connection) -> None:
    """Let the statements of a transaction use the indexes, also of tables without statistics."""
    set_in_transaction(connection, statement_timeout=_TIMEOUT, enable_seqscan="off")
