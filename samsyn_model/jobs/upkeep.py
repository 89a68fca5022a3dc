"""What workers do about all jobs from time to time: none stays begun without a worker, none for
ever."""

import json
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from samsyn_model.database.execution import run

# a worker that is forgotten leaves its jobs in the queue without one
_FORGET_WORKERS = "SELECT procrastinate_prune_stalled_workers_v1(%(seconds)s)"

_REQUEUE = """
SELECT procrastinate_retry_job_v2(id, now(), NULL, NULL, NULL)
FROM (
    SELECT id FROM procrastinate_jobs WHERE status = 'doing' AND worker_id IS NULL
    FOR UPDATE SKIP LOCKED
) AS entry"""

# A job that is not over has an entry in the queue, but where the end of an attempt was not noted.
_FAIL_ABANDONED = """
UPDATE jobs
SET status = 'failed', problem = %(problem)s::jsonb, message = NULL,
    finished_at = clock_timestamp()
WHERE status IN ('accepted', 'running') AND NOT EXISTS (
    SELECT FROM procrastinate_jobs AS entry
    WHERE entry.id = jobs.queue_id AND entry.status IN ('todo', 'doing'))
RETURNING id"""

_CLEAR_QUEUE = """
DELETE FROM procrastinate_jobs WHERE status NOT IN ('todo', 'doing')"""

_REMOVE_OLD = """
DELETE FROM jobs
WHERE status NOT IN ('accepted', 'running') AND finished_at < now() - %(days)s * interval '1 day'
RETURNING id"""


def requeue_abandoned(connection: Connection, seconds: int) -> None:
    """Put back into the queue the jobs of workers that have not been heard of for so long."""
    run(connection, _FORGET_WORKERS, {"seconds": seconds})
    run(connection, _REQUEUE)


def fail_abandoned(connection: Connection, problem: dict[str, Any]) -> list[UUID]:
    """Make jobs failed that no worker has and none will take up; return their ids."""
    run(connection, _CLEAR_QUEUE)
    return run(connection, _FAIL_ABANDONED, {"problem": json.dumps(problem)}).scalars()


def remove_old(connection: Connection, days: int) -> list[UUID]:
    """Remove jobs that have been over for so many days; return their ids."""
    return run(connection, _REMOVE_OLD, {"days": days}).scalars()
