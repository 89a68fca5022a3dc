"""SamSyn's own commands as a person runs them: `samsyn serve`, `import`, `token create`."""

import os
import re
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

import requests

from samsyn_model.database.engine import open_engine
from samsyn_model.database.transactions import writing
from samsyn_model.identity import api_tokens
from samsyn_provider.rates.rate_limits import Rate

OWNER = "owner@example.org"
SAMSYN = Path(sys.executable).with_name("samsyn")
START_SECONDS = 90
STOP_SECONDS = 40
_PORTS = range(12_000, 32_000)
_REQUEST = re.compile(r'"((?:GET|HEAD|OPTIONS|POST|PUT|PATCH|DELETE) [^" ]+) HTTP')


@dataclass(frozen=True)
class Server:
    """A running server and the database behind it."""

    url: str
    database: str
    log: Path

    @property
    def ogc(self) -> str:
        """The address that clients are given."""
        return f"{self.url}/ogc"

    def import_layer(self, file: Path, *options: str) -> str:
        """Import a file as a layer of the owner and return the layer's id."""
        return run_samsyn(self.database, "import", file, "--owner", OWNER, *options)

    def make_layer(self, token: str, body: dict[str, Any]) -> str:
        """Make a layer over REST as the token's holder and return the layer's id."""
        response = requests.post(
            f"{self.url}/api/v1/layers",
            json=body,
            headers={"Authorization": f"Bearer {token}"},
            timeout=30,
        )
        assert response.status_code == 201, response.text
        return str(response.json()["id"])

    def requests(self) -> list[str]:
        """Return the method and target of every request that the server has logged so far."""
        return _REQUEST.findall(self.log.read_text())


def run_samsyn(database: str, *arguments: str | Path) -> str:
    """Run a samsyn command to its end and return what it printed."""
    done = subprocess.run(
        [SAMSYN, *arguments],
        env=_environment(database),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, f"samsyn {arguments[0]} failed:\n{done.stderr}"
    return done.stdout.strip()


def make_token(database: str, email: str, scope: Literal["read", "write"] = "write") -> str:
    """Make a token as `samsyn token create` does, without a process of its own."""
    engine = open_engine(database, pool_size=1)
    try:
        with writing(engine) as connection:
            user_id = api_tokens.find_or_create_user(connection, email)
            return api_tokens.create_token(connection, user_id, name="test", scope=scope)
    finally:
        engine.dispose()


def _environment(database: str, **more: str) -> dict[str, str]:
    """Return this process' environment with empty what would change where links lead."""
    return {**os.environ, "DATABASE_URL": database, "PUBLIC_URL": "", **more}


@contextmanager
def serve(database: str, log: Path, workers: int = 2, **settings: str) -> Iterator[Server]:
    """Run a server with that many workers on a free port of 127.0.0.1 until the block ends.

    `settings` are environment variables; without them no rates are limited, and no worker of jobs
    runs beside it. Raises RuntimeError
    with the server's log when it does not come up.
    """
    port = free_port()
    server = Server(f"http://127.0.0.1:{port}", database, log)
    address = {"HOST": "127.0.0.1", "PORT": str(port), "WEB_CONCURRENCY": str(workers)}
    address["JOBS_WORKERS"] = "0"
    unlimited = {rate.value.upper(): "0" for rate in Rate}
    environment = _environment(database, **{**unlimited, **address, **settings})
    with log.open("wb") as output, _running(environment, output) as process:
        _wait_until_healthy(server, process)
        yield server


def free_port() -> int:
    """Return a port of 127.0.0.1 on which nothing listens.

    It is none that the system gives to clients, which might have it before a server listens.
    """
    while True:
        port = secrets.choice(_PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@contextmanager
def _running(environment: dict[str, str], output: IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [SAMSYN, "serve"], env=environment, stdout=output, stderr=subprocess.STDOUT
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_healthy(server: Server, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if requests.get(f"{server.url}/api/health", timeout=5).ok:
                return
        except (requests.ConnectionError, requests.Timeout):
            pass
        time.sleep(0.1)
    raise RuntimeError(f"the server does not answer; its log:\n{server.log.read_text()}")
