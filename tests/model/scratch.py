"""Databases and roles of a test's own on the test server."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine

from samsyn_model.database.engine import database_url, open_engine


@contextmanager
def superuser(server_url: str) -> Iterator[Connection]:
    """Yield a connection to the server in which every statement is a transaction of its own."""
    engine = open_engine(server_url, pool_size=1)
    with engine.connect() as connection:
        yield connection.execution_options(isolation_level="AUTOCOMMIT")
    engine.dispose()


def address(server_url: str, **parts: str) -> str:
    """Return the server's URL with another `database`, `username` or `password`."""
    return database_url(server_url).set(**parts).render_as_string(hide_password=False)


@contextmanager
def scratch_database(server_url: str, options: str = "") -> Iterator[str]:
    """Make an empty database with these options of CREATE DATABASE; yield its URL, drop it."""
    name = f"samsyn_test_{uuid.uuid4().hex}"
    with superuser(server_url) as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE template0 {options}")
    try:
        yield address(server_url, database=name)
    finally:
        with superuser(server_url) as connection:
            connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def scratch_engine(url: str) -> Iterator[Engine]:
    """Yield an engine on the database at `url`, disposed of at the end."""
    engine = open_engine(url)
    try:
        yield engine
    finally:
        engine.dispose()


@contextmanager
def scratch_role(server_url: str, options: str = "LOGIN") -> Iterator[str]:
    """Make a role with these options; yield its name, which is its password too; drop it."""
    name = f"samsyn_test_{uuid.uuid4().hex}"
    with superuser(server_url) as connection:
        connection.exec_driver_sql(f"CREATE ROLE {name} PASSWORD '{name}' {options}")
    try:
        yield name
    finally:
        with superuser(server_url) as connection:
            connection.exec_driver_sql(f"DROP ROLE {name}")
