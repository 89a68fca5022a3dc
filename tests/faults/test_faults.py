"""Faults under clients at work: nothing is lost, and all is right again by itself."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.samsyn_server import serve
from tests.faults.database_server import DatabaseServer
from tests.faults.faults import NotPossibleError, Scene
from tests.faults.load import Layer, make_layer
from tests.faults.trial import kill_main_process, run_fault, scene

SHORT = (
    *("postmaster killed", "PostgreSQL frozen", "out of connections", "disk full"),
    *("network cut", "a worker killed"),
)


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[Scene, Layer]]:
    with scene() as found:
        yield found


@pytest.mark.parametrize("name", SHORT)
def test_nothing_is_lost(running: tuple[Scene, Layer], name: str) -> None:
    at, layer = running
    try:
        result = run_fault(name, at, layer, 1)
    except NotPossibleError as reason:
        pytest.skip(str(reason))
    assert result.faults == []
    assert len(result.outcome.confirmed) > 5
    assert "Traceback" not in at.server.log.read_text()


def test_the_main_process_is_killed(database: DatabaseServer, tmp_path: Path) -> None:
    with serve(database.url, tmp_path / "log") as server:
        result = kill_main_process(server, database, make_layer(server))
    assert result.outcome.confirmed
    assert result.faults == []
