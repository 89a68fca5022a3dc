"""A replica: whether it may be read, and how far it has come, looked up beside the requests.

A lag is measured by positions in the log, each with the moment when the primary was there: on an
idle primary the time of the last replayed commit says nothing.
"""

import logging
import threading
from collections import deque
from dataclasses import dataclass
from datetime import datetime
from time import monotonic_ns
from typing import Any

import psycopg
from sqlalchemy import Engine, event
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry

from samsyn_model.database.engine import open_engine
from samsyn_model.database.execution import run
from samsyn_model.database.transactions import reading
from samsyn_model.errors import SamsynError
from samsyn_model.metrics.counting import note_replica
from samsyn_model.replicas.positions import CURRENT, REPLAYED, reached
from samsyn_model.settings import Settings

LOGGER = logging.getLogger(__name__)

SECOND = 1_000_000_000  # nanoseconds
INTERVAL = 0.5
"""Seconds between two looks."""
PROBATION = 2.0
"""Seconds for which a replica has to do well before it is read, again or for the first time."""
_SHORTEST = 0.05  # seconds between two looks where somebody waits for the next one
_BUSY = (
    psycopg.errors.SerializationFailure,
    psycopg.errors.DeadlockDetected,
    psycopg.errors.LockNotAvailable,
    psycopg.errors.QueryCanceled,
)
"""Errors of a server that responds: among them what stands in the way of the replay."""

_DATABASE = """
    (SELECT system_identifier FROM pg_control_system()) AS cluster,
    (SELECT oid FROM pg_database WHERE datname = current_database()) AS database"""
_PRIMARY = f"""
SELECT {CURRENT} AS position, pg_walfile_name(pg_current_wal_insert_lsn()) AS file, {_DATABASE}"""
_REPLICA = f"""
SELECT {REPLAYED} AS position, pg_is_in_recovery() AS is_replica,
    pg_postmaster_start_time() AS started,
    (SELECT timeline_id FROM pg_control_checkpoint()) AS timeline, {_DATABASE},
    coalesce(has_table_privilege(to_regclass('public.layers'), 'SELECT'), false) AS has_rights"""
