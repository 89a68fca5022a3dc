"""Fixtures for every test: a real PostGIS database built by the migrations, people, an app."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine

from samsyn_model.cluster.private_cluster import private_cluster
from samsyn_model.database.engine import open_engine, way_of
from samsyn_model.database.requirements import give_settings
from samsyn_model.tables.metadata import metadata
from tests.citus.cluster import begin_as_programs_do, distributed_database
from tests.databases import migrated_database, template_on
from tests.poolers.pgbouncer import pgbouncer

_MUCH = 2 * 1024 * 1024
"""Bytes of tables from which on TRUNCATE empties them sooner than DELETE."""


_FIRST = ("fuzz", "clients", "faults", "replicas")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put first what takes long, and what shares a server that takes long to have.

    Of processes side by side, one begins with these, and the others take its shorter tests over.
    """
    folder = Path(__file__).parent
    places = {name: place for place, name in enumerate(_FIRST)}
    items.sort(key=lambda item: places.get(item.path.relative_to(folder).parts[0], len(_FIRST)))


@pytest.fixture(scope="session")
def server_url() -> Iterator[str]:
    """A PostgreSQL server where databases may be created: TEST_DATABASE_URL, or the private one."""
    with ExitStack() as stack:
        url = os.environ.get("TEST_DATABASE_URL") or stack.enter_context(private_cluster())
        stack.enter_context(template_on(url))
        yield url


@pytest.fixture(scope="session")
def test_database_url(server_url: str) -> Iterator[str]:
    """A database of this process alone, migrated to head, dropped at the end: with TEST_CITUS=1 one
    that is distributed, on the cluster of CITUS_DATABASE_URL."""
    if os.environ.get("TEST_CITUS"):
        with distributed_database(os.environ["CITUS_DATABASE_URL"]) as distributed:
            yield distributed
        return
    with migrated_database(server_url) as url:
        yield url


@pytest.fixture(scope="session")
def engine(test_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """An engine on the run's database: through the PgBouncer that TEST_POOLER names."""
    with ExitStack() as stack:
        url, pooler = test_database_url, os.environ.get("TEST_POOLER")
        if pooler:
            direct = open_engine(url)
            give_settings(direct, 60)
            direct.dispose()
            folder = tmp_path_factory.mktemp("pooler")
            url = stack.enter_context(pgbouncer(pooler, url, folder))
        engine = open_engine(url, statement_timeout=60, pool_size=5, prepares=True)
        if os.environ.get("TEST_CITUS"):
            begin_as_programs_do(engine)
        yield engine
        engine.dispose()


@pytest.fixture
def connection(engine: Engine) -> Iterator[Connection]:
    """A connection whose work is rolled back: for tests that need no server."""
    with engine.connect() as connection:
        transaction = connection.begin()
        yield connection
        transaction.rollback()


@pytest.fixture
def empty_database(engine: Engine) -> Iterator[Engine]:
    """The engine, with every row gone after the test: for tests that commit."""
    yield engine
    with engine.begin() as connection:
        _empty(connection)


def _empty(connection: Connection) -> None:
    """Remove every row, of small tables without TRUNCATE: its new files wait for the disk."""
    tables = metadata.tables.keys() - {"deployment_keys"}  # processes keep what they have read
    tables |= {f"procrastinate_{name}" for name in ("events", "jobs", "periodic_defers")}
    size = " + ".join(f"pg_relation_size('{name}')" for name in tables)
    is_much = connection.exec_driver_sql(f"SELECT {size}").scalar_one() > _MUCH
    if is_much:
        removal = f"TRUNCATE {', '.join(tables)} CASCADE"
    else:
        removal = "; ".join(f"DELETE FROM {name}" for name in tables)
    if way_of(connection).is_distributed:
        connection.exec_driver_sql("SET LOCAL citus.propagate_set_commands = 'local'")
    # no triggers, which would count and keep what is deleted
    connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
    connection.exec_driver_sql(removal)


@pytest.fixture
def prunes_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the pruning of history wait for no request: none is under way."""
    monkeypatch.setattr("samsyn_model.audit.pruning._PAUSE", 0)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of shared test data; tests that need it skip where it is absent."""
    folder = Path(
        os.environ.get("SAMSYN_SHARED", Path(__file__).resolve().parent.parent.parent / "shared")
    )
    if not folder.is_dir():
        pytest.skip(f"no shared test data at {folder} (SAMSYN_SHARED names another folder)")
    return folder
