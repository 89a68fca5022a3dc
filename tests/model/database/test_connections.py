"""The one door to the database: addresses, and what a driver's errors become."""

import re
import socket
import uuid
from collections.abc import Iterator

import psycopg
import pytest
from sqlalchemy import Engine, select, text

from samsyn_model.database.driver_errors import translated_errors
from samsyn_model.database.engine import database_url, open_engine
from samsyn_model.database.execution import run, stream
from samsyn_model.database.requirements import require_postgis
from samsyn_model.database.transactions import reading, writing
from samsyn_model.errors import (
    DatabaseSetupError,
    DatabaseUnavailableError,
    InvalidParameterError,
    SamsynError,
    StatementTimeoutError,
)
from samsyn_model.tables.users import User
from tests.clients.samsyn_server import free_port
from tests.model.scratch import address, scratch_database, scratch_engine, scratch_role


def connect(url: str) -> None:
    with scratch_engine(url) as engine, reading(engine) as connection:
        run(connection, "SELECT 1")


@pytest.fixture
def one_connection(test_database_url: str) -> Iterator[Engine]:
    """An engine whose statements may take a second."""
    engine = open_engine(test_database_url, statement_timeout=1, pool_size=1)
    yield engine
    engine.dispose()


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_form_of_address_works(test_database_url: str, scheme: str) -> None:
    rest = test_database_url.partition("://")[2]
    connect(f"{scheme}://{rest}")


@pytest.mark.parametrize(
    "value",
    [
        "",
        "samsyn",
        "/var/run/postgresql",
        "host=localhost dbname=samsyn",
        "sqlite:///samsyn.db",
        "mysql://root@localhost/samsyn",
        "postgresql+asyncpg://localhost/samsyn",
        "postgresql+nonsense://localhost/samsyn",
        "http://localhost:5432/samsyn",
        "postgresql://localhost:port/samsyn",
        "postgresql:/localhost/samsyn",
    ],
)
def test_what_is_no_address_is_told(value: str) -> None:
    with pytest.raises(DatabaseSetupError, match="DATABASE_URL"):
        open_engine(value)


def test_an_address_is_told_without_its_password() -> None:
    with pytest.raises(DatabaseSetupError) as told:
        database_url("mysql://root:s3cret@localhost/samsyn")
    assert "s3cret" not in str(told.value)


def test_a_server_that_is_not_there() -> None:
    with pytest.raises(DatabaseUnavailableError, match="cannot be reached"):
        connect(f"postgresql://samsyn@127.0.0.1:{free_port()}/samsyn")
    with pytest.raises(DatabaseUnavailableError, match="cannot be reached"):
        connect("postgresql://samsyn@samsyn.invalid/samsyn")
    with pytest.raises(DatabaseUnavailableError, match="cannot be reached"):
        connect("postgresql://samsyn@/samsyn?host=/nonexistent")


def test_a_server_that_does_not_answer() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        port = silent.getsockname()[1]
        with pytest.raises(DatabaseUnavailableError, match="cannot be reached"):
            connect(f"postgresql://samsyn@127.0.0.1:{port}/samsyn?sslmode=disable")


def test_a_database_that_is_not_there(server_url: str) -> None:
    with pytest.raises(DatabaseUnavailableError, match="cannot be reached"):
        connect(address(server_url, database=f"samsyn_{uuid.uuid4().hex}"))


def test_a_user_that_may_not_log_in(server_url: str) -> None:
    with scratch_role(server_url, "NOLOGIN") as role:
        with pytest.raises(DatabaseUnavailableError, match="cannot be reached") as told:
            connect(address(server_url, username=role, password=role))
        assert role not in str(told.value), "what clients are told names nobody"


def test_an_option_that_does_not_exist(test_database_url: str) -> None:
    sign = "&" if "?" in test_database_url else "?"
    with pytest.raises(DatabaseSetupError, match="option"):
        connect(f"{test_database_url}{sign}colour=blue")


