"""The worker that `samsyn serve` starts beside it, starts again where it ends, and stops."""

import logging
import os
import select
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from time import monotonic

LOGGER = logging.getLogger(__name__)

_SHORTEST, _LONGEST = 0.5, 30.0  # seconds before a worker that has ended is started again
_HEALTHY = 60  # seconds after which the next pause is the shortest again
_END = 8  # seconds that a worker has to stop


@contextmanager
def worker_beside(url: str) -> Iterator[None]:
    """Have a worker on the database at `url` run until the block ends.

    A thread of this process looks after it. A forked child does nothing.
    """
    process = os.getpid()
    companion = _Companion(url)
    thread = threading.Thread(target=companion.run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        if os.getpid() == process:
            companion.is_over.set()
            thread.join()


class _Companion:
    def __init__(self, url: str) -> None:
        self.is_over = threading.Event()
        self._environment = {
            **os.environ,
            "DATABASE_URL": url,
            "SAMSYN_SERVER": str(os.getpid()),
        }

    def run(self) -> None:
        """Start the worker whenever there is none."""
        pause = _SHORTEST
        while not self.is_over.is_set():
            begun = monotonic()
            self._run_once()
            pause = _SHORTEST if monotonic() - begun > _HEALTHY else min(_LONGEST, pause * 2)
            if not self.is_over.wait(pause):
                LOGGER.error("The worker of jobs has ended: it is started again.")

    def _run_once(self) -> None:
        # not by `subprocess`, whose pipe a process that gunicorn forks meanwhile would keep open
        process = os.posix_spawn(
            sys.executable,
            [sys.executable, "-m", "samsyn_admin.jobs.worker"],
            self._environment,
            setsid=True,  # Ctrl+C is for the server, which stops it
        )
        try:
            worker = os.pidfd_open(process)
        except ProcessLookupError:  # gunicorn waits for all children of this process
            return
        try:
            while not _has_ended(worker, 0.2):
                if self.is_over.is_set():
                    _signal(worker, signal.SIGTERM)
                    if not _has_ended(worker, _END):
                        _signal(worker, signal.SIGKILL)
                    break
        finally:
            os.close(worker)
            with suppress(ChildProcessError):
                os.waitpid(process, 0)


def _has_ended(process: int, seconds: float) -> bool:
    """Return whether a process, by its file descriptor, ends within some seconds."""
    return bool(select.select([process], [], [], seconds)[0])


def _signal(process: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        signal.pidfd_send_signal(process, number)
