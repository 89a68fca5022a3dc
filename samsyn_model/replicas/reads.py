"""Where a request reads: all of it on one server, a replica or the primary."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy import Engine

from samsyn_model.database.transactions import ReadAgainError, read_through, reader
from samsyn_model.errors import (
    DatabaseSetupError,
    DatabaseUnavailableError,
    NotFoundError,
    PermissionDeniedError,
)
from samsyn_model.metrics.counting import ReadReason, count_read
from samsyn_model.replicas.commits import watch_commits
from samsyn_model.replicas.replica import Replica, cause_of, open_replica
from samsyn_model.replicas.writes import Writes
from samsyn_model.settings import Settings

_REFUSALS = (NotFoundError, PermissionDeniedError)
_CONFLICT = "conflict with recovery"
"""What PostgreSQL says where a statement has stood in the way of the replay."""


class Reads:
    """The replica of a process, and what it may not be asked for yet."""

    def __init__(self, replica: Replica, writes: Writes) -> None:
        self.replica, self.writes = replica, writes

    def begin(self, user_id: UUID | None, subjects: Collection[UUID]) -> None:
        """Let this thread read for a user, about layers and maps of these ids, until `end`."""
        ids = {*subjects} if user_id is None else {*subjects, user_id}
        read_through(_Choice(self, ids))

    @staticmethod
    def end() -> None:
        """Let this thread read the primary."""
        read_through(None)


class _Choice:
    """Where one request reads: chosen at its first statement."""

    __slots__ = ("_engine", "_ids", "_is_made", "_reads")

    def __init__(self, reads: Reads, ids: Collection[UUID]) -> None:
        self._reads, self._ids = reads, ids
        self._engine: Engine | None = None
        self._is_made = False

    def __call__(self) -> Engine | None:
        """Return the replica's engine; None where the primary is read."""
        if not self._is_made:
            self._is_made = True
            self._engine = self._choose()
        return self._engine

    def _choose(self) -> Engine | None:
        replica = self._reads.replica
        progress = replica.progress()
        if progress is None:
            count_read("primary", "unavailable")
            return None
        if not self._reads.writes.are_replayed(self._ids, progress):
            replica.look_soon()
            count_read("primary", "written")
            return None
        count_read("replica", "none")
        return replica.engine

    def move(self, error: BaseException) -> bool:
        """Read the primary from now on; return whether what failed by an error is to be tried
        there."""
        reason = None if self._engine is None else _reason(error)
        if reason is None:
            return False
        if reason == "failed":
            self._reads.replica.report(error)
        count_read("primary", reason)
        self._engine = None
        return True


def _reason(error: BaseException) -> ReadReason | None:
    """Return why a request that failed on the replica is to be tried on the primary, if it is."""
    if isinstance(error, ReadAgainError):
        return "history"
    if isinstance(error, _REFUSALS):
        return "refused"
    return "failed" if _is_of_replica(error) else None


def _is_of_replica(error: BaseException) -> bool:
    """Return whether an error may be one of the replica alone; a statement that was cancelled
    because it takes long would take as long on the primary."""
    if isinstance(error, DatabaseSetupError | psycopg.Error):
        return True
    cause = cause_of(error)
    if _CONFLICT in str(cause):
        return True
    is_driver = isinstance(cause, psycopg.Error)
    is_cancelled = isinstance(cause, psycopg.errors.QueryCanceled)
    return isinstance(error, DatabaseUnavailableError) and is_driver and not is_cancelled


def is_to_be_tried_again(error: BaseException) -> bool:
    """Return whether this thread's request, which failed, is to be tried once more, on the primary.

    That is where it read on the replica: what does not exist there, or may not be read, may be new;
    a statement may have stood in the way of the replay.
    """
    choice = reader()
    return isinstance(choice, _Choice) and choice.move(error)


def open_reads(settings: Settings, engine: Engine) -> Reads | None:
    """Return what requests of a process read by, whose engine on the primary has as large a pool;
    None without a replica. Its commits are noted. Errors as `Writes`."""
    if not settings.read_database_url:
        return None
    pool: Any = engine.pool
    primary = engine.url.render_as_string(hide_password=False)
    replica = open_replica(primary, settings, pool.size())
    if replica is None:
        return None
    writes = Writes(settings)
    watch_commits(engine, writes)
    return Reads(replica, writes)
