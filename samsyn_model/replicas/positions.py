"""Positions in PostgreSQL's write-ahead log, as numbers."""

from sqlalchemy import Connection

from samsyn_model.database.execution import run

_PAGE = 8192
_LONGEST_HEADER = 40

# That of what is written, not of what is on the disk: a commit that waits for none is seen before.
CURRENT = "(pg_current_wal_insert_lsn() - '0/0')::bigint"
"""The expression for the primary's position: what is committed and seen ends before it."""
REPLAYED = "(pg_last_wal_replay_lsn() - '0/0')::bigint"
"""The expression for a replica's position: what it has replayed ends there."""


def current_position(connection: Connection) -> int:
    """Return the primary's position."""
    return reached(run(connection, f"SELECT {CURRENT} AS position").one().position)


def reached(position: int) -> int:
    """Return where the last record ends, of a position of CURRENT: that is behind the header of a
    page that has no record yet, and no replica gets there before there is one."""
    offset = position % _PAGE
    return position - offset if offset <= _LONGEST_HEADER else position
