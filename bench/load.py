"""Load generators: wrk, complete responses, PostgreSQL alone by pgbench, single requests."""

import http.client
import json
import math
import re
import statistics
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy import URL

from bench.databases import pg_environment
from bench.processes import ProgramError, run_program

CONNECTIONS = 4
MIN_RESPONSES = 20
_SLOW = 0.1
"""Seconds: slower responses are counted until complete. wrk drops requests that are in progress
when its time is over."""
_WARM_SECONDS = 1
MAX_SCRIPTS = 120  # of pgbench, which takes 128
_TIMEOUT = 120


@dataclass(frozen=True)
class Load:
    """The result of a load test."""

    rate: float
    """Successful responses per second."""
    responses: int
    failures: int = 0
    """Responses with a status of 400 and up, and broken connections."""


def measure(url: str, paths: Sequence[str], seconds: float, *, warm: bool = True) -> Load:
    """Send requests for the paths in turn over four connections; return the server's rate.

    Raises OSError or http.client.HTTPException when the server does not respond at all.
    """
    latency = statistics.median(request_times(url, paths[-3:], 3))
    if latency < _SLOW:
        if warm:
            _wrk(url, paths, _WARM_SECONDS)
        return _wrk(url, paths, seconds)
    expected = 2 * seconds / latency
    return _complete_responses(url, paths, max(MIN_RESPONSES, math.ceil(expected)))


def _wrk(url: str, paths: Sequence[str], seconds: float) -> Load:
    script = Path(__file__).with_name("requests.lua")
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as listed:
        listed.write("\n".join(paths) + "\n")
        listed.flush()
        width = ["-t", "2", "-c", str(CONNECTIONS), "--timeout", str(_TIMEOUT)]
        length = ["-d", f"{max(1, round(seconds))}s"]
        output = run_program(["wrk", *width, *length, "-s", script, url, "--", listed.name])
    result = json.loads(output.strip().splitlines()[-1])
    good = result["answers"] - result["refused"]
    failures = result["refused"] + result["broken"]
    return Load(good / result["seconds"], result["answers"], failures)


def _complete_responses(url: str, paths: Sequence[str], count: int) -> Load:
    following, lock = cycle(paths), threading.Lock()
    left = count
    failures: list[str] = []

    def next_path() -> str | None:
        nonlocal left
        with lock:
            left -= 1
            return next(following) if left >= 0 else None

    def send() -> None:
        client = Client(url)
        while path := next_path():
            try:
                client.get(path)
            except (OSError, http.client.HTTPException) as error:
                failures.append(str(error))
                client.close()
        client.close()

    threads = [threading.Thread(target=send, daemon=True) for _ in range(CONNECTIONS)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - start
    return Load((count - len(failures)) / seconds, count, len(failures))


class Client:
    """A connection to a server, reopened when the server has closed it."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        self._connection = http.client.HTTPConnection(
            address.hostname or "", address.port, timeout=_TIMEOUT
        )
        self._buffer = bytearray(1 << 20)

    def get(self, path: str) -> None:
        """Read a response to its end.

        Raises OSError for an error status, OSError or http.client.HTTPException without a
        response.
        """
        self._connection.request("GET", path)
        response = self._connection.getresponse()
        while response.readinto(self._buffer):
            pass
        if response.status >= 400:
            raise OSError(f"status {response.status} for {path}")

    def body(self, path: str) -> bytes:
        """Return a response's body. Raises as `get`."""
        self._connection.request("GET", path)
        response = self._connection.getresponse()
        content = response.read()
        if response.status >= 400:
            raise OSError(f"status {response.status} for {path}: {content[:200]!r}")
        return content

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def request_times(url: str, paths: Sequence[str], count: int) -> list[float]:
    """Return the seconds that single requests take, one after another. Raises OSError."""
    return next(iter(times_in_turn([(url, paths)], count)))


def times_in_turn(servers: Sequence[tuple[str, Sequence[str]]], count: int) -> list[list[float]]:
    """Return the seconds of `count` requests to each of several servers, in turn.

    Other load on the machine thus affects all of them alike. Raises OSError.
    """
    clients = [Client(url) for url, _ in servers]
    following = [cycle(paths) for _, paths in servers]
    times: list[list[float]] = [[] for _ in servers]
    try:
        for _ in range(count):
            for number, client in enumerate(clients):
                path = next(following[number])
                start = time.perf_counter()
                client.get(path)
                times[number].append(time.perf_counter() - start)
    finally:
        for client in clients:
            client.close()
    return times


def transactions_per_second(
    database: URL, scripts: Sequence[Sequence[str]], seconds: float
) -> Load:
    """Return how often PostgreSQL alone runs the statements of a request.

    Each script is one request's statements, with their values written in.
    """
    step = max(1, len(scripts) // MAX_SCRIPTS)
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for number, statements in enumerate(scripts[::step][:MAX_SCRIPTS]):
            file = Path(folder) / f"{number}.sql"
            file.write_text("".join(f"{statement.strip()};\n" for statement in statements))
            files.append(file)
        arguments = [argument for file in files for argument in ("-f", file)]
        width = ["-n", "-c", str(CONNECTIONS), "-j", "2", "-M", "simple"]
        length = ["-T", str(max(1, round(seconds)))]
        output = run_program(["pgbench", *width, *length, *arguments], pg_environment(database))
    return _pgbench_load(output)


def _pgbench_load(output: str) -> Load:
    rate = re.search(r"^tps = ([0-9.]+)", output, re.MULTILINE)
    processed = re.search(r"transactions actually processed: (\d+)", output)
    if rate is None or processed is None:
        raise ProgramError(f"pgbench reported no rate:\n{output}")
    return Load(float(rate[1]), int(processed[1]))
