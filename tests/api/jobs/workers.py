"""Real workers, `samsyn worker`, and the jobs that they are given."""

import os
import signal
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, Row, text

from samsyn_model.identity import api_tokens
from samsyn_model.jobs.jobs import create_job, dismiss_job
from tests.clients.samsyn_server import SAMSYN

CHECKOUT = Path(__file__).resolve().parents[3]
PYTHONPATH = os.pathsep.join((str(Path(__file__).parent / "programs"), str(CHECKOUT)))
"""With this path the jobs of a process are those of `work.py`."""
PATIENCE = 60  # seconds, on a busy machine
OVER = {"successful", "failed", "dismissed"}


@contextmanager
def worker(engine: Engine, log: Path, **settings: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a worker on the database of an engine until the block ends."""
    url = engine.url.render_as_string(hide_password=False)
    environment = {**os.environ, "DATABASE_URL": url, "PYTHONPATH": PYTHONPATH, **settings}
    with log.open("ab") as output:
        process = subprocess.Popen(
            [SAMSYN, "worker"], env=environment, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise


def user(engine: Engine, name: str = "planner") -> uuid.UUID:
    with engine.begin() as connection:
        return api_tokens.find_or_create_user(connection, f"{name}@example.org")


def defer(
    engine: Engine, user_id: uuid.UUID, kind: str = "inspect", **parameters: Any
) -> uuid.UUID:
    with engine.begin() as connection:
        return create_job(connection, user_id, kind, parameters)


def dismiss(engine: Engine, user_id: uuid.UUID, job_id: uuid.UUID) -> Row[Any]:
    with engine.begin() as connection:
        return dismiss_job(connection, user_id, job_id)


def job(engine: Engine, job_id: uuid.UUID) -> Row[Any]:
    return rows(engine, "SELECT * FROM jobs WHERE id = :id", id=job_id)[0]


def rows(engine: Engine, sql: str, **values: Any) -> list[Row[Any]]:
    with engine.begin() as connection:
        result = connection.execute(text(sql), values)
        return list(result.all()) if result.returns_rows else []


def layers_of(engine: Engine, job_id: uuid.UUID) -> int:
    sql = "SELECT count(*) FROM layers WHERE name = :name"
    return int(rows(engine, sql, name=str(job_id))[0][0])


def wait_for(condition: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    """Return what a condition is once it is true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s")


def wait_until_over(engine: Engine, job_id: uuid.UUID, seconds: float = PATIENCE) -> Row[Any]:
    wait_for(lambda: job(engine, job_id).status in OVER, seconds)
    return job(engine, job_id)


def wait_until_running(engine: Engine, job_id: uuid.UUID) -> None:
    """Wait until a job has said how far it is."""
    wait_for(lambda: job(engine, job_id).message)


def is_alive(process: int) -> bool:
    with suppress(OSError):
        return ") Z " not in Path(f"/proc/{process}/stat").read_text()
    return False


def kill(process: int) -> None:
    os.kill(process, signal.SIGKILL)
