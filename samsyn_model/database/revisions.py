"""Which revision the database is at, without Alembic, which takes long to load."""

import re
from functools import cache

import psycopg
from sqlalchemy import Connection, Engine

from samsyn_model.database.execution import run
from samsyn_model.database.transactions import reading
from samsyn_model.errors import DatabaseSetupError
from samsyn_model.settings import CHECKOUT

_REVISION = re.compile(r'^(down_)?revision = "(\w+)"$', re.MULTILINE)
_SELECT_REVISION = "SELECT version_num FROM alembic_version"


@cache
def newest_revision() -> str:
    """Return the revision of the migrations in the checkout that no other one builds on."""
    texts = (file.read_text() for file in (CHECKOUT / "migrations" / "versions").glob("*.py"))
    matches = [match.groups() for text in texts for match in _REVISION.finditer(text)]
    built_on = {name for is_built_on, name in matches if is_built_on}
    (newest,) = {name for _, name in matches} - built_on
    return newest


def current_revision(connection: Connection) -> str | None:
    """Return the revision that the database is at, None when it was never migrated."""
    try:
        return run(connection, _SELECT_REVISION).scalar()  # type: ignore[no-any-return]
    except DatabaseSetupError as error:
        if isinstance(error.__cause__, psycopg.errors.UndefinedTable):
            return None
        raise


def is_later(revision: str | None) -> bool:
    """Return whether a revision is one of a later release: revisions are numbers, in their order.

    The tables of the next release serve this one too, until it is replaced.
    """
    head = newest_revision()
    return revision is not None and revision.isdecimal() and int(revision) > int(head)


def has_tables(revision: str | None) -> bool:
    """Return whether a database at a revision serves this release: by its own tables, or later
    ones."""
    return revision == newest_revision() or is_later(revision)


def is_newest(engine: Engine) -> bool:
    """Return whether the database is at the newest revision; false where it has none."""
    with reading(engine) as connection:
        return current_revision(connection) == newest_revision()
