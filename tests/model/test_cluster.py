"""The private cluster, with real servers: sharing, stopping, crashes, and what stands in its way.

As root the server is run by another user; the tests then also run as that user.
"""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url
from sqlalchemy.pool import NullPool

from samsyn_model.cluster import Cluster, ClusterError
from samsyn_model.postgresql import find_installations
from samsyn_model.settings import CHECKOUT

pytestmark = pytest.mark.skipif(
    not find_installations(), reason="no PostgreSQL with PostGIS is installed on this machine"
)
IS_ROOT = os.geteuid() == 0
as_root = pytest.mark.skipif(not IS_ROOT, reason="only root runs the server as another user")

USER_PROGRAM = """
import signal, sys
from pathlib import Path
from samsyn_model.cluster import Cluster
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
with Cluster(Path(sys.argv[1]), elsewhere=Path(sys.argv[2])).in_use() as url:
    print(url, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder that everybody may enter, unlike pytest's, with a short path."""
    folder = Path(tempfile.mkdtemp(prefix="samsyn-test-cluster-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def template(folder: Path) -> Path:
    """The home of a stopped cluster that has its database: initdb takes seconds."""
    home = folder / "template" / ".samsyn"
    with Cluster(home).in_use():
        pass
    return home


@pytest.fixture
def home(template: Path, folder: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A home with a stopped cluster."""
    checkout = folder / request.node.name
    checkout.mkdir()
    subprocess.run(["cp", "-a", template, checkout], check=True)
    yield checkout / ".samsyn"
    Cluster(checkout / ".samsyn").remove()


def ask(url: str, question: str) -> object:
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        return connection.exec_driver_sql(question).scalar_one()


def socket_of(url: str) -> Path:
    return Path(str(make_url(url).query["host"])) / ".s.PGSQL.5432"


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


def test_a_new_cluster_is_ours_alone(template: Path) -> None:
    with Cluster(template).in_use() as url:
        assert ask(url, "SHOW listen_addresses") == ""
        assert ask(url, "SELECT current_database()") == "samsyn"
        assert ask(url, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is True
        assert ask(url, "SHOW server_encoding") == "UTF8"
        assert ask(url, "SHOW fsync") == "on"
        assert ask(url, "SHOW TimeZone") == "UTC"
        assert socket_of(url).parent.stat().st_mode & 0o077 == 0
        assert len(str(socket_of(url))) < 107


def test_the_last_of_two_processes_stops_it(home: Path) -> None:
    with other_user(home) as (process, url):
        with Cluster(home).in_use() as same_url:
            pid = server_number(home)
            assert same_url == url
        assert ask(url, "SELECT 1") == 1, "the other process still uses it"
        process.communicate()
        assert process.returncode == 0
    assert not still_runs(pid)
    assert not socket_of(url).parent.exists()


def test_two_that_come_first_at_once_make_one(folder: Path) -> None:
    home = folder / "new" / ".samsyn"
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


def test_sigterm_stops_it(home: Path) -> None:
    with other_user(home) as (process, url):
        assert ask(url, "SELECT 1") == 1
        pid = server_number(home)
        process.terminate()
        assert process.wait(20) == 0
    assert not still_runs(pid)


def test_a_killed_process_leaves_it_to_the_next(home: Path) -> None:
    with other_user(home) as (process, url):
        process.kill()
        process.wait()
        pid = server_number(home)
        assert ask(url, "SELECT 1") == 1
    with Cluster(home).in_use():
        assert server_number(home) == pid, "reused, not started again"
    assert not still_runs(pid)


def test_it_starts_again_after_the_server_was_killed(home: Path) -> None:
    with Cluster(home).in_use() as url:
        assert ask(url, "SELECT 1") == 1
        os.kill(server_number(home), signal.SIGKILL)
        with Cluster(home).in_use():
            assert ask(url, "SELECT 1") == 1


@pytest.mark.parametrize(
    "content",
    ["", "{live}\n/elsewhere\n", "4194303\n{data}\n0\n5432\n"],
    ids=["empty", "number-reused", "number-free"],
)
def test_a_stale_process_file_is_no_obstacle(home: Path, content: str) -> None:
    data = home / "postgres/data"
    (data / "postmaster.pid").write_text(content.format(live=os.getpid(), data=data))
    shutil.chown(data / "postmaster.pid", data.stat().st_uid)
    with Cluster(home).in_use() as url:
        assert ask(url, "SELECT 1") == 1


def test_a_half_made_cluster_is_made_anew(home: Path) -> None:
    (home / "postgres/data").rename(home / "postgres/data.partial")
    (home / "postgres/data.partial/PG_VERSION").unlink()
    with Cluster(home).in_use() as url:
        assert ask(url, "SELECT 1") == 1
    assert not (home / "postgres/data.partial").exists()


def test_a_forked_child_neither_stops_it_nor_holds_it(home: Path) -> None:
    with contextlib.ExitStack() as stack:
        url = stack.enter_context(Cluster(home).in_use())
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
        pid = server_number(home)
        assert ask(url, "SELECT 1") == 1, "the child left, the parent still uses it"
    assert not still_runs(pid), "the parent was the last user, although its child lives"
    os.close(writing)
    os.close(reading)
    assert os.waitpid(child, 0)[1] == 0


def test_a_newer_postgresql_than_that_of_the_data_is_named(home: Path) -> None:
    (home / "postgres/data/PG_VERSION").write_text("9\n")
    with pytest.raises(ClusterError, match=r"made by PostgreSQL 9, but only \d+.* is installed"):
        Cluster(home).in_use().__enter__()


def test_missing_programs_are_named(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("samsyn_model.postgresql._PLACES", ())
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(ClusterError, match=r"postgis-3.*DATABASE_URL.*docker compose"):
        Cluster(home).in_use().__enter__()


def test_a_server_that_does_not_start_tells_its_reason(home: Path) -> None:
    with (home / "postgres/data/postgresql.conf").open("a") as settings:
        settings.write("no_such_setting = 1\n")
    with pytest.raises(ClusterError, match="no_such_setting"):
        Cluster(home).in_use().__enter__()


def test_a_socket_folder_of_another_kind_is_refused(home: Path) -> None:
    with Cluster(home).in_use() as url:
        socket_folder = socket_of(url).parent
    socket_folder.mkdir(mode=0o755)
    try:
        with pytest.raises(ClusterError, match=r"is in the way"):
            Cluster(home).in_use().__enter__()
    finally:
        shutil.rmtree(socket_folder, ignore_errors=True)


def test_a_cluster_in_use_is_not_removed(home: Path) -> None:
    with Cluster(home).in_use() as url:
        with pytest.raises(ClusterError, match="in use"):
            Cluster(home).remove()
        assert ask(url, "SELECT 1") == 1


@as_root
def test_a_checkout_that_the_server_cannot_reach_has_its_cluster_elsewhere(folder: Path) -> None:
    checkout, elsewhere = folder / "closed" / "checkout", folder / "elsewhere"
    checkout.mkdir(parents=True)
    (folder / "closed").chmod(0o700)
    home = checkout / ".samsyn"
    with Cluster(home, elsewhere=elsewhere).in_use() as url:
        assert ask(url, "SELECT 1") == 1
        named = Path((home / "cluster").read_text().strip())
    assert named.parent == elsewhere
    assert not (home / "postgres").exists()

    copy, moved = folder / "closed" / "copy", folder / "closed" / "moved"
    shutil.copytree(checkout, copy)
    Cluster(copy / ".samsyn", elsewhere=elsewhere).remove()
    assert (named / "data").is_dir(), "the copy has a cluster of its own"
    checkout.rename(moved)
    Cluster(moved / ".samsyn", elsewhere=elsewhere).remove()
    assert not named.exists(), "the moved checkout keeps its cluster"


@as_root
def test_an_ordinary_user_shares_it_with_root(home: Path) -> None:
    user = pwd.getpwuid((home / "postgres").stat().st_uid)
    with Cluster(home).in_use() as url:
        found = subprocess.run(
            [
                "/usr/bin/psql",
                "-XAt",
                "-h",
                socket_of(url).parent,
                "-U",
                "samsyn",
                "-c",
                "SELECT 1",
            ],
            user=user.pw_uid,
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
        )
    assert (found.stdout, found.returncode) == ("1\n", 0), found.stderr


@as_root
@pytest.mark.parametrize(
    ("options", "reason"),
    [("size=8m", "No space left|MB are free"), ("size=8m,ro", "Read-only file system")],
)
def test_a_disk_that_takes_no_data_is_told(folder: Path, options: str, reason: str) -> None:
    if shutil.which("mount") is None:
        pytest.skip("no `mount` on this machine")
    disk = Path(tempfile.mkdtemp(dir=folder))
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"{options},mode=755", "tmpfs", disk],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"mounting is not permitted: {mounted.stderr.strip()}")
    try:
        with pytest.raises(ClusterError, match=reason):
            Cluster(disk / ".samsyn").in_use().__enter__()
    finally:
        subprocess.run(["umount", disk], check=True)
