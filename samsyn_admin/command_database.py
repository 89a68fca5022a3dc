"""The database that the `samsyn` command works on."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine

from samsyn_model.cluster.private_cluster import private_cluster
from samsyn_model.database.engine import open_engine
from samsyn_model.database.revisions import is_newest
from samsyn_model.settings import get_settings


@contextmanager
def database_address(*, keeps_running: bool = False) -> Iterator[str]:
    """Yield the URL of the database that commands work on; a private cluster runs meanwhile.

    If it `keeps_running`, it is started again should it die.
    """
    configured_url = get_settings().database_url
    if configured_url:
        yield configured_url
    else:
        with private_cluster(keeps_running=keeps_running) as url:
            yield url


@contextmanager
def engine_of(url: str) -> Iterator[Engine]:
    """Yield an engine on a database, and close its connections at the end."""
    engine = open_engine(url)
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
    """Upgrade a database that is not at the newest revision."""
    if not is_newest(engine):
        from samsyn_model.database import migrations  # noqa: PLC0415 - Alembic is slow to load

        migrations.upgrade(engine)
