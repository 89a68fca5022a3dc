"""A distributed database, where there is a Citus cluster."""

import os
from collections.abc import Iterator

import pytest

from tests.citus.cluster import distributed_database, require_cluster


@pytest.fixture(scope="session")
def coordinator_url() -> str:
    """A superuser's URL of a coordinator of Citus with workers: CITUS_DATABASE_URL."""
    return require_cluster(os.environ.get("CITUS_DATABASE_URL"))


@pytest.fixture(scope="session")
def distributed_url(coordinator_url: str) -> Iterator[str]:
    """A migrated and distributed database of the run's own."""
    with distributed_database(coordinator_url) as url:
        yield url
