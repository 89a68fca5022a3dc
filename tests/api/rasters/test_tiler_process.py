"""The process of the raster tiler, beside a server: it begins when it is needed, and again."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import requests
from sqlalchemy import text

from samsyn_model.database.engine import open_engine
from samsyn_model.database.transactions import reading
from samsyn_model.identity.tickets import expiry, make_ticket
from samsyn_model.permissions.principal import ANONYMOUS
from tests.api.rasters.conftest import TILES, Files, add_file
from tests.clients.samsyn_server import SAMSYN, Server, free_port, make_token, serve
from tests.databases import migrated_database

PLACES = [f"8/{column}/{row}" for column in (135, 136) for row in (77, 78)]
_HIGHEST = count(30)
_MODULE = "samsyn_admin.tiler.process"


@pytest.fixture(scope="module")
def database(server_url: str) -> Iterator[str]:
    with migrated_database(server_url) as url:
        make_token(url, "owner@example.org")
        yield url


@pytest.fixture(scope="module")
def query(database: str) -> Any:
    """The query of tiles of a public layer with a file here."""
    engine = open_engine(database)
    with engine.begin() as connection:
        layer_id = connection.execute(
            text(
                "INSERT INTO layers (name, source_type, visibility, created_by)"
                " SELECT 'Depth', 'geotiff', 'public', id FROM users LIMIT 1 RETURNING id"
            )
        ).scalar_one()
        add_file(connection, layer_id, "cog.tif")
    with reading(engine) as connection:
        ticket = make_ticket(connection, ANONYMOUS, "raster", layer_id, expiry())
    engine.dispose()
    return {"url": f"http://localhost/api/v1/layers/{layer_id}/file?ticket={ticket}"}


def get(server: Server, query: Any, place: str = "8/135/78") -> requests.Response:
    """Ask for a tile that has not been made before."""
    drawing = {"rescale": f"0,{next(_HIGHEST)}"}
    return requests.get(
        f"{server.url}{TILES}/{place}?{urlencode({**query, **drawing})}", timeout=60
    )


@pytest.fixture
def server(database: str, files: Files, tmp_path: Path) -> Iterator[Server]:
    with serve(database, tmp_path / "log", STORAGE_DIR=str(files.storage)) as running:
        yield running


def own_tilers(server: Server) -> list[int]:
    """The processes of the tilers of a server, which have its environment."""
    port = server.url.rpartition(":")[2]
    found = subprocess.run(["pgrep", "-f", _MODULE], capture_output=True, text=True, check=False)
    processes = [int(line) for line in found.stdout.split()]
    return [process for process in processes if f"PORT={port}" in _environment(process)]


def _environment(process: int) -> list[str]:
    try:
        return Path(f"/proc/{process}/environ").read_text().split("\x00")
    except OSError:  # it has ended
        return []


def test_it_begins_with_the_first_raster_and_ends_with_the_server(
    database: str, files: Files, query: Any, tmp_path: Path
) -> None:
    with serve(database, tmp_path / "log", STORAGE_DIR=str(files.storage)) as server:
        assert own_tilers(server) == []
        assert get(server, query).status_code == 200
        assert len(own_tilers(server)) == 1
        assert "ticket%3D***" in server.log.read_text()
        assert query["url"].partition("ticket=")[2] not in server.log.read_text()
    assert own_tilers(server) == []


def test_killed_it_is_back_within_five_seconds(server: Server, query: Any) -> None:
    assert get(server, query).status_code == 200
    for _ in range(3):
        (process,) = own_tilers(server)
        os.kill(process, signal.SIGKILL)
        start = time.monotonic()
        while True:
            response = get(server, query)
            if response.status_code == 200:
                break
            assert response.status_code == 503
            assert response.headers["Retry-After"]
        assert time.monotonic() - start < 5 * _slowness()
        assert own_tilers(server) != [process]


def test_eight_tiles_at_once_and_a_killed_tiler_hold_up_nothing_else(
    server: Server, query: Any
) -> None:
    assert get(server, query).status_code == 200
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(get, server, query, place) for place in PLACES * 16]
        for number in range(20):
            if number == 5:
                os.kill(own_tilers(server)[0], signal.SIGKILL)
            for path in ("/api/health", "/ogc/conformance?f=json"):
                start = time.monotonic()
                assert requests.get(server.url + path, timeout=10).ok
                assert time.monotonic() - start < 1 * _slowness()
            time.sleep(0.05)
        statuses = {future.result().status_code for future in asked}
    assert statuses <= {200, 503}


def test_one_elsewhere(database: str, files: Files, query: Any, tmp_path: Path) -> None:
    port = free_port()
    environment = {
        **os.environ,
        "TITILER_SECRET": "shared secret",
        "STORAGE_DIR": str(files.storage),
        "DATABASE_URL": "",
    }
    command = [SAMSYN, "tiler", "--port", str(port)]
    with subprocess.Popen(command, env=environment) as process:
        try:
            elsewhere = {
                "TITILER_URL": f"http://127.0.0.1:{port}",
                "STORAGE_DIR": str(files.storage),
            }
            with serve(
                database, tmp_path / "log", **elsewhere, TITILER_SECRET="shared secret"
            ) as one:
                while (response := get(one, query)).status_code == 503:
                    time.sleep(0.2)
                assert response.status_code == 200
                assert own_tilers(one) == []
            with serve(database, tmp_path / "log2", **elsewhere, TITILER_SECRET="another") as other:
                assert get(other, query).status_code == 503
            with serve(database, tmp_path / "log3", **elsewhere, TITILER_SECRET="") as other:
                refused = get(other, query)
                assert refused.status_code == 503
                assert "TITILER_SECRET" in refused.json()["detail"]
            bare = f"http://127.0.0.1:{port}/tiles/WebMercatorQuad/8/135/78"
            for source in ("", "?url=/etc/passwd", "?source=/etc/passwd", "?source=YQ==.YQ=="):
                assert requests.get(bare + source, timeout=30).status_code == 422
        finally:
            process.terminate()


def test_off(database: str, query: Any, tmp_path: Path) -> None:
    with serve(database, tmp_path / "log", TITILER_URL="off") as server:
        response = get(server, query)
    assert response.status_code == 503
    assert response.json()["detail"] == "This server draws no GeoTIFFs (TITILER_URL)."


def _slowness() -> float:
    """Return how many times as long things may take on a machine with other work."""
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
