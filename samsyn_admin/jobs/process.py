"""The process that runs a job: started, watched, and killed where it goes beyond its limits."""

import asyncio
import os
import signal
import sys
import tempfile
from asyncio.subprocess import DEVNULL, Process
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from time import monotonic
from typing import Any

from samsyn_admin.jobs.execution import AGAIN
from samsyn_model.jobs.attempts import Attempt
from samsyn_model.settings import Settings
from samsyn_provider.http.problems import problem_document

_INTERVAL = 0.5  # seconds between two looks at the process
_MIB = 1024**2
_CRASHES = {signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGABRT}
_READING_FILES = {"inspect", "import"}
_PAGE = os.sysconf("SC_PAGE_SIZE")


class LostDatabaseError(Exception):
    """The process could not note the end of its job."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a job may use: seconds of time, bytes of memory."""

    seconds: int
    memory: int

    @classmethod
    def of(cls, settings: Settings) -> "Limits":
        """Return the limits that the settings have."""
        return cls(settings.job_timeout or settings.import_timeout, settings.job_memory * _MIB)


async def run_process(
    attempt: Attempt, kind: str, limits: Limits, scratch: Path
) -> dict[str, Any] | None:
    """Run an attempt in a process of its own until that ends; where it is cancelled, kill it.

    Its temporary files are in a folder of `scratch`, which is removed. Returns None where the
    process has noted the end of the job, else the problem document that says why it has not.
    Raises LostDatabaseError.
    """
    with tempfile.TemporaryDirectory(dir=scratch, ignore_cleanup_errors=True) as folder:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "samsyn_admin.jobs.execution"),
            *(str(attempt.job_id), str(attempt.number)),
            env={**os.environ, "TMPDIR": folder, "SAMSYN_WORKER": str(os.getpid())},
            stdin=DEVNULL,
            start_new_session=True,
        )
        try:
            return await _watch(process, kind, limits)
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()


async def _watch(process: Process, kind: str, limits: Limits) -> dict[str, Any] | None:
    end = monotonic() + limits.seconds
    while True:
        with suppress(TimeoutError):
            status = await asyncio.wait_for(process.wait(), _INTERVAL)
            return _problem_of_status(status, kind)
        if monotonic() > end:
            return problem_document(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"This took longer than the {limits.seconds:,} seconds that the server gives a job"
                " (JOB_TIMEOUT).",
            )
        if _memory(process.pid) > limits.memory:
            return problem_document(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                f"This took more than the {limits.memory // _MIB:,} MiB of memory that the server"
                " gives a job (JOB_MEMORY).",
            )


def _problem_of_status(status: int, kind: str) -> dict[str, Any] | None:
    if status == 0:
        return None
    if status == AGAIN:
        raise LostDatabaseError
    if -status in _CRASHES and kind in _READING_FILES:
        return problem_document(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "The file is damaged: the program that reads its format ended by it"
            f" ({signal.Signals(-status).name}). Was it uploaded as a whole?",
        )
    how = f"with status {status}" if status > 0 else f"by {signal.Signals(-status).name}"
    if -status == signal.SIGKILL:
        how += ", perhaps since the machine has no memory left"
    return problem_document(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        f"The program that did this ended before its time ({how}); nothing of it was kept.",
    )


def _memory(process: int) -> int:
    """Return the bytes of memory that a process has for itself alone; 0 once it has ended."""
    with suppress(OSError, ValueError, IndexError):
        _, resident, shared = Path(f"/proc/{process}/statm").read_text().split()[:3]
        return (int(resident) - int(shared)) * _PAGE
    return 0
