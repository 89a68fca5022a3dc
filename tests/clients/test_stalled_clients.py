"""Clients that stop in the middle of a request: they keep nobody waiting for good."""

import socket
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import requests

from samsyn_admin.serving.server import STALLED
from tests.clients.samsyn_server import serve

_MORE_THAN_THREADS = 6


def test_requests_that_never_end(clients_database: str, areas: str, tmp_path: Path) -> None:
    with serve(clients_database, tmp_path / "log", workers=1) as running, ExitStack() as held:
        address = urlsplit(running.url)
        for _ in range(_MORE_THAN_THREADS):
            client = held.enter_context(
                socket.create_connection((address.hostname or "", address.port or 0))
            )
            client.sendall(
                f"POST /ogc/collections/{areas}/search HTTP/1.1\r\nHost: {address.netloc}\r\n"
                "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{".encode()
            )
        response = requests.get(f"{running.url}/api/health", timeout=4 * STALLED)
    assert response.status_code == 200
