"""`layer_changes` against the features themselves: exact, whoever writes, and nobody waits."""

import random
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import IntegrityError

from tests.model.tables.features import copy, delete, features_of, insert, now, state, update

WRITERS = 20
STATEMENTS = 50
MOST_ROWS = 200

MakeLayer = Callable[[], uuid.UUID]


def change_at_random(
    chance: random.Random, connection: Connection, layers: list[uuid.UUID]
) -> set[uuid.UUID]:
    """Run one statement and return the layers that it changed."""
    layer = chance.choice(layers)
    ids = features_of(connection, layer)
    some = chance.sample(ids, min(len(ids), chance.randrange(1, 9)))
    kind = chance.choice(["insert", "insert", "update", "delete", "copy", "upsert", "truncate"])
    if kind == "insert":
        insert(connection, layer, chance.randrange(1, 20))
    elif kind == "copy":
        copy(connection, [*layers, layer])
        return set(layers)
    elif kind == "truncate" and chance.random() < 0.2:
        changed = {layer for layer in layers if state(connection, layer)[3]}
        connection.execute(text("TRUNCATE layer_features"))
        return changed
    elif not some:
        return set()
    elif kind == "upsert":
        connection.execute(
            text(
                "INSERT INTO layer_features (layer_id, id) VALUES (:layer, :id), (:layer, -:id)"
                " ON CONFLICT (layer_id, id) DO UPDATE"
                " SET properties = jsonb_build_object('seen', layer_features.version)"
            ),
            {"layer": layer, "id": some[0]},
        )
    elif kind == "delete":
        delete(connection, layer, some)
    else:
        update(connection, layer, some)
    return {layer}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_counts_are_exact_after_whatever_is_done(
    roomy_database: Engine, make_layer: MakeLayer, seed: int
) -> None:
    chance = random.Random(seed)
    layers = [make_layer() for _ in range(3)]
    versions = dict.fromkeys(layers, 0)
    for _ in range(40):
        changed: set[uuid.UUID] = set()
        with roomy_database.connect() as connection, connection.begin() as transaction:
            for _ in range(chance.randrange(1, 6)):
                savepoint = connection.begin_nested()
                touched = change_at_random(chance, connection, layers)
                if chance.random() < 0.3:
                    savepoint.rollback()
                else:
                    savepoint.commit()
                    changed |= touched
                for layer in layers:
                    counted, there, *_ = state(connection, layer)
                    assert counted == there, "a transaction sees its own writes counted"
            if chance.random() < 0.3:
                transaction.rollback()
                changed.clear()
        for layer in layers:
            counted, there, version, rows = now(roomy_database, layer)
            assert counted == there
            assert rows < MOST_ROWS
            if layer in changed:
                assert version > versions[layer], "every committed write is a new version"
            else:
                assert version == versions[layer], "nothing happened to this layer"
            versions[layer] = version


def test_a_statement_that_changes_nothing_is_no_new_version(
    roomy_database: Engine, make_layer: MakeLayer
) -> None:
    layer = make_layer()
    with roomy_database.begin() as connection:
        insert(connection, layer)
    before = now(roomy_database, layer)
    with roomy_database.begin() as connection:
        update(connection, layer, [-1])
        delete(connection, layer, [-1])
        insert(connection, layer, 0)
    assert now(roomy_database, layer) == before


def write_much(roomy_database: Engine, layer: uuid.UUID, in_one_transaction: bool) -> int:
    """Run STATEMENTS statements on features of one's own; return how many features remain."""
    own: list[int] = []
    chance = random.Random()
    level = "READ COMMITTED" if in_one_transaction else "AUTOCOMMIT"
    with roomy_database.connect().execution_options(isolation_level=level) as connection:
        for _ in range(STATEMENTS):
            kind = chance.random()
            if kind < 0.5 or not own:
                own += insert(connection, layer, chance.randrange(1, 5))
            elif kind < 0.75:
                update(connection, layer, chance.sample(own, 1))
            else:
                delete(connection, layer, [own.pop()])
        if in_one_transaction:
            connection.commit()
    return len(own)


