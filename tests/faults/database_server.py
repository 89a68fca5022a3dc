"""A PostgreSQL server of a test's own, whose processes can be stopped and killed."""

import os
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg
from sqlalchemy import make_url

from samsyn_model.cluster.private_cluster import Cluster
from samsyn_model.database.engine import open_engine
from samsyn_model.database.migrations import upgrade


@dataclass(frozen=True)
class DatabaseServer:
    """A private cluster: its home, and the URL of its database."""

    home: Path
    url: str

    @property
    def socket(self) -> Path:
        """The socket that the server listens on."""
        return Path(str(make_url(self.url).query["host"])) / ".s.PGSQL.5432"

    @property
    def postmaster(self) -> int:
        """The number of the server's first process."""
        return int((self.data / "postmaster.pid").read_text().split()[0])

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.home / "postgres/data"

    def over_tcp(self, port: int) -> str:
        """Return the URL of the database behind a proxy."""
        return f"postgresql://samsyn@127.0.0.1:{port}/samsyn?sslmode=disable"

    def processes(self) -> list[int]:
        """Return the numbers of all processes of the server."""
        numbers = []
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if (folder / "cwd").samefile(self.data):
                    numbers.append(int(folder.name))
        return numbers

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Stop all processes of the server while the block runs."""
        stopped: set[int] = set()
        while found := set(self.processes()) - stopped:  # others may have started meanwhile
            for number in found:
                with suppress(ProcessLookupError):
                    os.kill(number, signal.SIGSTOP)
            stopped |= found
        try:
            yield
        finally:
            for number in stopped:
                with suppress(ProcessLookupError):
                    os.kill(number, signal.SIGCONT)

    def sessions(self) -> int:
        """Return how many sessions SamSyn has, once those of clients that are gone have ended."""
        question = (
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE application_name = 'samsyn' AND pid <> pg_backend_pid()"
        )
        with psycopg.connect(self.plain_url, autocommit=True) as connection:
            row = connection.execute(question).fetchone()
        return int(row[0]) if row else 0

    @property
    def plain_url(self) -> str:
        """The URL as psycopg reads it."""
        return self.url.replace("postgresql+psycopg://", "postgresql://")


@contextmanager
def database_server(
    place: Path | None = None, *, keeps_running: bool = False
) -> Iterator[DatabaseServer]:
    """Run a new server with a migrated database until the block ends, in a folder of `place`.

    If it `keeps_running`, it is started again when it dies.
    """
    with tempfile.TemporaryDirectory(prefix="samsyn-test-faults-", dir=place) as folder:
        Path(folder).chmod(0o755)  # the server's user is another one
        home = Path(folder) / ".samsyn"
        try:
            with Cluster(home).in_use(keeps_running=keeps_running) as url:
                engine = open_engine(url)
                upgrade(engine)
                engine.dispose()
                yield DatabaseServer(home, url)
        finally:
            Cluster(home).remove()


def slack() -> float:
    """Return how many times a time limit is to be taken, of up to four: other processes of a busy
    machine wait for its cores too."""
    return min(4.0, max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1)))


def wait_until(reached: object, seconds: float, what: str) -> float:
    """Wait until a function returns something true; return how long that took.

    Raises AssertionError after so many seconds.
    """
    assert callable(reached)
    start = time.monotonic()
    while not reached():
        assert time.monotonic() - start < seconds, f"not within {seconds} s: {what}"
        time.sleep(0.05)
    return time.monotonic() - start
