"""How much of a file this process has read."""

import os
import stat
from contextlib import suppress
from pathlib import Path

_DESCRIPTORS = Path("/proc/self/fd")


def share_read(folder: Path) -> float | None:
    """Return how much of the largest file in a folder that is open has been read, from 0 to 1.

    None where none is open, or the system does not tell.
    """
    prefix, largest, share = f"{folder.resolve()}/", 0, None
    try:
        descriptors = [*os.scandir(_DESCRIPTORS)]
    except OSError:
        return None
    for entry in descriptors:
        with suppress(OSError):  # closed meanwhile
            if not os.readlink(entry.path).startswith(prefix):
                continue
            descriptor = int(entry.name)
            status = os.fstat(descriptor)
            if stat.S_ISREG(status.st_mode) and status.st_size > largest:
                largest = status.st_size
                share = min(1.0, os.lseek(descriptor, 0, os.SEEK_CUR) / largest)
    return share
