"""The companion that `samsyn serve` has beside it for streams of events, begun with the first."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from samsyn_admin.companions.companion import Program, beside
from samsyn_admin.companions.sockets import listening
from samsyn_model.settings import Settings

_BACKLOG = 4096  # connections that are kept while it starts, or all of its clients come back
_PAUSES = (0.2, 2.0)  # seconds: its clients are back within seconds


@contextmanager
def live_beside(url: str, settings: Settings) -> Iterator[Settings]:
    """Yield the settings with the socket of a companion on the database at `url`, where they name
    none: who is handed over while the companion does not run waits until it does."""
    if settings.live_socket is not None:
        yield settings
        return
    with listening("samsyn-live-", _BACKLOG, socket.SOCK_SEQPACKET) as (path, listener):
        program = Program(
            "The companion of events",
            "samsyn_admin.live.process",
            {"DATABASE_URL": url},
            listener,
            "live",
            _PAUSES,
        )
        with beside(program):
            yield settings.model_copy(update={"live_socket": str(path)})
