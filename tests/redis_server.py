"""A Redis of its own for a test."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError


@dataclass(frozen=True)
class RedisServer:
    """A server that listens on a socket in a folder."""

    url: str
    process: subprocess.Popen[bytes]


@contextmanager
def redis_server(folder: Path) -> Iterator[RedisServer]:
    """Run a Redis that stores nothing; the test is skipped where there is none."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not installed")
    socket = folder / "socket"
    options = ["--port", "0", "--unixsocket", str(socket), "--save", "", "--daemonize", "no"]
    with subprocess.Popen([program, *options], cwd=folder, stdout=subprocess.DEVNULL) as process:
        try:
            _wait_for(socket)
            yield RedisServer(f"unix://{socket}", process)
        finally:
            process.kill()


def _wait_for(socket: Path) -> None:
    for _ in range(200):
        try:
            Redis(unix_socket_path=str(socket)).ping()
        except RedisConnectionError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError("Redis does not start")
