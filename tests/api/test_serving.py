"""`samsyn serve`: how it starts, tells what is in its way, and stops."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
import requests
from sqlalchemy import Engine

from tests.clients.samsyn_server import SAMSYN, Server, serve


def _answers(server: Server) -> bool:
    try:
        requests.get(f"{server.url}/api/health", timeout=5)
    except requests.ConnectionError:
        return False
    return True


def _processes(server: Server) -> list[int]:
    """Return the server's processes, the eldest first."""
    port = server.url.rsplit(":", 1)[1]
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes()
            environment = (folder / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"samsyn\0serve" in command and f"PORT={port}".encode() in environment:
            found.append(int(folder.name))
    return sorted(found)


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_when_told(test_database_url: str, tmp_path: Path, stop: signal.Signals) -> None:
    with serve(test_database_url, tmp_path / "log") as server:
        assert _answers(server)
        os.kill(_processes(server)[0], stop)
        deadline = time.monotonic() + 20
        while _processes(server) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not _answers(server)
        assert _processes(server) == []
    assert "Traceback" not in server.log.read_text()


def test_a_worker_that_dies_is_replaced(test_database_url: str, tmp_path: Path) -> None:
    with serve(test_database_url, tmp_path / "log") as server:
        main, *workers = _processes(server)
        os.kill(workers[0], signal.SIGKILL)
        deadline = time.monotonic() + 20
        while len(set(_processes(server)) - set(workers)) < 2 and time.monotonic() < deadline:
            time.sleep(0.1)
        assert set(_processes(server)) >= {main, workers[1]}
        assert len(_processes(server)) == 3
        assert _answers(server)


def test_a_taken_port_is_told(test_database_url: str, tmp_path: Path) -> None:
    with serve(test_database_url, tmp_path / "log") as server:
        port = server.url.rsplit(":", 1)[1]
        second = subprocess.run(
            [SAMSYN, "serve"],
            env={**os.environ, "DATABASE_URL": test_database_url, "PORT": port},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    assert second.returncode == 1
    assert f"cannot listen at 127.0.0.1:{port}" in second.stderr


def test_health(test_database_url: str, empty_database: Engine, tmp_path: Path) -> None:
    with serve(test_database_url, tmp_path / "log", workers=1) as server:
        answer = requests.get(f"{server.url}/api/health", timeout=30)
    assert answer.status_code == 200
    body = answer.json()
    assert body["status"] == "ok"
    assert body["migration"]["current"] == body["migration"]["head"]
    assert body["version"]
