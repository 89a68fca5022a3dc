"""Whether a pooler moves a client from one session of PostgreSQL to another, and what that loses.

While another client has the session that a statement was prepared in, it is run again: only a
pooler that moves clients runs it elsewhere, and only one that knows prepared statements can.
"""

import secrets
import select
from collections.abc import Callable
from contextlib import closing
from time import monotonic
from typing import Any

import psycopg
from psycopg import pq

_TRIES = 8  # beside other clients, one may not get the session that it should
_PATIENCE = 2.0  # seconds for a session, where the pool has no other
_LAST_PATIENCE = 60.0

type _Connection = psycopg.Connection[Any]


def find_moves(first: _Connection, connect: Callable[[], _Connection]) -> tuple[bool, bool]:
    """Return whether clients are moved, and whether prepared statements outlast it.

    Both connections commit by themselves. Raises psycopg.Error.
    """
    name = f"samsyn_{secrets.token_hex(8)}".encode()
    prepared = first.pgconn.prepare(name, b"SELECT pg_backend_pid()")
    if prepared.status != pq.ExecStatus.COMMAND_OK:
        return True, False
    first.pgconn.send_query_prepared(name, None)
    if (session := _result(first, _LAST_PATIENCE)) is None:
        return True, False
    moves = False
    with closing(connect()) as other:
        other.autocommit = True
        for _ in range(_TRIES):
            other.execute("BEGIN")
            row = other.execute("SELECT pg_backend_pid()").fetchone()
            moves = moves or (row is not None and row[0] == session)
            first.pgconn.send_query_prepared(name, None)
            if not _is_answered(first, _PATIENCE):
                other.execute("ROLLBACK")
                _result(first, _LAST_PATIENCE)
                return True, False
            found = _result(first, _LAST_PATIENCE)
            if found != session:
                return True, found is not None
            other.execute("ROLLBACK")
    return moves, not moves


def _is_answered(connection: _Connection, seconds: float) -> bool:
    """Wait for what was sent; return whether its result has come."""
    pgconn = connection.pgconn
    pgconn.flush()
    poll = select.poll()
    poll.register(pgconn.socket, select.POLLIN)
    deadline = monotonic() + seconds
    while pgconn.is_busy():
        if not poll.poll(max(0.0, deadline - monotonic()) * 1000):
            return False
        pgconn.consume_input()
    return True


def _result(connection: _Connection, seconds: float) -> int | None:
    """Return the process that has run the prepared statement, None where that is not known."""
    process = None
    while _is_answered(connection, seconds):
        result = connection.pgconn.get_result()
        if result is None:
            return process
        if result.status == pq.ExecStatus.TUPLES_OK:
            process = int(result.get_value(0, 0) or b"0")
    raise psycopg.OperationalError("The pooler does not answer.")
