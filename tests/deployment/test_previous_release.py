"""Upgrading without a pause: the release before reads what this one has migrated and filled.

It is the newest tag `v…` of an earlier commit; while there is none, what the main line was before
the newest migration came.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from samsyn_admin.command_database import migrate
from samsyn_model.database.engine import open_engine
from samsyn_model.database.revisions import current_revision, is_later, newest_revision
from samsyn_model.database.transactions import reading, writing
from samsyn_model.settings import CHECKOUT
from tests.clients.samsyn_server import run_samsyn, serve
from tests.databases import migrated_database
from tests.security.world_database import populate, store_rasters

SCRIPT = Path(__file__).with_name("previous_reading.py")


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", "-c", f"safe.directory={CHECKOUT}", "-C", CHECKOUT, *arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip()


def _commit_before() -> str:
    """Return the commit of the release before; skips the test where git does not know it."""
    if shutil.which("git") is None or not _git("rev-parse", "HEAD"):
        pytest.skip("this is no checkout of git: the release before is not known")
    tag = _git("describe", "--tags", "--match", "v*", "--abbrev=0", "HEAD^")
    if tag:
        return tag
    (file,) = CHECKOUT.glob(f"migrations/versions/{newest_revision()}_*.py")
    path = str(file.relative_to(CHECKOUT))
    options = ("--first-parent", "-m", "--no-renames", "--diff-filter=A", "--format=%H")
    added = _git("log", "-1", *options, "--", path)
    if not added:
        return _git("rev-parse", "HEAD")  # it is not committed yet
    before = _git("rev-parse", "--verify", "--quiet", f"{added}^1")
    if not before:
        pytest.skip("the history of this clone begins after the newest migration (a shallow clone)")
    return before


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """The folder of the release before."""
    commit, folder = _commit_before(), tmp_path / "release"
    folder.mkdir()
    archive = tmp_path / "release.tar"
    _git("archive", "--output", str(archive), commit)
    shutil.unpack_archive(archive, folder, filter="data")
    return folder


@pytest.fixture(scope="module")
def database(server_url: str) -> Iterator[str]:
    with migrated_database(server_url) as url:
        yield url


@pytest.fixture
def set_revision(database: str) -> Iterator[Callable[[str], None]]:
    """Say that the database is at a revision, which is taken back at the end."""
    engine = open_engine(database)

    def say(revision: str) -> None:
        with writing(engine) as connection:
            connection.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{revision}'")

    yield say
    say(newest_revision())
    engine.dispose()


def test_the_release_before_reads_the_present_tables(
    database: str, release: Path, tmp_path: Path
) -> None:
    engine = open_engine(database)
    with writing(engine) as connection:
        populate(connection)
    engine.dispose()
    store_rasters(tmp_path)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", SCRIPT, database, tmp_path],
        cwd=release,
        env={**os.environ, "PYTHONPATH": str(release), "DATABASE_URL": database},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["requests"] > 500
    assert found["wrong"] == []


def test_a_server_is_ready_on_the_tables_of_the_next_release(
    database: str, set_revision: Callable[[str], None], tmp_path: Path
) -> None:
    """It can be started again meanwhile, too."""
    later = f"{int(newest_revision()) + 1:04}"
    set_revision(later)
    run_samsyn(database, "db", "upgrade")  # as its task does before each start
    with serve(database, tmp_path / "log", workers=1) as server:
        health = requests.get(f"{server.url}/api/health", timeout=30)
        assert requests.get(f"{server.ogc}/collections", timeout=30).status_code == 200
        assert health.status_code == 200
        assert health.json()["migration"] == {"current": later, "head": newest_revision()}
        assert "later release" in health.json()["warnings"][0]
        set_revision(f"{int(newest_revision()) - 1:04}")
        assert requests.get(f"{server.url}/api/health", timeout=30).status_code == 503


def test_commands_leave_the_tables_of_the_next_release(
    database: str, set_revision: Callable[[str], None]
) -> None:
    later = f"{int(newest_revision()) + 1:04}"
    assert is_later(later)
    assert not any(map(is_later, (newest_revision(), "0001", None, "", "abc")))
    set_revision(later)
    engine = open_engine(database)
    migrate(engine)
    with reading(engine) as connection:
        assert current_revision(connection) == later
    engine.dispose()
