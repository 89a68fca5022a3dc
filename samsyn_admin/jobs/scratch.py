"""A folder for the temporary files of a worker's jobs, removed with it or by the next worker."""

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PREFIX = "samsyn-jobs-"
_YOUNG = 60  # seconds in which a worker locks what it has made


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Yield a new folder, and remove it at the end; first those that killed workers have left."""
    _remove_abandoned(Path(tempfile.gettempdir()))
    with tempfile.TemporaryDirectory(prefix=_PREFIX, ignore_cleanup_errors=True) as name:
        folder = os.open(name, os.O_RDONLY)
        fcntl.flock(folder, fcntl.LOCK_EX)  # the kernel frees it when the process ends
        try:
            yield Path(name)
        finally:
            os.close(folder)


def _remove_abandoned(parent: Path) -> None:
    for path in parent.glob(f"{_PREFIX}*"):
        with suppress(OSError):  # somebody else's, or gone meanwhile
            folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                state = os.fstat(folder)
                if state.st_uid != os.geteuid() or time.time() - state.st_mtime < _YOUNG:
                    continue
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(folder)
