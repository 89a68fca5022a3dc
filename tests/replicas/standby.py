"""A replica of a test's PostgreSQL server, by streaming replication."""

import shlex
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import make_url

from samsyn_model.cluster.installations import find_installations
from samsyn_model.cluster.location import Location, chown_from_root
from tests.faults.database_server import DatabaseServer, wait_until

_SETTINGS = {
    "listen_addresses": "",
    "port": "5432",  # only part of the socket's name
    "hot_standby": "on",
    "max_standby_streaming_delay": "200ms",
    "wal_receiver_status_interval": "1s",
    "wal_retrieve_retry_interval": "100ms",
    "log_statement": "all",
}


class Standby:
    """A replica that follows a server, in a folder of its own."""

    def __init__(self, primary: DatabaseServer, folder: Path) -> None:
        self._primary = primary
        self._uid = primary.data.stat().st_uid
        self.folder = folder
        self.data = folder / "postgres" / "data"
        self._programs = find_installations()[0].programs

    @property
    def plain_url(self) -> str:
        """The URL of its database, as psycopg reads it."""
        return f"postgresql://samsyn@/samsyn?host={self.folder}&port=5432"

    def make(self) -> None:
        """Copy the primary's data, to follow it from there."""
        self.data.parent.mkdir(exist_ok=True)
        for folder in (self.folder, self.data.parent):
            chown_from_root(folder, self._uid)
        host = str(make_url(self._primary.url).query["host"])
        options = ["-h", host, "-p", "5432", "-U", "samsyn", "-R", "-X", "stream", "-c", "fast"]
        self._run("pg_basebackup", "-D", str(self.data), *options)

    def start(self) -> None:
        """Start it, and wait until it can be read."""
        settings = {**_SETTINGS, "unix_socket_directories": str(self.folder)}
        words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        log = str(self.folder / "server.log")
        command = ["start", "-w", "-D", str(self.data), "-l", log, "-o", shlex.join(words)]
        self._run("pg_ctl", *command)
        wait_until(self._answers, 20, "the replica can be read")

    def stop(self, how: str = "immediate") -> None:
        """Stop it as pg_ctl does, if it runs."""
        if (self.data / "postmaster.pid").exists():
            self._run("pg_ctl", "stop", "-w", "-D", str(self.data), "-m", how)

    def promote(self) -> None:
        """Let it be a primary of its own."""
        self._run("pg_ctl", "promote", "-w", "-D", str(self.data))

    def make_again(self) -> None:
        """Make another one in its place."""
        shutil.rmtree(self.data)
        self.make()
        self.start()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Stop all of its processes while the block runs."""
        with DatabaseServer(self.folder, self.plain_url).frozen():
            yield

    def ask(self, statement: str) -> Any:
        """Return the first value of a statement's result."""
        with self._connection() as own:
            row = _execute(own, statement).fetchone()
        return None if row is None else row[0]

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Replay nothing while the block runs."""
        self.ask("SELECT pg_wal_replay_pause()")
        wait_until(
            lambda: self.ask("SELECT pg_get_wal_replay_pause_state()") == "paused", 10, "paused"
        )
        try:
            yield
        finally:
            self.resume()

    def resume(self) -> None:
        """Go on with the replay."""
        self.ask("SELECT pg_wal_replay_resume()")

    @contextmanager
    def delayed(self, milliseconds: int) -> Iterator[None]:
        """Replay each commit only so long after it was done, while the block runs."""
        self._set_delay(milliseconds)
        try:
            yield
        finally:
            self._set_delay(0)

    def catch_up(self) -> None:
        """Wait until it has all that the primary has."""
        with psycopg.connect(self._primary.plain_url, autocommit=True) as primary:
            row = primary.execute("SELECT pg_current_wal_lsn()").fetchone()
        assert row
        reached = f"SELECT pg_last_wal_replay_lsn() >= '{row[0]}'"
        wait_until(lambda: self.ask(reached), 20, "the replica catches up")

    def mentions(self, text: object) -> int:
        """Return how often a text is in what it was asked; of an id also its digits alone."""
        log = (self.folder / "server.log").read_text(errors="replace")
        return log.count(str(text)) + log.count(str(text).replace("-", ""))

    def _set_delay(self, milliseconds: int) -> None:
        with self._connection() as own:
            _execute(own, f"ALTER SYSTEM SET recovery_min_apply_delay = {milliseconds}")
            _execute(own, "SELECT pg_reload_conf()")

    def _connection(self) -> psycopg.Connection[Any]:
        return psycopg.connect(self.plain_url, autocommit=True, application_name="test")

    def _answers(self) -> bool:
        try:
            return bool(self.ask("SELECT pg_is_in_recovery()"))
        except psycopg.OperationalError:
            time.sleep(0.05)
            return False

    def _run(self, program: str, *arguments: str) -> None:
        location = Location(self.folder, self._uid)
        done = subprocess.run(
            [self._programs / program, *arguments],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            **location.as_server_user,
        )
        assert done.returncode == 0, f"{program}: {done.stderr}"


def _execute(connection: psycopg.Connection[Any], statement: str) -> psycopg.Cursor[Any]:
    """Execute a statement, once more where it stood in the way of the replay."""
    try:
        return connection.execute(statement.encode())
    except psycopg.errors.SerializationFailure:
        return connection.execute(statement.encode())
