"""Waiting until a statement of another connection waits for a lock."""

import time

from sqlalchemy import Engine, text


def wait_for_lock(engine: Engine, statement: str, patience: float = 10) -> None:
    """Return once a statement that starts like this waits for a lock in the same database."""
    deadline = time.monotonic() + patience
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
        " AND wait_event_type = 'Lock' AND starts_with(query, :statement)"
    )
    while time.monotonic() < deadline:
        with engine.connect() as connection:
            if connection.execute(waiting, {"statement": statement}).scalar_one():
                return
        time.sleep(0.02)
    raise AssertionError(f"nothing waits: {statement}")
