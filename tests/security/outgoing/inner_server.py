"""What must never be reached: a server on every address of this machine, which counts."""

import selectors
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field

from tests.clients.samsyn_server import free_port
from tests.security.outgoing.inner_hosts import own_addresses

SECRET = b"inner-secret-of-the-network"
_ORDINARY = (80, 443, 8080, 8443)
_RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (
    len(SECRET),
    SECRET,
)


@dataclass
class Inner:
    """`port` is one that is open on all of its addresses; others are where they were free."""

    port: int
    places: list[tuple[str, int]] = field(default_factory=list)
    connections: list[tuple[str, int]] = field(default_factory=list)
    """The address and port of each connection that was made."""


@contextmanager
def inner_server() -> Iterator[Inner]:
    """Listen on loopback and on this machine's own addresses until the block ends."""
    inner = Inner(free_port())
    with ExitStack() as stack:
        selector = stack.enter_context(selectors.DefaultSelector())
        for host in ("127.0.0.1", "127.0.0.2", "::1", *own_addresses()):
            for port in (inner.port, *_ORDINARY):
                with suppress(OSError):  # somebody else's, or no address of this kind here
                    listener = stack.enter_context(_listener(host, port))
                    selector.register(listener, selectors.EVENT_READ)
                    inner.places.append((host, port))
        end = threading.Event()
        thread = threading.Thread(target=_accept, args=(selector, inner, end))
        thread.start()
        try:
            yield inner
        finally:
            end.set()
            thread.join()


def _listener(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family)


def _accept(selector: selectors.BaseSelector, inner: Inner, end: threading.Event) -> None:
    while not end.is_set():
        for key, _ in selector.select(0.05):
            listener = key.fileobj
            assert isinstance(listener, socket.socket)
            client, _ = listener.accept()
            inner.connections.append(listener.getsockname()[:2])
            with client, suppress(OSError):
                client.settimeout(1)
                client.recv(4096)
                client.sendall(_RESPONSE)
