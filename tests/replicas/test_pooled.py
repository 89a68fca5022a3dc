"""A primary and a replica that are both behind a PgBouncer in transaction mode."""

from pathlib import Path

import pytest

from samsyn_admin.app import create_app
from samsyn_model.database.engine import open_engine
from samsyn_model.database.requirements import give_settings
from samsyn_model.settings import Settings
from tests.faults.database_server import DatabaseServer, wait_until
from tests.poolers.pgbouncer import NEWER, PACKAGED, pgbouncer
from tests.replicas.conftest import reads_of
from tests.replicas.people import Person, items_of, person
from tests.replicas.standby import Standby


@pytest.mark.parametrize("which", [PACKAGED, NEWER])
def test_writers_read_what_they_wrote_through_poolers(
    primary: DatabaseServer, standby: Standby, settings: Settings, tmp_path: Path, which: str
) -> None:
    folders = tmp_path / "primary", tmp_path / "replica"
    for folder in folders:
        folder.mkdir()
    direct = open_engine(primary.url)
    give_settings(direct, 30)
    direct.dispose()
    standby.catch_up()
    with (
        pgbouncer(which, primary.url, folders[0]) as pooled,
        pgbouncer(which, standby.plain_url, folders[1]) as pooled_replica,
    ):
        engine = open_engine(pooled, statement_timeout=30, pool_size=4, prepares=True)
        app = create_app(settings.model_copy(update={"read_database_url": pooled_replica}), engine)
        replica = reads_of(app).replica
        wait_until(lambda: replica.progress() is not None, 20, "the replica is read")
        owner = person(app, engine)
        layer = owner.layer(visibility="public")
        with standby.delayed(300):
            for count in range(1, 6):
                owner.insert(layer)
                for who in (owner, Person(app)):
                    found = who.done(who.get(items_of(layer))).json
                    assert found["numberMatched"] == count
        standby.catch_up()
        before = standby.mentions(layer)

        def is_read_there() -> bool:
            assert owner.get(items_of(layer)).status_code == 200
            return standby.mentions(layer) > before

        wait_until(is_read_there, 10, "the layer is read on the replica")
        replica.close()
        engine.dispose()
