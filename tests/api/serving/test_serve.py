"""`samsyn serve`: start, errors at start, and stop."""

import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from sqlalchemy import Engine

from tests.clients.samsyn_server import (
    SAMSYN,
    START_SECONDS,
    STOP_SECONDS,
    Server,
    free_port,
    serve,
)
from tests.faults.database_server import wait_until

SLOW_FORKS = """
import sys, time
from samsyn_admin.cli import main
from samsyn_admin.serving.worker import BalancedWorker

init_process = BalancedWorker.init_process

def begin_late(worker):
    time.sleep(1.5)  # as on a busy machine
    init_process(worker)

BalancedWorker.init_process = begin_late
sys.argv = ["samsyn", "serve"]
main()"""
"""A server whose workers take signals only some time after they were forked."""


def _statuses(server: Server) -> bool:
    try:
        requests.get(f"{server.url}/api/health", timeout=5)
    except requests.ConnectionError:
        return False
    return True


def _processes(server: Server) -> list[int]:
    """Return the server's processes, the eldest first."""
    port = server.url.rsplit(":", 1)[1]
    workers = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes()
            environment = (folder / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"samsyn\0serve" in command and f"PORT={port}".encode() in environment:
            workers.append(int(folder.name))
    return sorted(workers)


def _connections(server: Server, process: int) -> int:
    """Return how many connections of clients a process has."""
    port = urlsplit(server.url).port or 0
    rows = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    established = {row[9] for row in rows if row[1].endswith(f":{port:04X}") and row[3] == "01"}
    connections = 0
    with suppress(FileNotFoundError):  # the process has ended
        for file in Path(f"/proc/{process}/fd").iterdir():
            with suppress(FileNotFoundError):
                target = str(file.readlink())
                connections += target.removeprefix("socket:[").rstrip("]") in established
    return connections


def _shares(server: Server) -> list[int]:
    return [_connections(server, worker) for worker in _processes(server)[1:]]


def _connected(server: Server, connections: ExitStack, count: int) -> list[HTTPConnection]:
    """Open connections at once, then send a request over each."""
    address = urlsplit(server.url)
    clients = [
        connections.enter_context(closing(HTTPConnection(address.hostname or "", address.port, 30)))
        for _ in range(count)
    ]
    for client in clients:
        client.connect()
    _request(clients)
    return clients


def _request(clients: list[HTTPConnection]) -> None:
    for client in clients:
        client.request("GET", "/ogc/conformance")
    for client in clients:
        response = client.getresponse()
        assert (response.status, b"conformsTo" in response.read()) == (200, True)


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_on_a_signal(test_database_url: str, tmp_path: Path, stop: signal.Signals) -> None:
    with serve(test_database_url, tmp_path / "log") as server:
        assert _statuses(server)
        os.kill(_processes(server)[0], stop)
        deadline = time.monotonic() + 20
        while _processes(server) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert not _statuses(server)
        assert _processes(server) == []
    assert "Traceback" not in server.log.read_text()


@contextmanager
def _starting(
    command: Sequence[str | Path], database_url: str, log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a server; kill it at the end."""
    environment = {
        **os.environ,
        "DATABASE_URL": database_url,
        "HOST": "127.0.0.1",
        "PORT": str(free_port()),
    }
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize(
    ("line", "delay"), [("Listening at", 0), ("Booting worker", 0), ("Booting worker", 0.3)]
)
def test_it_stops_while_it_starts(
    test_database_url: str, tmp_path: Path, stop: signal.Signals, line: str, delay: float
) -> None:
    """While the modules are loaded, and while workers start."""
    log = tmp_path / "log"
    with _starting([SAMSYN, "serve"], test_database_url, log) as process:
        wait_until(lambda: line in log.read_text(), START_SECONDS, line)
        time.sleep(delay)
        process.send_signal(stop)
        assert process.wait(STOP_SECONDS) == 0
    assert "Traceback" not in log.read_text()


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_workers_that_are_just_forked_hear_of_a_signal(
    test_database_url: str, tmp_path: Path, stop: signal.Signals
) -> None:
    log = tmp_path / "log"
    with _starting([sys.executable, "-c", SLOW_FORKS], test_database_url, log) as process:
        wait_until(lambda: "Booting worker" in log.read_text(), START_SECONDS, "booting")
        process.send_signal(stop)
        assert process.wait(20) == 0


def test_a_worker_that_dies_is_replaced(test_database_url: str, tmp_path: Path) -> None:
    with serve(test_database_url, tmp_path / "log") as server:
        main, *workers = _processes(server)
        os.kill(workers[0], signal.SIGKILL)
        deadline = time.monotonic() + 20
        while len(set(_processes(server)) - set(workers)) < 2 and time.monotonic() < deadline:
            time.sleep(0.1)
        assert set(_processes(server)) >= {main, workers[1]}
        assert len(_processes(server)) == 3
        assert _statuses(server)


def test_workers_share_connections(test_database_url: str, tmp_path: Path) -> None:
    with serve(test_database_url, tmp_path / "log") as server, ExitStack() as connections:
        for _ in range(2):
            deadline = time.monotonic() + 20
            while 0 in _shares(server) and time.monotonic() < deadline:  # one is still starting
                _connected(server, connections, 1)
                time.sleep(0.1)
            _connected(server, connections, 24)
            assert min(_shares(server)) >= 12
            killed = _processes(server)[-1]
            os.kill(killed, signal.SIGKILL)
            while (
                killed in _processes(server) or len(_shares(server)) < 2
            ) and time.monotonic() < deadline:
                time.sleep(0.1)


def test_more_connections_than_threads(test_database_url: str, tmp_path: Path) -> None:
    with (
        serve(test_database_url, tmp_path / "log", workers=1) as server,
        ExitStack() as connections,
    ):
        clients = _connected(server, connections, 30)
        for _ in range(10):
            _request(clients)


def test_pipelined_requests(test_database_url: str, tmp_path: Path) -> None:
    request = b"GET /ogc/conformance HTTP/1.1\r\nHost: here\r\n\r\n"
    with serve(test_database_url, tmp_path / "log", workers=1) as server:
        address = urlsplit(server.url)
        with socket.create_connection((address.hostname, address.port), 30) as client:
            client.sendall(request * 20)
            client.shutdown(socket.SHUT_WR)
            got = b"".join(iter(lambda: client.recv(65536), b""))
    assert got.count(b"HTTP/1.1 200 OK") == 20


def test_a_port_in_use_is_reported(test_database_url: str, tmp_path: Path) -> None:
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


def test_workers_may_open_files_for_all_connections(test_database_url: str, tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, hard))
    try:
        with serve(test_database_url, tmp_path / "log", workers=1) as server:
            limits = Path(f"/proc/{_processes(server)[1]}/limits").read_text()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    allowed = next(line.split()[3] for line in limits.splitlines() if "open files" in line)
    assert int(allowed) == min(hard, 4096)


def test_health(test_database_url: str, empty_database: Engine, tmp_path: Path) -> None:
    with serve(test_database_url, tmp_path / "log", workers=1) as server:
        response = requests.get(f"{server.url}/api/health", timeout=30)
    assert response.status_code == 200
    body = response.json()
    assert body["status"] == "ok"
    assert body["migration"]["current"] == body["migration"]["head"]
    assert "version" not in body
