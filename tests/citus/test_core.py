"""A distributed database answers as one that is not: a mixed run of requests on both."""

import os
import subprocess
import sys
import uuid
from collections.abc import Sequence
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from samsyn_admin.app import create_app
from samsyn_model.database.engine import open_engine
from samsyn_model.database.migrations import upgrade
from samsyn_model.errors import DatabaseSetupError
from samsyn_model.features.writing import insert_features
from samsyn_model.identity import api_tokens
from samsyn_model.settings import Settings
from samsyn_model.sharding.distribution import distribute, plan_distribution
from samsyn_model.sharding.tables import DISTRIBUTED_TABLES
from tests.citus.cluster import citus_database
from tests.citus.requests import Answer, Run, send_all
from tests.model.scratch import scratch_database, scratch_engine
from tests.model.tables.features import add_layer

_COUNTED = "SELECT layer_count(:layer), layer_version(:layer)"
_ROWS = "SELECT count(*) FROM layer_features WHERE layer_id = :layer"

_MOVES = """
SELECT shardid, nodeport, (SELECT min(nodeport) FROM pg_dist_node
    WHERE groupid > 0 AND nodeport <> shards.nodeport AND isactive) AS other
FROM citus_shards AS shards
WHERE table_name = 'layer_features'::regclass AND shardid = get_shard_id_for_distribution_column(
    'layer_features', CAST(:layer AS uuid))"""


def answers(url: str) -> Sequence[Answer]:
    """Return what the mixed run is answered on a database."""
    engine = open_engine(url, statement_timeout=60, prepares=True)
    try:
        with engine.begin() as connection:
            user_id = api_tokens.find_or_create_user(connection, "owner@example.org")
            token = api_tokens.create_token(connection, user_id, name="test", scope="write")
        app = create_app(Settings(_env_file=None, writes_per_minute=0), engine)
        run = Run(app.test_client(), {"Authorization": f"Bearer {token}"})
        send_all(run)
        return run.answers
    finally:
        engine.dispose()


def test_it_answers_as_a_database_that_is_not_distributed(
    server_url: str, distributed_url: str
) -> None:
    with scratch_database(server_url) as url:
        with scratch_engine(url) as engine:
            upgrade(engine)
        expected = answers(url)
    found = answers(distributed_url)
    assert [answer.status for answer in found] == [answer.status for answer in expected]
    differing = [
        (one.request, one.body, other.body)
        for one, other in zip(expected, found, strict=True)
        if one.body != other.body
    ]
    assert differing == []


def test_counts_are_right_after_a_shard_has_moved(distributed_url: str) -> None:
    with scratch_engine(distributed_url) as engine:
        layer, user = _filled_layer(engine, 20)
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            row = connection.execute(text(_MOVES), {"layer": layer}).one()
            if row.other is None:
                pytest.skip("the cluster has one worker")
            connection.execute(
                text(
                    "SELECT citus_move_shard_placement(:shard, n.nodename, :port, m.nodename,"
                    " :other, shard_transfer_mode => 'force_logical') FROM pg_dist_node n,"
                    " pg_dist_node m WHERE n.nodeport = :port AND m.nodeport = :other"
                ),
                {"shard": row.shardid, "port": row.nodeport, "other": row.other},
            )
        assert _counts(engine, layer) == (20, 1, 20)
        with engine.begin() as connection:
            insert_features(connection, layer, [_POINT], user)
        assert _counts(engine, layer) == (21, 2, 21)


def test_whoever_goes_round_the_layer_is_refused(distributed_url: str) -> None:
    with scratch_engine(distributed_url) as engine:
        layer, _ = _filled_layer(engine, 1)
        statement = text("INSERT INTO layer_features (layer_id) VALUES (:layer)")
        with (
            engine.connect() as connection,
            pytest.raises(DBAPIError, match="begin_writing"),
        ):
            connection.execute(statement, {"layer": layer})
        with (
            engine.connect() as connection,
            pytest.raises(DBAPIError, match="there is no layer"),
        ):
            connection.execute(text("SELECT begin_writing(:layer)"), {"layer": uuid.uuid4()})
        assert _counts(engine, layer) == (1, 1, 1)


def test_a_transaction_has_one_change_set(distributed_url: str) -> None:
    with scratch_engine(distributed_url) as engine:
        layer, user = _filled_layer(engine, 1)

        def insert_twice(connection: Connection) -> None:
            insert_features(connection, layer, [_POINT], user)
            connection.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
            insert_features(connection, layer, [_POINT], user)
            connection.commit()

        with engine.connect() as connection, pytest.raises(DBAPIError, match="one change set"):
            insert_twice(connection)
        assert _counts(engine, layer) == (1, 1, 1)


def test_distributing_again_does_nothing(coordinator_url: str) -> None:
    with citus_database(coordinator_url) as url, scratch_engine(url) as engine:
        with pytest.raises(DatabaseSetupError, match="not migrated"):
            plan_distribution(engine)
        upgrade(engine)
        layer, _ = _filled_layer(engine, 5)
        told = subprocess.run(
            [Path(sys.executable).with_name("samsyn"), "db", "distribute", "--dry-run"],
            env={**os.environ, "DATABASE_URL": url},
            capture_output=True,
            text=True,
            check=True,
        )
        assert "layer_features: " in told.stderr
        assert [table.name for table in plan_distribution(engine).pending] == [*DISTRIBUTED_TABLES]
        distribute(engine, 2)
        assert distribute(engine, 2).pending == []
        assert _counts(engine, layer) == (5, 1, 5)
        upgrade(engine)


def test_a_server_without_citus_is_refused(server_url: str) -> None:
    """Needs no Citus; where that is installed, the database lacks it."""
    with (
        scratch_database(server_url) as url,
        scratch_engine(url) as engine,
        pytest.raises(DatabaseSetupError, match=r"Citus is not installed|lacks the extension"),
    ):
        plan_distribution(engine)


_POINT = {"type": "Feature", "geometry": {"type": "Point", "coordinates": [10, 57]}}


def _filled_layer(engine: Engine, number: int) -> tuple[uuid.UUID, uuid.UUID]:
    """Make a layer with features; return its id and that of its owner."""
    with engine.begin() as connection:
        layer = add_layer(connection)
        user: uuid.UUID = connection.execute(
            text("SELECT created_by FROM layers WHERE id = :layer"), {"layer": layer}
        ).scalar_one()
        insert_features(connection, layer, [_POINT] * number, user)
    return layer, user


def _counts(engine: Engine, layer: uuid.UUID) -> tuple[int, int, int]:
    with engine.connect() as connection:
        count, version = connection.execute(text(_COUNTED), {"layer": layer}).one()
        return count, version, connection.execute(text(_ROWS), {"layer": layer}).scalar_one()
