"""Migrations: bring a database to the head revision, tell where it is, find drift."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from geoalchemy2 import alembic_helpers
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import SchemaItem

from samsyn_model.database.driver_errors import translated_errors
from samsyn_model.database.engine import database_url, open_engine
from samsyn_model.database.requirements import require_postgis
from samsyn_model.database.transactions import LOCK_TIMEOUT, set_in_transaction
from samsyn_model.errors import DatabaseSetupError
from samsyn_model.settings import CHECKOUT
from samsyn_model.tables.metadata import metadata

_ADVISORY_LOCK = 7_221_540_331

_DEFINITIONS = """
SELECT replace(replace(definition, 'public.', ''), %(schema)s || '.', '')
FROM (
    SELECT relnamespace, relname, concat_ws(' ', 'column', relname || '.' || attname,
        format_type(atttypid, atttypmod), CASE WHEN attnotnull THEN 'NOT NULL' END,
        CASE attidentity WHEN 'a' THEN 'IDENTITY ALWAYS' WHEN 'd' THEN 'IDENTITY' END,
        'DEFAULT ' || pg_get_expr(adbin, adrelid)) AS definition
    FROM pg_class
    JOIN pg_attribute ON attrelid = pg_class.oid AND attnum > 0 AND NOT attisdropped
    LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
    WHERE relkind IN ('r', 'p')
    UNION ALL
    SELECT relnamespace, relname, 'constraint ' || relname || '.' || conname || ' '
        || pg_get_constraintdef(pg_constraint.oid)
    FROM pg_constraint JOIN pg_class ON pg_class.oid = conrelid
    WHERE contype <> 't'
    UNION ALL
    SELECT relnamespace, relname, 'index ' || pg_get_indexdef(indexrelid)
    FROM pg_index JOIN pg_class ON pg_class.oid = indrelid
) AS tables
WHERE relnamespace = %(schema)s::regnamespace
    AND relname NOT IN ('alembic_version', 'spatial_ref_sys')
    AND NOT starts_with(relname, 'procrastinate_')
ORDER BY 1"""


def _is_ours(
    item: SchemaItem, name: str | None, kind: Any, reflected: bool, compared: SchemaItem | None
) -> bool:
    """Whether an object of the database is one of the tables here, not PostGIS's or the queue's."""
    if kind == "table" and (name or "").startswith("procrastinate_"):
        return False
    included = alembic_helpers.include_object(  # type: ignore[no-untyped-call]
        item, name, kind, reflected, compared
    )
    return bool(included)


def drift_options() -> dict[str, Any]:
    """Return how Alembic compares the tables with the database."""
    return {
        "compare_type": True,
        "compare_server_default": True,
        "include_object": _is_ours,
        "process_revision_directives": alembic_helpers.writer,
        "render_item": alembic_helpers.render_item,
        "transaction_per_migration": False,
    }


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(CHECKOUT / "migrations"))
    config.attributes["connection"] = connection
    return config


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Bring the database to `revision`, in one transaction; a second caller waits for the first.

    A lock on a busy table is waited for ten seconds, so that a migration never queues up the
    whole server behind it; then DatabaseUnavailableError is raised. Raises DatabaseSetupError when
    PostGIS or a right is missing, or when this code does not know a revision.
    """
    _migrate(engine, command.upgrade, revision)


def downgrade(engine: Engine, revision: str) -> None:
    """Take the database back to `revision` (`base` for none), in one transaction.

    Errors as `upgrade`.
    """
    _migrate(engine, command.downgrade, revision)


def _migrate(engine: Engine, direction: Any, revision: str) -> None:
    with translated_errors(), engine.begin() as connection:
        set_in_transaction(connection, statement_timeout="0")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})")
        set_in_transaction(connection, lock_timeout=LOCK_TIMEOUT)
        require_postgis(connection)
        try:
            direction(_config(connection), revision)
        except CommandError as error:
            raise DatabaseSetupError(f"The database cannot be migrated: {error}.") from error


def drift(connection: Connection) -> list[Any]:
    """Return what differs between the tables in the code and those in the database, a line each.

    `-` precedes a definition that the database lacks, `+` one that only the database has.
    Columns, defaults, constraints and indexes count, but not triggers. Runs inside the
    connection's transaction and leaves nothing behind; needs the right to create a schema.
    """
    found = _definitions(connection, "public")
    schema = f"samsyn_drift_{uuid.uuid4().hex}"
    # Alembic's own comparison passes over checks and predicates of indexes; PostgreSQL's spelling
    # of tables that were made from the code leaves nothing out.
    with connection.begin_nested() as savepoint:
        connection.exec_driver_sql(f"CREATE SCHEMA {schema}")
        connection.exec_driver_sql(f"SET LOCAL search_path = {schema}, public")
        metadata.create_all(connection, checkfirst=False)
        wanted = _definitions(connection, schema)
        savepoint.rollback()
    return [f"- {line}" for line in wanted if line not in found] + [
        f"+ {line}" for line in found if line not in wanted
    ]


def _definitions(connection: Connection, schema: str) -> list[str]:
    return list(connection.exec_driver_sql(_DEFINITIONS, {"schema": schema}).scalars())


def drift_of_fresh_database(url: str) -> list[Any]:
    """Return the drift of a database newly made by the migrations on the server at `url`.

    Raises DatabaseSetupError when the user may not create databases, else as `upgrade`.
    """
    with translated_errors(), _fresh_database(url) as engine:
        upgrade(engine)
        with engine.begin() as connection:
            return drift(connection)


@contextmanager
def _fresh_database(url: str) -> Iterator[Engine]:
    """Yield an engine on a database of our own, dropped at the end."""
    name = f"samsyn_drift_{uuid.uuid4().hex}"
    server = open_engine(url, pool_size=1).execution_options(isolation_level="AUTOCOMMIT")
    address = database_url(url).set(database=name).render_as_string(hide_password=False)
    engine = open_engine(address, pool_size=1)
    try:
        with server.connect() as connection:
            _create_database(connection, name)
        try:
            yield engine
        finally:
            engine.dispose()
            with server.connect() as connection:
                connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        server.dispose()


def _create_database(connection: Connection, name: str) -> None:
    try:
        connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
    except DBAPIError as error:
        if not isinstance(error.orig, psycopg.errors.InsufficientPrivilege):
            raise
        raise DatabaseSetupError(
            "The database's user may not create the database that this check works in: name one"
            " who may in DATABASE_URL, or let it with ALTER ROLE … CREATEDB."
        ) from error
