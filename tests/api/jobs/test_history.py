"""What a worker does about the history."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, text

from samsyn_admin.jobs.history import keep_history
from samsyn_model.settings import Settings
from tests.model.tables.features import add_layer, insert, update

_LEFT = """
SELECT (SELECT count(*) FROM unsealed_change_sets), (SELECT count(*) FROM feature_versions)"""


def left(engine: Engine) -> tuple[int, int]:
    """Return how many change sets are not sealed, and how many versions there are."""
    with engine.connect() as connection:
        row = connection.execute(text(_LEFT)).one()
        return row[0], row[1]


async def until(engine: Engine, settings: Settings, expected: tuple[int, int]) -> None:
    """Keep the history until so many change sets and versions are left."""
    keeping = asyncio.create_task(keep_history(engine, settings))
    try:
        async with asyncio.timeout(30):
            while await asyncio.to_thread(left, engine) != expected:
                await asyncio.sleep(0.1)
    finally:
        keeping.cancel()


def make_versions(engine: Engine, number: int) -> None:
    """Make so many versions that ended ten days ago."""
    with engine.begin() as connection:
        layer = add_layer(connection)
        ids = insert(connection, layer, number)
    with engine.begin() as connection:
        update(connection, layer, ids)
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        connection.execute(
            text("UPDATE layer_change_sets SET committed_at = committed_at - interval '10 days'")
        )


def test_what_is_committed_is_sealed_and_nothing_is_removed(empty_database: Engine) -> None:
    make_versions(empty_database, 3)
    assert left(empty_database)[0] > 0
    asyncio.run(until(empty_database, Settings(_env_file=None), (0, 3)))


@pytest.mark.parametrize(("days", "kept"), [(9, 0), (11, 3)])
def test_versions_are_removed_after_their_time(
    empty_database: Engine, days: int, kept: int
) -> None:
    make_versions(empty_database, 3)
    settings = Settings(_env_file=None, history_retention=days)
    asyncio.run(until(empty_database, settings, (0, kept)))
    with empty_database.connect() as connection:
        horizon = connection.execute(text("SELECT begins_at FROM history_horizons")).scalar()
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    assert horizon == (None if kept else today - timedelta(days=days))
