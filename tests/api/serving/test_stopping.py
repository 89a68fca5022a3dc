"""A server that is told to stop: everybody who has asked has a response."""

import os
import signal
import socket
import time
from contextlib import ExitStack
from pathlib import Path

from sqlalchemy import Engine

from tests.api.serving.raw_clients import (
    connected,
    locked_maps,
    request,
    response,
    status,
    wait_for_statements,
)
from tests.api.serving.test_serve import _processes
from tests.clients.samsyn_server import serve


def test_connections_that_wait_are_served(test_database_url: str, tmp_path: Path) -> None:
    with serve(test_database_url, tmp_path / "log", workers=1) as server, ExitStack() as held:
        main, worker = _processes(server)
        os.kill(worker, signal.SIGSTOP)
        clients = [held.enter_context(connected(server)) for _ in range(30)]
        for client in clients:
            client.sendall(request("/ogc/conformance", "Connection: close"))
        os.kill(main, signal.SIGTERM)
        time.sleep(0.5)
        os.kill(worker, signal.SIGCONT)
        assert {response(client)[:15] for client in clients} == {b"HTTP/1.1 200 OK"}


def test_a_request_has_the_time_of_a_statement(
    test_database_url: str, empty_database: Engine, tmp_path: Path
) -> None:
    with (
        serve(test_database_url, tmp_path / "log", workers=1) as server,
        connected(server) as client,
    ):
        with locked_maps(empty_database):
            client.sendall(request("/"))
            wait_for_statements(empty_database, 1)
            os.kill(_processes(server)[0], signal.SIGTERM)
            time.sleep(12)
        assert status(client) == 200


def test_a_request_that_takes_longer_has_a_status(
    test_database_url: str, empty_database: Engine, tmp_path: Path
) -> None:
    with (
        serve(test_database_url, tmp_path / "log", workers=1, STOP_TIMEOUT="2") as server,
        locked_maps(empty_database),
        connected(server) as client,
        connected(server) as unused,
    ):
        client.sendall(request("/"))
        wait_for_statements(empty_database, 1)
        begun = time.monotonic()
        os.kill(_processes(server)[0], signal.SIGTERM)
        assert status(client) == 503
        assert time.monotonic() - begun < 5
        unused.settimeout(5)
        assert _is_closed(unused)


def _is_closed(client: socket.socket) -> bool:
    try:
        return client.recv(1) == b""
    except ConnectionResetError:
        return True
