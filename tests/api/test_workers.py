"""Four workers: what one makes or deletes the others know at once."""

import json
import os
import signal
import subprocess
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
from sqlalchemy import Engine

from tests.api.test_layers import DRAWN, PATH
from tests.clients.samsyn_server import SAMSYN, Server, run_samsyn, serve

AT_ONCE = 100


def _statuses(address: str, headers: dict[str, str]) -> Counter[int]:
    def ask(_: int) -> int:
        return requests.get(address, headers=headers, timeout=30).status_code

    with ThreadPoolExecutor(AT_ONCE) as threads:
        return Counter(threads.map(ask, range(AT_ONCE)))


def _workers(server: Server) -> int:
    return server.log.read_text().count("Booting worker")


def test_a_layer_is_there_and_gone_on_every_worker(
    test_database_url: str, empty_database: Engine, tmp_path: Path
) -> None:
    token = run_samsyn(test_database_url, "token", "create", "owner@example.org")
    headers = {"Authorization": f"Bearer {token}"}
    with serve(test_database_url, tmp_path / "log", workers=4) as server:
        for _ in range(3):
            made = requests.post(f"{server.url}{PATH}", json=DRAWN, headers=headers, timeout=30)
            assert made.status_code == 201, made.text
            address = f"{server.ogc}/collections/{made.json()['id']}"
            assert _statuses(address, headers) == {200: AT_ONCE}
            gone = requests.delete(made.headers["Location"], headers=headers, timeout=30)
            assert gone.status_code == 204, gone.text
            assert _statuses(address, headers) == {404: AT_ONCE}
        assert _workers(server) == 4


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_the_server_stops_when_told(
    test_database_url: str, empty_database: Engine, tmp_path: Path, stop: signal.Signals
) -> None:
    with serve(test_database_url, tmp_path / "log") as server:
        assert requests.get(f"{server.url}/api/health", timeout=30).ok
        found = subprocess.run(
            ["pgrep", "-f", f"{SAMSYN} serve"], capture_output=True, text=True, check=False
        ).stdout.split()
        mine = [pid for pid in map(int, found) if _port_of(pid) == server.url.rsplit(":", 1)[1]]
        assert mine
        os.kill(min(mine), stop)
        deadline = time.monotonic() + 20
        while _answers(server) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not _answers(server)
    assert "Traceback" not in server.log.read_text()


def _answers(server: Server) -> bool:
    try:
        requests.get(f"{server.url}/api/health", timeout=5)
    except requests.ConnectionError:
        return False
    return True


def _port_of(pid: int) -> str | None:
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return None
    ports = [entry[5:].decode() for entry in environment if entry.startswith(b"PORT=")]
    return ports[0] if ports else None


def test_health_in_full(test_database_url: str, tmp_path: Path) -> None:
    with serve(test_database_url, tmp_path / "log", workers=1) as server:
        answer = requests.get(f"{server.url}/api/health", timeout=30)
        assert answer.status_code == 200
        body = json.loads(answer.text)
        assert body["status"] == "ok"
        assert body["migration"]["current"] == body["migration"]["head"]
        assert body["version"]
