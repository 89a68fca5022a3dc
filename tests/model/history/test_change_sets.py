"""Change sets: what a transaction records of itself, and what it does not."""

import uuid
from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, Engine, text

from samsyn_model.database.transactions import writing
from samsyn_model.origin import Origin, set_origin
from tests.model.tables.features import copy, delete, features_of, insert, update

MakeLayer = Callable[[], uuid.UUID]

TABLES = ("change_sets", "layer_change_sets", "feature_versions", "subject_changes")


def rows(engine: Engine, statement: str, **values: Any) -> list[tuple[Any, ...]]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(statement), values)]


def counts(engine: Engine) -> dict[str, int]:
    return {name: rows(engine, f"SELECT count(*) FROM {name}")[0][0] for name in TABLES}


def changes_of(engine: Engine, layer: uuid.UUID) -> list[tuple[Any, ...]]:
    return rows(
        engine,
        "SELECT inserted, updated, deleted, feature_count FROM layer_change_sets"
        " WHERE layer_id = :layer ORDER BY committed_at",
        layer=layer,
    )


def test_one_of_each_transaction(roomy_database: Engine, make_layer: MakeLayer) -> None:
    layer, other = make_layer(), make_layer()
    with roomy_database.begin() as connection:
        copy(connection, [layer] * 1000)
        ids = features_of(connection, layer)
        update(connection, layer, ids[:10])
        delete(connection, layer, ids[5:20])
        insert(connection, other)
    with roomy_database.begin() as connection:
        update(connection, layer, ids[:3])
        delete(connection, layer, ids[:1])
    assert changes_of(roomy_database, layer) == [(1000, 10, 15, 985), (0, 3, 1, 984)]
    assert changes_of(roomy_database, other) == [(1, 0, 0, 1)]
    times = rows(
        roomy_database, "SELECT DISTINCT change_set_id, committed_at FROM layer_change_sets"
    )
    assert len(times) == 2, "all layers of a transaction have its time"
    kept = rows(
        roomy_database,
        "SELECT feature_id, version, was_deleted FROM feature_versions ORDER BY feature_id",
    )
    expected = [(ids[0], 2, True), (ids[1], 2, False), (ids[2], 2, False)]
    assert kept == expected, "what was never committed is not kept"


def test_a_rollback_leaves_nothing(roomy_database: Engine, make_layer: MakeLayer) -> None:
    layer = make_layer()
    with roomy_database.begin() as connection:
        (kept,) = insert(connection, layer)
    before = counts(roomy_database)

    def change(connection: Connection) -> None:
        update(connection, layer, [kept])
        insert(connection, layer, 3)
        connection.execute(text("UPDATE layers SET name = 'Renamed'"))
        delete(connection, layer, [kept])

    with roomy_database.connect() as connection, connection.begin() as transaction:
        change(connection)
        transaction.rollback()
    with roomy_database.begin() as connection:
        savepoint = connection.begin_nested()
        change(connection)
        savepoint.rollback()
    assert counts(roomy_database) == before
    with roomy_database.begin() as connection:
        savepoint = connection.begin_nested()
        change(connection)
        savepoint.rollback()
        insert(connection, layer, 2)
    assert changes_of(roomy_database, layer) == [(1, 0, 0, 1), (2, 0, 0, 3)]


def test_what_changes_nothing_leaves_nothing(roomy_database: Engine, make_layer: MakeLayer) -> None:
    layer = make_layer()
    with roomy_database.begin() as connection:
        (feature,) = insert(connection, layer)
    before = counts(roomy_database)
    touch = "SET properties = properties, updated_by = gen_random_uuid()"
    with roomy_database.begin() as connection:
        connection.execute(text(f"UPDATE layer_features {touch}"))
        connection.execute(text("UPDATE layers SET name = name, updated_at = now()"))
        connection.execute(
            text("INSERT INTO layer_features (layer_id) SELECT id FROM layers LIMIT 0")
        )
        delete(connection, layer, [-1])
        update(connection, layer, [-1])
    assert counts(roomy_database) == before
    kept = "SELECT version, updated_by FROM layer_features WHERE id = :feature"
    assert rows(roomy_database, kept, feature=feature) == [(1, None)]


def test_a_number_written_otherwise_is_a_change(
    roomy_database: Engine, make_layer: MakeLayer
) -> None:
    layer = make_layer()
    written = "UPDATE layer_features SET properties = CAST(:text AS jsonb)"
    with roomy_database.begin() as connection:
        insert(connection, layer)
        connection.execute(text(written), {"text": '{"a": 1.0}'})
        connection.execute(text(written), {"text": '{"a": 1.00}'})
    stored = rows(roomy_database, "SELECT properties::text, version FROM layer_features")
    assert stored == [('{"a": 1.00}', 3)]


def test_where_a_change_comes_from(roomy_database: Engine, make_layer: MakeLayer) -> None:
    layer, user = make_layer(), uuid.uuid4()
    message = "O'Brien's 100 % \\ \0 \ud800 file"

    def last() -> tuple[Any, ...]:
        statement = "SELECT via, user_id, request_id, message FROM change_sets ORDER BY id DESC"
        return rows(roomy_database, f"{statement} LIMIT 1")[0]

    with roomy_database.begin() as connection:
        insert(connection, layer)
    assert last() == ("database", None, None, None)
    set_origin(Origin("web", user, "r-1"))
    try:
        with writing(roomy_database) as connection:
            insert(connection, layer)
        assert last() == ("web", user, "r-1", None)
        with writing(roomy_database, via="import", message=message) as connection:
            insert(connection, layer)
        assert last() == ("import", user, "r-1", "O'Brien's 100 % \\ \ufffd \ufffd file")
        with writing(roomy_database) as connection:
            insert(connection, layer)
        assert last() == ("web", user, "r-1", None)
    finally:
        set_origin(None)
    with writing(roomy_database) as connection:
        insert(connection, layer)
    assert last() == ("database", None, None, None)


def test_what_follows_an_early_check_is_another_one(
    roomy_database: Engine, make_layer: MakeLayer
) -> None:
    layer = make_layer()
    with roomy_database.begin() as connection:
        insert(connection, layer)
        connection.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
        insert(connection, layer, 2)
    assert changes_of(roomy_database, layer) == [(1, 0, 0, 1), (2, 0, 0, 3)]


def test_truncating_is_a_deletion(roomy_database: Engine, make_layer: MakeLayer) -> None:
    layer = make_layer()
    with roomy_database.begin() as connection:
        ids = insert(connection, layer, 3)
    with roomy_database.begin() as connection:
        connection.execute(text("TRUNCATE layer_features"))
    assert changes_of(roomy_database, layer)[-1] == (0, 0, 3, 0)
    kept = rows(roomy_database, "SELECT feature_id FROM feature_versions WHERE was_deleted")
    assert sorted(kept) == [(number,) for number in ids]
