"""What is kept in Redis of other servers is asked for anew while it is away: nothing fails."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine

from tests.api.gfw.test_tiles import MVT, PATH, QUERY, TILE
from tests.api.outgoing.remote_server import Remote, remote_server, respond
from tests.api.outgoing.test_off import client_of
from tests.redis_server import RedisServer, redis_server


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    with redis_server(tmp_path) as running:
        yield running


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGSTOP], ids=["gone", "silent"])
def test_tiles_of_fishing_watch(
    empty_database: Engine, redis: RedisServer, sent: signal.Signals
) -> None:
    with remote_server(respond(TILE, MVT)) as gateway:
        client = client_of(empty_database, gateway, redis_url=redis.url)
        assert [_seconds(client, gateway, calls=1) < 1 for _ in range(2)] == [True, True]
        redis.process.send_signal(sent)
        assert [_seconds(client, gateway, calls=2 + n) < 8 for n in range(2)] == [True, True]


def _seconds(client: FlaskClient, gateway: Remote, calls: int) -> float:
    """Return how long a tile takes, with which the gateway was asked for so many."""
    start = time.monotonic()
    assert client.get(PATH + QUERY).data == TILE
    assert len(gateway.requests) == calls
    return time.monotonic() - start
