"""A private PostgreSQL cluster: started by the first process that uses it, stopped by the last.

It listens on a Unix socket alone, in a folder that only its own system user (and root) may enter.
Every user holds a shared lock while it works; who cannot find another holder on leaving stops the
server. A process that is killed drops its lock, so that the next one to leave stops the server.
A server that dies is started again by the next that begins to use it, or by who keeps it running.
A process that wants to stop the server on SIGTERM turns the signal into SystemExit.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from samsyn_model.cluster.file_lock import FileLock
from samsyn_model.cluster.location import ELSEWHERE, ClusterError, Location, find_location
from samsyn_model.cluster.restarts import kept_running
from samsyn_model.cluster.server import ClusterServer
from samsyn_model.settings import CHECKOUT

__all__ = ["Cluster", "ClusterError", "private_cluster"]


@contextmanager
def private_cluster(home: Path | None = None, *, keeps_running: bool = False) -> Iterator[str]:
    """Yield the SQLAlchemy URL of the checkout's own database, whose server runs meanwhile.

    `home` is the folder of the cluster, by default `.samsyn` in the checkout. The database is
    made if it is missing, and the user is a superuser in it. If it `keeps_running`, a thread
    starts the server again should it die. Raises ClusterError.
    """
    with Cluster(home or CHECKOUT / ".samsyn").in_use(keeps_running=keeps_running) as url:
        yield url


@contextmanager
def _as_cluster_error(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = f"{error.filename or folder}: {error.strerror or error}"
        raise ClusterError(f"The private database cannot be used: {reason}.") from error


class Cluster:
    """The cluster of `home`; `patience` is how many seconds it may take to start or to stop."""

    def __init__(self, home: Path, *, elsewhere: Path = ELSEWHERE, patience: int = 120) -> None:
        self._home, self._elsewhere, self._patience = home, elsewhere, patience

    @contextmanager
    def in_use(self, *, keeps_running: bool = False) -> Iterator[str]:
        """Yield the database's URL, as `private_cluster`. Raises ClusterError."""
        with _as_cluster_error(self._home):
            location = find_location(self._home, self._elsewhere)
            users = location.lock("users")
        server = ClusterServer(location, self._patience)
        try:
            with _as_cluster_error(location.folder), location.lock("start"):
                users.share()
                server.ensure_running()
            with kept_running(location) if keeps_running else nullcontext():
                yield server.url.render_as_string()
        finally:
            with _as_cluster_error(location.folder):
                _leave(location, users, server)

    def remove(self) -> None:
        """Stop the server and delete the database. Raises ClusterError while it is in use."""
        with _as_cluster_error(self._home):
            location = find_location(self._home, self._elsewhere)
            with location.lock("start"):
                users = location.lock("users")
                if not users.take_alone():
                    raise ClusterError("The private database is in use: stop what uses it first.")
                ClusterServer(location, self._patience).stop()
                shutil.rmtree(location.folder)
                users.release()
            (self._home / "cluster").unlink(missing_ok=True)


def _leave(location: Location, users: FileLock, server: ClusterServer) -> None:
    if not users.is_open:  # a forked child: its parent is the user
        return
    with location.lock("start"):
        try:
            if users.take_alone():
                server.stop()
        finally:
            users.release()
