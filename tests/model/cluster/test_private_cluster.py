"""The private cluster, with real servers: sharing, stopping, crashes."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.exc import DBAPIError

from samsyn_model.cluster.private_cluster import Cluster, ClusterError
from samsyn_model.settings import CHECKOUT
from tests.model.cluster.clusters import ask, needs_postgresql, socket_of

pytestmark = needs_postgresql

USER_PROGRAM = """
import signal, sys
from pathlib import Path
from samsyn_model.cluster.private_cluster import Cluster
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
with Cluster(Path(sys.argv[1]), elsewhere=Path(sys.argv[2])).in_use() as url:
    print(url, flush=True)
    sys.stdin.read()
"""


def server_number(home: Path) -> int:
    return int((home / "postgres/data/postmaster.pid").read_text().split()[0])


def still_runs(pid: int) -> bool:
    """Whether the process is there, and does not leave within five seconds."""
    deadline = time.monotonic() + 5
    while Path(f"/proc/{pid}/cwd").exists():
        if time.monotonic() > deadline:
            return True
        time.sleep(0.05)
    return False


@contextlib.contextmanager
def other_user(
    home: Path, elsewhere: Path = Path("/nonexistent"), **arguments: object
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Another process that uses the cluster until its standard input ends; and its URL."""
    process = subprocess.Popen(
        [sys.executable, "-c", USER_PROGRAM, str(home), str(elsewhere)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=CHECKOUT,
        **arguments,  # type: ignore[call-overload]
    )
    with process:
        try:
            yield process, process.stdout.readline().strip()
        finally:
            process.kill()


def test_a_new_cluster_is_ours_alone(cluster_template: Path) -> None:
    with Cluster(cluster_template).in_use() as url:
        assert ask(url, "SHOW listen_addresses") == ""
        assert ask(url, "SELECT current_database()") == "samsyn"
        assert ask(url, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is True
        assert ask(url, "SHOW server_encoding") == "UTF8"
        assert ask(url, "SHOW fsync") == "on"
        assert ask(url, "SHOW TimeZone") == "UTC"
        assert socket_of(url).parent.stat().st_mode & 0o077 == 0
        assert len(str(socket_of(url))) < 107


def test_its_log_has_no_statements(cluster_home: Path) -> None:
    with Cluster(cluster_home).in_use() as url:
        with pytest.raises(DBAPIError):
            ask(url, "SET statement_timeout = 50; SELECT pg_sleep(10), 'what a user searched for'")
        log = (cluster_home / "postgres" / "server.log").read_text()
    assert "statement timeout" in log
    assert "searched for" not in log


def test_the_last_of_two_processes_stops_it(cluster_home: Path) -> None:
    with other_user(cluster_home) as (process, url):
        with Cluster(cluster_home).in_use() as same_url:
            pid = server_number(cluster_home)
            assert same_url == url
        assert ask(url, "SELECT 1") == 1, "the other process still uses it"
        process.communicate()
        assert process.returncode == 0
    assert not still_runs(pid)
    assert not socket_of(url).parent.exists()


def test_two_that_come_first_at_once_make_one(cluster_folder: Path) -> None:
    home = cluster_folder / "new" / ".samsyn"
    command = [sys.executable, "-c", USER_PROGRAM, home, "/nonexistent"]
    processes = [
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, cwd=CHECKOUT
        )
        for _ in range(2)
    ]
    try:
        urls = [process.communicate(timeout=60)[0] for process in processes]
        assert [process.returncode for process in processes] == [0, 0]
        assert urls[0] == urls[1] != ""
    finally:
        Cluster(home).remove()


def test_sigterm_stops_it(cluster_home: Path) -> None:
    with other_user(cluster_home) as (process, url):
        assert ask(url, "SELECT 1") == 1
        pid = server_number(cluster_home)
        process.terminate()
        assert process.wait(20) == 0
    assert not still_runs(pid)


def test_a_killed_process_leaves_it_to_the_next(cluster_home: Path) -> None:
    with other_user(cluster_home) as (process, url):
        process.kill()
        process.wait()
        pid = server_number(cluster_home)
        assert ask(url, "SELECT 1") == 1
    with Cluster(cluster_home).in_use():
        assert server_number(cluster_home) == pid, "reused, not started again"
    assert not still_runs(pid)


def test_it_starts_again_after_the_server_was_killed(cluster_home: Path) -> None:
    with Cluster(cluster_home).in_use() as url:
        assert ask(url, "SELECT 1") == 1
        os.kill(server_number(cluster_home), signal.SIGKILL)
        with Cluster(cluster_home).in_use():
            assert ask(url, "SELECT 1") == 1


@pytest.mark.parametrize(
    "content",
    ["", "{live}\n/elsewhere\n", "4194303\n{data}\n0\n5432\n"],
    ids=["empty", "number-reused", "number-free"],
)
def test_a_stale_process_file_is_no_obstacle(cluster_home: Path, content: str) -> None:
    data = cluster_home / "postgres/data"
    (data / "postmaster.pid").write_text(content.format(live=os.getpid(), data=data))
    shutil.chown(data / "postmaster.pid", data.stat().st_uid)
    with Cluster(cluster_home).in_use() as url:
        assert ask(url, "SELECT 1") == 1


def test_a_half_made_cluster_is_made_anew(cluster_home: Path) -> None:
    (cluster_home / "postgres/data").rename(cluster_home / "postgres/data.partial")
    (cluster_home / "postgres/data.partial/PG_VERSION").unlink()
    with Cluster(cluster_home).in_use() as url:
        assert ask(url, "SELECT 1") == 1
    assert not (cluster_home / "postgres/data.partial").exists()


def test_a_forked_child_neither_stops_it_nor_holds_it(cluster_home: Path) -> None:
    with contextlib.ExitStack() as stack:
        url = stack.enter_context(Cluster(cluster_home).in_use())
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:  # leaves the block as a gunicorn worker does, later than its parent
            os.close(writing)
            try:
                stack.close()
            finally:
                os.read(reading, 1)
                os._exit(0)
        time.sleep(0.3)
        pid = server_number(cluster_home)
        assert ask(url, "SELECT 1") == 1, "the child left, the parent still uses it"
    assert not still_runs(pid), "the parent was the last user, although its child lives"
    os.close(writing)
    os.close(reading)
    assert os.waitpid(child, 0)[1] == 0


def test_a_cluster_in_use_is_not_removed(cluster_home: Path) -> None:
    with Cluster(cluster_home).in_use() as url:
        with pytest.raises(ClusterError, match="in use"):
            Cluster(cluster_home).remove()
        assert ask(url, "SELECT 1") == 1
