"""The database that the `samsyn` command works on."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine

from samsyn_model.cluster.address import database_address
from samsyn_model.database.engine import open_engine
from samsyn_model.database.revisions import current_revision, has_tables
from samsyn_model.database.transactions import reading
from samsyn_model.replicas.commits import note_commits
from samsyn_model.settings import get_settings


@contextmanager
def engine_of(url: str) -> Iterator[Engine]:
    """Yield an engine on a database, and close its connections at the end."""
    engine = open_engine(url)
    note_commits(engine, get_settings())
    try:
        yield engine
    finally:
        engine.dispose()


@contextmanager
def open_database() -> Iterator[Engine]:
    """Yield an engine on the database that commands work on."""
    with database_address() as url, engine_of(url) as engine:
        yield engine


def migrate(engine: Engine) -> None:
    """Upgrade a database that is before the newest revision; leave one of a later release as it
    is."""
    with reading(engine) as connection:
        current = current_revision(connection)
    if not has_tables(current):
        from samsyn_model.database import migrations  # noqa: PLC0415 - Alembic is slow to load

        migrations.upgrade(engine)
