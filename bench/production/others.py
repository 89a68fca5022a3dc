"""What of the arrangement is not SamSyn itself: PostgreSQL, Redis, PgBouncer, nginx."""

import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from sqlalchemy import URL

from bench.databases import session
from bench.production.poolers import NEWER, pooler_command
from bench.production.programs import (
    DATABASE_USER,
    Program,
    find_program,
    give_to_database_user,
    listens,
)
from bench.production.shipped import Site, write_nginx, write_pgbouncer
from samsyn_model.cluster.installations import find_installations

if TYPE_CHECKING:
    from bench.production.arrangement import Arrangement

_OTHER_STOP_SECONDS = 30


def _program(  # noqa: PLR0913 - those of a program
    arrangement: "Arrangement",
    name: str,
    command: Sequence[object],
    folder: Path,
    *,
    stop: int = signal.SIGTERM,
    is_dropped: bool = False,
) -> Program:
    """Return a program that is not of the image, or belongs to no service."""
    program = Program(
        name,
        [str(word) for word in command],
        arrangement.environment(name if name in arrangement.services else "db"),
        folder,
        arrangement.folder / "logs" / name,
        arrangement.services[name].stop_seconds
        if name in arrangement.services
        else _OTHER_STOP_SECONDS,
        stop,
        is_dropped,
    )
    arrangement.programs[name] = program
    return program


def start_database(arrangement: "Arrangement") -> None:
    """Make a cluster and the database, as the image of PostGIS does, and start it."""
    programs = find_installations()[0].programs
    folder, port = arrangement.folder / "db", arrangement.ports["db"]
    first = folder / "password"
    first.write_text(arrangement.password)
    for owned in (folder, arrangement.folder / "backups" / "wal", first):
        give_to_database_user(owned)
    words = ["-D", "data", "-U", "samsyn", f"--pwfile={first}", "--auth=scram-sha-256"]
    made = _program(arrangement, "initdb", [programs / "initdb", *words], folder, is_dropped=True)
    made.start(lambda: made.process is not None and made.process.wait() == 0)
    del arrangement.programs["initdb"]  # it has ended
    program, *shipped = (arrangement.here(word) for word in arrangement.services["db"].command)
    options = ["-h", "127.0.0.1", "-p", str(port), "-k", ""]
    command = [programs / program, "-D", "data", *shipped, *options]
    maintenance = arrangement.database.set(database="postgres")
    _program(arrangement, "db", command, folder, stop=signal.SIGINT, is_dropped=True).start(
        lambda: _is_answered(maintenance)
    )
    with session(maintenance) as cursor:
        cursor.execute("CREATE DATABASE samsyn TEMPLATE template0 ENCODING UTF8")
    with session(arrangement.database) as cursor:
        cursor.execute("CREATE EXTENSION postgis")  # as the image of PostGIS does


def start_redis(arrangement: "Arrangement") -> None:
    """Start Redis."""
    port = arrangement.ports["redis"]
    program, *words = arrangement.services["redis"].command
    own = ["--bind", "127.0.0.1", "--port", str(port), "--dir", str(arrangement.folder / "tmp")]
    redis = _program(
        arrangement, "redis", [find_program(program), *words, *own], arrangement.folder
    )
    redis.start(lambda: listens("127.0.0.1", port))


def start_pooler(arrangement: "Arrangement") -> None:
    """Start PgBouncer, as it is shipped, in front of the database."""
    folder, which = arrangement.folder / "pooler", arrangement.wishes.pooler
    file = write_pgbouncer(
        folder,
        port=arrangement.ports["pooler"],
        database=f"host=127.0.0.1 port={arrangement.ports['db']}",
        password=arrangement.password,
        keeps_prepared=which == NEWER,
    )
    give_to_database_user(folder / "userlist.txt")
    user = ["-u", DATABASE_USER] if os.geteuid() == 0 else []
    pooler = _program(arrangement, "pooler", [*pooler_command(which), *user, file], folder)
    pooler.start(lambda: _is_answered(arrangement.database_at("pooler")))


def start_nginx(arrangement: "Arrangement") -> None:
    """Start nginx, as it is shipped, in front of all instances of the server."""
    port, pages = arrangement.ports["nginx"], arrangement.wishes.frontend
    site = Site(
        port,
        arrangement.ports["plain"],
        f"http://app:{arrangement.ports['app']}",
        arrangement.folder / "fullchain.pem",
        arrangement.folder / "privkey.pem",
        pages(arrangement.url) if pages else arrangement.folder / "no-pages",
        resolver=f"127.0.0.1:{arrangement.ports['names']}",
        clerk=arrangement.wishes.clerk,
    )
    file = write_nginx(site, arrangement.folder / "nginx")
    program, *words = arrangement.services["nginx"].command
    here = [str(file) if word.endswith("nginx.conf") else word for word in words]
    if os.geteuid() == 0:  # the image has a user of its own
        here = [f"{word} user root;" if word == "daemon off;" else word for word in here]
    command = [find_program(program), "-p", file.parent, "-e", "stderr", *here]
    _program(arrangement, "nginx", command, file.parent).start(lambda: listens("127.0.0.1", port))


def _is_answered(url: URL) -> bool:
    with suppress(psycopg.OperationalError), session(url) as cursor:
        cursor.execute("SELECT 1")
        return True
    return False
