"""Slow statements: they end with their client, in time, and leave threads to others."""

import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
import requests
from sqlalchemy import Engine, text

from tests.clients.samsyn_server import OWNER, Server, make_token, serve

FEATURES = 3 * 20_000
# of every feature, on the ellipsoid: about a minute for all of them
_SLOW_FILTER = (
    "DISTANCE(geometry, POLYGON((1 41, 9 42, 10 48, 5 50, 2 47, 1 41))) > 100000000"
    " OR DISTANCE(geometry, POLYGON((2 41, 9 42, 10 48, 5 50, 2 47, 2 41))) > 100000000"
)
_SLOW = f"limit=3&filter={quote(_SLOW_FILTER)}"
_WAIT = 20.0
_ACTIVE = """
SELECT count(*) FROM pg_stat_activity
WHERE state = 'active' AND backend_type = 'client backend' AND datname = current_database()
  AND query_start < clock_timestamp() - interval '300 milliseconds' AND pid <> pg_backend_pid()"""


@pytest.fixture
def shapes(test_database_url: str, empty_database: Engine) -> tuple[str, dict[str, str]]:
    """A public layer of many shapes, and the header that signs its owner in."""
    token = make_token(test_database_url, OWNER)
    with empty_database.begin() as connection:
        layer_id = connection.execute(
            text(
                "INSERT INTO layers (name, source_type, visibility, created_by)"
                " SELECT 'Shapes', 'vector', 'public', id FROM users RETURNING id"
            )
        ).scalar_one()
        connection.execute(
            text(
                "INSERT INTO layer_features (layer_id, geom, properties)"
                " SELECT :layer, ST_Buffer(ST_SetSRID(ST_MakePoint(n % 200, n / 400.0), 4326), 1),"
                " '{}' FROM generate_series(1, :number) AS n"
            ),
            {"layer": layer_id, "number": FEATURES},
        )
    return f"collections/{layer_id}", {"Authorization": f"Bearer {token}"}


@pytest.fixture
def serving(test_database_url: str, tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Run a server with one worker, of four threads."""
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(
            serve(test_database_url, tmp_path / "log", workers=1, **settings)
        )


def _send(server: Server, path: str, headers: dict[str, str]) -> socket.socket:
    """Send a request, whose response nobody reads."""
    address = urlsplit(server.url)
    client = socket.create_connection((address.hostname or "", address.port or 0))
    lines = [f"GET /ogc/{path} HTTP/1.1", f"Host: {address.netloc}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    client.sendall("\r\n".join([*lines, "", ""]).encode())
    return client


def _wait_for_active(engine: Engine, number: int, seconds: float = _WAIT) -> float:
    """Wait until so many slow statements run; return for how long."""
    start = time.monotonic()
    while (elapsed := time.monotonic() - start) < seconds:
        with engine.begin() as connection:  # which sees the sessions as they are when it begins
            if connection.execute(text(_ACTIVE)).scalar_one() == number:
                return elapsed
        time.sleep(0.05)
    pytest.fail(f"there are not {number} statements after {seconds} seconds")


def test_the_statement_of_a_client_that_has_gone_is_cancelled(
    serving: Callable[..., Server], empty_database: Engine, shapes: tuple[str, dict[str, str]]
) -> None:
    path, signed_in = shapes
    server = serving(STATEMENT_TIMEOUT="120")
    client = _send(server, f"{path}/items?{_SLOW}", signed_in)
    _wait_for_active(empty_database, 1)
    client.close()
    assert _wait_for_active(empty_database, 0) < _WAIT / 2


def test_requests_of_clients_that_have_gone_are_not_begun(
    serving: Callable[..., Server], empty_database: Engine, shapes: tuple[str, dict[str, str]]
) -> None:
    path, signed_in = shapes
    server = serving(STATEMENT_TIMEOUT="120")
    with ExitStack() as stack:
        for _ in range(4):
            stack.enter_context(_send(server, f"{path}/items?{_SLOW}", signed_in))
        _wait_for_active(empty_database, 4)
        for _ in range(6):
            _send(server, f"{path}/items?limit=7", {}).close()
        time.sleep(1)
    assert requests.get(f"{server.ogc}/{path}/items?limit=8", timeout=_WAIT).status_code == 200
    deadline = time.monotonic() + _WAIT
    while "limit=8" not in server.log.read_text() and time.monotonic() < deadline:
        time.sleep(0.05)  # a line is written once its response is sent
    log = server.log.read_text()
    assert ("limit=8" in log, "limit=7" in log) == (True, False)


def test_anonymous_requests_have_less_time(
    serving: Callable[..., Server], empty_database: Engine, shapes: tuple[str, dict[str, str]]
) -> None:
    path, signed_in = shapes
    server = serving(ANONYMOUS_STATEMENT_TIMEOUT="2", STATEMENT_TIMEOUT="6")
    address = f"{server.ogc}/{path}/items?{_SLOW}"
    times = []
    for headers in ({}, signed_in):
        start = time.monotonic()
        response = requests.get(address, headers=headers, timeout=60)
        times.append(time.monotonic() - start)
        assert (response.status_code, "too long" in response.text) == (503, True)
        assert response.headers["Retry-After"]
    assert times[0] < times[1] - 2


def test_slow_anonymous_requests_leave_threads_to_others(
    serving: Callable[..., Server], empty_database: Engine, shapes: tuple[str, dict[str, str]]
) -> None:
    path, _ = shapes
    server = serving(ANONYMOUS_STATEMENT_TIMEOUT="60", STATEMENT_TIMEOUT="60")
    with ThreadPoolExecutor(16) as pool:
        slow = [
            pool.submit(requests.get, f"{server.ogc}/{path}/items?{_SLOW}", timeout=90)
            for _ in range(16)
        ]
        _wait_for_active(empty_database, 4)
        start = time.monotonic()
        assert requests.get(f"{server.ogc}/{path}/items", timeout=90).status_code == 200
        assert time.monotonic() - start < _WAIT / 2
        _wait_for_active(empty_database, 2)
        completed = as_completed(slow, timeout=_WAIT)  # the last one may be on its way
        refused = [one.result() for one in islice(completed, 14)]
        assert sum(one.done() for one in slow) == 14
        assert {response.status_code for response in refused} == {503}
        assert all("slow" in response.json()["detail"] for response in refused)
        with empty_database.connect() as connection:
            connection.execute(text(_ACTIVE.replace("count(*)", "pg_cancel_backend(pid)")))
