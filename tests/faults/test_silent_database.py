"""A database that does not respond: nobody waits for it, and all is well once it does again."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
import requests
from sqlalchemy import Connection, Engine

from samsyn_model.database.engine import open_engine
from samsyn_model.database.execution import run, stream
from samsyn_model.database.transactions import reading, set_in_transaction, writing
from samsyn_model.errors import DatabaseUnavailableError, SamsynError, StatementTimeoutError
from tests.clients.samsyn_server import Server, serve
from tests.faults.database_server import DatabaseServer, slack, wait_until
from tests.faults.tcp_proxy import proxy_to

PATIENCE = 5.0
CLIENTS = 8


@pytest.fixture
def limited(database: DatabaseServer) -> Iterator[Engine]:
    """An engine whose statements have a time limit."""
    engine = open_engine(database.url, statement_timeout=30, pool_size=4, prepares=True)
    yield engine
    engine.dispose()


def _seconds(server: Server, path: str, status: int) -> float:
    """Return how long a response takes, which has this status."""
    start = time.monotonic()
    response = requests.get(f"{server.url}{path}", timeout=60)
    assert response.status_code == status, response.text
    if status == 503 and path != "/api/health":
        assert response.json()["status"] == 503
        assert response.headers["Retry-After"]
    return time.monotonic() - start


def _is_ready(server: Server) -> bool:
    return requests.get(f"{server.url}/ogc/collections?f=json", timeout=60).ok


@contextmanager
def _silence(database: DatabaseServer, kind: str, log: Path) -> Iterator[tuple[Server, object]]:
    """Serve; yield the server, and what makes its database silent while a block runs."""
    if kind == "frozen":
        with serve(database.url, log, workers=1) as server:
            yield server, database.frozen
        return
    with proxy_to(database.socket) as proxy:

        @contextmanager
        def stopped() -> Iterator[None]:
            proxy.forwarding.clear()
            try:
                yield
            finally:
                proxy.forwarding.set()

        with serve(database.over_tcp(proxy.port), log, workers=1) as server:
            yield server, stopped


@pytest.mark.parametrize("kind", ["frozen", "network"])
def test_responses_without_it(database: DatabaseServer, kind: str, tmp_path: Path) -> None:
    with _silence(database, kind, tmp_path / "log") as (server, silent):
        paths = ("/ogc/collections?f=json", "/api/v1/layers", "/api/health")
        for path in paths:
            _seconds(server, path, 200)
        with silent():  # type: ignore[operator]
            with ThreadPoolExecutor(CLIENTS) as clients:
                for path in paths:  # the first while nobody knows, the others after it
                    times = clients.map(lambda _, p=path: _seconds(server, p, 503), range(CLIENTS))
                    assert max(times) < PATIENCE * slack()
            times = [_seconds(server, path, 503) for path in paths]
            assert max(times) < slack()
            assert max(_seconds(server, "/ogc/conformance", 200) for _ in range(20)) < slack()
        wait_until(lambda: _is_ready(server), PATIENCE * slack(), "ready again")
        time.sleep(0.5)
        assert database.sessions() <= 6
    assert server.log.read_text().count("does not respond: no request waits") == 1
    assert "WARNING - The database responds again." in server.log.read_text()
    assert "Traceback" not in server.log.read_text()
    wait_until(lambda: database.sessions() == 0, 10, "every session ended")


def test_a_statement_under_way(database: DatabaseServer, limited: Engine) -> None:
    ends: list[float] = []

    def ask() -> None:
        with pytest.raises(DatabaseUnavailableError), reading(limited) as connection:
            run(connection, "SELECT pg_sleep(20)")
        ends.append(time.monotonic())

    def write() -> None:
        insert = "INSERT INTO users (username) SELECT 'lost' FROM pg_sleep(20)"
        with pytest.raises(DatabaseUnavailableError), writing(limited) as connection:
            run(connection, insert)
        ends.append(time.monotonic())

    def read_rows() -> None:
        rows = "SELECT pg_sleep(0.1) FROM generate_series(1, 200)"
        with pytest.raises(SamsynError), reading(limited) as connection:
            list(stream(connection, rows, {}))
        ends.append(time.monotonic())

    threads = [threading.Thread(target=target) for target in (ask, write, read_rows)]
    for thread in threads:
        thread.start()
    time.sleep(1.5)
    with database.frozen():
        frozen = time.monotonic()
        for thread in threads:
            thread.join(20)
        assert len(ends) == 3
        assert max(ends) - frozen < PATIENCE * slack()
        start = time.monotonic()
        with pytest.raises(DatabaseUnavailableError, match="does not respond"), reading(limited):
            pass
        assert time.monotonic() - start < 0.5
        limited.dispose()
        start = time.monotonic()
        with pytest.raises(DatabaseUnavailableError, match="cannot be reached"), reading(limited):
            pass
        assert time.monotonic() - start < PATIENCE * slack(), "looked for from the beginning"
    wait_until(lambda: _can_read(limited), PATIENCE * slack(), "connected again")
    with reading(limited) as connection:
        found = run(connection, "SELECT count(*) FROM users WHERE username = 'lost'").scalar()
    assert found == 0


def _can_read(engine: Engine) -> bool:
    try:
        with reading(engine) as connection:
            return bool(run(connection, "SELECT 1").scalar() == 1)
    except DatabaseUnavailableError:
        return False


def test_a_single_session_that_is_silent(database: DatabaseServer) -> None:
    """It is given up after its time limit, while slow statements of others are waited for."""
    engine = open_engine(database.url, statement_timeout=1, pool_size=4)
    sessions: list[int] = []

    def ask_a_stopped_session(opening: AbstractContextManager[Connection]) -> float:
        start = time.monotonic()
        with pytest.raises(DatabaseUnavailableError):
            _ask_a_stopped_session(opening, sessions)
        return time.monotonic() - start

    def run_slowly() -> None:
        with reading(engine) as connection:
            with pytest.raises(StatementTimeoutError):
                run(connection, "SELECT pg_sleep(20)")
            assert run(connection, "SELECT 1 FROM pg_sleep(0.3)").scalar() == 1

    def run_for_longer() -> None:
        with writing(engine) as connection:
            set_in_transaction(connection, statement_timeout="20s")
            assert run(connection, "SELECT 1 FROM pg_sleep(6.5)").scalar() == 1

    with ThreadPoolExecutor() as threads:
        stopped = [
            threads.submit(ask_a_stopped_session, opening(engine)) for opening in (reading, writing)
        ]
        slow = [threads.submit(run_slowly), threads.submit(run_for_longer)]
        assert all(1 < each.result() < 8 * slack() for each in stopped)
        for each in slow:
            each.result()
    engine.dispose()
    wait_until(
        lambda: not set(sessions) & set(database.processes()), PATIENCE * slack(), "they ended"
    )


def _ask_a_stopped_session(
    opening: AbstractContextManager[Connection], sessions: list[int]
) -> None:
    with opening as connection:
        session = run(connection, "SELECT pg_backend_pid()").scalar_one()
        sessions.append(session)
        os.kill(session, signal.SIGSTOP)
        try:
            run(connection, "SELECT 1")
        finally:
            os.kill(session, signal.SIGCONT)
