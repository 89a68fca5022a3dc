"""Requests sent to a server on several connections at once, and what comes of them."""

import re
import threading
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from socket import IPPROTO_TCP, TCP_NODELAY, create_connection, socket
from typing import Any

from tests.fuzz.generated_requests import Request

SLOW = 5.0
"""Seconds that no answer may take."""
_TIMEOUT = 60
_DOWNLOADS = 2
"""How many files are asked for at once: a worker writes no more."""
_EVENTS = re.compile(r"/api/v1/(layers|maps)/[^/?]+/events(/ticket)?(\?|$)")
_EVENTS_OFF = b'"detail": "Live events are switched off at this server."'
"""What a server says of events that it does not send: their streams would have no end here."""


@dataclass
class Outcome:
    """What came of many requests."""

    statuses: Counter[int] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    """Requests that were answered with 5xx, or not at all, but for events that are off."""
    slow: list[Request] = field(default_factory=list)
    slowest: float = 0.0


class Connection:
    """A connection that is kept open, and opened again when the server has closed it."""

    def __init__(self, host: str, port: int) -> None:
        self._address = (host, port)
        self._socket: socket | None = None

    def send(self, request: Request) -> tuple[int, bytes]:
        """Return the status and the body of the answer; raises OSError or HTTPException."""
        is_new = self._socket is None
        try:
            return self._send(request)
        except (OSError, HTTPException):
            self.close()
            if is_new:
                raise
        return self._send(request)  # the server may close what is idle

    def _send(self, request: Request) -> tuple[int, bytes]:
        if self._socket is None:
            self._socket = create_connection(self._address, _TIMEOUT)
            self._socket.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
        self._socket.sendall(request.encoded())
        response = HTTPResponse(self._socket, method=request.method)
        try:
            response.begin()
            content = response.read()
            if response.will_close:
                self.close()
        finally:
            response.close()
        return response.status, content

    def close(self) -> None:
        """Close the connection."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def send_all(host: str, port: int, streams: Sequence[Iterable[Request]]) -> Outcome:
    """Send each stream of requests on a connection of its own, all at once."""
    outcome, lock, downloads = Outcome(), threading.Lock(), threading.Semaphore(_DOWNLOADS)

    def send_stream(requests: Iterable[Request]) -> None:
        with closing(Connection(host, port)) as connection:
            send_on(connection, requests)

    def send_on(connection: Connection, requests: Iterable[Request]) -> None:
        for request in requests:
            failure = ""
            if request.is_download:
                downloads.acquire()
            start = time.perf_counter()
            try:
                status, content = connection.send(request)
            except (OSError, HTTPException) as error:
                status, failure = 0, repr(error)
                connection.close()
            else:
                if _is_failure(request, status, content):
                    failure = content[:500].decode(errors="replace") or "without a body"
            seconds = time.perf_counter() - start
            if request.is_download:
                downloads.release()
            with lock:
                outcome.statuses[status] += 1
                outcome.slowest = max(outcome.slowest, seconds)
                if seconds > SLOW:
                    outcome.slow.append(request)
                if failure:
                    outcome.failures.append(f"{status} {failure}\n{request.encoded()!r:.3000}")

    threads = [threading.Thread(target=send_stream, args=(stream,)) for stream in streams]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcome


def _is_failure(request: Request, status: int, content: bytes) -> bool:
    if status == 503 and _EVENTS.match(request.target):
        return request.method != "HEAD" and _EVENTS_OFF not in content
    return status >= 500 or b"Traceback" in content


def seconds_alone(host: str, port: int, request: Request) -> float:
    """Return how long a request takes when nothing else is asked."""
    connection, start = Connection(host, port), time.perf_counter()
    connection.send(request)
    connection.close()
    return time.perf_counter() - start


def resident_memory(pid: int) -> float:
    """Return the resident memory of a process in MiB; raises OSError when it has ended."""
    status: dict[str, Any] = dict(
        line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
    )
    return int(status["VmRSS"].split()[0]) / 1024
