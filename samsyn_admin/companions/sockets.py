"""Unix sockets that companions listen on."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from samsyn_model.scratch import ScratchFolder


@contextmanager
def listening(
    prefix: str, backlog: int, kind: socket.SocketKind = socket.SOCK_STREAM
) -> Iterator[tuple[Path, int]]:
    """Yield the path and the descriptor of a listening socket, in a folder of this user alone.

    It is here from the start: who connects while the companion does not run waits until it does;
    `backlog` of them do.
    """
    folder = ScratchFolder(prefix)
    with socket.socket(socket.AF_UNIX, kind) as listener:
        path = folder.path / "socket"
        listener.bind(str(path))
        listener.listen(backlog)
        yield path, listener.fileno()
    folder.remove()
