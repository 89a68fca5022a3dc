"""Fixtures of the model's tests: committed layers, many connections, private clusters."""

import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from samsyn_model.cluster.private_cluster import Cluster
from samsyn_model.database.engine import open_engine
from tests.citus.cluster import begin_as_programs_do
from tests.model.tables.features import add_layer

MOST_CONNECTIONS = 24


@pytest.fixture
def roomy_database(empty_database: Engine, test_database_url: str) -> Iterator[Engine]:
    """The empty database, for many threads at once; a statement that hangs is an error."""
    engine = open_engine(
        test_database_url, statement_timeout=20, prepares=True, pool_size=MOST_CONNECTIONS
    )
    if os.environ.get("TEST_CITUS"):
        begin_as_programs_do(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def make_layer(empty_database: Engine) -> Callable[[], uuid.UUID]:
    """Make a vector layer without features and return its id."""

    def make() -> uuid.UUID:
        with empty_database.begin() as connection:
            return add_layer(connection)

    return make


@pytest.fixture(scope="session")
def cluster_folder() -> Iterator[Path]:
    """A folder that everybody may enter, unlike pytest's, with a short path."""
    folder = Path(tempfile.mkdtemp(prefix="samsyn-test-cluster-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def cluster_template(cluster_folder: Path) -> Path:
    """The home of a stopped cluster that has its database: initdb takes seconds."""
    home = cluster_folder / "template" / ".samsyn"
    with Cluster(home).in_use():
        pass
    return home


@pytest.fixture
def cluster_home(
    cluster_template: Path, cluster_folder: Path, request: pytest.FixtureRequest
) -> Iterator[Path]:
    """A home with a stopped cluster."""
    checkout = cluster_folder / request.node.name
    checkout.mkdir()
    subprocess.run(["cp", "-a", cluster_template, checkout], check=True)
    yield checkout / ".samsyn"
    Cluster(checkout / ".samsyn").remove()
