"""Of the attempts at a job only the newest counts, and no job is stuck."""

import uuid
from typing import Any

import pytest
from sqlalchemy import Connection, Row, text

from samsyn_model.errors import LimitReachedError, NoSuchJobError
from samsyn_model.identity.api_tokens import find_or_create_user
from samsyn_model.jobs.attempts import (
    MAX_ATTEMPTS,
    Attempt,
    AttemptOverError,
    begin_attempt,
    fail_attempt,
    finish_attempt,
    give_back,
    report_progress,
)
from samsyn_model.jobs.jobs import create_job, dismiss_job, find_job
from samsyn_model.jobs.upkeep import fail_abandoned, requeue_abandoned
from samsyn_model.quotas.rows import Quota, refuse_excess
from samsyn_model.settings import Settings

PROBLEM = {"status": 500, "detail": "It ended."}


@pytest.fixture
def owner(connection: Connection) -> uuid.UUID:
    return find_or_create_user(connection, "planner@example.org")


@pytest.fixture
def job_id(connection: Connection, owner: uuid.UUID) -> uuid.UUID:
    return create_job(connection, owner, "import", {"a": 1})


def begin(connection: Connection, job_id: uuid.UUID) -> Attempt:
    begun = begin_attempt(connection, job_id, PROBLEM)
    assert begun
    return begun[0]


def state(connection: Connection, job_id: uuid.UUID) -> Row[Any]:
    return connection.execute(text("SELECT * FROM jobs WHERE id = :id"), {"id": job_id}).one()


def test_an_older_attempt_changes_nothing(connection: Connection, job_id: uuid.UUID) -> None:
    old = begin(connection, job_id)
    report_progress(connection, old, 40, "half")
    new = begin(connection, job_id)
    row = state(connection, job_id)
    assert (row.progress, row.message, row.attempts) == (0, None, 2)
    with pytest.raises(AttemptOverError):
        report_progress(connection, old, 50, "more")
    with pytest.raises(AttemptOverError):
        finish_attempt(connection, old, {})
    assert not fail_attempt(connection, old, PROBLEM)
    give_back(connection, old)
    finish_attempt(connection, new, {"done": True})
    row = state(connection, job_id)
    assert (row.status, row.result, row.progress) == ("successful", {"done": True}, 100)
    with pytest.raises(AttemptOverError):
        finish_attempt(connection, new, {"done": "again"})
    assert begin_attempt(connection, job_id, PROBLEM) is None
    assert state(connection, job_id).result == {"done": True}


def test_a_dismissed_job_is_not_finished(
    connection: Connection, owner: uuid.UUID, job_id: uuid.UUID
) -> None:
    attempt = begin(connection, job_id)
    assert dismiss_job(connection, owner, job_id).status == "dismissed"
    with pytest.raises(AttemptOverError):
        finish_attempt(connection, attempt, {})
    assert not fail_attempt(connection, attempt, PROBLEM)
    assert begin_attempt(connection, job_id, PROBLEM) is None
    assert state(connection, job_id).status == "dismissed"
    assert dismiss_job(connection, owner, job_id).status == "dismissed"
    with pytest.raises(NoSuchJobError):
        find_job(connection, owner, job_id)


def test_a_job_fails_after_so_many_attempts(connection: Connection, job_id: uuid.UUID) -> None:
    for _ in range(MAX_ATTEMPTS):
        begin(connection, job_id)
    assert begin_attempt(connection, job_id, PROBLEM) is None
    row = state(connection, job_id)
    assert (row.status, row.problem) == ("failed", PROBLEM)


def test_attempts_that_are_given_back_do_not_count(
    connection: Connection, job_id: uuid.UUID
) -> None:
    for _ in range(MAX_ATTEMPTS + 1):
        give_back(connection, begin(connection, job_id))
    row = state(connection, job_id)
    assert (row.status, row.attempts) == ("accepted", 0)


def test_a_job_without_an_entry_in_the_queue_fails(
    connection: Connection, owner: uuid.UUID, job_id: uuid.UUID
) -> None:
    begin(connection, job_id)
    other = create_job(connection, owner, "inspect", {})
    assert fail_abandoned(connection, PROBLEM) == []
    queue_id = state(connection, job_id).queue_id
    values = {"id": queue_id}
    connection.execute(text("DELETE FROM procrastinate_jobs WHERE id = :id"), values)
    assert fail_abandoned(connection, PROBLEM) == [job_id]
    assert state(connection, job_id).status == "failed"
    assert state(connection, other).status == "accepted"


def test_jobs_of_silent_workers_are_queued_again(connection: Connection, job_id: uuid.UUID) -> None:
    def status() -> Any:
        queue_id = state(connection, job_id).queue_id
        question = text("SELECT status FROM procrastinate_jobs WHERE id = :id")
        return connection.execute(question, {"id": queue_id}).scalar_one()

    worker = "INSERT INTO procrastinate_workers DEFAULT VALUES RETURNING id"
    number = connection.execute(text(worker)).scalar_one()
    fetch = text("SELECT procrastinate_fetch_job_v2(NULL, :worker)")
    connection.execute(fetch, {"worker": number})
    requeue_abandoned(connection, 12)
    assert status() == "doing"
    silent = "UPDATE procrastinate_workers SET last_heartbeat = now() - interval '13 s'"
    connection.execute(text(silent))
    requeue_abandoned(connection, 12)
    assert status() == "todo"


def test_the_jobs_of_a_user_are_limited(
    connection: Connection, owner: uuid.UUID, job_id: uuid.UUID
) -> None:
    limits = Settings(_env_file=None, max_jobs_per_user=1)
    refuse_excess(connection, limits, (Quota.JOBS_OF_USER, owner))
    create_job(connection, owner, "inspect", {})
    with pytest.raises(LimitReachedError):
        refuse_excess(connection, limits, (Quota.JOBS_OF_USER, owner))
    finish_attempt(connection, begin(connection, job_id), {})
    refuse_excess(connection, limits, (Quota.JOBS_OF_USER, owner))
