"""Clients that send and read single bytes: connections without an HTTP library."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from sqlalchemy import Engine, text

from tests.clients.samsyn_server import Server


def connected(server: Server, received_at_once: int | None = None) -> socket.socket:
    """Return a connection, with a buffer of as many bytes for what is received."""
    address = urlsplit(server.url)
    client = socket.socket()
    if received_at_once is not None:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, received_at_once)
    client.settimeout(30)
    client.connect((address.hostname, address.port))
    return client


def request(path: str, *headers: str, method: str = "GET") -> bytes:
    """Return the head of a request."""
    return "\r\n".join((f"{method} {path} HTTP/1.1", "Host: here", *headers, "", "")).encode()


def response(client: socket.socket) -> bytes:
    """Return all that the server sends until it closes the connection."""
    return b"".join(iter(lambda: client.recv(65536), b""))


def status(client: socket.socket) -> int:
    """Return the status of the response."""
    return int(client.recv(65536).split(b" ", 2)[1])


@contextmanager
def locked_maps(database: Engine) -> Iterator[None]:
    """Let every request for maps wait until the block ends."""
    with database.connect() as connection:
        connection.execute(text("LOCK TABLE maps IN ACCESS EXCLUSIVE MODE"))
        yield


def wait_for_statements(database: Engine, count: int) -> None:
    """Wait until as many statements wait for the lock of `locked_maps`."""
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    deadline = time.monotonic() + 20
    with database.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        while connection.execute(waiting).scalar_one() < count:
            assert time.monotonic() < deadline, f"fewer than {count} statements wait"
            time.sleep(0.05)
