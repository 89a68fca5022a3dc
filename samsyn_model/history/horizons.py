"""Since when the history of a layer is kept, where what was before has been removed."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from samsyn_model.database.execution import run
from samsyn_model.database.transactions import lock_against_deletion
from samsyn_model.errors import HistoryPrunedError
from samsyn_model.tables.layers import Layer

PRUNED_TO = """
    SELECT max((details #>> '{new,history_begins_at}')::timestamptz) FROM subject_changes
    WHERE layer_id = %(layer)s AND kind = 'layer' AND details -> 'changed' ? 'history'"""
"""The SQL of what the change sets say of it, which the chain has."""

HORIZON = "SELECT begins_at FROM history_horizons WHERE layer_id = %(layer)s"
"""The SQL of since when the history of a layer is kept; null where all of it is."""

_MOVE = """
INSERT INTO history_horizons AS horizon (layer_id, begins_at) VALUES (%(layer)s, %(before)s)
ON CONFLICT (layer_id) DO UPDATE SET begins_at = EXCLUDED.begins_at
WHERE horizon.begins_at < EXCLUDED.begins_at
RETURNING true"""

# A change set of its own: the chain has who removed what. Caches of before are out of date.
_RECORD = """
INSERT INTO subject_changes (change_set_id, kind, action, subject_id, layer_id, details)
VALUES (current_change_set(), 'layer', 'update', %(layer)s, %(layer)s, jsonb_build_object(
    'changed', '["history"]'::jsonb,
    'new', jsonb_build_object('history_begins_at', %(before)s::timestamptz)))"""

_NEW_VERSION = """
INSERT INTO layer_changes (layer_id, feature_count, changes) VALUES (%(layer)s, 0, 1)"""


def refuse_pruned(connection: Connection, layer_id: UUID, moment: datetime | None) -> None:
    """Raise HistoryPrunedError where the history of a layer begins after a moment; None: never."""
    if moment is not None:
        begins_at = run(connection, HORIZON, {"layer": layer_id}).scalar()
        if begins_at is not None and moment < begins_at:
            raise pruned_error(begins_at)


def pruned_error(begins_at: datetime) -> HistoryPrunedError:
    """Return the error of a question about the time before the history of a layer begins."""
    text = begins_at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return HistoryPrunedError(
        f"The history of this layer begins at {text}: what was before is not kept.", begins_at
    )


def move_horizon(connection: Connection, layer_id: UUID, before: datetime) -> bool:
    """Let the history of a layer begin at a moment, unless it begins later; return whether it did
    not."""
    values: dict[str, Any] = {"layer": layer_id, "before": before}
    if run(connection, _MOVE, values).scalar() is None:
        return False
    run(connection, _RECORD, values)
    if lock_against_deletion(connection, Layer.id, layer_id):
        run(connection, _NEW_VERSION, values)
    return True
