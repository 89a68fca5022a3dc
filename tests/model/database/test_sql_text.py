"""SQL texts that libpq runs: what they bring, prepared or not, and how they fail."""

import signal
import threading
import time
import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine

from samsyn_model.database import sql_text
from samsyn_model.database.engine import open_engine
from samsyn_model.database.execution import run
from samsyn_model.database.transactions import reading, writing
from samsyn_model.errors import DatabaseUnavailableError, InvalidParameterError

KEY = uuid.UUID(int=7)
ODD_TEXTS = ["", "x'y", r"a\b", "100%", "%(number)s", "a\nb", "Tromsø 🌊"]
both = pytest.mark.parametrize("prepared", [True, False])


@pytest.fixture
def preparing(test_database_url: str) -> Iterator[Engine]:
    engine = open_engine(test_database_url, statement_timeout=30, pool_size=4, prepares=True)
    yield engine
    engine.dispose()


@both
@pytest.mark.parametrize("given", ODD_TEXTS)
def test_values_come_back(preparing: Engine, prepared: bool, given: str) -> None:
    statement = """
SELECT %(text)s::text AS text, %(text)s::text || '%%' AS more, %(number)s::int AS number,
    %(key)s::uuid AS key, %(nothing)s::text AS nothing, %(list)s::int[] AS list, 1, true"""
    values = {"text": given, "number": 5, "key": KEY, "nothing": None, "list": [1, 2]}
    with reading(preparing) as connection:
        for _ in range(2):
            row = run(connection, statement, values, prepared=prepared).one()
            assert tuple(row) == (given, f"{given}%", 5, KEY, None, [1, 2], 1, True)
            assert (row.text, row.key) == (given, KEY)


@both
def test_as_many_rows_as_there_are(preparing: Engine, prepared: bool) -> None:
    def ask(count: int) -> Any:
        statement = "SELECT number FROM generate_series(1, %(count)s::int) AS number"
        return run(connection, statement, {"count": count}, prepared=prepared)

    with reading(preparing) as connection:
        assert ask(0).one_or_none() is None
        assert ask(0).scalar() is None
        assert (ask(0).all(), ask(0).scalars(), ask(0).rowcount) == ([], [], 0)
        assert ask(1).one().number == ask(1).scalar_one() == 1
        assert [row.number for row in ask(3)] == ask(3).scalars() == [1, 2, 3]
        assert (ask(3).rowcount, ask(3).scalar()) == (3, 1)
        for wrong in (ask(0).one, ask(0).scalar_one, ask(3).one, ask(3).one_or_none):
            with pytest.raises(RuntimeError):
                wrong()


def test_a_connection_prepares_no_more_than_it_should(
    preparing: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql_text, "_MAX_PREPARED", 3)
    names = "SELECT statement FROM pg_prepared_statements ORDER BY prepare_time"
    with reading(preparing) as connection:
        for number in (1, 2, 3, 1, 4, 1):
            asked = f"SELECT {number} + %(added)s::int AS sum"
            assert run(connection, asked, {"added": 1}, prepared=True).one().sum == number + 1
        known = run(connection, names).scalars()
        assert known == [f"SELECT {number} + $1::int AS sum" for number in (1, 3, 4)]


def test_nothing_is_prepared_where_a_pooler_would_not_know(test_database_url: str) -> None:
    engine = open_engine(test_database_url, statement_timeout=30)
    with reading(engine) as connection:
        assert run(connection, "SELECT %(a)s::int", {"a": 1}, prepared=True).scalar() == 1
        assert run(connection, "SELECT count(*) FROM pg_prepared_statements").scalar() == 0
    engine.dispose()


def test_long_texts_are_not_remembered(preparing: Engine) -> None:
    sql_text._split_once.cache_clear()
    with reading(preparing) as connection:
        for length in (10, 20_000):
            statement = f"SELECT %(text)s::text AS text, '{'x' * length}' AS more"
            row = run(connection, statement, {"text": "given"}).one()
            assert (row.text, len(row.more)) == ("given", length)
    assert sql_text._split_once.cache_info().currsize == 1


def test_without_a_limit_statements_can_be_stopped(test_database_url: str) -> None:
    engine = open_engine(test_database_url)
    # a shell has what it starts in the background ignore the signal
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        threading.Timer(0.3, signal.raise_signal, [signal.SIGINT]).start()
        with reading(engine) as connection, pytest.raises(KeyboardInterrupt):
            run(connection, "SELECT pg_sleep(20)")
    finally:
        signal.signal(signal.SIGINT, handler)
        engine.dispose()


@both
def test_failures(preparing: Engine, prepared: bool) -> None:
    with reading(preparing) as connection:
        for statement, values, error in (
            ("SELECT 1 / %(zero)s::int", {"zero": 0}, InvalidParameterError),
            ("SELECT %(text)s::text", {"text": "\0"}, InvalidParameterError),
            ("SELECT %(text)s::text", {"text": "\ud800"}, InvalidParameterError),
            ("SELEC", {}, psycopg.errors.SyntaxError),
            ("SELECT %(absent)s", {}, KeyError),
        ):
            with pytest.raises(error):
                run(connection, statement, values, prepared=prepared)
            assert run(connection, "SELECT 1", prepared=prepared).scalar() == 1


@both
def test_a_failure_ends_its_transaction(preparing: Engine, prepared: bool) -> None:
    def fail() -> None:
        with writing(preparing) as connection:
            run(connection, "CREATE TABLE made AS SELECT 1")
            run(connection, "SELECT 1 / %(zero)s::int", {"zero": 0}, prepared=prepared)

    with pytest.raises(InvalidParameterError):
        fail()
    with reading(preparing) as connection:
        assert run(connection, "SELECT to_regclass('made')").scalar() is None


@both
def test_a_connection_that_is_cut(preparing: Engine, prepared: bool) -> None:
    ask = "SELECT pg_backend_pid() AS process"
    with reading(preparing) as connection, reading(preparing) as other:
        process = run(connection, ask, prepared=prepared).scalar()
        run(other, "SELECT pg_terminate_backend(%(process)s)", {"process": process})
        time.sleep(0.1)
        with pytest.raises(DatabaseUnavailableError):
            run(connection, ask, prepared=prepared)
        assert run(connection, ask, prepared=prepared).scalar() != process
    with reading(preparing) as connection:
        assert run(connection, ask, prepared=prepared).scalar()


@both
def test_threads_do_not_wait_for_each_others_statements(preparing: Engine, prepared: bool) -> None:
    meeting = threading.Barrier(3)

    def ask(number: int) -> None:
        with reading(preparing) as connection:
            meeting.wait(30)
            begun[number] = time.monotonic()
            statement = "SELECT pg_sleep(%(seconds)s)"
            run(connection, statement, {"seconds": 1}, prepared=prepared)
            ended[number] = time.monotonic()

    begun: dict[int, float] = {}
    ended: dict[int, float] = {}
    threads = [threading.Thread(target=ask, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ended) == 3
    assert max(begun.values()) < min(ended.values())
