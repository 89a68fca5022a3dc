"""What a process does that runs beside a server: it ends with it."""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def end_with_server() -> None:
    """Have this process end with the server that began it, whose process is SAMSYN_SERVER."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != int(os.environ["SAMSYN_SERVER"]):
        sys.exit(1)
