"""What the database's server must have: a version, an encoding, extensions."""

import psycopg
from sqlalchemy import (
    Connection,
)
from sqlalchemy import text as sql_text
from sqlalchemy.exc import DBAPIError

from samsyn_model.errors import (
    DatabaseSetupError,
)

MINIMUM_POSTGRESQL = 150000

EXTENSIONS = ("postgis", "btree_gist", "pg_trgm")


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
