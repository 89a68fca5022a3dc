"""A webhook on this machine, which keeps what it is sent."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.http_server import LocalServer, local_server, served

BODY = b"words of the remote server"


@dataclass
class Hook(LocalServer):
    """`statuses` are answered in their order, then 204."""

    bodies: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)


@contextmanager
def webhook_server() -> Iterator[Hook]:
    """Answer POST until the block ends; a redirect leads to the server itself."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            hook.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            hook.headers.append({name.lower(): value for name, value in self.headers.items()})
            status = hook.statuses.pop(0) if hook.statuses else 204
            self.send_response(status)
            self.send_header("Location", f"{hook.root}/elsewhere")
            self.send_header("Content-Length", str(0 if status == 204 else len(BODY)))
            self.end_headers()
            if status != 204:
                self.wfile.write(BODY)

        def log_message(self, *_: Any) -> None:
            pass

    server = local_server(Handler)
    hook = Hook(server.server_address[1])
    with served(server):
        yield hook
