"""Fixtures of faults: a PostgreSQL server of the tests' own."""

from collections.abc import Iterator

import pytest

from samsyn_model.cluster.installations import find_installations
from tests.faults.database_server import DatabaseServer, database_server


@pytest.fixture(scope="session")
def database() -> Iterator[DatabaseServer]:
    """A server that may be stopped and killed."""
    if not find_installations():
        pytest.skip("no PostgreSQL with PostGIS is installed on this machine")
    with database_server() as server:
        yield server
