"""Requests as they arrive: in pieces, one after the other, and larger than what is kept."""

import random
import socket
import time
from collections.abc import Iterator
from typing import IO

import pytest
from gunicorn.config import Config
from gunicorn.http.errors import LimitRequestHeaders
from gunicorn.http.parser import RequestParser

from samsyn_admin.serving.connections import received as module
from samsyn_admin.serving.connections.received import NoRoomError, Received
from tests.api.serving.raw_clients import request

_BODY = bytes(range(256)) * 4
_CHUNKS = b"5;a=b\r\n" + _BODY[:5] + b"\r\n3fb\r\n" + _BODY[5:] + b"\r\n0\r\nCheck: x\r\n\r\n"
_LENGTH = f"Content-Length: {len(_BODY)}"
_REQUESTS = (
    (request("/a", "Accept: */*"), b""),
    (request("/b", _LENGTH, method="POST") + _BODY, _BODY),
    (b"\r\n" + request("/c", "Transfer-Encoding: chunked", method="POST") + _CHUNKS, _BODY),
    (request("/d", "Content-Length: 0", method="PUT"), b""),
    (request("/e", "content-length:5") + b"\r\n\r\n\n", b"\r\n\r\n\n"),
    (b"GET /f HTTP/1.1\r\n\r\n", b""),
)


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, Received, RequestParser]]:
    """A client's socket, what the server has received of it, and its parser."""
    client, server = socket.socketpair()
    with client, server:
        received = Received(server, 10, 10)
        parser = RequestParser(Config(), server, ("", 0))
        parser.unreader = received
        yield client, received, parser
        received.close()


def _served(received: Received, parser: RequestParser) -> tuple[str, bytes]:
    parsed = next(parser)
    content = parsed.body.read()
    received.begin()
    return parsed.path, content


@pytest.mark.parametrize("seed", range(30))
def test_requests_in_pieces(ends: tuple[socket.socket, Received, RequestParser], seed: int) -> None:
    client, received, parser = ends
    source = random.Random(seed)
    sequence = source.choices(_REQUESTS, k=12)
    sent = b"".join(whole for whole, _ in sequence)
    served = []
    while sent:
        size = source.choice((1, 2, 3, 7, 50, 900, 5000))
        client.sendall(sent[:size])
        sent = sent[size:]
        while received.receive():
            assert received.is_whole
            served.append(_served(received, parser))
    assert served == [(whole.split()[1].decode(), body) for whole, body in sequence]
    assert not received.has_begun


@pytest.mark.parametrize("size", [100, 200_000, 3_000_000])
def test_a_body_beyond_memory(
    ends: tuple[socket.socket, Received, RequestParser], size: int
) -> None:
    client, received, parser = ends
    body = random.Random(1).randbytes(size)
    following = request("/next")
    head = request("/", f"Content-Length: {size}", method="POST")
    client.setblocking(False)
    sent = head + body + following
    while sent or not received.is_whole:
        if sent:
            sent = sent[client.send(sent[:65536]) :]
        received.receive()
    assert _served(received, parser) == ("/", body)
    assert received.receive()
    assert _served(received, parser) == ("/next", b"")


def test_a_body_that_is_not_kept_is_left_to_the_thread(
    ends: tuple[socket.socket, Received, RequestParser],
) -> None:
    client, received, _ = ends
    client.sendall(request("/", f"Content-Length: {module.MAX_KEPT + 1}", method="POST"))
    assert received.receive()
    assert received.is_large
    assert not received.is_whole


def test_no_room_for_a_body(
    ends: tuple[socket.socket, Received, RequestParser], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full() -> IO[bytes]:
        return open("/dev/full", "wb", buffering=0)

    monkeypatch.setattr(module, "temporary_file", full)
    client, received, _ = ends
    client.sendall(request("/", "Content-Length: 9000000", method="POST"))
    client.setblocking(False)
    received.receive()
    client.send(bytes(65536))
    received.receive()
    client.send(bytes(65536))
    with pytest.raises(NoRoomError):  # the rest of it is not a body
        received.receive()


def test_a_head_without_an_end(ends: tuple[socket.socket, Received, RequestParser]) -> None:
    client, received, _ = ends
    client.sendall(request("/", *("X: " + "x" * 1000 for _ in range(100)))[:-2])
    assert not received.receive()
    with pytest.raises(LimitRequestHeaders):
        received.receive()


@pytest.mark.parametrize("sent", [b"GET / HTTP/1.1\n", b"GET / HTTP/1.1\r\nA: b\n", b"x" * 9000])
def test_what_cannot_become_a_request_is_not_waited_for(
    ends: tuple[socket.socket, Received, RequestParser], sent: bytes
) -> None:
    client, received, parser = ends
    client.sendall(sent)
    assert received.receive()
    begun = time.monotonic()
    with pytest.raises(Exception, match=r".+"):
        next(parser)
    assert time.monotonic() - begun < 1


def test_the_limit_of_time_grows_with_what_arrives(
    ends: tuple[socket.socket, Received, RequestParser],
) -> None:
    client, received, _ = ends
    client.sendall(request("/", "Content-Length: 99999", method="POST"))
    received.receive()
    first = received.deadline
    client.sendall(bytes(4 * module.MIN_RATE))
    while received.receive():
        pass
    assert received.deadline == pytest.approx(first + 4)
