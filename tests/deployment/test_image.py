"""The image as `make image` builds it: read-only, without rights, its commands side by side."""

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
import requests
from sqlalchemy import make_url

from samsyn_model.settings import CHECKOUT
from tests.api.live.event_streams import Person
from tests.clients.samsyn_server import Server, free_port
from tests.faults.database_server import database_server, wait_until
from tests.faults.tcp_proxy import TcpProxy

pytestmark = pytest.mark.skipif(
    os.environ.get("SAMSYN_IMAGE") != "1", reason="for an image that was built (make image)"
)
UID = 10001
SECRET = "a secret of the tests"


class Image:
    """Runs commands in the image, on one database and one storage."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder, self._settings = folder, settings
        self.storage, self.sockets = folder / "storage", folder / "sockets"
        for path in (self.storage, self.sockets):
            path.mkdir()
            os.chown(path, UID, UID)

    def start(self, *arguments: str, log: Path, **settings: str) -> subprocess.Popen[bytes]:
        environment = {**os.environ, **self._settings, **settings}
        environment |= {"STORAGE": str(self.storage), "SOCKETS": str(self.sockets)}
        with log.open("wb") as output:
            return subprocess.Popen(
                [CHECKOUT / "scripts" / "build-image", "--run", *arguments],
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def run(self, *arguments: str) -> str:
        """Run a command to its end, and return all that it printed."""
        log = self.folder / f"log-{arguments[0]}"
        status = self.start(*arguments, log=log).wait(120)
        assert status == 0, log.read_text()
        return log.read_text()

    @contextmanager
    def running(self, *arguments: str, **settings: str) -> Iterator[Path]:
        """Have a command run until the block ends; it has to end by SIGTERM, in order."""
        log = self.folder / f"log-{arguments[0]}"
        process = self.start(*arguments, log=log, **settings)
        try:
            yield log
            assert process.poll() is None, log.read_text()
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) in {0, 128 + signal.SIGTERM}, log.read_text()
        finally:
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """The address, by TCP, of a server of its own without our tables."""
    with database_server() as server:
        host = str(make_url(server.url).query["host"])
        with psycopg.connect(server.plain_url, autocommit=True) as connection:
            connection.execute("CREATE DATABASE image TEMPLATE template0")
        proxy = TcpProxy(Path(host) / ".s.PGSQL.5432")
        yield f"postgresql://samsyn@127.0.0.1:{proxy.port}/image?sslmode=disable"
        proxy.close()


def test_all_commands(database: str, tmp_path: Path) -> None:
    port, tiler = free_port(), free_port()
    tmp_path.chmod(0o755)
    image = Image(
        tmp_path,
        DATABASE_URL=database,
        HOST="127.0.0.1",
        PORT=str(port),
        WEB_CONCURRENCY="1",
        JOBS_WORKERS="1",
        TITILER_SECRET=SECRET,
    )
    assert "database at revision" in image.run("db", "upgrade")
    token = re.findall(r"samsyn_\S{43}", image.run("token", "create", "owner@example.org"))[0]
    server = Server(f"http://127.0.0.1:{port}", database, tmp_path / "log-serve")
    companions = {
        "JOBS_WORKERS": "0",
        "LIVE_SOCKET": "/run/samsyn/live.sock",
        "TITILER_URL": f"http://127.0.0.1:{tiler}",
    }
    with (
        image.running("worker"),
        image.running("live", LIVE_SOCKET="/run/samsyn/live.sock"),
        image.running("tiler", "--port", str(tiler)),
        image.running("serve", **companions),
    ):
        wait_until(lambda: _health(server), 120, "healthy")
        wait_until((tmp_path / "sockets" / "live.sock").exists, 60, "live")
        owner = Person(server, token)
        assert requests.get(f"{server.ogc}/", timeout=30).json()["title"]
        layer = owner.layer(visibility="public")
        stream = owner.follow(f"/api/v1/layers/{layer}/events")
        owner.insert(layer, n=1)
        assert stream.take(1)[0].data["data"]["properties"] == {"n": 1}
        stream.close()
        job = owner.send("POST", f"/api/v1/layers/{layer}/export?f=csv")
        wait_until(lambda: _is_done(owner, job["id"]), 120, "exported")
        stored = [path.name for path in image.storage.rglob("*")]
        assert any(name.endswith(".csv") for name in stored), stored
        wait_until(lambda: _status(f"http://127.0.0.1:{tiler}/"), 60, "drawing")


def test_what_is_in_it(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    image = Image(tmp_path)
    assert re.search(r"version \d+\.\d+\.\d+", image.run("--version"))


def _health(server: Server) -> bool:
    return _status(f"{server.url}/api/health") == 200


def _status(address: str) -> int | None:
    try:
        return requests.get(address, timeout=5).status_code
    except (requests.ConnectionError, requests.Timeout):
        return None


def _is_done(owner: Person, job: str) -> bool:
    status = owner.send("GET", f"/api/v1/jobs/{job}")["status"]
    assert status != "failed"
    return bool(status == "successful")
