"""Serves the built web frontend on an origin of its own, and signs its users in."""

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import parse_qs, urlsplit

from tests.clerk_instance import session_token
from tests.clients.frontend_build import API_PLACE


class FrontendServer(ThreadingHTTPServer):
    """The address of the pages, and of the server that they are to use."""

    api = ""

    @property
    def url(self) -> str:
        return f"http://localhost:{self.server_port}"


class _Pages(SimpleHTTPRequestHandler):
    server: FrontendServer

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        file = Path(self.translate_path(address.path))
        if address.path == "/session-token":
            self._answer(token_of(parse_qs(address.query)["user"][0]).encode(), "text/plain")
        elif file.suffix == ".js" and file.is_file():
            text = file.read_text().replace(API_PLACE, self.server.api)
            self._answer(text.encode(), "text/javascript")
        else:
            super().do_GET()

    def _answer(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def token_of(user: str) -> str:
    """A session of this user, as Clerk issues them for 60 seconds."""
    return session_token(
        sub=f"user_{user}",
        azp=None,
        email=f"{user}@example.org",
        email_verified=True,
        public_metadata={"isAdmin": user == "admin"},
    )


@contextmanager
def serving_pages(folder: Path) -> Iterator[FrontendServer]:
    """Serve the frontend on a free port until the block ends."""
    server = FrontendServer(("127.0.0.1", 0), functools.partial(_Pages, directory=str(folder)))
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
