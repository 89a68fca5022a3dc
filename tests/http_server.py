"""HTTP servers on this machine that stand for those of others."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class LocalServer:
    """A server at a port of 127.0.0.1."""

    port: int

    @property
    def server(self) -> str:
        """The server as OUTGOING_ALLOW names it."""
        return f"127.0.0.1:{self.port}"

    @property
    def root(self) -> str:
        """The address of its root, without a slash."""
        return f"http://{self.server}"


@contextmanager
def served(server: ThreadingHTTPServer) -> Iterator[None]:
    """Have a server of `local_server` answer until the block ends."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def local_server(handler: type[BaseHTTPRequestHandler]) -> ThreadingHTTPServer:
    """Return a server at a free port of 127.0.0.1, which does not answer yet."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    return server
