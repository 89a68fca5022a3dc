"""Jobs as their owners see them: created, found, listed, dismissed."""

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import ColumnElement, Connection, Row, Select, func, select

from samsyn_model.database.execution import run
from samsyn_model.errors import NoSuchJobError
from samsyn_model.tables.jobs import Job

QUEUE = "samsyn"
"""The name of procrastinate's queue."""
TASK = "run_job"
"""The name of procrastinate's task; its one argument is `job_id`."""

_PRIORITIES = {"inspect": 10}  # somebody waits for it, and it does not take long

# The row and procrastinate's come into being together; jobs with the same lock run one by one.
_CREATE = """
INSERT INTO jobs (id, user_id, kind, parameters, import_id, queue_id)
SELECT %(id)s, %(user_id)s, %(kind)s, %(parameters)s::jsonb, %(import_id)s, deferred.ids[1]
FROM procrastinate_defer_jobs_v1(ARRAY[ROW(
    %(queue)s, %(task)s, %(priority)s::integer, %(lock)s::text, NULL,
    jsonb_build_object('job_id', %(id)s::text), NULL
)::procrastinate_job_to_defer_v1]) AS deferred (ids)"""

_DISMISS = """
UPDATE jobs SET status = 'dismissed', message = NULL, finished_at = clock_timestamp()
WHERE id = %(id)s AND user_id = %(user_id)s AND status IN ('accepted', 'running')
RETURNING queue_id"""

# one that waits leaves the queue; of one that runs the worker is told
_CANCEL = "SELECT procrastinate_cancel_job_v1(%(queue_id)s, true, true)"

_STATUS = "SELECT status FROM jobs WHERE id = %(id)s"

_REMOVE = "DELETE FROM jobs WHERE id = %(id)s AND user_id = %(user_id)s"


def create_job(
    connection: Connection,
    user_id: UUID,
    kind: str,
    parameters: Mapping[str, Any],
    import_id: UUID | None = None,
) -> UUID:
    """Create a job of a user and return its id; workers take it up once the transaction commits.

    `parameters` are JSON. Jobs on the same import run one after the other.
    """
    job_id = uuid4()
    values = {
        "id": job_id,
        "user_id": user_id,
        "kind": kind,
        "parameters": json.dumps(parameters),
        "import_id": import_id,
        "queue": QUEUE,
        "task": TASK,
        "priority": _PRIORITIES.get(kind, 0),
        "lock": import_id and f"import {import_id}",
    }
    run(connection, _CREATE, values)
    return job_id


def find_job(connection: Connection, user_id: UUID, job_id: UUID) -> Row[Any]:
    """Return the row of a job of this user; raises NoSuchJobError for one of somebody else, too."""
    statement = _jobs_of(user_id).where(Job.id == job_id)
    row = run(connection, statement).one_or_none()
    if row is None:
        raise NoSuchJobError("There is no such job.")
    return row


def status_of_job(connection: Connection, job_id: UUID) -> str | None:
    """Return the status of anybody's job, None where it has been removed."""
    status: str | None = run(connection, _STATUS, {"id": job_id}).scalar()
    return status


def select_jobs(
    user_id: UUID,
    *conditions: ColumnElement[bool],
    statuses: tuple[str, ...] | None = None,
    kinds: tuple[str, ...] | None = None,
    import_id: UUID | None = None,
) -> Select[Any]:
    """Return the statement for a user's jobs, newest first; by default of all statuses, kinds and
    imports."""
    statement = _jobs_of(user_id).where(*conditions)
    if statuses is not None:
        statement = statement.where(Job.status.in_(statuses))
    if kinds is not None:
        statement = statement.where(Job.kind.in_(kinds))
    if import_id is not None:
        statement = statement.where(Job.import_id == import_id)
    return statement.order_by(Job.created_at.desc(), Job.id)


def list_jobs(
    connection: Connection,
    user_id: UUID,
    *conditions: ColumnElement[bool],
    limit: int = 100,
    offset: int = 0,
    **chosen: Any,
) -> tuple[list[Row[Any]], int]:
    """Return a part of a user's jobs, and how many there are, chosen as by `select_jobs`.

    One statement, or two when the part lies past the end.
    """
    statement = select_jobs(user_id, *conditions, **chosen)
    counted = statement.add_columns(func.count().over().label("total"))
    rows = list(run(connection, counted.limit(limit).offset(offset)))
    if rows or not offset:
        return rows, rows[0].total if rows else 0
    total = select(func.count()).select_from(statement.order_by(None).subquery())
    return [], run(connection, total).scalar_one()


def dismiss_job(connection: Connection, user_id: UUID, job_id: UUID) -> Row[Any]:
    """End a job, or remove one that has ended with its result; return its row as it was then.

    What a running job has not committed by now is never committed. Raises NoSuchJobError.
    """
    key = {"id": job_id, "user_id": user_id}
    queue_id = run(connection, _DISMISS, key).scalar()
    row = find_job(connection, user_id, job_id)
    if queue_id is None:
        run(connection, _REMOVE, key)
    else:
        run(connection, _CANCEL, {"queue_id": queue_id})
    return row


def _jobs_of(user_id: UUID) -> Select[Any]:
    return select(Job.__table__).where(Job.user_id == user_id)
