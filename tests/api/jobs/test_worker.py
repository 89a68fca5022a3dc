"""The worker, as a person runs it: what becomes of jobs, whatever they do."""

import time
from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.api.jobs.workers import (
    defer,
    dismiss,
    is_alive,
    job,
    kill,
    layers_of,
    rows,
    user,
    wait_for,
    wait_until_over,
    wait_until_running,
    worker,
)


def test_a_job_runs_and_leaves_its_result(empty_database: Engine, tmp_path: Path) -> None:
    owner = user(empty_database)
    waiting = defer(empty_database, owner, do="answer", answer="å <&>")
    assert job(empty_database, waiting).status == "accepted"
    with worker(empty_database, tmp_path / "log") as process:
        row = wait_until_over(empty_database, waiting)
        assert (row.status, row.progress, row.attempts) == ("successful", 100, 1)
        assert row.result["answer"] == "å <&>"
        assert row.result["process"] != process.pid
        assert row.created_at < row.started_at < row.finished_at <= row.updated_at
        begun = time.monotonic()
        row = wait_until_over(empty_database, defer(empty_database, owner, do="answer"))
        assert row.status == "successful"
        assert time.monotonic() - begun < 20
        wait_for(lambda: not rows(empty_database, "SELECT FROM procrastinate_jobs"))
    assert not rows(empty_database, "SELECT FROM procrastinate_workers")


@pytest.mark.parametrize(
    ("what", "status", "detail"),
    [
        ("refuse", 422, "This does not suit."),
        ("fail", 500, "Something went wrong"),
        ("crash", 422, "SIGSEGV"),
        ("exit", 500, "status 7"),
        ("eat", 413, "JOB_MEMORY"),
    ],
)
def test_a_job_that_fails_says_why(
    empty_database: Engine, tmp_path: Path, what: str, status: int, detail: str
) -> None:
    failing = defer(empty_database, user(empty_database), do=what)
    with worker(empty_database, tmp_path / "log", JOB_MEMORY="256"):
        row = wait_until_over(empty_database, failing)
    assert (row.status, row.result, row.attempts) == ("failed", None, 1)
    assert row.problem["status"] == status
    assert detail in row.problem["detail"]
    assert "secret" not in str(row.problem)
    assert ("secret" in (tmp_path / "log").read_text()) == (what == "fail")
    assert row.problem.get("errors") == (
        [{"pointer": "/crs", "detail": "There is none."}] if what == "refuse" else None
    )


def test_a_job_ends_at_its_time_limit(empty_database: Engine, tmp_path: Path) -> None:
    late = defer(empty_database, user(empty_database), do="sleep", seconds=60)
    with worker(empty_database, tmp_path / "log", JOB_TIMEOUT="3"):
        row = wait_until_over(empty_database, late, 30)
    assert row.status == "failed"
    assert "JOB_TIMEOUT" in row.problem["detail"]


def test_a_dismissed_job_ends_within_two_seconds(empty_database: Engine, tmp_path: Path) -> None:
    owner, note = user(empty_database), tmp_path / "note"
    long = defer(empty_database, owner, "import", do="make_layers", count=600, note=str(note))
    with worker(empty_database, tmp_path / "log"):
        wait_until_running(empty_database, long)
        number = int(note.read_text())
        assert is_alive(number)
        begun = time.monotonic()
        row = dismiss(empty_database, owner, long)
        assert (row.status, row.id) == ("dismissed", long)
        wait_for(lambda: not is_alive(number))
        assert time.monotonic() - begun < 2
        wait_for(lambda: not rows(empty_database, "SELECT FROM procrastinate_jobs"))
    assert job(empty_database, long).status == "dismissed"
    assert layers_of(empty_database, long) == 0


def test_a_job_that_waits_is_dismissed_without_a_worker(
    empty_database: Engine, tmp_path: Path
) -> None:
    owner = user(empty_database)
    waiting = defer(empty_database, owner, do="answer")
    assert dismiss(empty_database, owner, waiting).status == "dismissed"
    assert not rows(empty_database, "SELECT FROM procrastinate_jobs")
    after = defer(empty_database, owner, do="answer")
    with worker(empty_database, tmp_path / "log"):
        wait_until_over(empty_database, after)
    assert job(empty_database, waiting).status == "dismissed"


@pytest.mark.parametrize("killed", ["worker", "job"])
def test_nothing_is_half_done_where_a_process_is_killed(
    empty_database: Engine, tmp_path: Path, killed: str
) -> None:
    owner, note = user(empty_database), tmp_path / "note"
    import_job = defer(empty_database, owner, "import", do="make_layers", count=30, note=str(note))
    with worker(empty_database, tmp_path / "log") as first:
        wait_until_running(empty_database, import_job)
        number = int(note.read_text())
        if killed == "job":
            kill(number)
            row = wait_until_over(empty_database, import_job)
            assert (row.status, row.attempts) == ("failed", 1)
            assert "before its time" in row.problem["detail"]
            assert layers_of(empty_database, import_job) == 0
            return
        kill(first.pid)
        wait_for(lambda: not is_alive(number), 5)
        with worker(empty_database, tmp_path / "log"):
            row = wait_until_over(empty_database, import_job)
    assert (row.status, row.attempts) == ("successful", 2)
    assert layers_of(empty_database, import_job) == 30
    assert len(row.result["layers"]) == 30


def test_a_worker_that_stops_leaves_its_jobs_to_the_next(
    empty_database: Engine, tmp_path: Path
) -> None:
    owner = user(empty_database)
    long = defer(empty_database, owner, "import", do="make_layers", count=40)
    for _ in range(4):  # more often than a job is begun whose worker was killed
        with worker(empty_database, tmp_path / "log"):
            wait_until_running(empty_database, long)
            begun = time.monotonic()
        assert time.monotonic() - begun < 5
        assert job(empty_database, long).status == "accepted"
        assert layers_of(empty_database, long) == 0
    with worker(empty_database, tmp_path / "log"):
        row = wait_until_over(empty_database, long)
    assert (row.status, row.attempts) == ("successful", 1)
    assert layers_of(empty_database, long) == 40


def test_two_workers_share_jobs_and_do_each_once(empty_database: Engine, tmp_path: Path) -> None:
    owner = user(empty_database)
    rows(empty_database, "DELETE FROM procrastinate_workers")
    with (
        worker(empty_database, tmp_path / "one", JOBS_WORKERS="1"),
        worker(empty_database, tmp_path / "two", JOBS_WORKERS="1"),
    ):
        wait_for(lambda: len(rows(empty_database, "SELECT FROM procrastinate_workers")) == 2)
        jobs = [
            defer(empty_database, owner, "import", do="make_layers", count=2, pause=1)
            for _ in range(4)
        ]
        for job_id in jobs:
            row = wait_until_over(empty_database, job_id, 120)
            assert (row.status, row.attempts) == ("successful", 1)
    assert [layers_of(empty_database, job_id) for job_id in jobs] == [2] * 4
    begun = [(tmp_path / name).read_text().count("begins") for name in ("one", "two")]
    assert sum(begun) == 4
    assert min(begun) > 0
