"""What the database's server must have: a version, an encoding, extensions; and, behind a pooler,
what its role must have."""

import psycopg
from sqlalchemy import (
    Connection,
    Engine,
)
from sqlalchemy import text as sql_text
from sqlalchemy.exc import DBAPIError

from samsyn_model.database.driver_errors import translated_errors
from samsyn_model.database.engine import open_engine, way_of
from samsyn_model.database.execution import run
from samsyn_model.database.pooling.session_settings import (
    EACH_ITS_PLAN,
    SELECT_SETTINGS,
    not_in_force,
    session_settings,
)
from samsyn_model.database.transactions import reading, writing
from samsyn_model.errors import (
    DatabaseSetupError,
)
from samsyn_model.settings import get_settings

MINIMUM_POSTGRESQL = 150000

EXTENSIONS = ("postgis", "btree_gist", "pg_trgm")

_ALTER_ROLE = """
SELECT format('ALTER ROLE SESSION_USER IN DATABASE %%I SET %%I = %%L',
    current_database(), name, value)
FROM unnest(%(names)s::text[], %(values)s::text[]) AS setting (name, value)"""


def require_postgis(connection: Connection) -> None:
    """Check the server and the database, and create the extensions that SamSyn needs.

    Raises DatabaseSetupError, naming what is missing and who can mend it.
    """
    version = connection.exec_driver_sql("SHOW server_version_num").scalar_one()
    if int(version) < MINIMUM_POSTGRESQL:
        raise DatabaseSetupError("SamSyn needs PostgreSQL 15 or later.")
    encoding = connection.exec_driver_sql("SHOW server_encoding").scalar_one()
    if encoding != "UTF8":
        raise DatabaseSetupError(
            f"The database's encoding is {encoding}; SamSyn needs one made with"
            " CREATE DATABASE … TEMPLATE template0 ENCODING 'UTF8'."
        )
    for extension in EXTENSIONS:
        try:
            connection.execute(sql_text(f"CREATE EXTENSION IF NOT EXISTS {extension}"))
        except DBAPIError as error:
            if isinstance(error.orig, psycopg.errors.InsufficientPrivilege):
                reason = (
                    "the database's user may not create it; a superuser can, with"
                    f" CREATE EXTENSION {extension}"
                )
            elif isinstance(
                error.orig,
                psycopg.errors.UndefinedFile | psycopg.errors.FeatureNotSupported,
            ):
                reason = "it is not installed on the database's server"
            else:
                raise
            raise DatabaseSetupError(
                f"The database lacks the extension {extension}: {reason}."
            ) from error


def settings_not_in_force(engine: Engine, statement_timeout: int) -> dict[str, tuple[str, str]]:
    """Return which settings new sessions of the role begin with that are not those of requests:
    by name, what they should be and are. `statement_timeout` is in seconds.

    A pooler has sessions that began before, for a while.
    """
    wanted = _role_settings(engine, statement_timeout)
    plain = open_engine(
        engine.url.render_as_string(hide_password=False), pool_size=1, sends_options=False
    )
    try:
        with reading(plain) as connection:
            rows = run(connection, SELECT_SETTINGS, {"names": [*wanted]})
            found = {row.name: row.setting for row in rows}
    finally:
        plain.dispose()
    return {name: (wanted[name], found[name]) for name in not_in_force(wanted, found)}


def _role_settings(engine: Engine, statement_timeout: int) -> dict[str, str]:
    """Return what sessions of the role should begin with, who connects by `engine`."""
    with reading(engine) as connection:  # the first one looks whether tables are distributed
        is_distributed = way_of(connection).is_distributed
    mode = EACH_ITS_PLAN if is_distributed else get_settings().plan_cache_mode
    return session_settings(statement_timeout, prepares=True, plan_cache_mode=mode)


def missing_settings(connection: Connection) -> list[str]:
    """Return the names of settings that are not in force on a connection through a pooler."""
    way = way_of(connection)
    if not way.is_pooled:
        return []
    wanted = way.wanted
    rows = run(connection, SELECT_SETTINGS, {"names": [*wanted]})
    return [*not_in_force(wanted, {row.name: row.setting for row in rows})]


def give_settings(engine: Engine, statement_timeout: int) -> None:
    """Let new sessions of the engine's role in its database begin with the settings of requests."""
    wanted = _role_settings(engine, statement_timeout)
    values = {"names": [*wanted], "values": [*wanted.values()]}
    with translated_errors(), writing(engine) as connection:
        for statement in run(connection, _ALTER_ROLE, values).scalars():
            connection.exec_driver_sql(statement)
