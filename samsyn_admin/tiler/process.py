"""The process of the raster tiler: few drivers, little memory, few threads, behind other work."""

import logging
import os
import resource
import socket
import sys
import threading
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from samsyn_admin.companions.tied import end_with_server
from samsyn_admin.tiler.gdal import leave_drivers
from samsyn_model.settings import Settings, get_settings

if TYPE_CHECKING:
    from samsyn_admin.tiler.app import RunningRequests

LOGGER = logging.getLogger(__name__)

_NICENESS = 5  # vector requests go first
_LISTENER = 3  # the file that a server passes on
_MIB = 1024**2
_LOOK = 0.25  # seconds between two looks at the process
_LONGEST = 60.0  # seconds of a request, after which GDAL will not come to an end
_PAGE = os.sysconf("SC_PAGE_SIZE")
_STOP = 5  # seconds that requests have to end


def main() -> None:
    """Serve on the listening socket of a `samsyn serve`, or at a host and a port that are named.

    Secret: TITILER_SECRET. Ends where it has taken too much memory, or a request hangs: whoever
    began it begins it again.
    """
    settings = get_settings()
    if "SAMSYN_SERVER" in os.environ:
        end_with_server()
    leave_drivers()
    os.nice(_NICENESS)
    limit = settings.titiler_memory * _MIB
    # allocations fail, and with them a request, before the process has to end
    resource.setrlimit(resource.RLIMIT_DATA, (limit + limit // 4, limit + limit // 4))
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    if len(sys.argv) > 2:
        listener = socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=128)
    else:
        listener = socket.socket(fileno=_LISTENER)
    _serve(listener, settings, limit)


def _serve(listener: socket.socket, settings: Settings, limit: int) -> None:
    warnings.simplefilter("ignore")  # of rio-tiler, about rasters that it would rather not draw
    # GDAL's drivers are chosen before it is loaded
    import uvicorn  # noqa: PLC0415

    from samsyn_admin.tiler.app import RunningRequests, create_app  # noqa: PLC0415
    from samsyn_admin.tiler.opening import Rasters  # noqa: PLC0415

    secret = settings.titiler_secret
    if secret is None:
        sys.exit("TITILER_SECRET is not set: the tiler would draw for anybody.")
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
    uvicorn.Server(config).run(sockets=[listener])


def _watch(app: "RunningRequests", limit: int) -> None:
    while True:
        time.sleep(_LOOK)
        if app.longest > _LONGEST or _memory() > limit:
            LOGGER.error(
                "The raster tiler ends: a request hangs, or it has %d MiB.", _memory() // _MIB
            )
            os._exit(1)


def _memory() -> int:
    """Return the bytes of memory that this process has for itself alone."""
    _, resident, shared = Path("/proc/self/statm").read_text().split()[:3]
    return (int(resident) - int(shared)) * _PAGE


if __name__ == "__main__":
    main()
