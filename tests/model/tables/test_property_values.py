"""The values kept for indexes on properties: exact whatever is written, by whomever, at once."""

import json
import random
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import IntegrityError

from tests.model.tables.features import add_layer, delete, features_of
from tests.model.waiting import wait_for_lock

MakeLayer = Callable[[], uuid.UUID]
VALUES = (
    *(None, True, False, 0, 7, -2.5, 10**400, -(10**400), 1e-320, "", "a", "é" * 900, [1], {}),
    *("2024-02-29", "2024-02-30", "2024-02-29T12:00:00", "2024-02-29t12:00:00.5+02:00", "7"),
)
NAMES = ("a", "b c", "ä/%")
DIFFERENCE = """
WITH expected AS (
    SELECT layer_id, layer_features.id AS feature_id, property,
        indexed_number(properties -> property) AS number,
        indexed_text(properties -> property) AS text
    FROM layer_features
    JOIN layers ON layers.id = layer_id CROSS JOIN unnest(indexed_properties) AS given (property)
), present AS (SELECT layer_id, feature_id, property, number, text FROM property_values)
(SELECT * FROM expected WHERE number IS NOT NULL OR text IS NOT NULL EXCEPT ALL TABLE present)
UNION ALL
(TABLE present EXCEPT ALL TABLE expected)"""


def index(connection: Connection, layer: uuid.UUID, *names: str) -> None:
    connection.execute(
        text("UPDATE layers SET indexed_properties = :names WHERE id = :layer"),
        {"names": list(names), "layer": layer},
    )


def insert(connection: Connection, layer: uuid.UUID, *properties: dict[str, Any]) -> None:
    connection.execute(
        text(
            "INSERT INTO layer_features (layer_id, properties)"
            " SELECT :layer, value FROM jsonb_array_elements(:all)"
        ),
        {"layer": layer, "all": json.dumps(properties)},
    )


def update(connection: Connection, layer: uuid.UUID, change: dict[str, Any], share: int) -> None:
    """Merge a change into the properties of every so-manieth feature."""
    connection.execute(
        text(
            "UPDATE layer_features SET properties = properties || :change"
            " WHERE layer_id = :layer AND id % :share = 0"
        ),
        {"layer": layer, "change": json.dumps(change), "share": share},
    )


def copy(connection: Connection, layer: uuid.UUID, *properties: dict[str, Any]) -> None:
    lines = "".join(f"{layer}\t{json.dumps(one)}\n".replace("\\", "\\\\") for one in properties)
    with (
        connection.connection.cursor() as cursor,
        cursor.copy("COPY layer_features (layer_id, properties) FROM STDIN") as sent,
    ):
        sent.write(lines)


def kept(connection: Connection, layer: uuid.UUID) -> list[Any]:
    statement = "SELECT number, text FROM property_values WHERE layer_id = :layer"
    return [tuple(row) for row in connection.execute(text(statement), {"layer": layer})]


def assert_exact(connection: Connection) -> None:
    assert connection.execute(text(DIFFERENCE)).all() == []


@pytest.mark.parametrize("seed", range(8))
def test_random_statements_leave_it_exact(connection: Connection, seed: int) -> None:
    chance = random.Random(seed)
    layers = [add_layer(connection) for _ in range(3)]

    def some() -> list[dict[str, Any]]:
        return [
            {name: chance.choice(VALUES) for name in chance.sample(NAMES, chance.randrange(4))}
            for _ in range(chance.randrange(1, 6))
        ]

    for _ in range(60):
        layer = chance.choice(layers)
        match chance.randrange(7):
            case 0:
                index(connection, layer, *chance.sample(NAMES, chance.randrange(4)))
            case 1 | 2:
                insert(connection, layer, *some())
            case 3:
                copy(connection, layer, *some())
            case 4 | 5:
                update(connection, layer, some()[0], chance.randrange(1, 4))
            case 6:
                delete(connection, layer, features_of(connection, layer)[:2])
        assert_exact(connection)
    insert(connection, layers[0], {"a": 1})
    index(connection, layers[0], *NAMES)
    assert (1, None) in kept(connection, layers[0])
    assert_exact(connection)


def test_one_statement_may_write_to_several_layers(connection: Connection) -> None:
    one, other, plain = (add_layer(connection) for _ in range(3))
    index(connection, one, "a")
    index(connection, other, "a", "b c")
    connection.execute(
        text(
            "INSERT INTO layer_features (layer_id, properties)"
            ' SELECT layer, \'{"a": 1, "b c": 2}\' FROM unnest(:layers) AS layer'
        ),
        {"layers": [one, other, plain]},
    )
    assert [len(kept(connection, layer)) for layer in (one, other, plain)] == [1, 2, 0]
    connection.execute(text("UPDATE layer_features SET properties = '{\"a\": 3}'"))
    assert [kept(connection, layer) for layer in (one, other, plain)] == [[(3, None)]] * 2 + [[]]
    connection.execute(text("DELETE FROM layer_features"))
    assert kept(connection, one) == kept(connection, other) == []


