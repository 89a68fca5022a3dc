"""PgBouncer in front of a test's database: Debian 12's, which knows no prepared statements, and
Debian 13's, which scripts/build-pgbouncer-root unpacks."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import URL

from bench.processes import StartError
from bench.production.poolers import NEWER, PACKAGED, pooler_command
from samsyn_model.database.engine import database_url
from tests.clients.samsyn_server import free_port

__all__ = ["NEWER", "PACKAGED", "command_of", "pgbouncer"]

START_SECONDS = 20
_CONFIGURATION = """
[databases]
{database} = {target}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = {mode}
default_pool_size = {size}
max_client_conn = 400
max_db_connections = 50
query_wait_timeout = 30
log_connections = 0
log_disconnections = 0
{more}
"""


def command_of(which: str) -> list[str]:
    """Return the command that starts a PgBouncer; the test is skipped where there is none."""
    try:
        return pooler_command(which)
    except StartError as error:
        pytest.skip(str(error))


@contextmanager
def pgbouncer(
    which: str,
    url: str,
    folder: Path,
    *,
    mode: str = "transaction",
    size: int = 6,
    ignores_options: bool = True,
) -> Iterator[str]:
    """Run a PgBouncer in front of the database at `url` until the block ends; yield its URL.

    It passes no start-up options on: it drops them where it `ignores_options`, else it refuses
    clients that send them.
    """
    command = command_of(which)
    address = database_url(url)
    more = ["ignore_startup_parameters = options"] if ignores_options else []
    if which == NEWER:
        more.append("max_prepared_statements = 200")
    port = free_port()
    configuration = folder / "pgbouncer.ini"
    configuration.write_text(
        _CONFIGURATION.format(
            database=address.database,
            target=_target(address),
            port=port,
            mode=mode,
            size=size,
            more="\n".join(more),
        )
    )
    user = [] if os.getuid() else ["-u", _owner(address)]
    log = folder / "pgbouncer.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, *user, str(configuration)], stdout=output, stderr=subprocess.STDOUT
        )
    pooled = address.set(host="127.0.0.1", port=port, query={}, username="x", password=None)
    try:
        _wait_for(pooled, process, log)
        yield pooled.render_as_string(hide_password=False)
    finally:
        process.terminate()
        process.wait()


def _target(address: URL) -> str:
    host = address.host or address.query.get("host") or ""
    port = address.port or address.query.get("port") or 5432
    parts = {
        "host": host,
        "port": port,
        "dbname": address.database,
        "user": address.username,
        "password": address.password,
    }
    return " ".join(f"{name}={value}" for name, value in parts.items() if value)


def _owner(address: URL) -> str:
    """Return as whom it runs: PgBouncer does not as root, and only this user may enter the folder
    of the server's socket."""
    folder = Path(str(address.query.get("host") or address.host or ""))
    return folder.owner() if folder.is_absolute() and folder.is_dir() else "nobody"


def _wait_for(pooled: URL, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    conninfo = pooled.set(drivername="postgresql").render_as_string(hide_password=False)
    while time.monotonic() < deadline and process.poll() is None:
        try:
            psycopg.connect(conninfo, connect_timeout=5).close()
        except psycopg.OperationalError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"PgBouncer does not start:\n{log.read_text()}")
