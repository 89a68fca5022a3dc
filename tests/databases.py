"""Databases on the test server: copies of one that the migrations have made."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, text

from samsyn_model.database.engine import database_url, open_engine
from samsyn_model.database.migrations import upgrade

_RUN = os.environ.get("PYTEST_XDIST_TESTRUNUID") or uuid.uuid4().hex
"""The same in all processes of a run."""

_templates: dict[str, str] = {}


@contextmanager
def template_on(server_url: str) -> Iterator[None]:
    """Have `migrated_database` copy a database meanwhile: migrating one takes seconds.

    The processes of a run share it: the first makes it, the last drops it.
    """
    name = f"samsyn_template_{_RUN[:12]}"
    made, used = f"hashtext('{name} is made')", f"hashtext('{name} is used')"
    with _superuser(server_url) as connection:
        _select(connection, f"pg_advisory_lock({made})")
        _select(connection, f"pg_advisory_lock_shared({used})")
        if not _select(connection, f"count(*) FROM pg_database WHERE datname = '{name}'"):
            _make_template(connection, server_url, name)
        _select(connection, f"pg_advisory_unlock({made})")
        _templates[server_url] = name
        try:
            yield
        finally:
            del _templates[server_url]
            _select(connection, f"pg_advisory_lock({made})")
            _select(connection, f"pg_advisory_unlock_shared({used})")
            if _select(connection, f"pg_try_advisory_lock({used})"):
                connection.execute(text(f'DROP DATABASE "{name}" WITH (FORCE)'))


@contextmanager
def migrated_database(server_url: str, purpose: str = "test") -> Iterator[str]:
    """Make a database at head until the block ends; yield its URL."""
    name = f"samsyn_{purpose}_{uuid.uuid4().hex[:12]}"
    template = _templates.get(server_url)
    with _superuser(server_url) as connection:
        connection.execute(text(f'CREATE DATABASE "{name}" TEMPLATE {template or "template0"}'))
        # nothing here has to outlast a power cut: no commit waits for the disk
        connection.execute(text(f'ALTER DATABASE "{name}" SET synchronous_commit = off'))
    url = _address(server_url, name)
    try:
        if template is None:
            _migrate(url)
        yield url
    finally:
        with _superuser(server_url) as connection:
            connection.execute(text(f'DROP DATABASE "{name}" WITH (FORCE)'))


def _make_template(connection: Connection, server_url: str, name: str) -> None:
    """Make it under another name first: a process may be killed half-way."""
    connection.execute(text(f'DROP DATABASE IF EXISTS "{name}_partial" WITH (FORCE)'))
    connection.execute(text(f'CREATE DATABASE "{name}_partial" TEMPLATE template0'))
    _migrate(_address(server_url, f"{name}_partial"))
    connection.execute(text(f'ALTER DATABASE "{name}_partial" RENAME TO "{name}"'))


def _migrate(url: str) -> None:
    engine = open_engine(url, prepares=True)
    try:
        upgrade(engine)
    finally:
        engine.dispose()


def _address(server_url: str, database: str) -> str:
    return database_url(server_url).set(database=database).render_as_string(hide_password=False)


def _select(connection: Connection, what: str) -> object:
    return connection.execute(text(f"SELECT {what}")).scalar_one()


@contextmanager
def _superuser(server_url: str) -> Iterator[Connection]:
    server = open_engine(server_url, pool_size=1).execution_options(isolation_level="AUTOCOMMIT")
    try:
        with server.connect() as connection:
            yield connection
    finally:
        server.dispose()
