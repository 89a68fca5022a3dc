"""A server that dies while it is in use is started again."""

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from samsyn_model.cluster.location import ClusterError, Location
from samsyn_model.cluster.server import ClusterServer

LOGGER = logging.getLogger(__name__)

_INTERVAL = 0.25  # seconds between two looks
_PATIENCE = 20  # seconds that a start may take
_PAUSE = 5.0  # seconds after a start that has failed


@contextmanager
def kept_running(location: Location) -> Iterator[None]:
    """Start the server of a location again whenever it has died, by a thread of this process.

    Processes that share it take turns by the location's lock `start`. A forked child does nothing.
    """
    process = os.getpid()
    is_over = threading.Event()
    thread = threading.Thread(target=_watch, args=(location, is_over), daemon=True)
    thread.start()
    try:
        yield
    finally:
        if os.getpid() == process:
            is_over.set()
            thread.join()


def _watch(location: Location, is_over: threading.Event) -> None:
    server = ClusterServer(location, _PATIENCE)
    while not is_over.wait(_INTERVAL):
        if server.is_running():
            continue
        try:
            with location.lock("start"):
                if server.is_running() or is_over.is_set():
                    continue
                LOGGER.error("The private database has ended: it is started again.")
                server.ensure_running()
        except (ClusterError, OSError) as error:
            LOGGER.error("%s", error)
            is_over.wait(_PAUSE)
