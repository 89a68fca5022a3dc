"""Clients of event streams, on real sockets, and what they are told of."""

import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

from tests.clients.samsyn_server import Server, make_token

POINT = {"type": "Point", "coordinates": [11.5, 57.5]}
PATIENCE = 20.0  # seconds
OPENED: list["EventStream"] = []
"""The streams of a test, which are closed after it."""


@dataclass(frozen=True)
class Received:
    """One event, as a browser's EventSource would dispatch it."""

    event: str
    data: Any
    id: str


class EventStream:
    """A client that reads what the server sends; `close` it."""

    def __init__(self, sock: socket.socket, received: bytes) -> None:
        """`received` is what has come behind the head of the response."""
        self._socket, self._raw = sock, received
        self._text = b""
        self.last_id = self.retry = ""
        self.comments = 0
        OPENED.append(self)
        self.has_ended = False
        """Whether the server has ended the stream."""

    def events(self, seconds: float) -> Iterator[Received]:
        """Yield events until the stream ends, or no event has come for so many seconds."""
        deadline = time.monotonic() + seconds
        while True:
            while (block := self._block()) is not None:
                if (received := self._dispatch(block)) is not None:
                    yield received
                    deadline = time.monotonic() + seconds
            if self.has_ended or not self._receive(deadline):
                return

    def _receive(self, deadline: float) -> bool:
        self._socket.settimeout(max(0.001, deadline - time.monotonic()))
        try:
            data = self._socket.recv(65536)
        except TimeoutError:
            return False
        except ConnectionError:
            data = b""
        self._raw += data
        self.has_ended |= not data
        return True

    def _block(self) -> str | None:
        """Return the lines up to an empty one, where they are here."""
        while b"\r\n" in self._raw:
            size, _, rest = self._raw.partition(b"\r\n")
            length = int(size, 16)
            if len(rest) < length + 2:
                break
            self._text += rest[:length]
            self._raw = rest[length + 2 :]
            self.has_ended |= length == 0
        if b"\n\n" not in self._text:
            return None
        block, _, self._text = self._text.partition(b"\n\n")
        return block.decode()

    def _dispatch(self, block: str) -> Received | None:
        lines = block.split("\n")
        self.comments += sum(line.startswith(":") for line in lines)
        fields = dict(line.split(": ", 1) for line in lines if line and line[0] != ":")
        self.last_id = fields.get("id", self.last_id)
        self.retry = fields.get("retry", self.retry)
        if "data" not in fields or fields.get("event") == "ready":
            return None
        return Received(fields.get("event", "message"), json.loads(fields["data"]), self.last_id)

    def take(self, count: int, seconds: float = PATIENCE) -> list[Received]:
        """Return the next events, presence left out; fails where they do not come."""
        found = []
        for received in self.events(seconds):
            if received.event != "presence":
                found.append(received)
            if len(found) == count:
                return found
        raise AssertionError(f"{found} instead of {count} events; ended: {self.has_ended}")

    def begin(self) -> "EventStream":
        """Wait until the stream follows what happens: its first id says so."""
        deadline = time.monotonic() + PATIENCE
        while not self.last_id:
            block = self._block()
            if block is not None:
                assert self._dispatch(block) is None
            else:
                assert self._receive(deadline)
                assert not self.has_ended
        return self

    def seconds_until_end(self, seconds: float = PATIENCE) -> float:
        """Return how long it takes until the server ends the stream."""
        begun = time.monotonic()
        for _ in self.events(seconds):
            pass
        assert self.has_ended, "the stream goes on"
        return time.monotonic() - begun

    def close(self) -> None:
        self._socket.close()


@dataclass(frozen=True)
class Person:
    """Who sends requests with an API token, or without."""

    server: Server
    token: str | None

    def open(self, path: str, **headers: str) -> EventStream:
        """Open a stream; the status has to be 200. `Last_Event_ID` is the header."""
        address = urlsplit(self.server.url)
        sock = socket.create_connection((address.hostname, address.port), PATIENCE)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        lines = [f"{name}: {value}" for name, value in {**self.headers, **sent}.items()]
        head = (f"GET {path} HTTP/1.1", f"Host: {address.netloc}", *lines, "", "")
        sock.sendall("\r\n".join(head).encode())
        received = b""
        while b"\r\n\r\n" not in received:
            data = sock.recv(65536)
            assert data, received
            received += data
        answer, _, body = received.partition(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200 "), received
        assert b"\r\nContent-Type: text/event-stream" in answer
        assert b"\r\nTransfer-Encoding: chunked" in answer
        return EventStream(sock, body)

    def follow(self, path: str, **headers: str) -> EventStream:
        """Open a stream, and wait until it has begun."""
        return self.open(path, **headers).begin()

    @property
    def headers(self) -> dict[str, str]:
        return {} if self.token is None else {"Authorization": f"Bearer {self.token}"}

    def send(self, method: str, path: str, body: Any = None) -> Any:
        """Send a request, which has to succeed; return the JSON of the response."""
        response = requests.request(
            method, self.server.url + path, json=body, headers=self.headers, timeout=30
        )
        assert response.ok, response.text
        return response.json() if response.content else None

    def status(self, path: str, **headers: str) -> int:
        sent = {**self.headers, **{name.replace("_", "-"): headers[name] for name in headers}}
        return requests.get(
            self.server.url + path, headers=sent, timeout=30, stream=True
        ).status_code

    def layer(self, **members: Any) -> str:
        body = {"name": "Zones", "source_type": "vector", **members}
        return str(self.send("POST", "/api/v1/layers", body)["id"])

    def map(self, *layers: str, **members: Any) -> str:
        map_id = str(self.send("POST", "/api/v1/maps", {"name": "Plan", **members})["id"])
        for layer in layers:
            self.send("POST", f"/api/v1/maps/{map_id}/layers", {"layer_id": layer})
        return map_id

    def insert(self, layer: str, **properties: Any) -> int:
        """Insert a feature and return its id."""
        response = requests.post(
            f"{self.server.ogc}/collections/{layer}/items",
            json={"type": "Feature", "geometry": POINT, "properties": properties},
            headers={**self.headers, "Content-Type": "application/geo+json"},
            timeout=30,
        )
        assert response.status_code == 201, response.text
        return int(response.headers["Location"].rsplit("/", 1)[1])

    def ticket(self, path: str) -> str:
        return str(self.send("POST", f"{path}/ticket")["ticket"])


def person(server: Server, name: str) -> Person:
    """Return a person with an account and a token of scope `write`."""
    return Person(server, make_token(server.database, f"{name}@example.org"))


def companion_of(server: Server) -> int:
    """Return the process that sends the server's events."""
    port = server.url.rsplit(":", 1)[1]

    def find() -> int | None:
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                environment = (folder / "environ").read_bytes().split(b"\0")
                command = (folder / "cmdline").read_bytes()
                if (
                    b"samsyn_admin.live.process" in command
                    and f"PORT={port}".encode() in environment
                ):
                    return int(folder.name)
        return None

    return eventually(find)


def eventually[Found](find: Callable[[], Found | None]) -> Found:
    """Return what is found within some seconds."""
    deadline = time.monotonic() + PATIENCE
    while (found := find()) is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


def unread_socket(server: Server, path: str, size: int) -> socket.socket:
    """Return a connection with a stream of which the client reads nothing, and keeps little."""
    address = urlsplit(server.url)
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)
    client.settimeout(PATIENCE)
    client.connect((address.hostname, address.port))
    client.sendall(f"GET {path} HTTP/1.1\r\nHost: here\r\n\r\n".encode())
    return client
