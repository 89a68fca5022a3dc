"""What commits write is noted as soon as they are done, and before their client learns of it."""

from uuid import UUID

from psycopg.pq import TransactionStatus
from sqlalchemy import Connection, Engine, event

from samsyn_model.database.execution import driver_of, run_together
from samsyn_model.database.transactions import take_concerned
from samsyn_model.origin import current_origin
from samsyn_model.replicas.positions import CURRENT, reached
from samsyn_model.replicas.writes import Writes
from samsyn_model.settings import Settings

_LOOK = """
SELECT pg_current_xact_id_if_assigned() IS NOT NULL,
    nullif(current_setting('samsyn.change_set', true), '')::bigint"""
_SUBJECTS = """ARRAY(
    SELECT layer_id FROM layer_change_sets WHERE change_set_id = {number}
    UNION SELECT unnest(ARRAY[subject_id, map_id, layer_id]) FROM subject_changes
    WHERE change_set_id = {number}
    UNION SELECT (state ->> 'user_id')::uuid
    FROM subject_changes, unnest(ARRAY[details -> 'old', details -> 'new']) AS state
    WHERE change_set_id = {number} AND kind = 'collaborator')"""


def note_commits(engine: Engine, settings: Settings) -> None:
    """Note what the engine's transactions write, where there is a replica. Errors as `Writes`."""
    if settings.read_database_url:
        watch_commits(engine, Writes(settings))


def watch_commits(engine: Engine, writes: Writes) -> None:
    """Note what the engine's transactions write: a commit takes a round trip more."""
    event.listen(engine, "commit", lambda connection: _commit(connection, writes))


def _commit(connection: Connection, writes: Writes) -> None:
    """Commit in place of the driver, which finds nothing left to do."""
    concerned = take_concerned(connection)
    if driver_of(connection).info.transaction_status is not TransactionStatus.INTRANS:
        return
    has_written, change_set = run_together(connection, _LOOK)
    if not has_written:
        return
    subjects = "NULL::uuid[]" if change_set is None else _SUBJECTS.format(number=change_set)
    position, written = run_together(connection, f"COMMIT; SELECT {CURRENT}, {subjects}")
    ids: set[UUID] = {id_ for id_ in written or () if id_ is not None} | concerned
    origin = current_origin()
    if origin is not None and origin.user_id is not None:
        ids.add(origin.user_id)
    writes.note(ids, reached(position))