_STARTED = "SELECT pg_postmaster_start_time()"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a replica has come."""

    position: int
    """Where in the log what it has replayed ends."""
    fresh_until: int
    """The moment by `monotonic_ns` before which it has all that was committed."""


@dataclass(frozen=True, slots=True)
class ReplicaState:
    """What `/api/health` tells of a replica."""

    is_read: bool
    lag: float | None
    """Seconds; None where that is not known."""
    reason: str | None
    """Why it is not read."""


class Replica:
    """The replica of a process; thread-safe. It makes no connection before it is asked for."""

    def __init__(self, primary: str, engine: Engine, max_lag: int, timeout: int) -> None:
        """`primary` is the URL of the database whose replica an engine is of. It is read while it
        lags by at most `max_lag` seconds; `timeout` is that of all statements."""
        self.engine = engine
        self.position = 0
        """How far it had come at the last look, whether it may be read or not."""
        url = engine.url.render_as_string(hide_password=False)
        self._primary = open_engine(primary, statement_timeout=timeout, pool_size=1)
        self._looks = open_engine(url, statement_timeout=timeout, pool_size=1)
        self._max_lag = max_lag * SECOND
        self._started: datetime | None = None
        self._samples: deque[tuple[int, int]] = deque()
        self._fresh_until: int | None = None
        self._progress: Progress | None = None
        self._good_since: int | None = None
        self._last_good = monotonic_ns()
        self._reason: str | None = "has not been looked at yet"
        self._told: bool | None = None
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._is_over = threading.Event()
        self._thread: threading.Thread | None = None
        event.listen(engine, "connect", self._check)
        event.listen(engine, "checkout", self._replace_if_former)

    def progress(self) -> Progress | None:
        """Return how far it has come, None where it is not to be read."""
        if self._thread is None:
            self.watch()
        progress = self._progress
        if progress is None or monotonic_ns() - progress.fresh_until > self._max_lag:
            return None
        return progress

    @property
    def may_be_read(self) -> bool:
        """Whether some process may read it at this moment, as far as is known here."""
        spare = (PROBATION + INTERVAL) * SECOND
        return monotonic_ns() - self._last_good <= self._max_lag + spare

    @property
    def max_lag(self) -> float:
        """Seconds that it may lag behind where it is read."""
        return self._max_lag / SECOND

    def state(self) -> ReplicaState:
        """Return what is to be told of it."""
        fresh, is_read = self._fresh_until, self.progress() is not None
        lag = None if fresh is None else max(0.0, (monotonic_ns() - fresh) / SECOND - INTERVAL)
        reason = None if is_read else self._reason or "may be behind"
        return ReplicaState(is_read, None if lag is None else round(lag, 1), reason)

    def look_soon(self) -> None:
        """Have it looked at before its time: somebody waits for what it has not replayed."""
        self._wake.set()

    def report(self, error: BaseException) -> None:
        """Take it for one that is away, until it has been looked at, where an error says so."""
        cause = cause_of(error)
        if isinstance(cause, psycopg.OperationalError) and not isinstance(cause, _BUSY):
            self._refuse("does not respond")
            self._wake.set()

    def watch(self) -> None:
        """Look at it from now on, in a thread."""
        with self._lock:
            if self._thread is None and not self._is_over.is_set():
                self._thread = threading.Thread(target=self._watch, name="replica", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Look no more, and close all connections."""
        self._is_over.set()
        self._wake.set()
        if self._thread is not None:
            self._thread.join()
        for engine in (self.engine, self._primary, self._looks):
            engine.dispose()

    def _watch(self) -> None:
        while not self._is_over.is_set():
            self._wake.clear()
            try:
                self._look()
            except Exception:
                LOGGER.exception("The replica cannot be looked at")
            if not self._is_over.wait(_SHORTEST):
                self._wake.wait(INTERVAL - _SHORTEST)

    def _look(self) -> None:
        moment = monotonic_ns()
        try:
            with reading(self._primary) as connection:
                primary = run(connection, _PRIMARY).one()
        except (SamsynError, psycopg.Error):
            self._expire(moment, "cannot be compared with the primary, which does not respond")
            return
        self._samples.append((moment, reached(primary.position)))
        try:
            with reading(self._looks) as connection:
                found = run(connection, _REPLICA).one()
        except (SamsynError, psycopg.Error):
            self._refuse("does not respond")
            return
        if (fault := self._fault(primary, found)) is not None:
            self._refuse(fault)
        else:
            self._follow(moment, found.position)

    def _fault(self, primary: Any, found: Any) -> str | None:
        if (found.cluster, found.database) != (primary.cluster, primary.database):
            return "is that of another database"
        if not found.is_replica or found.position is None:
            return "is a replica no more" if self._started else "is no replica"
        if found.timeline != int(primary.file[:8], 16):
            return "is on another timeline than the primary"
        if found.started != self._started:
            is_first, self._started = self._started is None, found.started
            self.position, self._fresh_until = found.position, None
            return None if is_first else "is another server, or was started again"
        if not found.has_rights:
            return "may not be read by the role of READ_DATABASE_URL"
        return None

    def _follow(self, moment: int, position: int) -> None:
        """Note how far it has come, at a look of a moment."""
        while self._samples and self._samples[0][1] <= position:
            self._fresh_until = self._samples.popleft()[0]
        while self._samples and moment - self._samples[0][0] > self._max_lag + SECOND:
            self._samples.popleft()
        self.position = position
        fresh = self._fresh_until
        lag = self._lag(moment)
        note_replica(lag / SECOND)
        if lag <= self._max_lag + (PROBATION + INTERVAL) * SECOND:
            self._last_good = moment
        if fresh is None or lag > self._max_lag:
            self._refuse(f"lags more than {self._max_lag // SECOND} s behind")
            return
        with self._lock:
            self._good_since = self._good_since or moment
            # with all of before it did well it has what anybody was told of meanwhile
            if moment - self._good_since < PROBATION * SECOND or fresh < self._good_since:
                return
            self._progress, self._reason = Progress(position, fresh), None
        self._tell(is_read=True)

    def _expire(self, moment: int, reason: str) -> None:
        """Refuse it once what is known of it is too old."""
        progress = self._progress
        if progress is None or moment - progress.fresh_until > self._max_lag:
            self._refuse(reason)

    def _refuse(self, reason: str) -> None:
        with self._lock:
            self._progress = self._good_since = None
            self._reason = reason
        note_replica(self._lag(monotonic_ns()) / SECOND)
        self._tell(is_read=False)

    def _lag(self, moment: int) -> int:
        """Return how far it is behind at a moment, more than it may be where that is not known."""
        fresh = self._fresh_until
        return self._max_lag + SECOND if fresh is None else moment - fresh

    def _tell(self, *, is_read: bool) -> None:
        is_new = self._told is None and not is_read and self.may_be_read
        if is_read is self._told or is_new:
            return
        self._told = is_read
        if is_read:
            LOGGER.warning("The replica is read.")
        else:
            LOGGER.error("The replica %s: the primary is read.", self._reason)

    def _check(self, connection: Any, record: ConnectionPoolEntry) -> None:
        """Refuse a new connection to another server than the one that is looked at: started again,
        it goes on from an earlier state than it has shown; a name may have several."""
        try:
            (started,) = connection.execute(_STARTED).fetchone()
            if started != self._started:
                raise psycopg.OperationalError("The replica is another server.")
        except psycopg.Error:
            connection.close()
            raise
        record.info[_STARTED] = started

    def _replace_if_former(self, _: Any, record: ConnectionPoolEntry, __: Any) -> None:
        """Have the pool make a new connection in place of one to a former server."""
        if record.info[_STARTED] != self._started:
            raise DisconnectionError


def open_replica(primary: str, settings: Settings, pool_size: int = 1) -> Replica | None:
    """Return the replica of the database at a URL that the settings name, None without one."""
    if not settings.read_database_url:
        return None
    engine = open_engine(
        settings.read_database_url,
        statement_timeout=settings.statement_timeout,
        pool_size=pool_size,
        prepares=settings.prepared_statements,
    )
    return Replica(primary, engine, settings.read_database_max_lag, settings.statement_timeout)


def cause_of(error: BaseException) -> BaseException | None:
    """Return the driver's error that one of ours comes from, if it does."""
    cause = error.__cause__
    return getattr(cause, "orig", cause)
