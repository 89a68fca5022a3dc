"""Triggers on a shard: they write to the shards beside theirs, and cannot look a layer up.

A shard is a table; which shards have the same layers is in a catalogue of Citus, made here.
"""

import uuid

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from samsyn_model.sharding.tables import DISTRIBUTED_TABLES
from tests.model.tables.features import add_layer

_FIRST = 102008
_TRIGGERS = f"""
SELECT replace(pg_get_triggerdef(oid), ' ON public.layer_features ', ' ON layer_features_{_FIRST} ')
FROM pg_trigger WHERE tgrelid = 'layer_features'::regclass AND NOT tgisinternal"""


@pytest.fixture
def shards(connection: Connection) -> Connection:
    """A connection to a database with a shard of each table, rolled back at the end."""
    connection.exec_driver_sql(
        "CREATE TABLE pg_dist_shard (logicalrelid regclass, shardid bigint, shardminvalue text)"
    )
    for number, table in enumerate(DISTRIBUTED_TABLES):
        shard = _FIRST + 32 * number
        connection.exec_driver_sql(f"CREATE TABLE {table}_{shard} (LIKE {table} INCLUDING ALL)")
        connection.exec_driver_sql(
            "INSERT INTO pg_dist_shard"
            f" VALUES ('{table}', {shard}, '0'), ('{table}', {number}, '1')"
        )
    for (trigger,) in connection.exec_driver_sql(_TRIGGERS, {}).all():
        connection.exec_driver_sql(trigger.replace("%", "%%"))
    return connection


def rows(connection: Connection, table: str, columns: str) -> list[tuple[object, ...]]:
    """Return what the shard of a table has; the table itself has nothing."""
    shard = f"{table}_{_FIRST + 32 * DISTRIBUTED_TABLES.index(table)}"
    assert connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one() == 0
    found = connection.exec_driver_sql(f"SELECT {columns} FROM {shard} ORDER BY {columns}")
    return [tuple(row) for row in found]


def write(connection: Connection, layer: uuid.UUID, statement: str) -> None:
    connection.execute(
        text(statement.replace("features", f"layer_features_{_FIRST}")), {"l": layer}
    )


INSERT = "INSERT INTO features (layer_id, properties) VALUES (:l, '{\"rank\": 1}')"


def test_what_is_written_is_beside(shards: Connection) -> None:
    layer = add_layer(shards)
    shards.execute(
        text("UPDATE layers SET indexed_properties = '{rank}' WHERE id = :l"), {"l": layer}
    )
    shards.execute(text("SELECT begin_writing(:l)"), {"l": layer})
    write(shards, layer, INSERT)
    assert rows(shards, "property_values", "property, number") == [("rank", 1.0)]
    assert rows(shards, "layer_changes", "feature_count, changes") == [(1, 1)]
    # as another transaction would find it
    write(shards, layer, "UPDATE features SET change_set = 0 WHERE layer_id = :l")
    shards.exec_driver_sql(
        f"ALTER TABLE layer_features_{_FIRST} DISABLE TRIGGER USER;"
        f" UPDATE layer_features_{_FIRST} SET change_set = NULL;"
        f" ALTER TABLE layer_features_{_FIRST} ENABLE TRIGGER USER"
    )
    write(shards, layer, "UPDATE features SET properties = '{\"rank\": 2}' WHERE layer_id = :l")
    assert rows(shards, "property_values", "property, number") == [("rank", 2.0)]
    kept = rows(shards, "feature_versions", "properties, from_change, was_deleted")
    assert kept == [({"rank": 1}, 0, False)]
    write(shards, layer, "DELETE FROM features WHERE layer_id = :l")
    assert rows(shards, "property_values", "property") == []
    assert rows(shards, "layer_changes", "feature_count, changes") == [(-1, 1), (0, 1), (1, 1)]
    assert rows(shards, "feature_versions", "was_deleted") == [(True,)]
    noted = shards.exec_driver_sql("SELECT current_setting('samsyn.changed_layers')").scalar_one()
    assert noted == f'{{"{layer}": [1, 1, 1]}}'


def test_many_changes_are_folded_beside(shards: Connection) -> None:
    layer = add_layer(shards)
    shards.execute(text("SELECT begin_writing(:l)"), {"l": layer})
    for _ in range(200):
        write(shards, layer, INSERT)
    kept = rows(shards, "layer_changes", "feature_count, changes")
    assert len(kept) < 200
    assert sum(count for count, _ in kept) == sum(changes for _, changes in kept) == 200  # type: ignore[misc]


def test_nothing_is_written_to_a_layer_that_is_not_held(shards: Connection) -> None:
    layer, other = add_layer(shards), add_layer(shards)
    shards.execute(text("SELECT begin_writing(:l)"), {"l": other})
    for statement in (INSERT, "INSERT INTO features (layer_id) SELECT id FROM layers"):
        with (
            pytest.raises(IntegrityError, match=f"nothing holds the layer {layer}"),
            shards.begin_nested(),
        ):
            write(shards, layer, statement)
    write(shards, other, INSERT)
    with (
        pytest.raises(IntegrityError, match="there is no layer"),
        shards.begin_nested(),
    ):
        shards.execute(text("SELECT begin_writing(:l)"), {"l": uuid.uuid4()})


def test_a_shard_cannot_begin_a_change_set(shards: Connection) -> None:
    layer = add_layer(shards)
    shards.exec_driver_sql("SELECT set_config('samsyn.change_set', '', true)")
    shards.exec_driver_sql("ALTER TABLE change_sets RENAME TO elsewhere")
    with pytest.raises(DBAPIError, match="no change set"):
        write(shards, layer, INSERT)


def test_what_is_truncated_is_not_distributed(connection: Connection) -> None:
    connection.exec_driver_sql("CREATE TABLE pg_dist_partition (logicalrelid regclass)")
    with pytest.raises(DBAPIError, match="layer_features is not truncated"):
        connection.exec_driver_sql("TRUNCATE layer_features")
