"""The raster tiler while it serves: little memory, few threads, behind other work."""

import logging
import os
import resource
import socket
import sys
import threading
import time
import warnings
from pathlib import Path

import uvicorn

from samsyn_admin.tiler.app import create_app
from samsyn_admin.tiler.opening import Rasters
from samsyn_admin.tiler.running import RunningRequests
from samsyn_model.log import write_log
from samsyn_model.settings import get_settings

LOGGER = logging.getLogger(__name__)

_NICENESS = 5  # vector requests go first
_MIB = 1024**2
_LOOK = 0.25  # seconds between two looks at the process
_LONGEST = 60.0  # seconds of a request, after which GDAL will not come to an end
_PAGE = os.sysconf("SC_PAGE_SIZE")
_STOP = 5  # seconds that requests have to end


def serve(listener: socket.socket) -> None:
    """Serve on a listening socket until stopped; GDAL's drivers have been chosen before."""
    settings = get_settings()
    secret = settings.titiler_secret
    if secret is None:
        sys.exit("TITILER_SECRET is not set: the tiler would draw for anybody.")
    write_log(settings.log_format, logging.WARNING, "%(levelname)s %(name)s: %(message)s")
    warnings.simplefilter("ignore")  # of rio-tiler, about rasters that it would rather not draw
    limit = settings.titiler_memory * _MIB
    # allocations fail, and with them a request, before the process has to end
    resource.setrlimit(resource.RLIMIT_DATA, (limit + limit // 4, limit + limit // 4))
    app = RunningRequests(create_app(Rasters(settings), secret.get_secret_value()))
    threading.Thread(target=_watch, args=(app, limit), daemon=True).start()
    config = uvicorn.Config(
        app,
        access_log=False,
        log_level="warning",
        lifespan="on",
        server_header=False,
        timeout_graceful_shutdown=_STOP,
    )
    os.nice(_NICENESS)  # not before: whoever asks waits for the start
    uvicorn.Server(config).run(sockets=[listener])


def _watch(app: RunningRequests, limit: int) -> None:
    while True:
        time.sleep(_LOOK)
        memory = _memory()
        if app.longest > _LONGEST or memory > limit:
            LOGGER.error(
                "The raster tiler ends: a request hangs, or it has %d MiB.", memory // _MIB
            )
            os._exit(1)


def _memory() -> int:
    """Return the bytes of memory that this process has for itself alone."""
    _, resident, shared = Path("/proc/self/statm").read_text().split()[:3]
    return (int(resident) - int(shared)) * _PAGE
