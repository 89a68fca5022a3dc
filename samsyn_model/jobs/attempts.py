"""The attempts at a job: a worker begins one, which alone may then change the job.

An attempt that another one has replaced, or whose job was dismissed, changes nothing any more.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from samsyn_model.database.execution import run
from samsyn_model.stored_text import json_text, storable_text

MAX_ATTEMPTS = 3
"""How often a job is begun whose worker died, or lost the database."""

_BEGIN = """
UPDATE jobs
SET status = 'running', attempts = attempts + 1, progress = 0, message = NULL,
    started_at = coalesce(started_at, clock_timestamp())
WHERE id = %(id)s AND status IN ('accepted', 'running') AND attempts < %(maximum)s
RETURNING attempts, kind"""

_GIVE_UP = """
UPDATE jobs
SET status = 'failed', problem = %(problem)s::jsonb, message = NULL,
    finished_at = clock_timestamp()
WHERE id = %(id)s AND status IN ('accepted', 'running')"""

_GIVE_BACK = """
UPDATE jobs SET status = 'accepted', attempts = attempts - 1, progress = 0, message = NULL
WHERE id = %(id)s AND status = 'running' AND attempts = %(attempt)s"""

_REPORT = """
UPDATE jobs SET progress = %(progress)s, message = %(message)s
WHERE id = %(id)s AND status = 'running' AND attempts = %(attempt)s
RETURNING 1"""

_FINISH = """
UPDATE jobs
SET status = 'successful', result = %(result)s::jsonb, progress = 100, message = NULL,
    finished_at = clock_timestamp()
WHERE id = %(id)s AND status = 'running' AND attempts = %(attempt)s
RETURNING 1"""

_FAIL = """
UPDATE jobs
SET status = 'failed', problem = %(problem)s::jsonb, message = NULL,
    finished_at = clock_timestamp()
WHERE id = %(id)s AND status = 'running' AND attempts = %(attempt)s
RETURNING 1"""


class AttemptOverError(Exception):
    """The job was dismissed or finished, or another attempt at it has begun."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt at a job, by its number from 1."""

    job_id: UUID
    number: int


def begin_attempt(
    connection: Connection, job_id: UUID, problem: dict[str, Any]
) -> tuple[Attempt, str] | None:
    """Begin another attempt at a job; return it and the job's kind, None where the job is over.

    A job that has been begun MAX_ATTEMPTS times fails with the problem document.
    """
    row = run(connection, _BEGIN, {"id": job_id, "maximum": MAX_ATTEMPTS}).one_or_none()
    if row is not None:
        return Attempt(job_id, row.attempts), row.kind
    run(connection, _GIVE_UP, {"id": job_id, "problem": json_text(problem)})
    return None


def give_back(connection: Connection, attempt: Attempt) -> None:
    """Undo the beginning of an attempt that ends through no fault of its job."""
    run(connection, _GIVE_BACK, _key(attempt))


def report_progress(
    connection: Connection, attempt: Attempt, progress: int, message: str | None
) -> None:
    """Note the progress of a job, in percent; raises AttemptOverError."""
    values = {**_key(attempt), "progress": progress, "message": message and storable_text(message)}
    _require(run(connection, _REPORT, values).one_or_none())


def finish_attempt(connection: Connection, attempt: Attempt, result: dict[str, Any]) -> None:
    """Make the job successful when the transaction commits; raises AttemptOverError.

    From then on until the transaction ends nobody else can change the job: do it last.
    """
    values = {**_key(attempt), "result": json_text(result)}
    _require(run(connection, _FINISH, values).one_or_none())


def fail_attempt(connection: Connection, attempt: Attempt, problem: dict[str, Any]) -> bool:
    """Make the job failed, unless it is over; return whether it was not."""
    values = {**_key(attempt), "problem": json_text(problem)}
    return run(connection, _FAIL, values).one_or_none() is not None


def _key(attempt: Attempt) -> dict[str, Any]:
    return {"id": attempt.job_id, "attempt": attempt.number}


def _require(row: object) -> None:
    if row is None:
        raise AttemptOverError("The job is over, or has been begun again elsewhere.")
