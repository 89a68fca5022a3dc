"""Which revision is the newest, and whether a database is there."""

from alembic.script import ScriptDirectory
from sqlalchemy import Engine

from samsyn_model.database.migrations import downgrade, upgrade
from samsyn_model.database.revisions import is_newest, newest_revision
from samsyn_model.settings import CHECKOUT
from tests.model.scratch import scratch_database, scratch_engine


def test_the_newest_revision_is_alembics_head() -> None:
    assert newest_revision() == ScriptDirectory(str(CHECKOUT / "migrations")).get_current_head()


def test_a_database_that_was_migrated(engine: Engine) -> None:
    assert is_newest(engine)


def test_databases_that_are_behind(server_url: str) -> None:
    with scratch_database(server_url) as url, scratch_engine(url) as engine:
        assert not is_newest(engine)
        upgrade(engine)
        assert is_newest(engine)
        downgrade(engine, "-1")
        assert not is_newest(engine)
        downgrade(engine, "base")
        assert not is_newest(engine)
