"""A process that runs beside the server: begun again where it ends, and stopped with it."""

import logging
import os
import select
import signal
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from time import monotonic

from samsyn_model.metrics.counting import forget

LOGGER = logging.getLogger(__name__)

_HEALTHY = 60  # seconds after which the next pause is the shortest again
_END = 8  # seconds that a process has to stop
_LOOK = 0.2  # seconds between two looks whether all is over


@dataclass(frozen=True, slots=True)
class Program:
    """What runs beside the server."""

    name: str
    """For the log."""
    module: str
    """Run by this Python; its `main` ends with the server, whose process is SAMSYN_SERVER."""
    environment: Mapping[str, str] = field(default_factory=dict)
    listener: int | None = None
    """A listening socket: the program has it as its file 3, and is begun when a client comes."""
    part: str | None = None
    """The name under which it counts, where it says how it is: no more once it has ended."""
    pauses: tuple[float, float] = (0.5, 30.0)
    """Seconds before it is begun again: at first, and at most."""


@contextmanager
def beside(program: Program) -> Iterator[None]:
    """Have a program run until the block ends.

    A thread of this process looks after it. A forked child does nothing.
    """
    process = os.getpid()
    companion = _Companion(program)
    thread = threading.Thread(target=companion.run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        if os.getpid() == process:
            companion.is_over.set()
            thread.join()


class _Companion:
    def __init__(self, program: Program) -> None:
        self.is_over = threading.Event()
        self._program = program
        self._environment = {
            **os.environ,
            **program.environment,
            "SAMSYN_SERVER": str(os.getpid()),
        }

    def run(self) -> None:
        """Begin the program whenever it does not run, and is needed."""
        shortest, longest = self._program.pauses
        pause = shortest
        while self._is_needed():
            begun = monotonic()
            self._run_once()
            pause = shortest if monotonic() - begun > _HEALTHY else min(longest, pause * 2)
            if not self.is_over.wait(pause):
                LOGGER.error("%s has ended: it is started again.", self._program.name)

    def _is_needed(self) -> bool:
        """Wait until a client comes, where the program listens; False when all is over."""
        listener = self._program.listener
        while not self.is_over.is_set():
            if listener is None or _is_readable(listener, _LOOK):
                return True
        return False

    def _run_once(self) -> None:
        # not by `subprocess`, whose pipe a process that gunicorn forks meanwhile would keep open
        listener = self._program.listener
        files: Sequence[tuple[int, int, int]] = (
            () if listener is None else [(os.POSIX_SPAWN_DUP2, listener, 3)]
        )
        process = os.posix_spawn(
            sys.executable,
            [sys.executable, "-m", self._program.module],
            self._environment,
            file_actions=files,
            setsid=True,  # Ctrl+C is for the server, which stops it
        )
        try:
            descriptor = os.pidfd_open(process)
        except ProcessLookupError:  # gunicorn waits for all children of this process
            return
        try:
            while not _is_readable(descriptor, _LOOK):
                if self.is_over.is_set():
                    _signal(descriptor, signal.SIGTERM)
                    if not _is_readable(descriptor, _END):
                        _signal(descriptor, signal.SIGKILL)
                    break
        finally:
            os.close(descriptor)
            with suppress(ChildProcessError):
                os.waitpid(process, 0)
            if self._program.part is not None:
                forget(self._program.part)


def _is_readable(descriptor: int, seconds: float) -> bool:
    """Return whether a file becomes readable within some seconds: of a process, whether it ends."""
    return bool(select.select([descriptor], [], [], seconds)[0])


def _signal(process: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        signal.pidfd_send_signal(process, number)
