"""`samsyn serve` without DATABASE_URL: its private database dies, and is there again."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests

from samsyn_model.cluster.installations import find_installations
from samsyn_model.cluster.private_cluster import Cluster
from samsyn_model.database.engine import open_engine
from samsyn_model.database.execution import run
from samsyn_model.database.transactions import reading
from samsyn_model.errors import DatabaseUnavailableError
from tests.clients.samsyn_server import free_port
from tests.faults.database_server import DatabaseServer, database_server, slack, wait_until

RESTART = 2.0
PROGRAM = """
import sys
from pathlib import Path
from samsyn_admin import cli
from samsyn_model.cluster import private_cluster
private_cluster.CHECKOUT = Path(sys.argv.pop(1))
cli.main()
"""
pytestmark = pytest.mark.skipif(not find_installations(), reason="no PostgreSQL with PostGIS")


@pytest.fixture(scope="module")
def private() -> Iterator[DatabaseServer]:
    with database_server() as server:
        yield server


def _serving(private: DatabaseServer, stack: ExitStack, log: Path) -> str:
    """Run `samsyn serve` over the private database of another checkout; return its URL."""
    port = free_port()
    environment = os.environ | {"DATABASE_URL": "", "PORT": str(port), "WEB_CONCURRENCY": "1"}
    output = stack.enter_context(log.open("wb"))
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, private.home.parent, "serve"],
        env=environment,
        stdout=output,
        stderr=output,
    )
    stack.enter_context(process)
    stack.callback(process.terminate)
    url = f"http://127.0.0.1:{port}"
    wait_until(lambda: _status(url) == 200, 90, "it serves")
    return url


def _status(url: str) -> int:
    try:
        return requests.get(f"{url}/api/health", timeout=20).status_code
    except requests.ConnectionError:
        return 0


def test_it_is_started_again(private: DatabaseServer, tmp_path: Path) -> None:
    with ExitStack() as stack:
        servers = [_serving(private, stack, tmp_path / name) for name in ("first", "second")]
        for stop in (signal.SIGKILL, signal.SIGINT):
            busy = threading.Thread(target=_compute, args=(private.url,))
            busy.start()
            wait_until(private.sessions, 10, "a long statement runs")
            os.sync()  # a new database is not on the disk yet, and recovery waits for that
            before = private.postmaster
            os.kill(before, stop)
            took = wait_until(lambda: _has_session(private), 30, "the database is there again")
            assert took < RESTART * slack()
            assert private.postmaster != before
            busy.join(20)
            assert not busy.is_alive()
            for server in servers:
                wait_until(lambda url=server: _status(url) == 200, 5 * slack(), "it serves again")
        assert len([pid for pid in private.processes() if _is_postmaster(pid, private)]) == 1
    for name in ("first", "second"):
        assert "Traceback" not in (tmp_path / name).read_text()
    text = (tmp_path / "first").read_text() + (tmp_path / "second").read_text()
    assert 1 <= text.count("it is started again") <= 2, "one of the two starts it, each time"


def _compute(url: str) -> None:
    """Run a statement that does not notice that the server's first process is gone."""
    engine = open_engine(url)
    with pytest.raises(DatabaseUnavailableError), reading(engine) as connection:
        run(connection, "SELECT count(*) FROM generate_series(1, 2000000000)")
    engine.dispose()


def _has_session(private: DatabaseServer) -> bool:
    engine = open_engine(private.url)
    try:
        with reading(engine) as connection:
            return bool(run(connection, "SELECT 1").scalar() == 1)
    except DatabaseUnavailableError:
        return False
    finally:
        engine.dispose()


def _is_postmaster(pid: int, private: DatabaseServer) -> bool:
    return pid == private.postmaster or b"-D" in Path(f"/proc/{pid}/cmdline").read_bytes()


def test_who_leaves_stops_it_for_good(private: DatabaseServer) -> None:
    home = private.home
    with Cluster(home).in_use(keeps_running=True):
        pass
    assert private.processes(), "the fixture still uses it"


def test_a_statement_of_a_dead_server_does_not_keep_a_new_one_waiting(
    private: DatabaseServer,
) -> None:
    busy = threading.Thread(target=_compute, args=(private.url,))
    busy.start()
    wait_until(private.sessions, 10, "a long statement runs")
    os.kill(private.postmaster, signal.SIGKILL)
    with Cluster(private.home, patience=20).in_use():
        assert _has_session(private)
    busy.join(10)
    assert not busy.is_alive()
