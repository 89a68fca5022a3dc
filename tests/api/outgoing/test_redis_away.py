"""While Redis is away other servers are asked anew, and what they say is kept in the database."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.api.gfw.test_tiles import MVT, PATH, QUERY, TILE
from tests.api.outgoing.remote_server import remote_server, respond
from tests.api.outgoing.test_off import client_of
from tests.redis_server import RedisServer, redis_server

SECONDS = 15
"""For a request while Redis is silent, on a machine with other work."""


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
        assert [client.get(PATH + QUERY).data for _ in range(2)] == [TILE, TILE]
        assert len(gateway.requests) == 1
        redis.process.send_signal(sent)
        for _ in range(2):
            start = time.monotonic()
            assert client.get(PATH + QUERY).data == TILE
            assert time.monotonic() - start < SECONDS
            assert len(gateway.requests) == 2
