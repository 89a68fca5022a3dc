"""A response that fails in its middle does not look complete, to clients of HTTP/1.0 either."""

from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from tests.api.serving.raw_clients import connected, response
from tests.clients.samsyn_server import OWNER, Server, make_token, serve

_FILL = """
INSERT INTO layer_features (layer_id, geom, properties)
SELECT CAST(:layer AS uuid), ST_SetSRID(ST_MakePoint(11, 57), 4326),
    jsonb_build_object('name', repeat('x', 1000))
FROM generate_series(1, 80000)"""
_END = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE application_name = 'samsyn' AND datname = current_database() AND pid <> pg_backend_pid()"""


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_the_connection_is_reset(
    empty_database: Engine, test_database_url: str, tmp_path: Path, version: str
) -> None:
    with serve(test_database_url, tmp_path / "log", workers=1) as server:
        layer = _public_layer(server)
        with empty_database.begin() as connection:
            connection.execute(text(_FILL), {"layer": layer})
        path = f"/ogc/collections/{layer}/items?f=geojsonseq"
        with connected(server, received_at_once=4096) as client:
            client.sendall(f"GET {path} HTTP/{version}\r\nHost: here\r\n\r\n".encode())
            assert client.recv(4096).split(b" ", 2)[1] == b"200"
            with empty_database.connect() as connection:
                assert connection.execute(text(_END)).all()
            with pytest.raises(ConnectionResetError):
                response(client)


def _public_layer(server: Server) -> str:
    token = make_token(server.database, OWNER)
    body = {"name": "Large", "source_type": "vector", "visibility": "public"}
    return server.make_layer(token, body)