def test_a_database_not_migrated(server_url: str) -> None:
    with (
        scratch_database(server_url) as url,
        scratch_engine(url) as engine,
        reading(engine) as connection,
        pytest.raises(DatabaseSetupError, match="samsyn db upgrade"),
    ):
        run(connection, select(User.id))


def test_the_extensions_are_made_once(server_url: str) -> None:
    with scratch_database(server_url) as url, scratch_engine(url) as engine:
        for _ in range(2):
            with writing(engine) as connection:
                require_postgis(connection)
        with reading(engine) as connection:
            present = run(connection, "SELECT extname FROM pg_extension").scalars()
    assert {"postgis", "btree_gist", "pg_trgm"} < set(present)


def test_a_statement_that_takes_too_long(one_connection: Engine) -> None:
    with reading(one_connection) as connection, pytest.raises(StatementTimeoutError):
        run(connection, "SELECT pg_sleep(30)")


def test_rows_come_before_the_last_is_made(one_connection: Engine) -> None:
    rows_of = "SELECT n, repeat('x', 100000), 1 / (3 - n) FROM generate_series(1, 5) AS n"
    with reading(one_connection) as connection:
        rows = stream(connection, rows_of, {})
        assert next(rows).n == 1
        with pytest.raises(InvalidParameterError):
            list(rows)
        with pytest.raises(StatementTimeoutError):
            list(stream(connection, "SELECT pg_sleep(30)", {}))
        left = stream(connection, rows_of, {})
        assert next(left).n == 1
        left.close()
        assert run(connection, "SELECT 1").scalar_one() == 1


def test_a_lock_that_is_not_had(engine: Engine) -> None:
    with engine.connect() as first, engine.connect() as second:
        first.execute(text("LOCK TABLE users"))
        with pytest.raises(DatabaseUnavailableError, match="try again"):
            run(second, "LOCK TABLE users NOWAIT")
        first.rollback()
        second.rollback()


def test_a_transaction_overtaken(empty_database: Engine) -> None:
    with writing(empty_database) as connection:
        run(connection, "INSERT INTO users DEFAULT VALUES")
    with empty_database.connect().execution_options(isolation_level="REPEATABLE READ") as late:
        run(late, "SELECT count(*) FROM users")
        with writing(empty_database) as connection:
            run(connection, "UPDATE users SET username = 'first'")
        with pytest.raises(DatabaseUnavailableError, match="try again"):
            run(late, "UPDATE users SET username = 'second'")
        late.rollback()


def test_a_database_that_can_only_be_read(engine: Engine) -> None:
    with engine.connect() as connection:
        connection.execute(text("SET TRANSACTION READ ONLY"))
        with pytest.raises(DatabaseUnavailableError, match="only be read"):
            run(connection, "INSERT INTO users DEFAULT VALUES")
        connection.rollback()


def test_a_connection_that_is_cut_is_replaced(test_database_url: str, engine: Engine) -> None:
    with scratch_engine(test_database_url) as cut:
        with reading(cut) as connection:
            process = run(connection, "SELECT pg_backend_pid()").scalar_one()
            with reading(engine) as other:
                run(other, "SELECT pg_terminate_backend(%(process)s, 5000)", {"process": process})
            with pytest.raises(DatabaseUnavailableError):
                run(connection, "SELECT 1")
        with reading(cut) as connection:
            assert run(connection, "SELECT 1").scalar_one() == 1


