"""The companion process: `/metrics`, at a port of its own."""

import logging
import os
import signal
import socket
import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from samsyn_admin.companions.tied import end_with_server
from samsyn_admin.metrics.database import DatabaseCollector
from samsyn_model.database.engine import open_engine
from samsyn_model.log import write_log
from samsyn_model.metrics.counting import FOLDER
from samsyn_model.settings import get_settings

_LISTENER = 3  # the descriptor of the socket that the server has made
_STATEMENT_TIMEOUT = 2  # seconds
_PATIENCE = 10  # seconds for a client's request


class _Handler(BaseHTTPRequestHandler):
    """Answers one request: metrics as text, whatever the headers ask for."""

    timeout = _PATIENCE
    server: "_Server"

    def do_GET(self) -> None:
        """Send the metrics."""
        if self.path.partition("?")[0] != "/metrics":
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        content = generate_latest(self.server.registry)
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", CONTENT_TYPE_LATEST)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def version_string(self) -> str:
        """Return what the header `Server` says."""
        return "SamSyn"

    def log_message(self, *arguments: Any) -> None:
        """Write nothing: Prometheus asks every few seconds."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, listener: socket.socket, registry: CollectorRegistry) -> None:
        super().__init__(("", 0), _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket, self.registry = listener, registry


def registry_of(folder: Path, url: str) -> CollectorRegistry:
    """Return what the processes of a server have counted in a folder, and its database says."""
    registry = CollectorRegistry(auto_describe=False)
    MultiProcessCollector(registry, str(folder))  # type: ignore[no-untyped-call]
    registry.register(
        DatabaseCollector(open_engine(url, statement_timeout=_STATEMENT_TIMEOUT, pool_size=1))
    )
    return registry


def main() -> None:
    """Run beside a server, on the listening socket that it has made."""
    end_with_server()
    settings = get_settings()
    write_log(settings.log_format, logging.WARNING, "%(levelname)s %(name)s: %(message)s")
    listener = socket.socket(fileno=_LISTENER)
    server = _Server(listener, registry_of(Path(os.environ[FOLDER]), os.environ["DATABASE_URL"]))
    Thread(target=server.serve_forever, daemon=True).start()
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    sys.exit(0)


if __name__ == "__main__":
    main()
