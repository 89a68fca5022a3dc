"""Folders for what is made of a file while it is read."""

import shutil
import tempfile
import weakref
from pathlib import Path


class ScratchFolder:
    """A folder that is deleted with this object, at the latest at the end of the process."""

    def __init__(self, prefix: str) -> None:
        self.path = Path(tempfile.mkdtemp(prefix=prefix))
        self._finalizer = weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)
