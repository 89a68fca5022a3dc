"""The process of the raster tiler, as it begins: without most of GDAL's drivers."""

import os
import socket
import sys

from samsyn_admin.companions.tied import end_with_server
from samsyn_admin.tiler.gdal import leave_drivers

_LISTENER = 3  # the file that a server passes on


def main() -> None:
    """Serve on the listening socket of a `samsyn serve`, or at a host and a port that are named.

    Secret: TITILER_SECRET. Ends where it has taken too much memory, or a request hangs: whoever
    began it begins it again.
    """
    if "SAMSYN_SERVER" in os.environ:
        end_with_server()
    leave_drivers()  # begins the process anew: nothing else is loaded before
    from samsyn_admin.tiler.serving import serve  # noqa: PLC0415

    if len(sys.argv) > 2:
        serve(socket.create_server((sys.argv[1], int(sys.argv[2])), backlog=128))
    else:
        serve(socket.socket(fileno=_LISTENER))


if __name__ == "__main__":
    main()
