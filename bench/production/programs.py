"""Long-running programs of the arrangement, each stopped as its container would be."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from bench.processes import StartError

START_SECONDS = 120
_SHOWN = 12  # lines of a log
DATABASE_USER = "postgres"
"""Who runs what refuses to run as root."""


@dataclass
class Program:
    """A program of a service; it may be stopped and started again."""

    name: str
    command: Sequence[str | Path]
    environment: Mapping[str, str]
    folder: Path
    log: Path
    stop_seconds: float
    signal: int = signal.SIGTERM
    is_dropped: bool = False
    """Whether it runs as another user where this is root."""
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def start(self, is_ready: Callable[[], bool]) -> None:
        """Start it and wait until it is ready. Raises StartError."""
        user = DATABASE_USER if self.is_dropped and os.geteuid() == 0 else None
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                self.command,
                cwd=self.folder,
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=user,
                group=user,
                extra_groups=[] if user else None,
            )
        deadline = time.monotonic() + START_SECONDS
        while self.process.poll() is None and time.monotonic() < deadline:
            if is_ready():
                return
            time.sleep(0.05)
        lines = self.log.read_text(errors="replace").splitlines()[-_SHOWN:]
        raise StartError("\n  ".join([f"{self.name} does not start; its log ends:", *lines]))

    def stop(self) -> float:
        """End it as its container would be, and return the seconds that it took.

        Raises StartError where it has to be killed, which loses what it was doing.
        """
        process, self.process = self.process, None
        if process is None:
            return 0.0
        begun = time.monotonic()
        with suppress(ProcessLookupError):
            process.send_signal(self.signal)
        try:
            process.wait(self.stop_seconds)
        except subprocess.TimeoutExpired:
            self._kill(process)
            raise StartError(f"{self.name} has not ended in {self.stop_seconds:g} s") from None
        self._kill(process)  # what outlived its parent
        return time.monotonic() - begun

    @staticmethod
    def _kill(process: subprocess.Popen[bytes]) -> None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def pids(self) -> list[int]:
        """Return its process and all that it has begun."""
        if self.process is None:
            return []
        found = [self.process.pid]
        for pid in found:
            for thread in _threads(pid):
                with suppress(OSError):
                    children = (thread / "children").read_text()
                    found.extend(int(number) for number in children.split())
        return found


def _threads(pid: int) -> Iterable[Path]:
    with suppress(OSError):
        return list(Path(f"/proc/{pid}/task").iterdir())
    return []


def find_program(name: str) -> Path:
    """Return a program of the machine. Raises StartError."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")
    if found is None:
        raise StartError(f"{name} is not installed")
    return Path(found)


def listens(host: str, port: int) -> bool:
    """Return whether a connection is accepted there."""
    with socket.socket() as probe:
        probe.settimeout(2)
        return probe.connect_ex((host, port)) == 0


def give_to_database_user(folder: Path) -> None:
    """Let the user who runs the database write in a folder."""
    if os.geteuid() == 0:
        known = pwd.getpwnam(DATABASE_USER)
        os.chown(folder, known.pw_uid, known.pw_gid)
