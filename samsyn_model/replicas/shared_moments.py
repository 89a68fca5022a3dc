"""When something was written last, by its id, in memory that the processes of a machine share."""

import fcntl
import hashlib
import mmap
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from threading import Lock
from time import monotonic_ns
from uuid import UUID

_SLOTS = 1 << 16
_MEMORY = Path("/dev/shm")  # noqa: S108 - a file there is its owner's, or refused


class SharedMoments:
    """Moments by `monotonic_ns`, of a user's processes with the same `name`.

    Ids share slots: what was not written may seem so, never the reverse. Raises OSError where the
    memory cannot be had, or belongs to another user.
    """

    def __init__(self, name: str) -> None:
        folder = _MEMORY if os.access(_MEMORY, os.W_OK) else Path(tempfile.gettempdir())
        digest = hashlib.sha256(name.encode()).hexdigest()[:16]
        path = folder / f"samsyn-written-{os.geteuid()}-{digest}"
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        self._file = os.open(path, flags, 0o600)
        status = os.fstat(self._file)
        if status.st_uid != os.geteuid() or status.st_mode & 0o077:
            os.close(self._file)
            raise PermissionError(f"{path} belongs to another user, or is open to others.")
        os.ftruncate(self._file, _SLOTS * 8)
        self._moments = memoryview(mmap.mmap(self._file, _SLOTS * 8)).cast("Q")
        self._lock = Lock()

    def note(self, ids: Iterable[UUID]) -> None:
        """Note that these have been written by now."""
        with self._lock:
            fcntl.flock(self._file, fcntl.LOCK_EX)  # a lesser moment does not replace a greater one
            try:
                now = monotonic_ns()
                for id_ in ids:
                    self._moments[id_.int % _SLOTS] = now
            finally:
                fcntl.flock(self._file, fcntl.LOCK_UN)

    def are_before(self, ids: Iterable[UUID], moment: int) -> bool:
        """Return whether all of these were last written before a moment."""
        for id_ in ids:
            written = self._moments[id_.int % _SLOTS]
            # a moment to come is one of before the machine was started
            if moment < written <= monotonic_ns():
                return False
        return True
