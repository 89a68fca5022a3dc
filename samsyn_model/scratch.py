"""Folders for temporary files, which are removed also if their process is killed."""

import fcntl
import os
import shutil
import tempfile
import weakref
from contextlib import suppress
from pathlib import Path


class ScratchFolder:
    """A new folder, at `path`, that is removed when nothing refers to this object any more.

    It is locked meanwhile: the next process that makes one of the same prefix removes those of
    processes that were killed.
    """

    def __init__(self, prefix: str) -> None:
        """Make the folder among the system's temporary files; raises OSError."""
        _remove_left_over(prefix)
        while (descriptor := _lock(folder := tempfile.mkdtemp(prefix=prefix))) is None:
            pass  # another process has taken it for one that is left over
        self.path = Path(folder)
        self._finalizer = weakref.finalize(self, _remove, folder, descriptor, os.getpid())

    def remove(self) -> None:
        """Remove the folder now."""
        self._finalizer()


def _remove(folder: str, descriptor: int, owner: int) -> None:
    if os.getpid() == owner:  # not a process that was forked meanwhile
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def _remove_left_over(prefix: str) -> None:
    """Remove the folders of processes that were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        with suppress(OSError):  # another user's, or removed meanwhile
            if (descriptor := _lock(folder)) is not None:
                try:
                    shutil.rmtree(folder)
                finally:
                    os.close(descriptor)


def _lock(folder: str | Path) -> int | None:
    """Return a descriptor that locks a folder; None where a process has it, or has removed it."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    with suppress(BlockingIOError, FileNotFoundError):
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(descriptor), os.stat(folder)):
            return descriptor
    os.close(descriptor)
    return None
