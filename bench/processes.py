"""Servers and programs that a run starts and ends."""

import os
import secrets
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

START_SECONDS = 60
STOP_SECONDS = 15
_PORTS = range(12_000, 32_000)


class StartError(Exception):
    """A server that does not start, with the end of its log."""


class ProgramError(Exception):
    """A program that failed, with the end of what it printed."""


@dataclass(frozen=True)
class Launch:
    """The command of a server; `environment` extends that of this process."""

    command: list[str]
    environment: Mapping[str, str]
    folder: Path
    """The working directory."""
    ready: str = "/"
    """A path that returns 200 when it is ready."""


@dataclass(frozen=True)
class Running:
    """A server that has been started."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def is_alive(self) -> bool:
        """Whether its process has not ended."""
        return self.process.poll() is None


def free_port() -> int:
    """Return an unused port of 127.0.0.1, none that the system gives to clients."""
    while True:
        port = secrets.choice(_PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def run_program(command: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> str:
    """Run a program to its end and return what it printed. Raises ProgramError.

    `environment` extends that of this process.
    """
    try:
        completed = subprocess.run(
            command,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except OSError as error:
        raise ProgramError(f"{command[0]}: {error.strerror}") from error
    if completed.returncode:
        last_lines = (completed.stderr or completed.stdout).strip().splitlines()[-8:]
        raise ProgramError("\n  ".join([f"{command[0]} failed:", *last_lines]))
    return completed.stdout


@contextmanager
def serving(launch: Launch, port: int, log: Path) -> Iterator[Running]:
    """Run a server until the block ends, in a process group of its own. Raises StartError."""
    with log.open("wb") as output:
        try:
            process = subprocess.Popen(
                launch.command,
                cwd=launch.folder,
                env={**os.environ, **launch.environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C ends only this process, which stops it
            )
        except OSError as error:
            raise StartError(f"{launch.command[0]}: {error.strerror}") from error
    server = Running(f"http://127.0.0.1:{port}", process, log)
    try:
        _wait_until_ready(server, launch.ready)
        yield server
    finally:
        _stop(process)


def _wait_until_ready(server: Running, path: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.is_alive:
        with suppress(OSError), urllib.request.urlopen(server.url + path, timeout=5):
            return
        time.sleep(0.1)
    last_lines = server.log.read_text(errors="replace").splitlines()[-8:]
    raise StartError("\n  ".join(["does not start; its log ends:", *last_lines]))


def _stop(process: subprocess.Popen[bytes]) -> None:
    for signal_number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal_number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
            break
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # workers that outlived their parent
