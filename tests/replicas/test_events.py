"""Who is told of a change finds it, at a server whose replica is behind."""

import time
import uuid
from collections.abc import Iterator

import pytest
import requests
from sqlalchemy import Engine

from samsyn_model.identity.api_tokens import create_token, find_or_create_user
from samsyn_model.replicas.replica import INTERVAL, PROBATION
from tests.api.live.event_streams import OPENED, EventStream, Person
from tests.clients.samsyn_server import Server, serve
from tests.faults.database_server import DatabaseServer, wait_until
from tests.model.tables.features import insert
from tests.replicas.conftest import MAX_LAG
from tests.replicas.standby import Standby


@pytest.fixture
def server(
    primary: DatabaseServer, standby: Standby, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    log = tmp_path_factory.mktemp("replica") / "log"
    settings = {"READ_DATABASE_URL": standby.plain_url, "READ_DATABASE_MAX_LAG": str(MAX_LAG)}
    with serve(primary.url, log, workers=1, **settings) as running:
        yield running
        while OPENED:
            OPENED.pop().close()


@pytest.fixture
def owner(server: Server, engine: Engine) -> Person:
    with engine.begin() as connection:
        user = find_or_create_user(connection, f"{uuid.uuid4().hex}@example.org")
        token = create_token(connection, user, name="test", scope="write")
    return Person(server, token)


def _wait_for_replica(server: Server, status: str) -> None:
    def is_so() -> bool:
        health = requests.get(f"{server.url}/api/health", timeout=10).json()
        return bool(health["replica"]["status"] == status)

    wait_until(is_so, 20, f"the replica is {status}")


def _number(server: Server, layer: str) -> int:
    found = requests.get(f"{server.ogc}/collections/{layer}/items", timeout=10)
    assert found.ok, found.text
    return int(found.json()["numberMatched"])


def _told(stream: EventStream) -> float:
    """Return the moment at which the stream tells of a change."""
    stream.take(1)
    return time.monotonic()


def test_who_is_told_of_a_change_finds_it(
    server: Server, owner: Person, engine: Engine, standby: Standby
) -> None:
    layer = owner.layer(visibility="public")
    standby.catch_up()
    _wait_for_replica(server, "read")
    stream = Person(server, None).follow(f"/api/v1/layers/{layer}/events")
    with standby.delayed(500):
        for count in range(1, 3):
            begun = time.monotonic()
            with engine.begin() as connection:  # of which the server's processes are not told
                insert(connection, uuid.UUID(layer), 1)
            told = _told(stream)
            before = standby.mentions(layer)
            assert _number(server, layer) == count
            assert standby.mentions(layer) > before
            assert told - begun > 0.4
    with standby.paused():
        begun = time.monotonic()
        with engine.begin() as connection:
            insert(connection, uuid.UUID(layer), 1)
        told = _told(stream)
        assert _number(server, layer) == 3
        assert told - begun > MAX_LAG - 0.5
    standby.stop()
    _wait_for_replica(server, "not read")
    time.sleep(MAX_LAG + PROBATION + 2 * INTERVAL)  # until no process may read it
    begun = time.monotonic()
    with engine.begin() as connection:
        insert(connection, uuid.UUID(layer), 1)
    assert _told(stream) - begun < MAX_LAG - 1
    assert _number(server, layer) == 4
    standby.start()
    _wait_for_replica(server, "read")
    log = server.log.read_text()
    assert ": the primary is read." in log
    assert log.count("The replica is read.") >= 2
