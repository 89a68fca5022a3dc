"""Clients that are slow: they keep nobody waiting, and have a limited time."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests
from sqlalchemy import Engine

from tests.api.serving.raw_clients import (
    connected,
    locked_maps,
    request,
    response,
    status,
    wait_for_statements,
)
from tests.clients.samsyn_server import Server, make_token, serve

_MANY = 40  # clients, of which a worker serves four at a time
_SEARCH = "/ogc/collections/00000000-0000-0000-0000-000000000000/search"


@pytest.fixture(scope="module")
def server(test_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with one worker, and short times for requests."""
    log = tmp_path_factory.mktemp("slow") / "log"
    times = {"HEADER_TIMEOUT": "3", "BODY_TIMEOUT": "4"}
    with serve(test_database_url, log, workers=1, **times) as running:
        yield running


def _beginning(server: Server, sent: bytes) -> ExitStack:
    clients = ExitStack()
    for _ in range(_MANY):
        clients.enter_context(connected(server)).sendall(sent)
    return clients


def _silent(server: Server) -> ExitStack:
    return _beginning(server, b"")


def _in_the_head(server: Server) -> ExitStack:
    return _beginning(server, request("/ogc/", "Accept: */*")[:-3])


def _in_the_body(server: Server) -> ExitStack:
    return _beginning(
        server,
        request(_SEARCH, "Content-Type: application/json", "Content-Length: 9", method="POST"),
    )


def _in_a_chunk(server: Server) -> ExitStack:
    head = request(
        _SEARCH, "Content-Type: application/json", "Transfer-Encoding: chunked", method="POST"
    )
    return _beginning(server, head + b"5\r\n{")


def _in_the_second_request(server: Server) -> ExitStack:
    return _beginning(server, request("/ogc/conformance") + request("/ogc/conformance")[:-1])


def _reading(server: Server) -> ExitStack:
    clients = ExitStack()
    for _ in range(_MANY):
        client = clients.enter_context(connected(server, received_at_once=2048))
        client.sendall(request("/ogc/openapi") * 200)
    return clients


def _after_a_response(server: Server) -> ExitStack:
    """Clients that are told that their connection ends, and do not end it."""
    return _beginning(server, request("/ogc/conformance", "Connection: close"))


def _refused(server: Server) -> ExitStack:
    """Clients that are refused before their body."""
    head = request("/api/v1/maps", "Content-Length: 60000", method="POST")
    return _beginning(server, head + b"{")


@pytest.mark.parametrize(
    "slow",
    [
        _silent,
        _in_the_head,
        _in_the_body,
        _in_a_chunk,
        _in_the_second_request,
        _reading,
        _after_a_response,
        _refused,
    ],
)
def test_slow_clients_keep_nobody_waiting(
    server: Server, slow: Callable[[Server], ExitStack]
) -> None:
    with slow(server):
        for _ in range(3):
            begun = time.monotonic()
            assert requests.get(f"{server.url}/ogc/conformance", timeout=30).ok
            assert time.monotonic() - begun < 5


def test_more_connections_than_a_worker_keeps(server: Server) -> None:
    with ExitStack() as clients:
        for _ in range(1_200):
            clients.enter_context(connected(server))
        assert requests.get(f"{server.url}/ogc/conformance", timeout=30).ok


def test_a_head_has_a_time(server: Server) -> None:
    with connected(server) as client:
        for byte in request("/ogc/"):
            client.sendall(bytes([byte]))
            time.sleep(0.2)
            if byte == ord("H"):
                break
        begun = time.monotonic()
        got = response(client)
        assert time.monotonic() - begun < 3.5
    assert got.startswith(b"HTTP/1.1 408 ")
    assert b"application/problem+json" in got


