"""Migrations: bring a database to the head revision, tell where it is, find drift."""

from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from geoalchemy2 import alembic_helpers
from sqlalchemy import Connection, Engine

from samsyn_model.database import require_postgis, translated_errors
from samsyn_model.settings import CHECKOUT
from samsyn_model.tables import Base

LOCK_TIMEOUT = "10s"
_ADVISORY_LOCK = 7_221_540_331


def drift_options() -> dict[str, Any]:
    """Return how Alembic compares the tables with the database."""
    return {
        "compare_type": True,
        "compare_server_default": True,
        "include_object": alembic_helpers.include_object,
        "process_revision_directives": alembic_helpers.writer,
        "render_item": alembic_helpers.render_item,
        "transaction_per_migration": False,
    }


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(CHECKOUT / "migrations"))
    config.attributes["connection"] = connection
    return config


def head_revision() -> str:
    """Return the newest revision that this code knows."""
    revision = ScriptDirectory.from_config(_config()).get_current_head()
    if revision is None:
        raise RuntimeError("the migrations have no single head")
    return revision


def current_revision(connection: Connection) -> str | None:
    """Return the revision that the database is at, None when it was never migrated."""
    return MigrationContext.configure(connection).get_current_revision()


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Bring the database to `revision`, in one transaction; a second caller waits for the first.

    A lock on a busy table is waited for ten seconds, so that a migration never queues up the
    whole server behind it. Raises DatabaseSetupError when PostGIS cannot be had.
    """
    _migrate(engine, command.upgrade, revision)


def downgrade(engine: Engine, revision: str) -> None:
    """Take the database back to `revision` (`base` for none), in one transaction."""
    _migrate(engine, command.downgrade, revision)


def _migrate(engine: Engine, direction: Any, revision: str) -> None:
    with translated_errors(), engine.begin() as connection:
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})")
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
        require_postgis(connection)
        direction(_config(connection), revision)


def drift(connection: Connection) -> list[Any]:
    """Return what differs between the tables in the code and those in the database."""
    context = MigrationContext.configure(
        connection, opts={**drift_options(), "target_metadata": Base.metadata}
    )
    return list(compare_metadata(context, Base.metadata))
