"""A database with features that gets a history: nothing is written anew, nothing is made up."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine

from samsyn_model.database.migrations import downgrade, upgrade
from samsyn_model.errors import NotFoundError
from samsyn_model.history.as_of import as_of
from tests.model.history.states import copy_now, states_as_of
from tests.model.scratch import scratch_database, scratch_engine
from tests.model.tables.features import add_layer, delete, insert, update

FILE = "SELECT pg_relation_filenode('layer_features'), (SELECT array_agg(ctid) FROM layer_features)"


@pytest.fixture
def database(server_url: str) -> Iterator[Engine]:
    """A database of the test's own, of before there was a history."""
    with scratch_database(server_url) as url, scratch_engine(url) as engine:
        upgrade(engine, "0016")
        yield engine


def test_what_was_there_before_is_known_as_it_was_then(database: Engine) -> None:
    with database.begin() as connection:
        layer = add_layer(connection)
        ids = insert(connection, layer, 20)
    with database.connect() as connection:
        stored = connection.exec_driver_sql(FILE).one()
    upgrade(database)
    with database.connect() as connection:
        assert connection.exec_driver_sql(FILE).one() == stored, "no row is written anew"
        with pytest.raises(NotFoundError):
            as_of(connection, layer, datetime.now(UTC) - timedelta(hours=1))
    copies = [copy_now(database, layer)]
    for number in range(5):
        with database.begin() as connection:
            update(connection, layer, ids[number : number + 3])
            delete(connection, layer, [ids[-1 - number]])
            insert(connection, layer)
        copies.append(copy_now(database, layer))
    for moment, copied in copies:
        assert states_as_of(database, layer, moment) == [copied] * 3
    with database.connect() as connection:
        assert as_of(connection, layer, copies[0][0]).feature_count == 20


def test_a_database_without_it_again_works_as_before(database: Engine) -> None:
    upgrade(database)
    with database.begin() as connection:
        layer = add_layer(connection)
        ids = insert(connection, layer, 5)
        update(connection, layer, ids)
    downgrade(database, "0016")
    with database.begin() as connection:
        update(connection, layer, ids)
        delete(connection, layer, ids[:1])
        insert(connection, layer, 2)
        counted = connection.exec_driver_sql("SELECT sum(feature_count) FROM layer_changes")
        assert counted.scalar_one() == 6
        connection.exec_driver_sql("DELETE FROM layers")
    upgrade(database)


def test_a_version_takes_about_as_much_as_a_row(database: Engine) -> None:
    """With its indexes; and what is inserted takes nothing more than before."""
    upgrade(database)

    def sizes() -> tuple[int, int]:
        size = "pg_total_relation_size('{}')"
        tables = ", ".join(size.format(name) for name in ("layer_features", "feature_versions"))
        with database.connect() as connection:
            features, versions = connection.exec_driver_sql(f"SELECT {tables}").one()
        return features, versions

    before = sizes()
    with database.begin() as connection:
        layer = add_layer(connection)
        ids = insert(connection, layer, 20_000)
    inserted = sizes()
    assert inserted[1] == before[1]
    with database.begin() as connection:
        update(connection, layer, ids)
    assert sizes()[1] - before[1] < 1.5 * (inserted[0] - before[0])