def test_every_connection_busy(test_database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with scratch_engine(test_database_url) as engine:
        monkeypatch.setattr(engine.pool, "_timeout", 0.2)
        held = [engine.connect() for _ in range(4)]
        with pytest.raises(DatabaseUnavailableError, match="busy"), reading(engine):
            pass
        for connection in held:
            connection.close()
        connect(test_database_url)


@pytest.mark.parametrize("text_of_user", ["a\x00b", "a\ud800b"])
def test_text_that_cannot_be_stored(engine: Engine, text_of_user: str) -> None:
    with reading(engine) as connection:
        with pytest.raises(InvalidParameterError, match="NUL"):
            run(connection, "SELECT %(value)s::text", {"value": text_of_user})
        with pytest.raises(InvalidParameterError, match="NUL"):
            run(connection, select(User.id).where(User.email == text_of_user))


@pytest.mark.parametrize(
    "statement",
    [
        'SELECT \'{"a": "\\u0000"}\'::jsonb',
        "SELECT convert_from('\\xff', 'UTF8')",
        "SELECT 99999999999::int",
        "SELECT '2024-02-30'::date",
    ],
)
def test_values_that_cannot_be_stored(engine: Engine, statement: str) -> None:
    with reading(engine) as connection, pytest.raises(InvalidParameterError):
        run(connection, statement)


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("could not find valid entry for shard 102140", "XX000"),
        ("could not find any healthy placement for shard 102140", "22023"),
        ("shard 102140 does not have any shard placements", "XX000"),
        ('relation "public.layer_features_102140" does not exist', "42P01"),
        ("failed to prepare transaction 'citus_0_1' on host 10.0.0.2:5432", "XX000"),
        ("failure on connection marked as essential: 10.0.0.2:5432", "XX000"),
        ("connection to the remote node samsyn@10.0.0.2:5432 failed", "08006"),
        ("terminating connection due to administrator command", "57P01"),
        ("the database system is starting up", "57P03"),
        ("could not read block 0 in file", "58030"),
    ],
)
def test_a_part_of_the_database_that_is_away(engine: Engine, message: str, code: str) -> None:
    """What Citus raises is raised here by its texts and codes."""
    quoted = message.replace("'", "''").replace("%", "%%")
    raised = f"DO $$BEGIN RAISE EXCEPTION USING MESSAGE = '{quoted}', ERRCODE = '{code}'; END$$"
    with reading(engine) as connection:
        with pytest.raises(DatabaseUnavailableError) as told:
            run(connection, raised)
        assert not re.search(r"\d{2,}", told.value.detail)
        with pytest.raises(InvalidParameterError):
            run(connection, "SELECT 'could not find valid entry for shard 1'::int")


def test_what_has_no_meaning_of_ours_stays_as_it_is(engine: Engine) -> None:
    for statement, kind in [
        ("SELEKT", psycopg.errors.SyntaxError),
        ("INSERT INTO maps (name) VALUES ('')", psycopg.IntegrityError),
    ]:
        with reading(engine) as connection, pytest.raises(kind) as raised:
            run(connection, statement)
        assert not isinstance(raised.value, SamsynError)
    with pytest.raises(ValueError, match="mine"), translated_errors():
        raise ValueError("mine")


def test_reading_is_a_transaction_a_statement(engine: Engine) -> None:
    with reading(engine) as connection:
        first = run(connection, "SELECT txid_current()").scalar_one()
        assert run(connection, "SELECT txid_current()").scalar_one() != first


def add_users(engine: Engine, *names: str) -> None:
    """Add one after the other in a transaction that fails at the name `oops`."""
    with writing(engine) as connection:
        for name in names:
            if name == "oops":
                raise KeyError(name)
            run(connection, "INSERT INTO users (username) VALUES (%(name)s)", {"name": name})


def test_writing_is_all_or_nothing(empty_database: Engine) -> None:
    add_users(empty_database, "100 % Anna")
    with pytest.raises(KeyError):
        add_users(empty_database, "Bo", "oops")
    with reading(empty_database) as connection:
        names = run(connection, "SELECT username FROM users").scalars()
    assert names == ["100 % Anna"]


def test_every_connection_starts_alike(engine: Engine) -> None:
    with reading(engine) as connection:
        settings = {
            name: run(connection, f"SHOW {name}").scalar_one()
            for name in (
                *("timezone", "jit", "search_path", "application_name"),
                *("statement_timeout", "plan_cache_mode"),
            )
        }
    assert settings == {
        "timezone": "UTC",
        "jit": "off",
        "search_path": "public",
        "application_name": "samsyn",
        "statement_timeout": "1min",
        "plan_cache_mode": "force_generic_plan",
    }


def test_what_writes_is_planned_for_its_layer(engine: Engine) -> None:
    with writing(engine) as connection:
        assert run(connection, "SHOW plan_cache_mode").scalar_one() == "auto"
