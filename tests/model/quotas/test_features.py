"""Quotas of features: of a layer, and of an account."""

import uuid
from threading import Thread

import pytest
from sqlalchemy import Connection, Engine, text

from samsyn_model.errors import LimitReachedError, SamsynError
from samsyn_model.quotas.features import refuse_excess_features
from samsyn_model.settings import Settings
from tests.model.waiting import wait_for_lock
from tests.statements import statements

_LAYER = """
INSERT INTO layers (name, source_type, created_by) VALUES ('x', 'vector', :user) RETURNING id"""
_FEATURES = "INSERT INTO layer_features (layer_id) SELECT :layer FROM generate_series(1, :count)"


def settings(layer: int = 0, user: int = 0) -> Settings:
    return Settings(_env_file=None, max_features_per_layer=layer, max_features_per_user=user)


def new_user(connection: Connection) -> uuid.UUID:
    found: uuid.UUID = connection.execute(
        text("INSERT INTO users (email) VALUES (:email) RETURNING id"),
        {"email": f"{uuid.uuid4()}@example.org"},
    ).scalar_one()
    return found


def new_layer(connection: Connection, user: uuid.UUID) -> uuid.UUID:
    found: uuid.UUID = connection.execute(text(_LAYER), {"user": user}).scalar_one()
    return found


def add(connection: Connection, limits: Settings, layer: uuid.UUID, count: int) -> None:
    connection.execute(text(_FEATURES), {"layer": layer, "count": count})
    refuse_excess_features(connection, limits, layer, of_account=count > 1)


def test_a_layer_has_as_many_as_its_quota_and_more_after_some_are_deleted(
    connection: Connection,
) -> None:
    limits, layer = settings(layer=5), new_layer(connection, new_user(connection))
    add(connection, limits, layer, 4)
    add(connection, limits, layer, 1)
    with pytest.raises(LimitReachedError, match="A layer has up to 5 features"):
        add(connection, limits, layer, 1)
    connection.execute(text("DELETE FROM layer_features WHERE layer_id = :l"), {"l": layer})
    add(connection, limits, layer, 5)


def test_an_account_has_as_many_as_its_quota_in_all_its_layers(connection: Connection) -> None:
    limits, user, other = settings(user=10), new_user(connection), new_user(connection)
    layers = [new_layer(connection, user) for _ in range(3)]
    add(connection, limits, new_layer(connection, other), 10)
    for layer in layers[:2]:
        add(connection, limits, layer, 5)
    with pytest.raises(LimitReachedError, match="an account have up to 10 features"):
        add(connection, limits, layers[2], 2)


def test_of_two_at_once_near_the_quota_the_second_is_refused(empty_database: Engine) -> None:
    limits = settings(layer=3)
    with empty_database.begin() as connection:
        layer = new_layer(connection, new_user(connection))
        add(connection, limits, layer, 2)
    outcome: list[object] = []

    def second() -> None:
        try:
            with empty_database.begin() as connection:
                add(connection, limits, layer, 1)
            outcome.append("granted")
        except SamsynError as error:
            outcome.append(error)

    thread = Thread(target=second)
    with empty_database.begin() as connection:
        add(connection, limits, layer, 1)
        thread.start()
        wait_for_lock(empty_database, "\nSELECT pg_advisory_xact_lock")
    thread.join()
    assert isinstance(outcome[0], LimitReachedError)


def test_far_from_the_quota_nobody_waits_and_one_statement_is_more(
    empty_database: Engine,
) -> None:
    limits = settings(layer=1_000, user=1_000)
    with empty_database.begin() as connection:
        layer = new_layer(connection, new_user(connection))
    with empty_database.begin() as connection, empty_database.begin() as other:
        connection.execute(text(_FEATURES), {"layer": layer, "count": 1})
        with statements() as seen:
            refuse_excess_features(connection, limits, layer, of_account=False)
        assert len(seen) == 1
        add(connection, limits, layer, 100)
        add(other, limits, layer, 100)
