"""The server process of a private cluster: its data directory, start, stop and URL."""

import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
from sqlalchemy import URL

from samsyn_model.cluster.installations import MINIMUM_POSTGIS, Installation, find_installations
from samsyn_model.cluster.location import ClusterError, Location, chown_from_root

_NAME = "samsyn"
_PORT = "5432"  # only part of the socket's name
_MIB = 1024**2
_LOG_LIMIT = 10 * _MIB


class ClusterServer:
    """The server of one location; `patience` is in seconds.

    Whoever calls a method but `is_running` holds the location's lock `start`.
    """

    def __init__(self, location: Location, patience: int) -> None:
        self._location, self._patience = location, patience

    @property
    def url(self) -> URL:
        """The address of the database, with a user who is a superuser."""
        return URL.create(
            "postgresql+psycopg",
            username=_NAME,
            database=_NAME,
            query={"host": str(self._location.socket_folder), "port": _PORT},
        )

    def ensure_running(self) -> None:
        """Start the server unless it runs; make the cluster and the database if missing.

        Raises ClusterError or OSError.
        """
        deadline = time.monotonic() + self._patience
        while reason := self._answer():
            if time.monotonic() > deadline:
                raise self._failure("The private database does not respond", 0, reason)
            if self._process() is None:
                self._start(deadline)
            time.sleep(0.1)

    def is_running(self) -> bool:
        """Return whether the server's first process is there, without which no session begins."""
        return self._process() is not None

    def stop(self) -> None:
        """Stop the server if it runs, disconnecting its clients. Raises ClusterError."""
        for how in (signal.SIGINT, signal.SIGQUIT):  # in order; at once
            deadline = time.monotonic() + self._patience
            while pid := self._process():
                with suppress(ProcessLookupError):
                    os.kill(pid, how)
                pause = time.monotonic() + 1
                while self._process() and time.monotonic() < pause:
                    time.sleep(0.02)
                if time.monotonic() > deadline:
                    break
            else:
                with suppress(OSError):
                    self._location.socket_folder.rmdir()
                return
        raise self._failure("The private database does not stop", 0)

    def _answer(self) -> str | None:
        """Return why no session can be had, None when one can; makes a missing database."""
        for database in (_NAME, "postgres"):
            try:
                connection = psycopg.connect(
                    host=str(self._location.socket_folder),
                    port=_PORT,
                    user=_NAME,
                    dbname=database,
                    connect_timeout=5,
                    autocommit=True,
                )
            except psycopg.OperationalError as error:
                reason = str(error)
                if f'database "{_NAME}" does not exist' not in reason:
                    return reason
                continue
            try:
                if database == _NAME:
                    return None
                connection.execute(f"CREATE DATABASE {_NAME} ENCODING 'UTF8' TEMPLATE template0")
            finally:
                connection.close()
        return "the database has just been made"

    def _process(self) -> int | None:
        """Return the server's process; None too when its file names a process of someone else."""
        with suppress(OSError, ValueError, IndexError):
            pid = int((self._location.data / "postmaster.pid").read_text().split()[0])
            if Path(f"/proc/{pid}/cwd").samefile(self._location.data):
                return pid
        return None

    def _end_orphans(self, deadline: float) -> None:
        """Kill what a killed server has left: a long statement would go on, and no new server
        start, or start beside it where `_clear_reused_number` removes the file."""
        while orphans := list(self._orphans()):
            for pid in orphans:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if time.monotonic() > deadline:
                raise self._failure("Processes of the private database do not end", 0)
            time.sleep(0.02)

    def _orphans(self) -> Iterator[int]:
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                is_ours = (folder / "cwd").samefile(self._location.data)
                if is_ours and (folder / "comm").read_text() == "postgres\n":
                    yield int(folder.name)

    def _clear_reused_number(self) -> None:
        # PostgreSQL refuses to start while any process has the number of a dead server, or where
        # a full disk left the file empty. Of a number that is free it judges better itself.
        file = self._location.data / "postmaster.pid"
        with suppress(FileNotFoundError):
            number = file.read_text().split("\n")[0].strip()
            if not number.isdigit() or Path(f"/proc/{number}").exists():
                file.unlink()

    def _start(self, deadline: float) -> None:
        installation = self._installation()
        if not self._location.data.is_dir():
            self._make_data(installation)
        self._end_orphans(deadline)
        self._clear_reused_number()
        self._location.make_socket_folder()
        for left_over in self._location.socket_folder.iterdir():
            left_over.unlink()
        log = self._location.log
        if log.exists() and log.stat().st_size > _LOG_LIMIT:
            log.replace(log.with_suffix(".log.old"))
        logged = log.stat().st_size if log.exists() else 0
        seconds = max(1, int(deadline - time.monotonic()))
        # Paths relative to the folder: pg_ctl hands them to a shell.
        command = ["pg_ctl", "start", "-w", "-t", str(seconds), "-D", "data", "-l", log.name]
        result = self._run(installation, [*command, "-o", shlex.join(self._options())])
        if result.returncode == 0:
            return
        if "still in use" in self._logged(logged) and time.monotonic() < deadline:
            return  # processes of a killed server are on their way out: try again
        raise self._failure("The private database does not start", logged, result.stderr)

    def _options(self) -> list[str]:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        settings = {
            "listen_addresses": "",
            "port": _PORT,
            "unix_socket_directories": str(self._location.socket_folder),
            "unix_socket_permissions": "0700",
            "cluster_name": _NAME,
            "shared_buffers": f"{max(32, min(1024, memory // _MIB // 8))}MB",
            "max_connections": "100",
            "max_wal_size": "2GB",
            "fsync": "on",
            "recovery_init_sync_method": "syncfs",  # a thousand files one by one take seconds
            "jit": "off",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "logging_collector": "off",
            "log_destination": "stderr",
            # the values of a statement are in its text: what users search for, by the page
            "log_min_error_statement": "panic",
        }
        return [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]

    def _installation(self) -> Installation:
        installations = find_installations()
        if not installations:
            postgis = ".".join(map(str, MINIMUM_POSTGIS))
            raise ClusterError(
                f"SamSyn needs PostgreSQL 15 or later with PostGIS {postgis} or later: install"
                " them (on Debian `apt install postgresql-15-postgis-3`, on newer systems with"
                " their number in place of 15), or set DATABASE_URL to a database elsewhere,"
                " such as the one that `docker compose up -d db` runs."
            )
        if not self._location.data.is_dir():
            return installations[0]
        major = int((self._location.data / "PG_VERSION").read_text())
        for installation in installations:
            if installation.major == major:
                return installation
        raise ClusterError(
            f"The private database in {self._location.data} was made by PostgreSQL {major}, but"
            f" only {', '.join(str(one.major) for one in installations)} is installed with"
            f" PostGIS: install postgresql-{major}-postgis-3, or delete the database with"
            " `make clean`."
        )

    def _make_data(self, installation: Installation) -> None:
        sys.stderr.write(
            f"samsyn: making a PostgreSQL {installation.major} database in {self._location.data}\n"
        )
        partial = self._location.data.with_name("data.partial")
        if partial.exists():
            shutil.rmtree(partial)
        partial.mkdir(mode=0o700)
        chown_from_root(partial, self._location.uid)
        command = ["initdb", "-D", partial.name, "--encoding=UTF8", "--locale=C.UTF-8"]
        result = self._run(installation, [*command, "--auth=trust", f"--username={_NAME}"])
        if result.returncode:
            raise self._failure("The private database cannot be made", None, result.stderr)
        partial.rename(self._location.data)

    def _run(
        self, installation: Installation, command: list[str]
    ) -> subprocess.CompletedProcess[str]:
        # No other variable is passed on: PGHOST and the like would mislead, secrets are not for it.
        environment = {
            name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ
        }
        return subprocess.run(  # noqa: S603 - a program of the installation, our arguments
            [installation.programs / command[0], *command[1:]],
            cwd=self._location.folder,
            env=environment | {"LC_ALL": "C", "TZ": "UTC"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            **self._location.as_server_user,
        )

    def _logged(self, since: int) -> str:
        """Return what the server logged from byte `since` on."""
        try:
            with self._location.log.open("rb") as log:
                log.seek(since)
                return log.read().decode(errors="replace")
        except OSError:
            return ""

    def _failure(self, what: str, logged: int | None, output: str = "") -> ClusterError:
        lines = output.splitlines() + ([] if logged is None else self._logged(logged).splitlines())
        free = shutil.disk_usage(self._location.folder).free // _MIB
        if free < 100:
            lines.append(f"only {free} MB are free on the disk of {self._location.folder}")
        where = "" if logged is None else f" (see {self._location.log})"
        return ClusterError("\n  ".join([f"{what}{where}:", *lines[-10:]]))
