"""The queue as operators see it: how many jobs wait and run, of all users."""

from dataclasses import dataclass

from sqlalchemy import Connection

from samsyn_model.database.execution import run
from samsyn_model.jobs.jobs import QUEUE

# the queue has only jobs that are not over
_SELECT = """
SELECT count(*) FILTER (WHERE queued.status = 'todo') AS accepted,
    count(*) FILTER (WHERE queued.status = 'doing') AS running,
    coalesce(extract(epoch FROM max(clock_timestamp() - jobs.created_at)
        FILTER (WHERE queued.status = 'todo')), 0)::float AS oldest_wait
FROM procrastinate_jobs AS queued LEFT JOIN jobs ON jobs.id = (queued.args ->> 'job_id')::uuid
WHERE queued.queue_name = %(queue)s"""


@dataclass(frozen=True, slots=True)
class Queue:
    """Jobs that are not over."""

    accepted: int
    running: int
    oldest_wait: float
    """Seconds for which the oldest job waits that is accepted; 0 where none is."""


def read_queue(connection: Connection) -> Queue:
    """Return the queue as it is now."""
    return Queue(*run(connection, _SELECT, {"queue": QUEUE}).one())
