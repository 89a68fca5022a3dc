"""Faults under clients at work: nothing is lost, and all is right again by itself."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.clients.samsyn_server import serve
from tests.faults.database_server import DatabaseServer, wait_until
from tests.faults.faults import NotPossibleError, Scene
from tests.faults.load import Clients, Layer, half_written, lost, make_layer, stored
from tests.faults.server_processes import main_process, workers
from tests.faults.trial import run_fault, scene

SHORT = (
    *("postmaster killed", "PostgreSQL frozen", "out of connections", "disk full"),
    *("network cut", "a worker killed"),
)


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[Scene, Layer]]:
    with scene() as found:
        yield found


@pytest.mark.parametrize("name", SHORT)
def test_nothing_is_lost(running: tuple[Scene, Layer], name: str) -> None:
    at, layer = running
    try:
        result = run_fault(name, at, layer, 1)
    except NotPossibleError as reason:
        pytest.skip(str(reason))
    assert result.faults == []
    assert len(result.outcome.confirmed) > 5
    assert "Traceback" not in at.server.log.read_text()


def test_the_main_process_is_killed(database: DatabaseServer, tmp_path: Path) -> None:
    """Its workers end, and give back their connections and the port; nothing is lost."""
    with ExitStack() as stack:
        server = stack.enter_context(serve(database.url, tmp_path / "log"))
        layer = make_layer(server)
        clients = Clients(server.url, layer)
        with clients.at_work() as outcome:
            time.sleep(1)
            numbers = workers(server)
            os.kill(main_process(server), signal.SIGKILL)
            wait_until(lambda: not any(map(_runs, numbers)), 20, "the workers have ended")
    wait_until(lambda: database.sessions() == 0, 10, "every session ended")
    found = stored(database, layer)
    assert outcome.confirmed
    assert (lost(outcome, found), half_written(outcome, found)) == ([], [])
    assert outcome.unexpected == []


def _runs(process: int) -> bool:
    return Path(f"/proc/{process}/cwd").exists()
