"""The server finds out what a pooler keeps: prepared statements, sessions, start-up options."""

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from samsyn_model.database.engine import open_engine, way_of
from samsyn_model.database.execution import run
from samsyn_model.database.requirements import (
    give_settings,
    missing_settings,
    settings_not_in_force,
)
from samsyn_model.database.transactions import reading, writing
from samsyn_model.errors import StatementTimeoutError
from tests.model.scratch import address, scratch_database, scratch_engine, scratch_role
from tests.poolers.pgbouncer import NEWER, PACKAGED, pgbouncer

TIMEOUT = 7


@contextmanager
def engine_through(which: str, url: str, folder: Path, **options: Any) -> Iterator[Engine]:
    with pgbouncer(which, url, folder, **options) as pooled:
        engine = open_engine(pooled, statement_timeout=TIMEOUT, pool_size=4, prepares=True)
        try:
            yield engine
        finally:
            engine.dispose()


def ask(engine: Engine) -> int:
    with reading(engine) as connection:
        return run(connection, "SELECT %(a)s::int + 1", {"a": 1}, prepared=True).scalar_one()


@pytest.mark.parametrize(
    "kind",
    [
        (PACKAGED, "transaction", True, False),
        (PACKAGED, "session", False, True),
        (NEWER, "transaction", True, True),
        (NEWER, "session", False, True),
    ],
    ids=lambda kind: " ".join(kind[:2]),
)
@pytest.mark.parametrize("options", ["dropped", "refused"])
def test_what_a_pooler_keeps_is_found_out(
    test_database_url: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    kind: tuple[str, str, bool, bool],
    options: str,
) -> None:
    which, mode, moves, prepares = kind
    configured = {"mode": mode, "ignores_options": options == "dropped"}
    with (
        caplog.at_level(logging.WARNING),
        engine_through(which, test_database_url, tmp_path, **configured) as engine,
    ):
        with ThreadPoolExecutor(16) as pool:
            assert set(pool.map(lambda _: ask(engine), range(400))) == {2}
        way = way_of(engine)
        assert (way.is_pooled, way.moves, way.prepares) == (True, moves, prepares)
        assert "statement_timeout" in way.missing
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 1
    assert "statement_timeout" in told[0]
    assert ("are prepared" in told[0]) == prepares
    assert ("for a transaction each" in told[0]) == moves


def test_a_straight_way(test_database_url: str, caplog: pytest.LogCaptureFixture) -> None:
    engine = open_engine(test_database_url, statement_timeout=TIMEOUT, prepares=True)
    assert ask(engine) == 2
    way = way_of(engine)
    assert (way.is_pooled, way.moves, way.prepares, way.missing) == (False, False, True, ())
    assert caplog.records == []
    engine.dispose()


def test_a_pool_of_one_session_is_no_dead_end(test_database_url: str, tmp_path: Path) -> None:
    with engine_through(NEWER, test_database_url, tmp_path, size=1) as engine:
        assert ask(engine) == 2
        assert (way_of(engine).moves, way_of(engine).prepares) == (True, False)


def test_what_is_lost_later_is_prepared_no_more(test_database_url: str, tmp_path: Path) -> None:
    with engine_through(PACKAGED, test_database_url, tmp_path) as engine:
        assert ask(engine) == 2
        way_of(engine).prepares = True  # as if it had kept them when it was looked at
        engine.dispose()
        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(lambda _: ask(engine), range(200))) == {2}
        assert not way_of(engine).prepares


def test_writing_has_its_time_limit_also_where_the_role_has_none(
    test_database_url: str, tmp_path: Path
) -> None:
    with pgbouncer(PACKAGED, test_database_url, tmp_path) as pooled:
        engine = open_engine(pooled, statement_timeout=1)
        with pytest.raises(StatementTimeoutError), writing(engine) as connection:
            run(connection, "SELECT pg_sleep(5)")
        engine.dispose()


@pytest.mark.parametrize("which", [PACKAGED, NEWER])
def test_the_role_has_the_settings_that_it_is_given(
    server_url: str, tmp_path: Path, which: str
) -> None:
    with ExitStack() as stack:
        role = stack.enter_context(scratch_role(server_url))
        database = stack.enter_context(scratch_database(server_url, f"OWNER {role}"))
        url = address(database, username=role, password=role)
        direct = stack.enter_context(scratch_engine(url))
        assert "statement_timeout" in settings_not_in_force(direct, TIMEOUT)
        give_settings(direct, TIMEOUT)
        assert settings_not_in_force(direct, TIMEOUT) == {}
        assert "statement_timeout" in settings_not_in_force(direct, TIMEOUT + 1)
        # options still go first on a straight way
        with reading(direct) as connection:
            assert run(connection, "SHOW statement_timeout").scalar_one() == "0"
        engine = stack.enter_context(engine_through(which, url, tmp_path))
        with reading(engine) as connection:
            assert run(connection, "SHOW statement_timeout").scalar_one() == f"{TIMEOUT}s"
            assert missing_settings(connection) == []
        assert way_of(engine).missing == ()
