"""Statements are cancelled when their time is over or their client has gone, and no others are."""

import socket
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest
from sqlalchemy import Connection, Engine, text

from samsyn_model.database.cancellation import (
    StatementLimits,
    lift_time_limits,
    set_limits,
    share_time_limit,
)
from samsyn_model.database.execution import run, stream
from samsyn_model.database.transactions import reading
from samsyn_model.errors import ClientGoneError, StatementTimeoutError

_LONG = "SELECT pg_sleep(30)"
_MOST = 20.0  # seconds


@pytest.fixture(autouse=True)
def _no_limits() -> Iterator[None]:
    yield
    set_limits(None)


@pytest.fixture
def reader(engine: Engine) -> Iterator[Connection]:
    with reading(engine) as connection:
        yield connection


@pytest.mark.parametrize("is_core", [False, True])
def test_a_statement_ends_in_time(reader: Connection, is_core: bool) -> None:
    set_limits(StatementLimits(seconds=0.3))
    start = time.monotonic()
    with pytest.raises(StatementTimeoutError):
        run(reader, text(_LONG)) if is_core else run(reader, _LONG)
    assert time.monotonic() - start < _MOST
    assert run(reader, "SELECT 1").scalar_one() == 1


def test_statements_share_a_time_limit(reader: Connection) -> None:
    set_limits(StatementLimits(seconds=2))
    share_time_limit(60)
    run(reader, "SELECT pg_sleep(0.5)")
    start = time.monotonic()
    with pytest.raises(StatementTimeoutError):
        run(reader, _LONG)
    with pytest.raises(StatementTimeoutError):
        run(reader, "SELECT 1")
    assert time.monotonic() - start < _MOST


def test_limits_are_lifted(reader: Connection) -> None:
    set_limits(StatementLimits(seconds=0.3))
    lift_time_limits()
    run(reader, "SELECT pg_sleep(1)")


def test_only_the_first_row_of_a_stream_has_a_limit(reader: Connection) -> None:
    set_limits(StatementLimits(seconds=0.5))
    rows = stream(reader, "SELECT n FROM generate_series(1, 100000) AS n", {})
    assert next(rows).n == 1
    time.sleep(1.5)
    assert sum(1 for _ in rows) == 99_999
    with pytest.raises(StatementTimeoutError):
        next(stream(reader, _LONG, {}))


def test_the_statement_of_a_client_that_has_gone_ends(reader: Connection) -> None:
    server, client = socket.socketpair()
    set_limits(StatementLimits(server))
    with server, client:
        run(reader, "SELECT pg_sleep(1)")
        client.shutdown(socket.SHUT_WR)
        start = time.monotonic()
        with pytest.raises(ClientGoneError):
            run(reader, _LONG)
        assert time.monotonic() - start < _MOST


def test_no_other_statement_is_cancelled(reader: Connection) -> None:
    for number in range(40):
        set_limits(StatementLimits(seconds=0.2))
        with suppress(StatementTimeoutError):
            run(reader, f"SELECT pg_sleep({0.22 + number / 500})")
        set_limits(None)
        run(reader, "SELECT pg_sleep(0.02)")
