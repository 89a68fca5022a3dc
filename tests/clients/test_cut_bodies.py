"""Requests whose body is cut short: nothing of them is stored, and the server goes on."""

import json
import socket
import zlib
from urllib.parse import urlsplit

import pytest
import requests

from tests.clients.samsyn_server import OWNER, Server, make_token

FEATURE = {"type": "Feature", "geometry": None, "properties": {"name": "Here"}}
LINES = (json.dumps(FEATURE).encode() + b"\n") * 6
HALF = len(LINES) // 2  # three whole lines
GZIP = zlib.compress(LINES, wbits=31)
NDJSON = "application/x-ndjson"


@pytest.fixture(scope="module")
def writer(server: Server) -> dict[str, str]:
    token = make_token(server.database, OWNER)
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
def layer(server: Server, writer: dict[str, str]) -> str:
    """The address of an empty layer."""
    body = {"name": "Cut", "source_type": "vector"}
    made = requests.post(f"{server.url}/api/v1/layers", json=body, headers=writer, timeout=20)
    return f"/api/v1/layers/{made.json()['id']}"


def send(server: Server, request: str, headers: dict[str, str], body: bytes) -> bytes:
    """Send a request whose client is silent after the body, and return the response."""
    address = urlsplit(server.url)
    lines = {"Host": address.netloc, "Connection": "close", **headers}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    with socket.create_connection((address.hostname or "", address.port or 0)) as client:
        client.sendall(f"{request} HTTP/1.1\r\n{head}\r\n".encode() + body)
        client.shutdown(socket.SHUT_WR)
        client.settimeout(30)
        return b"".join(iter(lambda: client.recv(65536), b""))


def feature_count(server: Server, layer: str, writer: dict[str, str]) -> int:
    response = requests.get(f"{server.url}{layer}", headers=writer, timeout=20)
    return int(response.json()["feature_count"])


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"Content-Length": str(len(LINES))}, LINES[:HALF]),
        ({"Content-Length": str(len(LINES))}, b""),
        ({"Content-Length": str(len(LINES) + 1)}, LINES),
        ({"Transfer-Encoding": "chunked"}, b"%x\r\n%b\r\n" % (HALF, LINES[:HALF])),
        ({"Transfer-Encoding": "chunked"}, b"%x\r\n%b" % (len(LINES), LINES[:HALF])),
        ({"Transfer-Encoding": "chunked"}, b"%x\r\n%b\r\n0" % (HALF, LINES[:HALF])),
        ({"Content-Encoding": "gzip", "Content-Length": str(len(GZIP) + 9)}, GZIP),
        ({"Content-Encoding": "gzip", "Content-Length": str(len(GZIP))}, GZIP[:-9]),
        (
            {"Content-Encoding": "gzip", "Transfer-Encoding": "chunked"},
            b"%x\r\n%b\r\n" % (len(GZIP), GZIP),
        ),
    ],
)
def test_lines_of_features(
    server: Server, layer: str, writer: dict[str, str], headers: dict[str, str], body: bytes
) -> None:
    request = f"POST {layer}/features/bulk"
    response = send(server, request, {**writer, "Content-Type": NDJSON, **headers}, body)
    assert response.startswith(b"HTTP/1.1 400 ") or not response, response
    assert feature_count(server, layer, writer) == 0


def test_a_whole_body_is_read(server: Server, layer: str, writer: dict[str, str]) -> None:
    """Of either form, so that the others fail for being cut."""
    request = f"POST {layer}/features/bulk"
    sized = {"Content-Length": str(len(LINES))}
    chunked = {"Transfer-Encoding": "chunked"}
    chunks = b"%x\r\n%b\r\n0\r\n\r\n" % (len(LINES), LINES)
    for headers, body in ((sized, LINES), (chunked, chunks)):
        response = send(server, request, {**writer, "Content-Type": NDJSON, **headers}, body)
        assert response.startswith(b"HTTP/1.1 201 "), response
    assert feature_count(server, layer, writer) == 12


def test_json(server: Server, layer: str, writer: dict[str, str]) -> None:
    """JSON that is whole before its stated end is not taken for the whole body."""
    body = json.dumps({"name": "Renamed"}).encode()
    headers = {**writer, "Content-Type": "application/json"}
    for request in (f"PATCH {layer}", "POST /api/v1/maps", f"POST {layer}/features"):
        cut = {**headers, "Content-Length": str(len(body) + 1)}
        assert send(server, request, cut, body).startswith(b"HTTP/1.1 400 ")
    response = requests.get(f"{server.url}{layer}", headers=writer, timeout=20)
    assert response.json()["name"] == "Cut"
