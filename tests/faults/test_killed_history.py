"""The database is killed while many write and one seals: the present, its history, the counts and
the chain agree."""

import os
import random
import signal
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime
from threading import Event

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

from samsyn_model.audit.findings import Tally
from samsyn_model.audit.sealing import seal_all, seal_batch
from samsyn_model.audit.verification import verify
from samsyn_model.cluster.installations import find_installations
from samsyn_model.database.engine import open_engine
from samsyn_model.errors import DatabaseUnavailableError, SamsynError
from tests.faults.database_server import DatabaseServer, database_server, slack, wait_until
from tests.model.history.states import State, copy_now, edit, states_as_of
from tests.model.tables.features import add_layer, insert

KILLS = 4
WRITERS = 6

FAULTS = """
SELECT 'count', layers.id::text FROM layers WHERE
    (SELECT count(*) FROM layer_features WHERE layer_id = layers.id)
        IS DISTINCT FROM (SELECT sum(feature_count) FROM layer_changes WHERE layer_id = layers.id)
    OR (SELECT sum(feature_count) FROM layer_changes WHERE layer_id = layers.id)
        IS DISTINCT FROM (SELECT feature_count FROM layer_change_sets WHERE layer_id = layers.id
            ORDER BY committed_at DESC LIMIT 1)
UNION ALL
SELECT 'feature', id::text FROM layer_features AS stored WHERE NOT EXISTS (
    SELECT FROM layer_change_sets AS done
    WHERE done.layer_id = stored.layer_id AND done.change_set_id = stored.change_set)
UNION ALL
SELECT 'version', feature_id::text FROM feature_versions AS former WHERE 2 <> (
    SELECT count(*) FROM layer_change_sets AS done
    WHERE done.layer_id = former.layer_id AND change_set_id IN (from_change, to_change))
UNION ALL
SELECT 'change set', change_set_id::text FROM layer_change_sets AS done
WHERE NOT EXISTS (SELECT FROM change_sets WHERE id = done.change_set_id)
UNION ALL
SELECT 'numbers', min(layer_id::text) FROM (
    SELECT layer_id, inserted, deleted, change_set_id,
        (SELECT count(*) FROM feature_versions AS former WHERE former.layer_id = done.layer_id
            AND to_change = change_set_id AND was_deleted) AS kept
    FROM layer_change_sets AS done
) AS numbers WHERE kept > deleted HAVING count(*) > 0"""

SEALED = """
SELECT (SELECT count(*) FROM change_sets), count(*), max(position) FROM change_seals"""

pytestmark = pytest.mark.skipif(not find_installations(), reason="no PostgreSQL with PostGIS")


@pytest.fixture(scope="module")
def server() -> Iterator[DatabaseServer]:
    with database_server(keeps_running=True) as running:
        yield running


def write(engine: Engine, layers: list[uuid.UUID], seed: int, done: Event) -> None:
    """Edit layers, whether the database is there or not, until it is enough."""
    chance = random.Random(seed)
    while not done.is_set():
        try:
            with engine.begin() as connection:
                for _ in range(chance.randrange(1, 4)):
                    edit(chance, connection, chance.choice(layers))
        except (SQLAlchemyError, DatabaseUnavailableError):
            time.sleep(0.1)


def seal(engine: Engine, done: Event) -> None:
    """Seal, whether the database is there or not, until it is enough."""
    while not done.is_set():
        try:
            seal_batch(engine)
        except (SQLAlchemyError, SamsynError):
            time.sleep(0.1)


def is_there(engine: Engine) -> bool:
    with suppress(SQLAlchemyError, DatabaseUnavailableError), engine.connect() as connection:
        return connection.execute(text("SELECT true")).scalar_one() is True
    return False


def edits_of(engine: Engine) -> Callable[[], int]:
    def count() -> int:
        with engine.connect() as connection:
            statement = text("SELECT count(*) FROM layer_change_sets")
            return int(connection.execute(statement).scalar_one())

    return count


def test_they_agree_after_each_kill(server: DatabaseServer) -> None:
    engine = open_engine(server.url, statement_timeout=30, pool_size=WRITERS + 3)
    with engine.begin() as connection:
        layers = [add_layer(connection), add_layer(connection)]
        for layer in layers:
            insert(connection, layer, 50)
    copies: list[tuple[uuid.UUID, datetime, State]] = []
    try:
        for number in range(KILLS):
            done, before = Event(), edits_of(engine)()
            with ThreadPoolExecutor(WRITERS + 1) as threads:
                threads.submit(seal, engine, done)
                for seed in range(WRITERS):
                    threads.submit(write, engine, layers, 10 * number + seed, done)
                try:
                    reached = before + 30
                    wait_until(lambda least=reached: edits_of(engine)() > least, 60, "edits")  # type: ignore[misc]
                    copies += [(layer, *copy_now(engine, layer)) for layer in layers]
                    for process in server.processes():
                        with suppress(ProcessLookupError):
                            os.kill(process, signal.SIGKILL)
                finally:
                    done.set()
            wait_until(lambda: is_there(engine), 20 * slack(), "the database")
            with engine.connect() as connection:
                assert connection.execute(text(FAULTS)).all() == []
            assert [str(finding) for finding in verify(engine, Tally())] == []
            seal_all(engine)
            counted = Tally()
            assert [str(finding) for finding in verify(engine, counted)] == []
            with engine.connect() as connection:
                assert connection.execute(text(SEALED)).one() == (counted.change_sets,) * 3
            for layer, moment, copied in copies:
                assert all(found == copied for found in states_as_of(engine, layer, moment))
    finally:
        engine.dispose()
