"""Sealing: every change set is in the chain once, whenever it was committed."""

import random
import uuid
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from time import sleep

from sqlalchemy import Connection, Engine, event, text

from samsyn_model.audit.sealing import seal_all, seal_batch
from samsyn_model.database.execution import driver_of
from tests.model.audit.chain import ORDER, MakeLayer, faults, head_of, rows, tally
from tests.model.history.states import edit
from tests.model.tables.features import copy, delete, insert, update

WRITERS = 6
TRANSACTIONS = 25

_NOT_SEALED = """
SELECT count(*) FROM change_sets
WHERE NOT EXISTS (SELECT FROM change_seals WHERE change_set_id = change_sets.id)"""

_READ = """
SELECT coalesce(sum(idx_tup_fetch + seq_tup_read), 0)::bigint FROM pg_stat_xact_user_tables
WHERE relname IN ('layer_features', 'feature_versions')"""


def write(engine: Engine, layers: list[uuid.UUID], seed: int) -> None:
    """Make transactions of different lengths, some of which are rolled back."""
    chance = random.Random(seed)
    for _ in range(TRANSACTIONS):
        with engine.connect() as connection, connection.begin() as transaction:
            for _ in range(chance.randrange(1, 4)):
                edit(chance, connection, chance.choice(layers))
                sleep(chance.random() * 0.02)
            if chance.random() < 0.2:
                transaction.rollback()


def test_none_is_missing_where_many_commit_in_any_order(
    roomy_database: Engine, make_layer: MakeLayer
) -> None:
    layers = [make_layer(), make_layer()]
    with roomy_database.begin() as connection:
        for layer in layers:
            insert(connection, layer, 30)
    done = Event()

    def seal() -> None:
        while not done.is_set():
            seal_batch(roomy_database)

    with (
        roomy_database.connect() as late,
        ThreadPoolExecutor(WRITERS + 2) as threads,
    ):
        # begun before all others, and committed when all of them are sealed
        with late.begin():
            insert(late, layers[0], 3)
            number = late.execute(text("SELECT current_change_set()")).scalar_one()
            sealing = [threads.submit(seal) for _ in range(2)]
            writers = [
                threads.submit(write, roomy_database, layers, seed) for seed in range(WRITERS)
            ]
            try:
                for writer in writers:
                    writer.result()
            finally:
                done.set()
            for sealer in sealing:
                sealer.result()
            seal_all(roomy_database)
            assert rows(roomy_database, _NOT_SEALED) == [(0,)]
            early = rows(roomy_database, ORDER)
            assert number not in {change_set for _, change_set in early}
            assert max(change_set for _, change_set in early) > number
        seal_all(roomy_database)
    order = rows(roomy_database, ORDER)
    assert [position for position, _ in order] == list(range(1, len(order) + 1))
    assert order == [*early, (len(order), number)]
    assert len({change_set for _, change_set in order}) == len(order) > WRITERS * TRANSACTIONS / 2
    assert rows(roomy_database, _NOT_SEALED) == [(0,)]
    assert tally(roomy_database).change_sets == len(order)


def test_no_writer_waits_for_a_sealer(roomy_database: Engine, make_layer: MakeLayer) -> None:
    layer = make_layer()
    lock = "SELECT pg_advisory_xact_lock(hashtextextended('change_seals', 0))"
    with roomy_database.begin() as sealer:
        sealer.execute(text(lock))
        with roomy_database.begin() as connection:
            connection.execute(text("SET LOCAL lock_timeout = '1s'"))
            insert(connection, layer)
        assert seal_batch(roomy_database) == 0
    assert seal_all(roomy_database) > 0
    assert faults(roomy_database) == []


def test_what_was_changed_again_or_deleted_before_it_is_sealed_is_covered(
    roomy_database: Engine, make_layer: MakeLayer
) -> None:
    layer = make_layer()
    with roomy_database.begin() as connection:
        ids = insert(connection, layer, 5)
    with roomy_database.begin() as connection:
        update(connection, layer, ids[:3])
    with roomy_database.begin() as connection:
        delete(connection, layer, ids[2:4])
    with roomy_database.begin() as connection:
        connection.execute(text("DELETE FROM layers WHERE id = :layer"), {"layer": layer})
    counted = tally_of_all(roomy_database)
    assert counted == rows(
        roomy_database, "SELECT count(*) FROM feature_versions WHERE layer_id = :l", l=layer
    )
    assert counted == [(8,)]


def tally_of_all(engine: Engine) -> list[tuple[int]]:
    seal_all(engine)
    return [(tally(engine).states,)]


def test_a_large_change_set_is_sealed_in_parts(
    roomy_database: Engine, make_layer: MakeLayer
) -> None:
    layer = make_layer()
    with roomy_database.begin() as connection:
        copy(connection, [layer] * 3_500)
    with roomy_database.begin() as connection:
        connection.execute(
            text("DELETE FROM layer_features WHERE layer_id = :layer"), {"layer": layer}
        )
    seal_all(roomy_database)
    parts = rows(
        roomy_database,
        "SELECT part, cardinality(made), octet_length(digests), cardinality(ended)"
        " FROM layer_seals ORDER BY change_set_id, part",
    )
    assert parts == [
        *((part, 1_000, 32_000, 0) for part in range(3)),
        (3, 500, 16_000, 0),
        *((part, 0, 0, 1_000) for part in range(3)),
        (3, 0, 0, 500),
    ]
    assert tally(roomy_database).states == 3_500


def test_a_change_set_that_changes_nothing_is_not_queued(
    roomy_database: Engine, make_layer: MakeLayer
) -> None:
    make_layer()
    seal_all(roomy_database)
    for setting in ("", "SET CONSTRAINTS ALL IMMEDIATE; "):
        with roomy_database.begin() as connection:
            connection.exec_driver_sql(
                f"{setting}INSERT INTO layer_features (layer_id) SELECT id FROM layers WHERE false"
            )
        assert rows(roomy_database, "SELECT * FROM unsealed_change_sets") == []
    assert faults(roomy_database) == []


def test_sealing_an_edit_reads_nothing_else_of_a_large_layer(
    roomy_database: Engine, make_layer: MakeLayer
) -> None:
    layer = make_layer()
    with roomy_database.begin() as connection:
        copy(connection, [layer] * 20_000)
    seal_all(roomy_database)
    with roomy_database.begin() as connection:
        (edited,) = insert(connection, layer)
        update(connection, layer, [edited - 1])
    numbers: list[int] = []

    def count(connection: Connection) -> None:
        with driver_of(connection).cursor() as cursor:
            numbers.append(cursor.execute(_READ).fetchone()[0])  # type: ignore[index]

    for name in ("begin", "commit"):
        event.listen(roomy_database, name, count)
    try:
        assert seal_batch(roomy_database) == 1
    finally:
        for name in ("begin", "commit"):
            event.remove(roomy_database, name, count)
    assert 0 < numbers[1] - numbers[0] < 20


def test_heads_follow_one_another(roomy_database: Engine, make_layer: MakeLayer) -> None:
    layer = make_layer()
    heads = [head_of(roomy_database)]
    for _ in range(3):
        with roomy_database.begin() as connection:
            insert(connection, layer)
        heads.append(head_of(roomy_database))
    assert len({head for _, head in heads}) == 4
    assert [position for position, _ in heads] == sorted({position for position, _ in heads})
    days = rows(roomy_database, "SELECT position, head FROM daily_heads ORDER BY day DESC LIMIT 1")
    assert days == heads[-1:]
