"""deploy/backup as docs/backups.md uses it: what was stored is there again, or as it once was."""

import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests

from samsyn_model.cluster.installations import find_installations
from samsyn_model.database.engine import way_of
from samsyn_model.settings import CHECKOUT
from tests.api.live.event_streams import Person
from tests.clients.samsyn_server import OWNER, Server, make_token, run_samsyn, serve
from tests.faults.database_server import wait_until
from tests.model.scratch import scratch_engine

SCRIPTS = CHECKOUT / "deploy" / "backup"
TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"


@dataclass(frozen=True)
class Cluster:
    """A server of the test's own, whose log is archived."""

    folder: Path
    user: str | None

    @property
    def url(self) -> str:
        return f"postgresql:///postgres?host={self.folder}&user=samsyn"

    def database(self, name: str) -> str:
        return f"postgresql://samsyn@/{name}?host={self.folder}"

    def do(self, *command: str | Path) -> None:
        """Run a program of PostgreSQL or of ours as the server's user."""
        programs = find_installations()[0].programs
        output = self.folder / "output"
        with output.open("w") as file:  # not a pipe, which the server would hold open
            done = subprocess.run(
                command,
                cwd=self.folder,
                env={**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "LC_ALL": "C"},
                user=self.user,
                group=self.user,
                extra_groups=[] if self.user else None,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                check=False,
                timeout=240,
            )
        assert done.returncode == 0, f"{command}: {output.read_text()}"

    @contextmanager
    def running(self, data: str, *options: str) -> Iterator[None]:
        """Run a server on a data folder until the block ends."""
        settings = {
            "listen_addresses": "''",
            "unix_socket_directories": str(self.folder),
            "archive_timeout": "1h",
            "fsync": "off",  # nothing here has to outlast a power cut
        }
        words = [f"-c {name}={value}" for name, value in settings.items()]
        log = self.folder / f"{data}.log"
        self.do("pg_ctl", "start", "-w", "-D", data, "-l", log, "-o", " ".join([*words, *options]))
        try:
            yield
        finally:
            self.do("pg_ctl", "stop", "-w", "-m", "fast", "-D", data)

    def lineage(self, database: str) -> str:
        """Return by what a server tells this history of a database from others."""
        with scratch_engine(self.database(database)) as engine, engine.connect():
            return way_of(engine).lineage

    def rows(self, database: str) -> dict[str, Any]:
        """Return a digest of the rows of every table."""
        with psycopg.connect(self.database(database)) as connection:
            return {
                str(table): connection.execute(
                    f"SELECT count(*), md5(string_agg(r, '' ORDER BY r))"
                    f' FROM (SELECT t::text AS r FROM public."{table}" t) rows'
                ).fetchone()
                for (table,) in connection.execute(TABLES).fetchall()
            }


@pytest.fixture
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    if not find_installations():
        pytest.skip("no PostgreSQL with PostGIS is installed on this machine")
    folder = Path("/tmp") / tmp_path_factory.mktemp("backups").name  # short, for the socket
    folder = Path(f"{folder}-{os.getpid()}")
    folder.mkdir(mode=0o755)
    user = "postgres" if os.geteuid() == 0 else None
    if user:
        shutil.chown(folder, user, user)
    made = Cluster(folder, user)
    made.do(
        "initdb", "-D", "data", "--auth=trust", "--username=samsyn", "--encoding=UTF8", "--no-sync"
    )
    shutil.copytree(SCRIPTS, folder / "scripts")  # the checkout may be closed to the server's user
    (folder / "wal").mkdir()
    if user:
        shutil.chown(folder / "wal", user, user)
    try:
        yield made
    finally:
        shutil.rmtree(folder)


