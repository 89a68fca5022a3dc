"""Whether the database is at the newest revision, without Alembic, which takes long to load."""

import re

from sqlalchemy import Engine

from samsyn_model.database import reading, run
from samsyn_model.errors import DatabaseSetupError
from samsyn_model.settings import CHECKOUT

_REVISION = re.compile(r'^(down_)?revision = "(\w+)"$', re.MULTILINE)
_FOUND = "SELECT version_num FROM alembic_version"


def newest_revision() -> str:
    """Return the revision of the migrations in the checkout that no other one builds on."""
    texts = (file.read_text() for file in (CHECKOUT / "migrations" / "versions").glob("*.py"))
    found = [match.groups() for text in texts for match in _REVISION.finditer(text)]
    built_on = {name for is_built_on, name in found if is_built_on}
    (newest,) = {name for _, name in found} - built_on
    return newest


def is_newest(engine: Engine) -> bool:
    """Return whether the database is at the newest revision; false where it has none."""
    try:
        with reading(engine) as connection:
            return run(connection, _FOUND).scalars() == [newest_revision()]
    except DatabaseSetupError:
        return False
