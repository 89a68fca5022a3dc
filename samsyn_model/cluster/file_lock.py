"""A lock between processes, on a file: it ends with its process, also when that is killed."""

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self
from weakref import WeakSet


class FileLock:
    """A lock on `path`, held by one process alone: a forked child does not share it.

    As a context manager it is exclusive, and waits. Raises OSError where `path` cannot be opened.
    """

    _open: ClassVar[WeakSet["FileLock"]] = WeakSet()

    def __init__(self, path: Path) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        self._descriptor: int | None = os.open(path, flags, 0o600)
        FileLock._open.add(self)

    def share(self) -> None:
        """Hold it shared; wait while another process holds it exclusively."""
        if self._descriptor is not None:
            fcntl.flock(self._descriptor, fcntl.LOCK_SH)

    def take_alone(self) -> bool:
        """Hold it alone and return True, or let go of it when others hold it too."""
        if self._descriptor is None:
            return False
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def release(self) -> None:
        """Let go of it; a second call does nothing."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    @property
    def is_open(self) -> bool:
        """Whether this process may hold it: False once released, and in a forked child."""
        return self._descriptor is not None

    def __enter__(self) -> Self:
        if self._descriptor is not None:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()

    @classmethod
    def _forget_in_child(cls) -> None:
        # The lock belongs to the open file, which parent and child share: closing the child's
        # descriptor leaves the parent's lock, keeping it would outlive the parent.
        for lock in list(cls._open):
            lock.release()


os.register_at_fork(after_in_child=FileLock._forget_in_child)
