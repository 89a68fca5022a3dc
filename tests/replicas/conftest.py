"""A primary with a replica, and an app that reads on it."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import Engine

from samsyn_admin.app import create_app
from samsyn_model.cluster.installations import find_installations
from samsyn_model.database.engine import open_engine
from samsyn_model.replicas.reads import Reads
from samsyn_model.settings import Settings
from samsyn_provider.http.deployment import Deployment
from tests.faults.database_server import DatabaseServer, database_server, wait_until
from tests.replicas.standby import Standby

MAX_LAG = 4


@pytest.fixture(scope="session")
def primary() -> Iterator[DatabaseServer]:
    if not find_installations():
        pytest.skip("no PostgreSQL with PostGIS is installed")
    with database_server() as running:
        yield running


@pytest.fixture(scope="session")
def standby(primary: DatabaseServer) -> Iterator[Standby]:
    with tempfile.TemporaryDirectory(prefix="samsyn-test-replica-") as folder:
        standby = Standby(primary, Path(folder))
        standby.make()
        standby.start()
        try:
            yield standby
        finally:
            standby.stop()


@pytest.fixture(scope="module")
def settings(primary: DatabaseServer, standby: Standby) -> Settings:
    return Settings(
        _env_file=None,
        database_url=primary.url,
        read_database_url=standby.plain_url,
        read_database_max_lag=MAX_LAG,
        writes_per_minute=0,
        titiler_url="off",
    )


@pytest.fixture(scope="module")
def engine(primary: DatabaseServer) -> Iterator[Engine]:
    """The engine of the app on the primary."""
    engine = open_engine(primary.url, statement_timeout=30, pool_size=22, prepares=True)
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def app(settings: Settings, engine: Engine) -> Iterator[Flask]:
    app = create_app(settings, engine)
    yield app
    reads_of(app).replica.close()


@pytest.fixture
def reads(app: Flask, standby: Standby) -> Reads:
    """What the app reads by, once the replica is read."""
    found = reads_of(app)
    wait_until(lambda: found.replica.progress() is not None, 20, "the replica is read")
    return found


def reads_of(app: Flask) -> Reads:
    deployment: Deployment = app.extensions["samsyn"]
    assert deployment.reads
    return deployment.reads
