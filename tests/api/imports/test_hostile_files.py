"""No file makes the server publish another file or fetch an address."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
import shapely
from sqlalchemy import Engine

from samsyn_model.errors import SamsynError
from tests.api.imports.hostile_files import FILES
from tests.source_files import add_user, refused, table, write_ogr

CANARY = "a secret of the server"


class Listener:
    """A server on the loopback address that counts connections."""

    def __init__(self) -> None:
        self.connections = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._count, daemon=True)
        self._thread.start()

    def _count(self) -> None:
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            client.close()

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()


@pytest.fixture
def listener() -> Iterator[Listener]:
    listener = Listener()
    yield listener
    listener.close()


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    """A CSV file that GDAL reads as points, and a shapefile of the same name."""
    folder = tmp_path / "server"
    folder.mkdir()
    path = folder / "canary.csv"
    path.write_text(f"secret,x,y\n{CANARY},1,2\n")
    content = table([shapely.Point(1, 2)], {"secret": pa.array([CANARY])})
    write_ogr(folder / "canary.shp", content, "ESRI Shapefile", geometry_type="Point")
    return path


@pytest.mark.parametrize("name", sorted(FILES))
def test_it_is_refused(
    empty_database: Engine, listener: Listener, canary: Path, tmp_path: Path, name: str
) -> None:
    path = FILES[name](tmp_path, canary, listener.url)
    owner = add_user(empty_database)
    detail = refused(empty_database, owner, path, SamsynError)
    assert CANARY not in detail
    assert len(detail) > 20
    assert listener.connections == 0


def test_the_listener_counts(listener: Listener) -> None:
    with socket.create_connection(("127.0.0.1", int(listener.url.rpartition(":")[2]))) as client:
        client.recv(1)
    assert listener.connections == 1
