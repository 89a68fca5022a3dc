"""A server with its companion for the tests of a module, and its people."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from tests.api.live.event_streams import OPENED, Person, person
from tests.clients.samsyn_server import Server, serve


@pytest.fixture(scope="module")
def server(test_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with one worker, whose companion is begun with the first stream."""
    log = tmp_path_factory.mktemp("live") / "log"
    with serve(test_database_url, log, workers=1) as running:
        yield running


@pytest.fixture(autouse=True)
def _closed_streams() -> Iterator[None]:
    yield
    while OPENED:
        OPENED.pop().close()


@pytest.fixture
def owner(empty_database: Engine, server: Server) -> Person:
    return person(server, "owner")


@pytest.fixture
def reader(owner: Person) -> Person:
    return person(owner.server, "reader")


@pytest.fixture
def anonymous(owner: Person) -> Person:
    return Person(owner.server, None)
