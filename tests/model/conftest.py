"""Fixtures of the model's tests: layers that are committed, and room for many connections."""

import uuid
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Engine

from samsyn_model.database import open_engine
from tests.model.features import add_layer

MOST_CONNECTIONS = 24


@pytest.fixture
def roomy_database(empty_database: Engine, test_database_url: str) -> Iterator[Engine]:
    """The empty database, for many threads at once; a statement that hangs is an error."""
    engine = open_engine(test_database_url, statement_timeout=20, pool_size=MOST_CONNECTIONS)
    yield engine
    engine.dispose()


@pytest.fixture
def make_layer(empty_database: Engine) -> Callable[[], uuid.UUID]:
    """Make a vector layer without features and return its id."""

    def make() -> uuid.UUID:
        with empty_database.begin() as connection:
            return add_layer(connection)

    return make
