"""What commits write is noted before others see it, and before their client learns of it."""

from uuid import UUID

from psycopg.pq import TransactionStatus
from sqlalchemy import Connection, Engine, event

from samsyn_model.database.execution import driver_of, run_together
from samsyn_model.database.transactions import take_concerned
from samsyn_model.origin import current_origin
from samsyn_model.replicas.positions import CURRENT, reached
from samsyn_model.replicas.writes import Writes
from samsyn_model.settings import Settings

# Which layers a transaction has changed is in its settings until COMMIT, which writes
# layer_change_sets; where tables are distributed, which it holds.
_LAYERS = """
    SELECT jsonb_object_keys(nullif(current_setting('samsyn.{name}', true), '')::jsonb)::uuid"""
_LOOK = f"""
SELECT pg_current_xact_id_if_assigned()::text, ARRAY(
    {_LAYERS.format(name="changed_layers")} UNION {_LAYERS.format(name="held_layers")}
    UNION SELECT unnest(ARRAY[subject_id, map_id, layer_id])
    FROM subject_changes WHERE change_set_id = made
    UNION SELECT (state ->> 'user_id')::uuid
    FROM subject_changes, unnest(ARRAY[details -> 'old', details -> 'new']) AS state
    WHERE change_set_id = made AND kind = 'collaborator')
FROM nullif(current_setting('samsyn.change_set', true), '') AS told, CAST(told AS bigint) AS made"""


def note_commits(engine: Engine, settings: Settings) -> None:
    """Note what the engine's transactions write, where there is a replica. Errors as `Writes`."""
    if settings.read_database_url:
        watch_commits(engine, Writes(settings))


def watch_commits(engine: Engine, writes: Writes) -> None:
    """Note what the engine's transactions write: a commit takes a round trip more, and two with
    Redis."""
    event.listen(engine, "commit", lambda connection: _commit(connection, writes))


def _commit(connection: Connection, writes: Writes) -> None:
    """Commit in place of the driver, which finds nothing left to do."""
    concerned = take_concerned(connection)
    driver = driver_of(connection)
    if driver.info.transaction_status is not TransactionStatus.INTRANS:
        return
    commit, written = run_together(connection, _LOOK)
    if commit is None:  # nothing is written
        return
    ids: set[UUID] = {id_ for id_ in written if id_ is not None} | concerned
    origin = current_origin()
    if origin is not None and origin.user_id is not None:
        ids.add(origin.user_id)
    if not ids:
        return
    writes.begin(commit, ids)
    try:
        (position,) = run_together(connection, f"COMMIT; SELECT {CURRENT}")
    except Exception:
        # where the connection is lost it may be committed, and be found so by others
        if not driver.closed:
            writes.end(commit, ids, 0)
        raise
    writes.end(commit, ids, reached(position))
