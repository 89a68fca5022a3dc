"""A server on this machine that stands for another one, and counts who connects."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from tests.http_server import LocalServer

type Answer = Callable[[socket.socket, str], None]


@dataclass
class Remote(LocalServer):
    """Its port, and the request lines that it was sent; `connections` counts also those without."""

    connections: int = 0
    requests: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        """The address of its root, without the slash."""
        return self.root


def respond(body: bytes, *headers: str, status: str = "200 OK") -> Answer:
    """Return what sends this response."""

    def answer(client: socket.socket, _: str) -> None:
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
        client.sendall("\r\n".join(lines).encode() + body)

    return answer


@contextmanager
def remote_server(answer: Answer) -> Iterator[Remote]:
    """Listen on a port of 127.0.0.1 until the block ends; `answer` gets the head of a request."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        remote = Remote(listener.getsockname()[1])
        threading.Thread(target=_accept, args=(listener, remote, answer), daemon=True).start()
        try:
            yield remote
        finally:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)


def _accept(listener: socket.socket, remote: Remote, answer: Answer) -> None:
    with suppress(OSError):
        while True:
            client, _ = listener.accept()
            remote.connections += 1
            threading.Thread(target=_serve, args=(client, remote, answer), daemon=True).start()


def _serve(client: socket.socket, remote: Remote, answer: Answer) -> None:
    with client, suppress(OSError):
        head = b""
        while b"\r\n\r\n" not in head:
            received = client.recv(4096)
            if not received:
                return
            head += received
        text = head.decode("latin-1")
        remote.requests.append(text)
        answer(client, text)
