"""A database with features and a history that gets a chain: all of it is sealed as it is."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, text

from samsyn_model.audit.sealing import seal_all
from samsyn_model.database.migrations import upgrade
from tests.model.audit.chain import ORDER, faults, rows, tally, tampering
from tests.model.scratch import scratch_database, scratch_engine
from tests.model.tables.features import add_layer, delete, insert, update


@pytest.fixture
def database(server_url: str) -> Iterator[Engine]:
    """A database of the test's own, of before there was a history."""
    with scratch_database(server_url) as url, scratch_engine(url) as engine:
        upgrade(engine, "0016")
        yield engine


def test_what_was_before_is_sealed(database: Engine) -> None:
    with database.begin() as connection:
        layers = [add_layer(connection) for _ in range(3)]
        ids = [insert(connection, layer, 4) for layer in layers]
    upgrade(database, "0018")
    with database.begin() as connection:
        update(connection, layers[0], ids[0][:2])
        delete(connection, layers[0], ids[0][2:3])
        connection.execute(text("DELETE FROM layers WHERE id = :layer"), {"layer": layers[1]})
    upgrade(database)
    numbers = [number for (number,) in rows(database, "SELECT id FROM change_sets ORDER BY id")]
    seal_all(database)
    assert rows(database, ORDER) == list(enumerate([0, *numbers], start=1))
    assert tally(database).states == 12 + 2
    (changed, gone), kept = (ids[0][0], ids[1][0]), ids[2][3]
    with tampering(database) as connection:
        for statement, feature in (
            ("UPDATE feature_versions SET version = 7 WHERE feature_id = :id", changed),
            ("DELETE FROM feature_versions WHERE feature_id = :id", gone),
            ("UPDATE layer_features SET version = 7 WHERE id = :id", kept),
        ):
            connection.execute(text(statement), {"id": feature})
    found = {line.partition(" (")[0] + line.rpartition(", ")[2] for line in faults(database)}
    assert found == {
        f"altered: state of a featurefeature {changed})",
        f"missing: state of a featurefeature {gone})",
        f"altered: state of a featurefeature {kept})",
    }
