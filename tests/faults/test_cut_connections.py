"""Connections that are cut anywhere: a write is stored as a whole or not at all."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.samsyn_server import Server, serve
from tests.faults.cuts import REQUESTS, cut_clients, cut_database
from tests.faults.database_server import DatabaseServer
from tests.faults.load import Layer, make_layer
from tests.faults.tcp_proxy import proxy_to


@pytest.fixture(scope="module")
def server(
    database: DatabaseServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Server, Layer]]:
    log: Path = tmp_path_factory.mktemp("cuts") / "log"
    with serve(database.url, log, workers=1) as running:
        yield running, make_layer(running)


@pytest.mark.parametrize("kind", REQUESTS)
def test_a_client_that_is_cut_off(
    server: tuple[Server, Layer], database: DatabaseServer, kind: str
) -> None:
    running, layer = server
    cuts = cut_clients(running, database, layer, kind, step=61)
    assert cuts.faults == []
    assert cuts.count > 8
    assert "Traceback" not in running.log.read_text()


def test_a_database_that_is_cut_off(server: tuple[Server, Layer], database: DatabaseServer) -> None:
    with proxy_to(database.socket) as network:
        cuts = cut_database(database, network, server[1], step=211)
    assert cuts.faults == []
    assert cuts.statuses["503"] > 20
