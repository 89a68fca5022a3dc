"""Servers and programs that a run starts, each ended with it."""

import os
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


class StartError(Exception):
    """A server that does not come up, with the end of its log."""


class ProgramError(Exception):
    """A program that failed, with the end of what it printed."""


@dataclass(frozen=True)
class Launch:
    """How a server is started; `environment` is added to this process' own."""

    command: list[str]
    environment: Mapping[str, str]
    folder: Path
    """Where it runs."""
    ready: str = "/"
    """A path that it answers when it is up."""


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
    """Return a port of 127.0.0.1 that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def run_program(command: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> str:
    """Run a program to its end and return what it printed. Raises ProgramError.

    `environment` is added to this process' own.
    """
    try:
        done = subprocess.run(
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
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()[-8:]
        raise ProgramError("\n  ".join([f"{command[0]} failed:", *said]))
    return done.stdout


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
                start_new_session=True,  # a Ctrl-C is for us, who then stop it and its workers
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
    said = server.log.read_text(errors="replace").splitlines()[-8:]
    raise StartError("\n  ".join(["does not come up; its log ends:", *said]))


def _stop(process: subprocess.Popen[bytes]) -> None:
    for how in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, how)
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
            break
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # workers that outlived their parent
