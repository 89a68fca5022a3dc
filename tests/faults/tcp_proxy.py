"""A TCP proxy in front of a server, whose network can fail."""

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

type Upstream = Path | tuple[str, int]
_ABORT = struct.pack("ii", 1, 0)  # closing sends a reset


class TcpProxy:
    """Forwards connections to `port` on 127.0.0.1, as long as `forwarding` is set.

    `cut_after` maps a direction (`to_server`, `to_client`) to the number of bytes of it after which
    a connection is cut in both; `forwarded` counts those of all connections.
    """

    def __init__(self, upstream: Upstream) -> None:
        self.forwarding = threading.Event()
        self.forwarding.set()
        self.cut_after: dict[str, int] = {}
        self.forwarded = {"to_server": 0, "to_client": 0}
        self._upstream = upstream
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._sockets: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Stop listening, and cut all connections."""
        self.forwarding.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for one in self._sockets:
            _abort(one)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                try:
                    server = self._connect()
                except OSError:
                    _abort(client)
                    continue
                self._sockets = [one for one in self._sockets if one.fileno() >= 0]
                self._sockets += [client, server]
                for source, target, direction in (
                    (client, server, "to_server"),
                    (server, client, "to_client"),
                ):
                    threading.Thread(
                        target=self._forward, args=(source, target, direction), daemon=True
                    ).start()

    def _connect(self) -> socket.socket:
        if isinstance(self._upstream, Path):
            server = socket.socket(socket.AF_UNIX)
            try:
                server.connect(str(self._upstream))
            except OSError:
                server.close()
                raise
            return server
        return socket.create_connection(self._upstream)

    def _forward(self, source: socket.socket, target: socket.socket, direction: str) -> None:
        left = self.cut_after.get(direction)
        with contextlib.suppress(OSError):
            while left is None or left > 0:
                data = source.recv(65536)
                self.forwarding.wait()
                if not data:
                    target.shutdown(socket.SHUT_WR)
                    return
                if left is not None:
                    data = data[:left]
                    left -= len(data)
                target.sendall(data)
                self.forwarded[direction] += len(data)
        _abort(source)
        _abort(target)


def _abort(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        if one.family == socket.AF_INET:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
        one.shutdown(socket.SHUT_RDWR)
    one.close()


@contextlib.contextmanager
def proxy_to(upstream: Upstream) -> Iterator[TcpProxy]:
    """Run a proxy until the block ends."""
    proxy = TcpProxy(upstream)
    try:
        yield proxy
    finally:
        proxy.close()
