"""Requests that the application never sees: their responses are as its own."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.api.serving.raw_clients import connected, request, response
from tests.clients.samsyn_server import OWNER, Server, make_token, serve
from tests.source_files import collection, feature


@pytest.fixture(scope="module")
def server(test_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with one worker."""
    log = tmp_path_factory.mktemp("refusals") / "log"
    with serve(test_database_url, log, workers=1) as running:
        yield running


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/9.9\r\n\r\n", 400),
        (b"GET / HTTP/1.1\nHost: a\n\n", 400),
        (request("/", "A b: c"), 400),
        (request("/", "Content-Length: x"), 400),
        (request("/", "Content-Length: 1", "Content-Length: 2"), 400),
        (request("/", "Content-Length: 1", "Transfer-Encoding: chunked"), 400),
        (request("/", "Transfer-Encoding: foo"), 501),
        (request("/", "Expect: nothing"), 417),
        (request("/", "A: " + "a" * 9000), 431),
        (request("/", *("A: " + "a" * 4000 for _ in range(20))), 431),
        (request("/", *(f"A{number}: a" for number in range(200))), 431),
        (request("/?" + "a" * 9000), 414),
    ],
)
def test_a_refusal_is_a_problem_document(server: Server, sent: bytes, status: int) -> None:
    with connected(server) as client:
        client.sendall(sent)
        head, _, content = response(client).partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0].startswith(f"HTTP/1.1 {status} ")
    headers = dict(line.lower().split(": ", 1) for line in lines[1:])
    assert headers["content-type"] == "application/problem+json"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert "server" not in headers
    assert json.loads(content)["status"] == status


MALFORMED = (
    b"zz\r\n",
    b"2\r\n{}\r\nzz\r\n",
    b"2\r\n{}xx0\r\n\r\n",
    b"-2\r\n{}\r\n",
    b"2;\x00\r\n{}\r\n0\r\n\r\n",
    b"0\r\nA b: c\r\n\r\n",
    b"2\r\n{}\r\n0\r\n",
    b"5\r\n{}",
)
BODIES = (
    "/ogc/collections/00000000-0000-0000-0000-000000000000/search",
    "/api/v1/maps",
    "/api/v1/webhooks/clerk",
    "/ogc/sign-in",
)


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize("body", MALFORMED)
def test_a_malformed_body_is_refused(server: Server, path: str, body: bytes) -> None:
    """Also where it is cut off, after which the client waits."""
    chunked = "Transfer-Encoding: chunked"
    sent = request(path, chunked, "Content-Type: application/json", method="POST")
    with connected(server) as client:
        client.sendall(sent + body)
        client.shutdown(socket.SHUT_WR)
        received = response(client)
    status = int(received.split(b" ", 2)[1]) if received else 400
    assert 400 <= status < 500 or (status == 503 and path.endswith("clerk"))
    assert "Traceback" not in server.log.read_text()


def test_the_body_of_a_layer_that_is_malformed(server: Server) -> None:
    token = make_token(server.database, OWNER)
    for body in MALFORMED[:4]:
        sent = request(
            *("/api/v1/layers", "Transfer-Encoding: chunked", "Content-Type: application/json"),
            f"Authorization: Bearer {token}",
            method="POST",
        )
        with connected(server) as client:
            client.sendall(sent + body)
            client.shutdown(socket.SHUT_WR)
            assert response(client).split(b" ", 2)[1] == b"400"
    assert "Traceback" not in server.log.read_text()


def test_no_response_names_the_software(server: Server) -> None:
    for path in ("/", "/ogc/conformance", "/ogc/static/samsyn.css", "/nowhere", "/api/health"):
        with connected(server) as client:
            client.sendall(request(path, "Connection: close"))
            got = response(client).lower()
        assert b"\r\nserver:" not in got
        assert b"gunicorn" not in got


def test_a_stream_that_fails_at_once_has_the_status_of_its_error(
    test_database_url: str, tmp_path: Path
) -> None:
    """As a page of features that lie outside of the requested CRS."""
    crs = "http://www.opengis.net/def/crs/EPSG/0/25832"
    with serve(test_database_url, tmp_path / "log", workers=1) as running:
        file = tmp_path / "far.geojson"
        file.write_text(collection(feature({}, (-90, 0))))
        layer = running.import_layer(file)
        token = make_token(running.database, OWNER)
        page = requests.get(
            f"{running.ogc}/collections/{layer}/items",
            {"crs": crs, "limit": "1000"},
            headers={"Authorization": f"Bearer {token}"},
            timeout=10,
        )
    assert (page.status_code, page.json()["status"]) == (400, 400)
    assert "outside the area that the CRS covers" in page.json()["detail"]
    assert "Traceback" not in running.log.read_text()