def test_many_writers_at_once_end_exact(roomy_database: Engine, make_layer: MakeLayer) -> None:
    layer, other = make_layer(), make_layer()
    done = Event()

    def watch() -> int:
        seen = 0
        while not done.is_set():
            counted, there, version, rows = now(roomy_database, layer)
            assert counted == there, "every snapshot agrees with itself"
            assert version >= seen
            assert rows < 2 * MOST_ROWS, "those that others are folding are left alone"
            seen = version
        return seen

    with ThreadPoolExecutor(WRITERS + 3) as threads:
        watching = threads.submit(watch)
        others = [threads.submit(write_much, roomy_database, other, False) for _ in range(2)]
        writers = [
            threads.submit(write_much, roomy_database, layer, number % 4 == 0)
            for number in range(WRITERS)
        ]
        try:
            remaining = sum(writer.result() for writer in writers)
            remaining_in_other = sum(writer.result() for writer in others)
        finally:
            done.set()
        assert watching.result() > 0
    assert now(roomy_database, layer)[:3] == (remaining, remaining, WRITERS * STATEMENTS)
    assert now(roomy_database, other)[:3] == (
        remaining_in_other,
        remaining_in_other,
        len(others) * STATEMENTS,
    )


def test_rows_stay_few(roomy_database: Engine, make_layer: MakeLayer) -> None:
    layer = make_layer()
    most = 0
    with roomy_database.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for number in range(1, 801):
            insert(connection, layer)
            if number % 10 == 0:
                counted, there, version, rows = state(connection, layer)
                assert counted == there == version == number
                most = max(most, rows)
    assert 64 < most < MOST_ROWS


@pytest.mark.parametrize("ending", ["commit", "rollback"])
def test_an_open_transaction_holds_up_nobody(
    roomy_database: Engine, make_layer: MakeLayer, ending: str
) -> None:
    layer = make_layer()
    with roomy_database.begin() as connection:
        ids = insert(connection, layer, 100)
    with roomy_database.connect() as slow:
        transaction = slow.begin()
        insert(slow, layer, 10_000)
        for _ in range(200):  # enough to fold, and to keep what it folded locked
            insert(slow, layer)
        assert state(slow, layer)[3] < MOST_ROWS
        with roomy_database.connect().execution_options(isolation_level="AUTOCOMMIT") as quick:
            quick.execute(text("SET lock_timeout = '2s'"))
            quick.execute(text("SET statement_timeout = '2s'"))
            quick.execute(text("UPDATE layers SET name = 'Renamed' WHERE id = :id"), {"id": layer})
            for feature in ids:
                update(quick, layer, [feature])
                delete(quick, layer, [feature])
                insert(quick, layer, 2)
            counted, there, version, rows = state(quick, layer)
            assert counted == there == 200, "what is not committed is not counted"
            assert version == 301
            assert rows < MOST_ROWS
            quick.execute(text("RESET ALL"))
        getattr(transaction, ending)()
    total, writes = (10_400, 502) if ending == "commit" else (200, 301)
    assert now(roomy_database, layer)[:3] == (total, total, writes)


def test_a_layer_being_renamed_holds_up_nobody(
    roomy_database: Engine, make_layer: MakeLayer
) -> None:
    layer = make_layer()
    with roomy_database.connect() as renaming, renaming.begin():
        renaming.execute(text("UPDATE layers SET name = 'Other' WHERE id = :id"), {"id": layer})
        with roomy_database.begin() as connection:
            connection.execute(text("SET LOCAL lock_timeout = '2s'"))
            insert(connection, layer)
    assert now(roomy_database, layer)[:2] == (1, 1)


def test_a_feature_changed_is_a_newer_one(roomy_database: Engine, make_layer: MakeLayer) -> None:
    layer = make_layer()
    versions = text("SELECT version, updated_at FROM layer_features WHERE layer_id = :layer")
    with roomy_database.begin() as early, roomy_database.connect() as late:
        assert state(early, layer)[1] == 0
        ids = insert(late, layer)
        update(late, layer, ids)
        first = late.execute(versions, {"layer": layer}).one()
        late.commit()
        update(early, layer, ids)
        update(early, layer, ids)
        second = early.execute(versions, {"layer": layer}).one()
    assert (first.version, second.version) == (2, 4)
    assert second.updated_at > first.updated_at


@pytest.mark.parametrize("assignment", ["id = id + 1", "layer_id = gen_random_uuid()"])
def test_a_feature_keeps_its_key(
    roomy_database: Engine, make_layer: MakeLayer, assignment: str
) -> None:
    layer = make_layer()
    with roomy_database.begin() as connection:
        insert(connection, layer)
    with (
        roomy_database.connect() as connection,
        pytest.raises(IntegrityError, match="keeps its layer and its id"),
    ):
        connection.execute(text(f"UPDATE layer_features SET {assignment}"))