@pytest.mark.parametrize("framing", ["Content-Length: 100000", "Transfer-Encoding: chunked"])
def test_a_body_has_a_time_as_a_whole(server: Server, framing: str) -> None:
    with connected(server) as client:
        client.sendall(request(_SEARCH, framing, method="POST"))
        begun, ending = time.monotonic(), None
        client.settimeout(0.25)
        while ending is None and time.monotonic() - begun < 10:
            client.sendall(b"1" if "Length" in framing else b"1\r\n1\r\n")
            try:
                ending = client.recv(4096)
            except TimeoutError:
                continue
        assert 3.5 < time.monotonic() - begun < 6
    assert ending is not None
    assert ending.startswith(b"HTTP/1.1 408 ")


def test_a_fast_body_has_the_time_that_it_needs(server: Server) -> None:
    size = 4 * 16 * 1024
    with connected(server) as client:
        client.sendall(request("/api/v1/maps", f"Content-Length: {size}", method="POST"))
        for _ in range(24):
            client.sendall(b" " * (size // 24))
            time.sleep(0.25)
        client.sendall(b" " * (size % 24))
        assert status(client) == 401


def test_large_bodies_leave_threads_for_others(
    test_database_url: str, empty_database: Engine, server: Server
) -> None:
    token = make_token(test_database_url, "me@example.org")
    signed_in = f"Authorization: Bearer {token}"
    layer = requests.post(
        f"{server.url}/api/v1/layers",
        json={"name": "Nets", "source_type": "vector", "source_config": {}},
        headers={"Authorization": f"Bearer {token}"},
        timeout=30,
    )
    assert layer.status_code == 201, layer.text
    path = f"/api/v1/layers/{layer.json()['id']}/features/bulk"
    with ExitStack() as clients:
        for _ in range(8):
            client = clients.enter_context(connected(server))
            client.sendall(
                request(
                    path,
                    signed_in,
                    "Content-Type: application/x-ndjson",
                    f"Content-Length: {40 * 1024 * 1024}",
                    method="POST",
                )
                + b"{"
            )
        begun = time.monotonic()
        assert requests.get(f"{server.url}/ogc/collections", timeout=30).ok
        assert time.monotonic() - begun < 2
        assert status(client) == 408


def test_a_response_arrives_whole_however_slowly_it_is_read(server: Server) -> None:
    with connected(server) as client:
        client.sendall(request("/ogc/openapi", "Connection: close"))
        document = response(client).partition(b"\r\n\r\n")[2]
    with connected(server, received_at_once=2048) as client:
        client.sendall(request("/ogc/openapi") * 40 + request("/ogc/", "Connection: close"))
        time.sleep(2)
        got = response(client)
    assert got.count(document) == 40


def test_streamed_pages_do_not_hold_the_database(
    test_database_url: str, empty_database: Engine, tmp_path: Path
) -> None:
    ring = [[10 + 0.001 * number, 50 + (number % 2) / 7] for number in range(1000)]
    geometry = {"type": "LineString", "coordinates": ring}
    feature = {"type": "Feature", "properties": {}, "geometry": geometry}
    file = tmp_path / "lines.geojsonl"
    file.write_text(f"{json.dumps(feature)}\n" * 1_500)
    with serve(test_database_url, tmp_path / "log", workers=1) as server, ExitStack() as clients:
        path = f"/ogc/collections/{server.import_layer(file, '--public')}/items?limit=1500"
        for _ in range(10):
            clients.enter_context(connected(server, received_at_once=2048)).sendall(request(path))
        deadline = time.monotonic() + 30
        while server.requests().count(f"GET {path}") < 10:  # which are logged at their end
            assert time.monotonic() < deadline
            time.sleep(0.2)
        assert requests.get(f"{server.url}/ogc/collections", timeout=30).ok


def test_health_is_answered_while_all_threads_wait(server: Server, empty_database: Engine) -> None:
    with locked_maps(empty_database), ExitStack() as clients:
        for _ in range(_MANY):
            clients.enter_context(connected(server)).sendall(request("/"))
        wait_for_statements(empty_database, 4)
        for path in ("/api/health", "/api/health/live"):
            begun = time.monotonic()
            assert requests.get(f"{server.url}{path}", timeout=30).ok
            assert time.monotonic() - begun < 1
