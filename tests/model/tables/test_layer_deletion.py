"""Features and their layer: none without the other, in whichever order transactions end."""

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from tests.model.tables.features import insert, now, state
from tests.model.waiting import wait_for_lock

MakeLayer = Callable[[], uuid.UUID]


def test_a_feature_needs_its_layer(roomy_database: Engine, make_layer: MakeLayer) -> None:
    layer = make_layer()
    with roomy_database.connect() as connection:
        with pytest.raises(IntegrityError, match="fk_layer_changes_layer_id"):
            connection.execute(
                text("INSERT INTO layer_features (layer_id) SELECT unnest(CAST(:ids AS uuid[]))"),
                {"ids": [layer, uuid.uuid4()]},
            )
        connection.rollback()
    assert now(roomy_database, layer) == (0, 0, 0, 0)


def test_a_deleted_layer_takes_everything_along(
    roomy_database: Engine, make_layer: MakeLayer
) -> None:
    layer, other = make_layer(), make_layer()
    with roomy_database.begin() as connection:
        insert(connection, layer, 500)
        insert(connection, other, 7)
        connection.execute(text("DELETE FROM layers WHERE id = :id"), {"id": layer})
    assert now(roomy_database, layer) == (0, 0, 0, 0)
    assert now(roomy_database, other)[:3] == (7, 7, 1)


def delete_layer(roomy_database: Engine, layer: uuid.UUID) -> None:
    with roomy_database.begin() as connection:
        connection.execute(text("DELETE FROM layers WHERE id = :id"), {"id": layer})


def test_deleting_a_layer_waits_for_its_writers(
    roomy_database: Engine, make_layer: MakeLayer
) -> None:
    layer = make_layer()
    with ThreadPoolExecutor(1) as threads, roomy_database.connect() as writer:
        insert(writer, layer, 50)
        deleting = threads.submit(delete_layer, roomy_database, layer)
        wait_for_lock(roomy_database, "DELETE FROM layers")
        insert(writer, layer, 50)
        writer.commit()
        deleting.result()
    assert now(roomy_database, layer) == (0, 0, 0, 0)


@pytest.mark.parametrize("ending", ["commit", "rollback"])
def test_writers_wait_for_the_deletion_of_their_layer(
    roomy_database: Engine, make_layer: MakeLayer, ending: str
) -> None:
    layer = make_layer()

    def write() -> None:
        with roomy_database.begin() as connection:
            insert(connection, layer, 5)

    with ThreadPoolExecutor(1) as threads, roomy_database.connect() as deleter:
        deleter.execute(text("DELETE FROM layers WHERE id = :id"), {"id": layer})
        writing = threads.submit(write)
        wait_for_lock(roomy_database, "INSERT INTO layer_features")
        getattr(deleter, ending)()
        if ending == "commit":
            with pytest.raises(IntegrityError, match="fk_layer_changes_layer_id"):
                writing.result()
        else:
            writing.result()
    left = 0 if ending == "commit" else 5
    assert now(roomy_database, layer)[:2] == (left, left)


def test_a_deletion_that_cannot_see_every_feature_fails(
    roomy_database: Engine, make_layer: MakeLayer
) -> None:
    layer = make_layer()
    with roomy_database.connect().execution_options(isolation_level="REPEATABLE READ") as deleter:
        assert state(deleter, layer)[1] == 0
        with roomy_database.begin() as connection:
            insert(connection, layer)
        with pytest.raises(DBAPIError, match="could not serialize"):
            deleter.execute(text("DELETE FROM layers WHERE id = :id"), {"id": layer})
        deleter.rollback()
    assert now(roomy_database, layer)[:2] == (1, 1)
