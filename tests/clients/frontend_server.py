"""The web frontend's built pages on an origin of their own, and what stands in for Clerk."""

import base64
import functools
import http.client
import os
import re
import shutil
import ssl
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import parse_qs, urlsplit

import pytest

from bench.production.shipped import NGINX, replaced
from tests.clerk_instance import session_token
from tests.clients.certificates import self_signed
from tests.clients.nginx_server import nginx_with

PAGES_HOST = "pages.localhost"
"""A name that no pages are built to ask; browsers trust it as they do localhost."""
_SCRIPT = Path(__file__).with_name("clerk_stand_in") / "clerk.browser.js"
_PUBLISHABLE_KEY = re.compile("pk_(?:test|live)_([A-Za-z0-9+/]{8,})=*")
_OF_DEVELOPERS = re.compile(r"http://localhost:8000(?!\d)")
_OF_THE_TRANSFER = {"connection", "content-length", "transfer-encoding"}


def pages_folder() -> Path:
    """Return the folder with the frontend's built pages; skip the test where there is none."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = Path(os.environ.get("SAMSYN_FRONTEND") or cache / "samsyn" / "frontend")
    if not (folder / "index.html").is_file():
        pytest.skip(f"no built pages of the web frontend at {folder} (SAMSYN_FRONTEND)")
    return folder


def token_of(user: str, begun_at: int | None = None) -> str:
    """A token of this user's session, as Clerk issues them for 60 seconds.

    `begun_at`, in seconds since 1970, is when the session began: half a minute ago if it is left
    out.
    """
    begun = {} if begun_at is None else {"iat": begun_at}
    return session_token(
        **begun,
        sub=f"user_{user}",
        email=f"{user}@example.org",
        email_verified=True,
        public_metadata={"isAdmin": user == "admin"},
    )


def built_for(address: str, folder: Path, target: Path) -> Path:
    """Copy the built pages as they would be if they were built to ask this address, and return the
    copy; skip the test where they ask another one than a server of developers."""
    copied = Path(shutil.copytree(folder, target / "pages"))
    asked = set[str]()
    for script in (copied / "assets").glob("*.js"):
        text = script.read_text()
        asked |= set(_OF_DEVELOPERS.findall(text))
        script.write_text(_OF_DEVELOPERS.sub(address, text))
    if not asked:
        pytest.skip(f"the pages at {folder} are not built for a server of developers")
    return copied


@contextmanager
def serving_pages(folder: Path) -> Iterator[str]:
    """Serve the pages on a free port until the block ends; yield their address."""
    with _running(functools.partial(_Pages, directory=str(folder))) as server:
        yield f"http://{PAGES_HOST}:{server.server_port}"


@contextmanager
def serving_pages_by_nginx(folder: Path, files: Path) -> Iterator[str]:
    """Serve the pages by the shipped configuration until the block ends; yield their address.

    `files` is a folder for nginx.
    """
    with nginx_with(lambda address: _frontend_server(folder, address), files) as port:
        yield f"http://{PAGES_HOST}:{port}"


def _frontend_server(folder: Path, address: str) -> str:
    """Return a server without TLS, with the Clerk host that the pages are built with.

    Pages may be built to ask the API without TLS.
    """
    policy = replaced(
        (NGINX / "frontend.conf").read_text(),
        {
            "$clerk": f"https://{clerk_host(folder)}",
            "connect-src 'self' https:": "connect-src 'self' https: http:",
            "img-src 'self' data: blob: https:": "img-src 'self' data: blob: https: http:",
            "expires $frontend_expires;": "expires -1;",
        },
    )
    return f"""
server {{
    listen {address};
    server_name {PAGES_HOST};
    root {folder};
    location / {{
        {policy}
        try_files $uri /index.html;
    }}
}}
"""


def clerk_host(folder: Path) -> str:
    """Return the host in the publishable key that the pages are built with."""
    for script in (folder / "assets").glob("*.js"):
        key = _PUBLISHABLE_KEY.search(script.read_text())
        if key:
            encoded = key[1]
            decoded = base64.b64decode(encoded + "=" * (-len(encoded) % 4))
            return decoded.decode().rstrip("$")
    raise AssertionError("the pages are built without Clerk's publishable key")


@contextmanager
def standing_in_for_clerk(api: str, folder: Path) -> Iterator[int]:
    """Answer in place of Clerk until the block ends; yield the port, which takes TLS.

    Pages may be built to ask the API by TLS too: such requests go on to the server at `api`.
    `folder` is for its certificate, which it has signed itself.
    """
    with _running(functools.partial(_Clerk, urlsplit(api).netloc), _certificate(folder)) as server:
        yield server.server_port


def resolver_rules(api: str, clerk: int, others: Iterable[int] = ()) -> str:
    """Return rules for Chromium by which all that pages ask for stays on this machine.

    Whatever host and port they were built to ask is the server at `api`, but port 443, where Clerk
    is, the one at port `clerk`, and the ports of `others` those. So what pages are built with need
    not be known.
    """
    mapped = [f"MAP *:{port} 127.0.0.1:{port}" for port in others]
    rules = (*mapped, f"MAP *:443 127.0.0.1:{clerk}", f"MAP * {urlsplit(api).netloc}")
    return ", ".join((f"EXCLUDE {PAGES_HOST}", *rules))


@contextmanager
def _running(
    handler: functools.partial[BaseHTTPRequestHandler], secured: ssl.SSLContext | None = None
) -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    if secured:  # each connection's thread shakes hands, not the one that accepts
        server.socket = secured.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _certificate(folder: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(self_signed(folder))
    return context


class _Pages(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


class _Clerk(BaseHTTPRequestHandler):
    def __init__(self, api: str, *connection: object) -> None:
        self._api = api
        super().__init__(*connection)

    def handle(self) -> None:
        with suppress(OSError):  # a browser opens connections ahead, and leaves them
            super().handle()

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        if address.path.startswith("/api/"):
            self._pass_on()
        elif address.path == "/session-token":
            query = parse_qs(address.query)
            token = token_of(query["user"][0], int(query["begun"][0]))
            self._answer(token.encode(), "text/plain")
        elif "/@clerk/clerk-js@" in address.path:
            self._answer(_SCRIPT.read_bytes(), "text/javascript")
        else:
            self.send_error(404)

    do_DELETE = do_OPTIONS = do_PATCH = do_POST = do_PUT = do_GET  # noqa: N815

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        connection = http.client.HTTPConnection(self._api)
        connection.request(self.command, self.path, body, dict(self.headers))
        response = connection.getresponse()
        content = response.read()
        connection.close()
        self.send_response_only(response.status)
        for name, value in response.getheaders():
            if name.lower() not in _OF_THE_TRANSFER:
                self.send_header(name, value)
        self._finish(content)

    def _answer(self, content: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Access-Control-Allow-Origin", "*")
        self._finish(content)

    def _finish(self, content: bytes) -> None:
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass
