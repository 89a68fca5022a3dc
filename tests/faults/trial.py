"""One fault under clients at work, and what has to hold after it."""

import os
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import requests

from tests.clients.samsyn_server import Server, serve
from tests.faults.database_server import DatabaseServer, database_server, slack, wait_until
from tests.faults.faults import FAULTS, Scene, small_file_system
from tests.faults.load import Clients, Layer, Outcome, half_written, lost, make_layer, stored
from tests.faults.server_processes import main_process, open_files, workers
from tests.faults.tcp_proxy import proxy_to

RIGHT_AGAIN = 5.0
"""Seconds after the end of a fault within which all is right, on a machine that is not busy."""
_DISK = 700  # megabytes
_WORKERS = 2
_MOST_SESSIONS = 6  # of a worker
_COMPANIONS = ("samsyn-live-", "samsyn-tiler-")  # folders of their sockets, while a server runs
_MORE_FILES = 12  # that a worker may have open: caches, connections of clients


@dataclass
class Result:
    """What a fault has done; `faults` are the rules that do not hold after it."""

    name: str
    outcome: Outcome
    right_again: float
    sessions: int
    faults: list[str]


@contextmanager
def scene() -> Iterator[tuple[Scene, Layer]]:
    """Run a server behind a proxy over a database of its own, on a small disk where possible."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="samsyn-faults-")))
        folder.chmod(0o755)
        (folder / "tmp").mkdir()
        (folder / "disk").mkdir()
        disk = stack.enter_context(small_file_system(_DISK, folder / "disk"))
        database = stack.enter_context(database_server(folder / "disk", keeps_running=True))
        network = stack.enter_context(proxy_to(database.socket))
        server = stack.enter_context(
            serve(
                database.over_tcp(network.port),
                folder / "log",
                workers=_WORKERS,
                TMPDIR=str(folder / "tmp"),
            )
        )
        yield Scene(server, database, network, disk), make_layer(server)


def run_fault(name: str, at: Scene, layer: Layer, seconds: float) -> Result:
    """Let clients work before, during and after a fault of so many seconds.

    Raises NotPossibleError.
    """
    with psycopg.connect(at.database.plain_url, autocommit=True) as connection:
        connection.execute("CHECKPOINT")  # the log takes less of a small disk
    files = {process: open_files(process) for process in workers(at.server)}
    clients = Clients(at.server.url, layer)
    faults = []
    with clients.at_work() as outcome:
        time.sleep(min(seconds, 1))
        FAULTS[name](at, seconds)
        right_again = _time_until_right(at, clients)
        time.sleep(min(seconds, 1))
    time.sleep(0.5)
    if right_again > RIGHT_AGAIN * slack():
        faults.append(f"right again after {right_again:.1f} s")
    found = stored(at.database, layer)
    faults += [f"lost: {name}" for name in lost(outcome, found)]
    faults += [f"half-written: {name}" for name in half_written(outcome, found)]
    faults += outcome.unexpected[:3]
    sessions = at.database.sessions()
    if sessions > _WORKERS * _MOST_SESSIONS:
        faults.append(f"{sessions} sessions")
    for process in workers(at.server):
        more = open_files(process) - files.get(process, open_files(process))
        if more > _MORE_FILES:
            faults.append(f"{more} more open files")
    temporary = [path.name for path in (at.server.log.parent / "tmp").iterdir()]
    if left := [name for name in temporary if not name.startswith(_COMPANIONS)]:
        faults.append(f"left in TMPDIR: {left}")
    return Result(name, outcome, right_again, sessions, faults)


def _time_until_right(at: Scene, clients: Clients) -> float:
    """Return after how many seconds every worker reads and writes."""

    def is_right() -> bool:
        seen = clients.outcome.statuses
        before = seen["503"] + seen["broken"]
        for _ in range(4 * _WORKERS):
            try:
                if not requests.get(f"{at.server.url}/api/health", timeout=10).ok:
                    return False
            except requests.RequestException:
                return False
        clients.add_feature()
        clients.add_batch()
        return seen["503"] + seen["broken"] == before

    return wait_until(is_right, 60, "all is right again")


def kill_main_process(server: Server, database: DatabaseServer, layer: Layer) -> Result:
    """Kill what has started the workers, under clients at work: the server is gone then.

    The workers end by themselves, and give back their connections and the port.
    """
    clients = Clients(server.url, layer)
    with clients.at_work() as outcome:
        time.sleep(1)
        numbers = workers(server)
        os.kill(main_process(server), signal.SIGKILL)
        ended = wait_until(
            lambda: not any(map(_runs, numbers)), 20 * slack(), "the workers have ended"
        )
    wait_until(lambda: database.sessions() == 0, 10, "every session ended")
    found = stored(database, layer)
    faults = [f"lost: {name}" for name in lost(outcome, found)]
    faults += [f"half-written: {name}" for name in half_written(outcome, found)]
    faults += outcome.unexpected[:3]
    return Result("main process killed", outcome, ended, 0, faults)


def _runs(process: int) -> bool:
    return Path(f"/proc/{process}/cwd").exists()
