"""What stands in the way of a private cluster: another user, programs, versions, disks."""

import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from samsyn_model.cluster.private_cluster import Cluster, ClusterError
from tests.model.cluster.clusters import as_root, ask, needs_postgresql, socket_of

pytestmark = needs_postgresql


def test_a_newer_postgresql_than_that_of_the_data_is_named(cluster_home: Path) -> None:
    (cluster_home / "postgres/data/PG_VERSION").write_text("9\n")
    with pytest.raises(ClusterError, match=r"made by PostgreSQL 9, but only \d+.* is installed"):
        Cluster(cluster_home).in_use().__enter__()


def test_missing_programs_are_named(cluster_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("samsyn_model.cluster.installations._PLACES", ())
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(ClusterError, match=r"postgis-3.*DATABASE_URL.*docker compose"):
        Cluster(cluster_home).in_use().__enter__()


def test_a_server_that_does_not_start_tells_its_reason(cluster_home: Path) -> None:
    with (cluster_home / "postgres/data/postgresql.conf").open("a") as settings:
        settings.write("no_such_setting = 1\n")
    with pytest.raises(ClusterError, match="no_such_setting"):
        Cluster(cluster_home).in_use().__enter__()


def test_a_socket_folder_of_another_kind_is_refused(cluster_home: Path) -> None:
    with Cluster(cluster_home).in_use() as url:
        socket_folder = socket_of(url).parent
    socket_folder.mkdir(mode=0o755)
    try:
        with pytest.raises(ClusterError, match=r"is in the way"):
            Cluster(cluster_home).in_use().__enter__()
    finally:
        shutil.rmtree(socket_folder, ignore_errors=True)


@as_root
def test_a_checkout_that_the_server_cannot_reach_has_its_cluster_elsewhere(
    cluster_folder: Path,
) -> None:
    checkout, elsewhere = cluster_folder / "closed" / "checkout", cluster_folder / "elsewhere"
    checkout.mkdir(parents=True)
    (cluster_folder / "closed").chmod(0o700)
    home = checkout / ".samsyn"
    with Cluster(home, elsewhere=elsewhere).in_use() as url:
        assert ask(url, "SELECT 1") == 1
        named = Path((home / "cluster").read_text().strip())
    assert named.parent == elsewhere
    assert not (home / "postgres").exists()

    copy, moved = cluster_folder / "closed" / "copy", cluster_folder / "closed" / "moved"
    shutil.copytree(checkout, copy)
    Cluster(copy / ".samsyn", elsewhere=elsewhere).remove()
    assert (named / "data").is_dir(), "the copy has a cluster of its own"
    checkout.rename(moved)
    Cluster(moved / ".samsyn", elsewhere=elsewhere).remove()
    assert not named.exists(), "the moved checkout keeps its cluster"


@as_root
def test_an_ordinary_user_shares_it_with_root(cluster_home: Path) -> None:
    user = pwd.getpwuid((cluster_home / "postgres").stat().st_uid)
    with Cluster(cluster_home).in_use() as url:
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
def test_a_disk_that_takes_no_data_is_told(cluster_folder: Path, options: str, reason: str) -> None:
    if shutil.which("mount") is None:
        pytest.skip("no `mount` on this machine")
    disk = Path(tempfile.mkdtemp(dir=cluster_folder))
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
