"""Quotas of rows: two connections at once, and what counting costs."""

import json
import uuid
from collections.abc import Iterator
from threading import Thread
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, text

from samsyn_model.errors import LimitReachedError, SamsynError
from samsyn_model.quotas.rows import _ROWS, Quota, refuse_excess
from samsyn_model.settings import Settings
from tests.model.waiting import wait_for_lock

_OTHERS, _OWN, _MAXIMUM = 40_000, 400, 100
_OWN_MAP = "INSERT INTO maps (name, created_by) VALUES ('x', :key)"
_FILL = {
    "api_tokens": (
        "INSERT INTO api_tokens (user_id, name, token_hash, prefix)"
        " SELECT {user}, 'x', sha256(gen_random_uuid()::text::bytea), 'x'"
        " FROM generate_series(1, {n}) number"
    ),
    "maps": "INSERT INTO maps (name, created_by) SELECT 'x', {user}"
    " FROM generate_series(1, {n}) number",
    "layers": "INSERT INTO layers (name, source_type, created_by) SELECT 'x', 'wms', {user}"
    " FROM generate_series(1, {n}) number",
    "comments": "INSERT INTO comments (map_id, layer_id, author_id, content)"
    " SELECT {map}, {layer}, {user}, 'x' FROM generate_series(1, {n}) number",
}


def settings(quota: Quota, maximum: int) -> Settings:
    return Settings(_env_file=None, **{quota.value: maximum})  # type: ignore[arg-type]


@pytest.fixture
def owner(empty_database: Engine) -> uuid.UUID:
    with empty_database.begin() as connection:
        return _new_user(connection)


def _new_user(connection: Connection) -> uuid.UUID:
    statement = text("INSERT INTO users (email) VALUES (:email) RETURNING id")
    found: uuid.UUID = connection.execute(
        statement, {"email": f"{uuid.uuid4()}@example.org"}
    ).scalar_one()
    return found


def test_of_two_at_once_the_second_waits_and_is_refused(
    empty_database: Engine, owner: uuid.UUID
) -> None:
    """Both see one map fewer than the quota when they begin."""
    limits = settings(Quota.MAPS_OF_USER, 2)
    outcome: list[Exception | str] = []
    with empty_database.begin() as connection:
        connection.execute(text(_OWN_MAP), {"key": owner})

    def second() -> None:
        try:
            with empty_database.begin() as connection:
                connection.execute(text(_OWN_MAP), {"key": owner})
                refuse_excess(connection, limits, (Quota.MAPS_OF_USER, owner))
            outcome.append("granted")
        except SamsynError as error:
            outcome.append(error)

    thread = Thread(target=second)
    with empty_database.begin() as connection:
        connection.execute(text(_OWN_MAP), {"key": owner})
        refuse_excess(connection, limits, (Quota.MAPS_OF_USER, owner))
        thread.start()
        wait_for_lock(empty_database, "SELECT pg_advisory_xact_lock")
        # another account waits for nobody
        with empty_database.begin() as other:
            key = _new_user(other)
            other.execute(text(_OWN_MAP), {"key": key})
            refuse_excess(other, limits, (Quota.MAPS_OF_USER, key))
    thread.join()
    (error,) = outcome
    assert isinstance(error, LimitReachedError)
    assert error.detail == "An account owns up to 2 maps: delete one first."
    with empty_database.begin() as connection:
        count = text("SELECT count(*) FROM maps WHERE created_by = :key")
        assert connection.execute(count, {"key": owner}).scalar_one() == 2


def test_where_the_first_fails_the_second_is_granted(
    empty_database: Engine, owner: uuid.UUID
) -> None:
    limits = settings(Quota.MAPS_OF_USER, 1)
    outcome: list[str] = []

    def second() -> None:
        with empty_database.begin() as connection:
            connection.execute(text(_OWN_MAP), {"key": owner})
            refuse_excess(connection, limits, (Quota.MAPS_OF_USER, owner))
        outcome.append("granted")

    thread = Thread(target=second)
    with empty_database.connect() as connection, connection.begin() as transaction:
        connection.execute(text(_OWN_MAP), {"key": owner})
        refuse_excess(connection, limits, (Quota.MAPS_OF_USER, owner))
        thread.start()
        wait_for_lock(empty_database, "SELECT pg_advisory_xact_lock")
        transaction.rollback()
    thread.join()
    assert outcome == ["granted"]


def test_zero_is_no_quota(connection: Connection) -> None:
    key = _new_user(connection)
    for _ in range(3):
        connection.execute(text(_OWN_MAP), {"key": key})
    refuse_excess(connection, settings(Quota.MAPS_OF_USER, 3), (Quota.MAPS_OF_USER, key))
    with pytest.raises(LimitReachedError):
        refuse_excess(connection, settings(Quota.MAPS_OF_USER, 2), (Quota.MAPS_OF_USER, key))
    refuse_excess(connection, settings(Quota.MAPS_OF_USER, 0), (Quota.MAPS_OF_USER, key))


@pytest.mark.parametrize(
    "quota",
    [
        Quota.TOKENS_OF_USER,
        Quota.MAPS_OF_USER,
        Quota.LAYERS_OF_USER,
        Quota.COMMENTS_OF_USER,
        Quota.COMMENTS_OF_MAP,
        Quota.COMMENTS_OF_LAYER,
    ],
)
def test_counting_reads_no_more_than_the_quota_and_nothing_of_others(
    connection: Connection, quota: Quota
) -> None:
    own, others = (_subjects(connection) for _ in range(2))
    table = _ROWS[quota].partition(" ")[0]
    for subjects, count in ((others, _OTHERS), (own, _OWN)):
        connection.execute(text(_FILL[table].format(n=count, **subjects)))
    connection.execute(text(f"ANALYZE {table}"))
    name = {"user": "user", "map": "map", "layer": "layer"}[quota.value.rpartition("_")[2]]
    rows = _ROWS[quota].replace("%({key})s", own[name])
    limited = f"SELECT FROM {rows} LIMIT {_MAXIMUM + 1}"
    explained = connection.execute(text(f"EXPLAIN (ANALYZE, FORMAT JSON) {limited}")).scalar_one()
    plan = explained if isinstance(explained, list) else json.loads(explained)
    nodes = list(_nodes(plan[0]["Plan"]))
    assert not [node for node in nodes if node["Node Type"] == "Seq Scan"]
    read = sum(
        node["Actual Rows"] + node.get("Rows Removed by Filter", 0)
        for node in nodes
        if "Scan" in node["Node Type"]
    )
    assert _MAXIMUM < read <= 2 * (_OWN + 1)


def _subjects(connection: Connection) -> dict[str, str]:
    user = _new_user(connection)
    made = {"user": user}
    for name, statement in (
        ("map", "INSERT INTO maps (name, created_by) VALUES ('x', :user) RETURNING id"),
        (
            "layer",
            "INSERT INTO layers (name, source_type, created_by) VALUES ('x', 'wms', :user)"
            " RETURNING id",
        ),
    ):
        made[name] = connection.execute(text(statement), {"user": user}).scalar_one()
    return {name: f"'{key}'::uuid" for name, key in made.items()}


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from _nodes(child)
