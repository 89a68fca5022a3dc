"""The databases of a run, on a private server or on one that is passed."""

import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo
from sqlalchemy import URL, text

from bench.dataset import ATTRIBUTES
from samsyn_model.cluster.private_cluster import Cluster
from samsyn_model.database.engine import database_url, open_engine

TABLE = "polygons"
"""The plain table that the other servers serve: `id`, `geom`, and a column an attribute."""
_CHUNK = 2**20
_REPORTED_SETTINGS = (
    "server_version",
    "shared_buffers",
    "work_mem",
    "max_parallel_workers_per_gather",
    "fsync",
    "synchronous_commit",
    "jit",
)


@contextmanager
def database_server(server_url: str | None) -> Iterator[URL]:
    """Yield the URL of a database on this server, else on one that is started for the run."""
    if server_url:
        yield database_url(server_url)
        return
    home = Path(tempfile.mkdtemp(prefix="samsyn-bench-", dir="/var/tmp"))
    home.chmod(0o755)  # root lets another user run the server
    cluster = Cluster(home)
    try:
        with cluster.in_use() as url:
            yield database_url(url)
        cluster.remove()
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def scratch_database(server: URL, purpose: str) -> Iterator[URL]:
    """Create a database with PostGIS until the block ends; yield its URL."""
    name = f"samsyn_bench_{purpose}_{uuid.uuid4().hex[:8]}"
    engine = open_engine(written(server)).execution_options(isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f'CREATE DATABASE "{name}" TEMPLATE template0 ENCODING UTF8'))
    url = server.set(database=name)
    try:
        with session(url) as cursor:
            cursor.execute("CREATE EXTENSION postgis")
        yield url
    finally:
        with engine.connect() as connection:
            connection.execute(text(f'DROP DATABASE "{name}" WITH (FORCE)'))
        engine.dispose()


@contextmanager
def kept_database(
    server: URL, name: str, fill: Callable[[URL], None], *, removed: bool
) -> Iterator[URL]:
    """Yield the URL of the database of this name, which is made and filled if it is not there.

    It stays for the next run unless it is to be `removed`. One that was not filled to its end is
    made anew.
    """
    engine = open_engine(written(server)).execution_options(isolation_level="AUTOCOMMIT")
    begun = f"{name}_begun"
    try:
        with engine.connect() as connection:
            names = {row[0] for row in connection.execute(text("SELECT datname FROM pg_database"))}
            if name not in names:
                connection.execute(text(f'DROP DATABASE IF EXISTS "{begun}"'))
                connection.execute(
                    text(f'CREATE DATABASE "{begun}" TEMPLATE template0 ENCODING UTF8')
                )
                with session(server.set(database=begun)) as cursor:
                    cursor.execute("CREATE EXTENSION postgis")
                fill(server.set(database=begun))
                connection.execute(text(f'ALTER DATABASE "{begun}" RENAME TO "{name}"'))
        yield server.set(database=name)
    finally:
        if removed:
            with engine.connect() as connection:
                for left in (name, begun):
                    connection.execute(text(f'DROP DATABASE IF EXISTS "{left}" WITH (FORCE)'))
        engine.dispose()


def written(url: URL) -> str:
    """Return a URL as text with its password."""
    return url.render_as_string(hide_password=False)


def connection_values(url: URL) -> dict[str, str]:
    """Return those of `host`, `port`, `user`, `password` and `dbname` that a URL has.

    `host` may be the folder of a Unix socket.
    """
    values = {
        "host": url.host or url.query.get("host"),
        "port": url.port or url.query.get("port") or "5432",
        "user": url.username,
        "password": url.password,
        "dbname": url.database,
    }
    return {name: str(value) for name, value in values.items() if value}


def pg_environment(url: URL) -> dict[str, str]:
    """Return libpq's environment variables for a URL, with SamSyn's own session settings."""
    values = connection_values(url)
    names = {"dbname": "PGDATABASE"}
    return {names.get(name, f"PG{name.upper()}"): value for name, value in values.items()} | {
        "PGOPTIONS": "-c timezone=UTC -c jit=off -c search_path=public"
    }


@contextmanager
def session(url: URL) -> Iterator[psycopg.ClientCursor[Any]]:
    """Yield a cursor of an autocommit connection."""
    with psycopg.connect(make_conninfo(**connection_values(url)), autocommit=True) as connection:
        yield psycopg.ClientCursor(connection)


def fill_plain_table(source: URL, layer_id: str, target: URL, folder: Path) -> None:
    """Copy a layer's features into a plain table of another database, with indexes on
    key, geometry and category.

    Sessions there have PostgreSQL's own default of `jit`, which a private server turns off.
    """
    attributes = ", ".join(
        f"(properties ->> '{name}')::{kind}" for name, kind in ATTRIBUTES.items()
    )
    columns = ", ".join(f"{name} {kind}" for name, kind in ATTRIBUTES.items())
    with tempfile.TemporaryFile(dir=folder) as rows:
        with session(source) as cursor:
            query = cursor.mogrify(
                f"SELECT id::integer, geom, {attributes} FROM layer_features"
                " WHERE layer_id = %s ORDER BY id",
                (layer_id,),
            )
            with cursor.copy(f"COPY ({query}) TO STDOUT (FORMAT binary)") as received:
                rows.writelines(received)
        rows.seek(0)
        with session(target) as cursor:
            cursor.execute(
                f"CREATE TABLE {TABLE}"
                f" (id integer NOT NULL, geom geometry(Polygon, 4326), {columns})"
            )
            with cursor.copy(f"COPY {TABLE} FROM STDIN (FORMAT binary)") as sent:
                while content := rows.read(_CHUNK):
                    sent.write(content)
            cursor.execute(f"ALTER TABLE {TABLE} ADD PRIMARY KEY (id)")
            cursor.execute(f"CREATE INDEX ON {TABLE} USING gist (geom)")
            cursor.execute(f"CREATE INDEX ON {TABLE} (category, id)")
            cursor.execute(f'ALTER DATABASE "{target.database}" SET jit = on')
    vacuum(target)


def vacuum(url: URL) -> None:
    """Update the statistics of a database, and vacuum it so that nothing is left to autovacuum."""
    with session(url) as cursor:
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("CHECKPOINT")


def server_facts(url: URL) -> dict[str, str]:
    """Return the versions of PostgreSQL and PostGIS, and the relevant settings."""
    with session(url) as cursor:
        cursor.execute(
            "SELECT name, current_setting(name) FROM unnest(%s::text[]) AS name UNION ALL"
            " SELECT name, default_version FROM pg_available_extensions WHERE name = 'postgis'",
            (list(_REPORTED_SETTINGS),),
        )
        return dict(cursor.fetchall())
