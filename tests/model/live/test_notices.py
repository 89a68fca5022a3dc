"""Notices: in the order of commits, with the features where they are few."""

import uuid
from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, Engine, text

from samsyn_model.live.notices import (
    FEW,
    Notice,
    missed_notices,
    newest_position,
    notices_after,
    positions_of,
    remove_old_notices,
)
from tests.model.tables.features import add_layer, copy, delete, insert, update


@pytest.fixture
def layer(empty_database: Engine) -> uuid.UUID:
    with empty_database.begin() as connection:
        return add_layer(connection)


@pytest.fixture
def other(empty_database: Engine) -> Iterator[Connection]:
    with empty_database.connect() as connection:
        yield connection


def _notices(engine: Engine, layer: uuid.UUID) -> list[Notice]:
    with engine.connect() as connection:
        notices = notices_after(connection, 0, 1000)
    return [notice for notice in notices if notice.subject_id == layer and notice.feature_count]


def test_positions_are_in_the_order_of_commits(
    empty_database: Engine, layer: uuid.UUID, other: Connection
) -> None:
    slow = other.begin()
    insert(other, layer)  # its change set has the smaller number
    with empty_database.begin() as connection:
        insert(connection, layer)
    (first,) = _notices(empty_database, layer)
    slow.commit()
    both = _notices(empty_database, layer)
    assert both[0] == first
    assert both[1].position > first.position
    assert both[1].change_set_id < first.change_set_id
    assert both[1].committed_at > first.committed_at


def test_few_features_are_named(empty_database: Engine, layer: uuid.UUID) -> None:
    with empty_database.begin() as connection:
        kept, changed, removed = insert(connection, layer, 3)
    with empty_database.begin() as connection:
        (made,) = insert(connection, layer)
        (passing,) = insert(connection, layer)
        update(connection, layer, [changed, made])
        delete(connection, layer, [removed, passing])
    first, second = _notices(empty_database, layer)
    assert first.features == tuple(("create", item) for item in (kept, changed, removed))
    assert second.features is not None
    assert set(second.features) == {("create", made), ("update", changed), ("delete", removed)}
    assert (second.inserted, second.updated, second.deleted) == (2, 2, 2)


@pytest.mark.parametrize("number", [FEW, FEW + 1])
def test_many_features_are_counted(empty_database: Engine, layer: uuid.UUID, number: int) -> None:
    with empty_database.begin() as connection:
        insert(connection, layer, number - 1)
        insert(connection, layer)
    (notice,) = _notices(empty_database, layer)
    assert notice.inserted == number
    assert (notice.features is None) == (number > FEW)


def test_a_statement_that_changes_two_layers(empty_database: Engine, layer: uuid.UUID) -> None:
    with empty_database.begin() as connection:
        second = add_layer(connection)
        copy(connection, [layer] * 15 + [second] * 15)
    for subject in (layer, second):
        (notice,) = _notices(empty_database, subject)
        assert notice.inserted == 15
        # of the second not all are among the first that are looked at: then none is named
        assert notice.features is None or len(notice.features) == 15


def test_what_is_rolled_back_is_not_noticed(empty_database: Engine, layer: uuid.UUID) -> None:
    with empty_database.connect() as connection:
        transaction = connection.begin()
        insert(connection, layer)
        transaction.rollback()
    with empty_database.begin() as connection:
        savepoint = connection.begin_nested()
        insert(connection, layer)
        savepoint.rollback()
        (kept,) = insert(connection, layer)
    (notice,) = _notices(empty_database, layer)
    assert notice.features == (("create", kept),)


def test_an_update_that_changes_nothing_is_not_noticed(
    empty_database: Engine, layer: uuid.UUID
) -> None:
    with empty_database.begin() as connection:
        (item,) = insert(connection, layer)
        update(connection, layer, [item])
    before = _notices(empty_database, layer)
    with empty_database.begin() as connection:
        connection.execute(
            text("UPDATE layer_features SET properties = properties WHERE layer_id = :layer"),
            {"layer": layer},
        )
    assert _notices(empty_database, layer) == before


def test_other_changes_have_the_names_of_members(empty_database: Engine, layer: uuid.UUID) -> None:
    with empty_database.begin() as connection:
        connection.execute(
            text("UPDATE layers SET visibility = 'public', description = 'x' WHERE id = :layer"),
            {"layer": layer},
        )
        position, change_set = newest_position(connection)
    with empty_database.connect() as connection:
        *_, notice = notices_after(connection, position, 10)
        assert newest_position(connection) == (notice.position, notice.change_set_id)
    (change,) = notice.subjects
    assert (change.kind, change.action, change.id) == ("layer", "update", layer)
    assert change.changed == {"visibility", "description"}
    assert notice.change_set_id != change_set


def test_what_was_missed_of_each_subject(empty_database: Engine, layer: uuid.UUID) -> None:
    with empty_database.begin() as connection:
        second = add_layer(connection)
    for subject in (layer, second, layer, layer):
        with empty_database.begin() as connection:
            insert(connection, subject)
    first, *rest = _notices(empty_database, layer)
    (of_second,) = _notices(empty_database, second)
    with empty_database.connect() as connection:
        until, _ = newest_position(connection)
        missed = [(0, layer, first.position), (1, second, first.position), (2, layer, until)]
        found = [*missed_notices(connection, missed, until, 10)]
        limited = [*missed_notices(connection, missed, until, 1)]
        known = positions_of(connection, [first.change_set_id, 0, 10**12])
    assert found == [(0, rest[0]), (0, rest[1]), (1, of_second)]
    assert limited == [(0, rest[0]), (1, of_second)]
    assert known == {first.change_set_id: first.position}


def test_old_notices_are_removed(empty_database: Engine, layer: uuid.UUID) -> None:
    for _ in range(2):
        with empty_database.begin() as connection:
            insert(connection, layer)
    old, kept = _notices(empty_database, layer)
    with empty_database.begin() as connection:
        connection.execute(
            text(
                "UPDATE change_notices SET committed_at = now() - interval '8 days'"
                " WHERE position <= :position"
            ),
            {"position": old.position},
        )
        remove_old_notices(connection)
    assert _notices(empty_database, layer) == [kept]
