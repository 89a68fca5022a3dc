"""When something was written last, and whether it is being written, by its id, in memory that the
processes of a machine share."""

import fcntl
import hashlib
import mmap
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from time import monotonic_ns
from uuid import UUID

PENDING = 30
"""Seconds for which a commit that has begun, and of whose end nothing is heard, counts as one that
others may have seen."""
_SLOTS = 1 << 16
_COLUMNS = 3  # of a slot: when it was written last, when a commit began, how many have not ended
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
        size = _SLOTS * 8 * _COLUMNS
        os.ftruncate(self._file, size)
        memory = memoryview(mmap.mmap(self._file, size)).cast("Q")
        self._written, self._begun, self._pending = (
            memory[start : start + _SLOTS] for start in range(0, _SLOTS * _COLUMNS, _SLOTS)
        )
        self._lock = Lock()

    def begin(self, ids: Iterable[UUID]) -> None:
        """Note that others may see from now on that these are written."""
        with self._locked() as now:
            for slot in _slots(ids):
                if not self._is_pending(slot):  # some may be left of a process that was killed
                    self._pending[slot] = 0
                self._begun[slot] = now
                self._pending[slot] += 1

    def end(self, ids: Iterable[UUID]) -> None:
        """Note that these, which have begun, have been written by now."""
        with self._locked() as now:
            for slot in _slots(ids):
                self._written[slot] = now
                self._pending[slot] = max(self._pending[slot], 1) - 1

    def are_before(self, ids: Iterable[UUID], moment: int) -> bool:
        """Return whether all of these were last written before a moment, and are not being written
        now."""
        for slot in _slots(ids):
            # in this order: what is pending no more has been written
            if self._is_pending(slot):
                return False
            # a moment to come is one of before the machine was started
            if moment < self._written[slot] <= monotonic_ns():
                return False
        return True

    def _is_pending(self, slot: int) -> bool:
        """Return whether a commit of what is at a slot has begun, not too long ago, and not
        ended."""
        if not self._pending[slot]:
            return False
        begun = self._begun[slot]
        return begun <= monotonic_ns() < begun + PENDING * 1_000_000_000

    @contextmanager
    def _locked(self) -> Iterator[int]:
        """Yield the moment, which no other process or thread is given as well."""
        with self._lock:
            fcntl.flock(self._file, fcntl.LOCK_EX)  # a lesser moment does not replace a greater one
            try:
                yield monotonic_ns()
            finally:
                fcntl.flock(self._file, fcntl.LOCK_UN)


def _slots(ids: Iterable[UUID]) -> set[int]:
    """Return where ids are: those of one slot are there once."""
    return {id_.int % _SLOTS for id_ in ids}
