"""A stand-in for Clerk's backend API, asked over a socket: users, errors, limits, outages."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

from pydantic import SecretStr

from samsyn_model.settings import Settings
from tests.clerk_instance import ISSUER, public_pem, settings

SECRET_KEY = "sk_test_kept_by_the_server_alone"

_ERRORS = {
    401: ("authentication_invalid", "Unable to authenticate the request"),
    403: ("authorization_invalid", "You are not authorized to perform this request"),
    404: ("resource_not_found", "not found"),
    429: ("too_many_requests", "Too many requests. Please try again in a bit."),
    500: ("internal_clerk_error", "Oops, an unexpected error occurred"),
}


class ClerkBackend:
    """Clerk's users by id, the requests made, and what goes wrong."""

    def __init__(self) -> None:
        self.users: dict[str, Any] = {}
        self.requests: list[tuple[str, str]] = []
        self.url = ""
        self.status: int | None = None
        self.headers: dict[str, str] = {}
        self.body: bytes | None = None
        """A body in place of the documented one."""
        self.content_type = "application/json"
        self.delay = 0.0
        self.is_cut_off = False
        self.drips = False
        """Whether headers come byte by byte and never end."""

    def settings(self, **values: Any) -> Settings:
        """Settings of a server that asks this backend."""
        members = {
            "clerk_jwt_key": public_pem(),
            "clerk_issuer": ISSUER,
            "clerk_secret_key": SecretStr(SECRET_KEY),
            "clerk_api_url": self.url,
        }
        return settings(**members | values)

    def respond(self, method: str, path: str, authorization: str | None) -> tuple[int, Any]:
        """The status and the document of a request."""
        self.requests.append((method, path))
        if self.status is not None:
            return self.status, _errors(self.status)
        if authorization != f"Bearer {SECRET_KEY}":
            return 401, _errors(401)
        clerk_id = unquote(path.removeprefix("/v1/users/"))
        if not path.startswith("/v1/users/") or clerk_id not in self.users:
            return 404, _errors(404)
        if method == "DELETE":
            del self.users[clerk_id]
            return 200, {"object": "user", "id": clerk_id, "deleted": True}
        return 200, self.users[clerk_id]


def _errors(status: int) -> dict[str, Any]:
    code, message = _ERRORS.get(status, ("error", "error"))
    error = {"message": message, "long_message": message, "code": code}
    return {"errors": [error], "clerk_trace_id": "0123456789abcdef"}


@contextmanager
def clerk_backend(*users: dict[str, Any]) -> Iterator[ClerkBackend]:
    """Serve Clerk's backend API with these users on a port of this machine."""
    state = ClerkBackend()
    state.users = {user["id"]: user for user in users}
    released = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._respond()

        def do_DELETE(self) -> None:
            self._respond()

        def _respond(self) -> None:
            status, document = state.respond(
                self.command, self.path, self.headers.get("Authorization")
            )
            if released.wait(state.delay):
                return  # the test is over: nothing more is stored
            body = json.dumps(document).encode() if state.body is None else state.body
            if state.drips:
                self._drip()
                return
            self.send_response(status)
            for name, value in state.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", state.content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) // 2] if state.is_cut_off else body)
            if state.is_cut_off:
                self.connection.shutdown(socket.SHUT_RDWR)

        def _drip(self) -> None:
            self.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
            while not released.wait(0.1):
                self.wfile.write(b"x")

        def log_message(self, *_: Any) -> None:
            pass

        def handle(self) -> None:
            with suppress(OSError):  # the client may have given up waiting
                super().handle()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield state
    finally:
        released.set()
        server.shutdown()
        server.server_close()
        thread.join()
