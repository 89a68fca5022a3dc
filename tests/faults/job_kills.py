"""Jobs in whose middle a process is killed: none is half done after it, none is stuck.

`python -m tests.faults.job_kills` kills each process twenty times.
"""

import os
import random
import signal
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from samsyn_model.database.engine import open_engine
from tests.api.jobs.workers import (
    OVER,
    PYTHONPATH,
    defer,
    is_alive,
    job,
    layers_of,
    rows,
    user,
)
from tests.clients.samsyn_server import Server, serve
from tests.faults.database_server import DatabaseServer, database_server, slack, wait_until
from tests.faults.server_processes import main_process

VICTIMS = ("job", "worker", "server", "database")
LAYERS = 15  # that a job makes, in a transaction of about three seconds
PATIENCE = 60  # seconds until a job is over, on a machine that is not busy


@dataclass
class Scene:
    """A server with a worker beside it, over a database of its own."""

    database: DatabaseServer
    engine: Engine
    owner: uuid.UUID
    folder: Path
    server: Server
    servers: ExitStack


@contextmanager
def scene() -> Iterator[Scene]:
    """Run a server whose jobs are those of the tests."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="samsyn-kills-")))
        (folder / "tmp").mkdir()
        database = stack.enter_context(database_server(keeps_running=True))
        engine = open_engine(database.url)
        stack.callback(engine.dispose)
        servers = stack.enter_context(ExitStack())
        server = _serve(database, folder, servers)
        yield Scene(database, engine, user(engine), folder, server, servers)


def _serve(database: DatabaseServer, folder: Path, servers: ExitStack) -> Server:
    context = serve(
        *(database.url, folder / "log", 1),
        JOBS_WORKERS="2",
        PYTHONPATH=PYTHONPATH,
        TMPDIR=str(folder / "tmp"),
    )
    return servers.enter_context(context)


def kill_in_mid_job(victim: str, at: Scene, times: int) -> Counter[str]:
    """Kill a process in the middle of a job so many times; return how the jobs ended.

    Raises AssertionError where a job is half done, done twice, or not over in time.
    """
    ends: Counter[str] = Counter()
    for number in range(times):
        note = at.folder / f"{victim}-{number}"
        job_id = defer(
            at.engine, at.owner, "import", do="make_layers", count=LAYERS, pause=0.2, note=str(note)
        )
        wait_until(note.exists, PATIENCE * slack(), "the job has begun")
        time.sleep(random.uniform(0, 2.5))
        _kill(victim, at, note)
        wait_until(
            lambda key=job_id: _is_over(at, key), PATIENCE * slack(), f"{victim}: the job is over"
        )
        row = job(at.engine, job_id)
        made = layers_of(at.engine, job_id)
        assert made == (LAYERS if row.status == "successful" else 0), (row, made)
        assert row.status == "successful" or row.problem, row
        ends[f"{row.status} at attempt {row.attempts}"] += 1
        processes = [int(line) for line in note.read_text().split()]
        wait_until(lambda numbers=processes: not any(map(is_alive, numbers)), 10, "processes ended")
    wait_until(
        lambda: not rows(at.engine, "SELECT FROM procrastinate_jobs"), 30 * slack(), "empty queue"
    )
    return ends


def _kill(victim: str, at: Scene, note: Path) -> None:
    if victim == "database":
        os.kill(at.database.postmaster, signal.SIGKILL)
        return
    if victim == "job":
        number = int(note.read_text().split()[-1])
    elif victim == "worker":
        number = worker_of(at.server)
    else:
        number = main_process(at.server)
    with suppress(ProcessLookupError):  # a job that is over already
        os.kill(number, signal.SIGKILL)
    if victim == "server":
        at.servers.close()
        at.server = _serve(at.database, at.folder, at.servers)


def worker_of(server: Server) -> int:
    """Return the process number of the worker beside a server, once there is one."""
    found: list[int] = []

    def look() -> bool:
        main = main_process(server)
        for children in Path(f"/proc/{main}/task").glob("*/children"):
            with suppress(OSError):
                for number in children.read_text().split():
                    if b"samsyn_admin.jobs.worker" in Path(f"/proc/{number}/cmdline").read_bytes():
                        found.append(int(number))
        return bool(found)

    wait_until(look, 60 * slack(), "a worker beside the server")
    return found[0]


def _is_over(at: Scene, job_id: uuid.UUID) -> bool:
    try:
        return bool(job(at.engine, job_id).status in OVER)
    except SQLAlchemyError:  # the database is away
        return False


def main(times: int) -> int:
    """Kill each process so many times; return how many of them have broken a rule."""
    broken = 0
    with scene() as at:
        for victim in VICTIMS:
            try:
                ends = kill_in_mid_job(victim, at, times)
                how = ", ".join(f"{count} {end}" for end, count in sorted(ends.items()))
            except AssertionError as failure:
                broken += 1
                how = str(failure)
            print(f"| {victim} killed in mid-job, {times} times | {how} |", flush=True)  # noqa: T201
    return broken


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 20))
