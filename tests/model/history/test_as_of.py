"""A layer as it was at a moment, against copies that were taken at that moment."""

import random
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Event
from time import sleep

import pytest
from sqlalchemy import Engine, text

from samsyn_model.errors import NotFoundError
from samsyn_model.history.as_of import as_of
from tests.model.history.states import State, copy_now, edit, states_as_of
from tests.model.tables.features import delete, insert, update

WRITERS = 10
EDITS = 500

MakeLayer = Callable[[], uuid.UUID]


def write(engine: Engine, layer: uuid.UUID, seed: int) -> None:
    """Make the edits of one writer: transactions of one to four, parts of them rolled back."""
    chance = random.Random(seed)
    edits = 0
    while edits < EDITS // WRITERS:
        with engine.connect() as connection, connection.begin() as transaction:
            for _ in range(chance.randrange(1, 5)):
                savepoint = connection.begin_nested()
                edit(chance, connection, layer)
                edits += 1
                if chance.random() < 0.2:
                    savepoint.rollback()
                else:
                    savepoint.commit()
                sleep(chance.random() * 0.005)
            if chance.random() < 0.1:
                transaction.rollback()


@pytest.mark.parametrize("seed", [1, 2])
def test_it_equals_copies_taken_at_random_moments(
    roomy_database: Engine, make_layer: MakeLayer, seed: int
) -> None:
    layer = make_layer()
    with roomy_database.begin() as connection:
        insert(connection, layer, 40)
    copies: list[tuple[datetime, State]] = [copy_now(roomy_database, layer)]
    done = Event()

    def take() -> None:
        while not done.wait(0.02):
            copies.append(copy_now(roomy_database, layer))

    with ThreadPoolExecutor(WRITERS + 1) as threads:
        taking = threads.submit(take)
        writers = [
            threads.submit(write, roomy_database, layer, 100 * seed + number)
            for number in range(WRITERS)
        ]
        try:
            for writer in writers:
                writer.result()
        finally:
            done.set()
        taking.result()
    copies.append(copy_now(roomy_database, layer))
    assert len(copies) > 20
    late = 0
    for moment, copied in copies:
        for found in states_as_of(roomy_database, layer, moment):
            assert found == copied
        with roomy_database.connect() as connection:
            late += bool(as_of(connection, layer, moment).exceptions)
    assert late, "writers at once overtake one another"


def test_nothing_is_there_before_a_layer_has_features(
    roomy_database: Engine, make_layer: MakeLayer
) -> None:
    layer = make_layer()
    before = copy_now(roomy_database, layer)
    with roomy_database.begin() as connection:
        ids = insert(connection, layer, 3)
    full = copy_now(roomy_database, layer)
    with roomy_database.begin() as connection:
        delete(connection, layer, ids)
    after = copy_now(roomy_database, layer)
    assert [len(copied) for _, copied in (before, full, after)] == [0, 3, 0]
    for moment, copied in (before, full, after):
        assert states_as_of(roomy_database, layer, moment) == [copied] * 3


def test_a_feature_that_comes_back_is_there_once(
    roomy_database: Engine, make_layer: MakeLayer
) -> None:
    layer = make_layer()
    copies = []
    with roomy_database.begin() as connection:
        (feature,) = insert(connection, layer)
    for number in range(3):
        copies.append(copy_now(roomy_database, layer))
        with roomy_database.begin() as connection:
            update(connection, layer, [feature])
            delete(connection, layer, [feature])
        copies.append(copy_now(roomy_database, layer))
        with roomy_database.begin() as connection:
            connection.execute(
                text("INSERT INTO layer_features (layer_id, id, version) VALUES (:l, :i, :v)"),
                {"l": layer, "i": feature, "v": 10 * number},
            )
    copies.append(copy_now(roomy_database, layer))
    assert [len(copied) for _, copied in copies] == [1, 0, 1, 0, 1, 0, 1]
    for moment, copied in copies:
        assert states_as_of(roomy_database, layer, moment) == [copied] * 3


def test_there_is_no_history_of_the_time_before_it(
    roomy_database: Engine, make_layer: MakeLayer
) -> None:
    layer = make_layer()
    with roomy_database.connect() as connection, pytest.raises(NotFoundError):
        as_of(connection, layer, datetime.now(UTC) - timedelta(days=1))