@pytest.mark.timeout(900)  # three servers, one after another
def test_backups_are_restored(cluster: Cluster, tmp_path: Path) -> None:
    archive = (
        "-c archive_mode=on -c wal_level=replica"
        f' -c "archive_command=test ! -f {cluster.folder}/wal/%f && cp %p {cluster.folder}/wal/%f"'
    )
    storage, dump = tmp_path / "storage", cluster.folder / "samsyn.dump"
    settings = {"STORAGE_DIR": str(storage), "JOBS_WORKERS": "1"}
    lineages = []
    with cluster.running("data", archive):
        cluster.do("createdb", "-h", cluster.folder, "-U", "samsyn", "samsyn")
        url = cluster.database("samsyn")
        run_samsyn(url, "db", "upgrade")
        token = make_token(url, OWNER)
        cluster.do(cluster.folder / "scripts" / "base", url, cluster.folder / "base")
        with serve(url, tmp_path / "log", workers=1, **settings) as server:
            owner = Person(server, token)
            layer = owner.layer(visibility="private")
            kept = owner.insert(layer, n=1)
            result = _exported(owner, layer)
        before = cluster.rows("samsyn")
        with tarfile.open(tmp_path / "storage.tar", "w") as tar:
            cluster.do(cluster.folder / "scripts" / "dump", url, dump)
            tar.add(storage, ".")
        with psycopg.connect(url, autocommit=True) as connection:
            moment = str(connection.execute("SELECT clock_timestamp()").fetchone()[0])  # type: ignore[index]
            connection.execute("DELETE FROM layer_features")  # what nobody wanted
            connection.execute("SELECT pg_switch_wal()")
        after = cluster.rows("samsyn")
        assert after["layer_features"] != before["layer_features"]
        wait_until(lambda: len([*(cluster.folder / "wal").iterdir()]) > 1, 60, "archived")

        cluster.do("createdb", "-h", cluster.folder, "-U", "samsyn", "-T", "template0", "again")
        cluster.do(cluster.folder / "scripts" / "restore-dump", dump, cluster.database("again"))
        assert cluster.rows("again") == before
        lineages += [cluster.lineage("samsyn"), cluster.lineage("again")]
        shutil.rmtree(storage)
        with tarfile.open(tmp_path / "storage.tar") as tar:
            tar.extractall(storage, filter="data")
        again = cluster.database("again")
        run_samsyn(again, "db", "upgrade")
        with serve(again, tmp_path / "log-again", workers=1, **settings) as restored:
            _is_whole(Person(restored, token), layer, kept, result)

    cluster.do(
        cluster.folder / "scripts" / "restore-base",
        *(cluster.folder / "base", cluster.folder / "wal", cluster.folder / "data-then", moment),
    )
    with cluster.running("data-then"):
        _wait_until_writable(cluster)
        assert cluster.rows("samsyn") == before
        lineages.append(cluster.lineage("samsyn"))
    assert len({*lineages}) == 3, "numbers of versions come again: caches have to tell them apart"


def _exported(owner: Person, layer: str) -> tuple[str, bytes]:
    """Have a file made and return the address and the bytes of it."""
    job = owner.send("POST", f"/api/v1/layers/{layer}/export?f=csv")["id"]
    wait_until(lambda: _state(owner, job) == "successful", 60, "exported")
    address = f"/api/v1/jobs/{job}/results"
    return address, _bytes(owner, address)


def _state(owner: Person, job: str) -> str:
    return str(owner.send("GET", f"/api/v1/jobs/{job}")["status"])


def _bytes(owner: Person, path: str) -> bytes:
    response = requests.get(owner.server.url + path, headers=owner.headers, timeout=30)
    assert response.status_code == 200, response.text
    return response.content


def _is_whole(owner: Person, layer: str, feature: int, result: tuple[str, bytes]) -> None:
    server: Server = owner.server
    item = json.loads(_bytes(owner, f"/ogc/collections/{layer}/items/{feature}?f=json"))
    assert item["properties"]["n"] == 1
    assert _bytes(owner, result[0]) == result[1]
    assert requests.get(f"{server.ogc}/collections/{layer}", timeout=30).status_code == 404
    assert owner.insert(layer, n=2) > feature  # sequences go on


def _wait_until_writable(cluster: Cluster) -> None:
    def is_writable() -> bool:
        with psycopg.connect(cluster.database("samsyn")) as connection:
            row = connection.execute("SELECT pg_is_in_recovery()").fetchone()
        return row == (False,)

    wait_until(is_writable, 60, "recovered")