def test_what_an_update_does_not_change_is_not_written(connection: Connection) -> None:
    layer = add_layer(connection)
    index(connection, layer, "a")
    insert(connection, layer, {"a": 1}, {"a": "x"})
    places = text("SELECT ctid FROM property_values")
    before = connection.execute(places).all()
    update(connection, layer, {"other": 2}, 1)
    assert connection.execute(places).all() == before


def test_truncating_the_features_empties_it(empty_database: Engine, make_layer: MakeLayer) -> None:
    layer = make_layer()
    with empty_database.begin() as connection:
        index(connection, layer, "a")
        insert(connection, layer, {"a": 1})
        connection.execute(text("TRUNCATE layer_features"))
        assert kept(connection, layer) == []
        insert(connection, layer, {"a": 2})
        assert_exact(connection)


def test_a_layer_takes_its_values_along(connection: Connection) -> None:
    layer, other = add_layer(connection), add_layer(connection)
    for one in (layer, other):
        index(connection, one, "a")
        insert(connection, one, {"a": 1}, {"a": 2})
    connection.execute(text("DELETE FROM layers WHERE id = :layer"), {"layer": layer})
    assert kept(connection, layer) == []
    assert len(kept(connection, other)) == 2


@pytest.mark.parametrize(
    ("source_type", "count"), [("vector", 11), ("wms", 1)], ids=["too many", "no features"]
)
def test_what_may_be_indexed_is_bounded(
    connection: Connection, source_type: str, count: int
) -> None:
    layer = add_layer(connection)
    statement = "UPDATE layers SET source_type = :type WHERE id = :layer"
    connection.execute(text(statement), {"type": source_type, "layer": layer})
    with pytest.raises(IntegrityError, match="ck_layers_indexed_properties"):
        index(connection, layer, *map(str, range(count)))


def test_any_value_fits_the_index(connection: Connection) -> None:
    layer, name = add_layer(connection), "\U0001f41f" * 255
    index(connection, layer, name)
    long_number = int("123456789" * 400)
    noise = "".join(chr(random.Random(7).randrange(0x10000, 0x10FFFF)) for _ in range(5000))
    insert(connection, layer, {name: noise}, {name: long_number}, {name: "\U0010ffff" * 5000})
    assert len(kept(connection, layer)) == 3
    assert_exact(connection)


def test_building_waits_for_a_writer_and_misses_nothing(
    roomy_database: Engine, make_layer: MakeLayer
) -> None:
    layer = make_layer()
    with ThreadPoolExecutor(1) as threads, roomy_database.connect() as writer:
        transaction = writer.begin()
        copy(writer, layer, {"a": 1})

        def build() -> None:
            with roomy_database.begin() as connection:
                index(connection, layer, "a")

        building = threads.submit(build)
        wait_for_lock(roomy_database, "UPDATE layers")
        insert(writer, layer, {"a": 2})
        transaction.commit()
        building.result()
    with roomy_database.connect() as connection:
        assert sorted(kept(connection, layer)) == [(1, None), (2, None)]
        assert_exact(connection)


def test_a_writer_waits_for_building_and_is_not_missed(
    roomy_database: Engine, make_layer: MakeLayer
) -> None:
    layer = make_layer()
    with ThreadPoolExecutor(1) as threads, roomy_database.connect() as builder:
        transaction = builder.begin()
        insert(builder, layer, {"a": 1})
        index(builder, layer, "a")

        def write() -> None:
            with roomy_database.begin() as connection:
                copy(connection, layer, {"a": 2})

        writing = threads.submit(write)
        wait_for_lock(roomy_database, "COPY layer_features")
        transaction.commit()
        writing.result()
    with roomy_database.connect() as connection:
        assert sorted(kept(connection, layer)) == [(1, None), (2, None)]


def test_writers_and_builders_at_once_end_exact(
    roomy_database: Engine, make_layer: MakeLayer
) -> None:
    layer = make_layer()

    def write(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(25):
            with roomy_database.begin() as connection:
                insert(connection, layer, {"a": chance.random(), "b c": "x"}, {"a": "y"})
                if chance.random() < 0.5:
                    delete(connection, layer, features_of(connection, layer)[:1])

    def build(seed: int) -> None:
        chance = random.Random(seed)
        for _ in range(12):
            with roomy_database.begin() as connection:
                index(connection, layer, *chance.sample(NAMES, chance.randrange(4)))

    with ThreadPoolExecutor(8) as threads:
        jobs = [threads.submit(write, seed) for seed in range(6)]
        jobs += [threads.submit(build, seed) for seed in range(2)]
        for job in jobs:
            job.result()
    with roomy_database.begin() as connection:
        assert_exact(connection)
        index(connection, layer, *NAMES)
        assert_exact(connection)
        assert kept(connection, layer)
