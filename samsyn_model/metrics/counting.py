"""What a process counts: nothing before it has begun to, at the cost of a look at one variable.

Without METRICS_PORT no process begins, and none imports the library of Prometheus.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

from sqlalchemy import Engine, event

from samsyn_model.metrics import slow_statements, tracing

if TYPE_CHECKING:
    from samsyn_model.metrics.prometheus import Metrics

FOLDER = "SAMSYN_METRICS"
"""The environment variable that names the folder which the processes of a server count in."""

type Server = Literal["primary", "replica"]
type ReadReason = Literal["none", "unavailable", "written", "history", "refused", "failed"]
type Cache = Literal["responses", "tiles", "counts", "kept responses"]

_metrics: Metrics | None = None


def begin(process: str) -> None:
    """Count from now on, where the server publishes metrics; once in a process.

    `process` is its part in the server, letters and digits: the next process of this name goes on
    with what it has counted.
    """
    global _metrics  # noqa: PLW0603 - one a process
    folder = os.environ.get(FOLDER)
    if folder and _metrics is None:
        forget(process)
        from samsyn_model.metrics.prometheus import Metrics  # noqa: PLC0415 - only where it counts

        _metrics = Metrics(folder, process)


def forget(process: str) -> None:
    """Remove what a process has said of itself as it is, once it has ended; its counts stay."""
    folder = os.environ.get(FOLDER)
    if folder:
        for file in Path(folder).glob(f"gauge_live*_{process}.db"):
            with suppress(FileNotFoundError):
                file.unlink()


def is_on() -> bool:
    """Return whether this process counts."""
    return _metrics is not None


def count_request(method: str, route: str | None, status: int, seconds: float) -> None:
    """Count a response: by the template of its route, None where the address has none."""
    if _metrics is not None:
        _metrics.count_request(method, route, status, seconds)


def count_lookup(cache: Cache, *, is_hit: bool) -> None:
    """Count a look into a cache."""
    if _metrics is not None:
        _metrics.count_lookup(cache, is_hit=is_hit)


def count_read(server: Server, reason: ReadReason) -> None:
    """Count a request that reads on a server, and why on the primary where there is a replica."""
    if _metrics is not None:
        _metrics.count_read(server, reason)


def note_replica(lag: float) -> None:
    """Note how many seconds the replica is behind."""
    if _metrics is not None:
        _metrics.note_replica(lag)


def count_job(kind: str, outcome: str) -> None:
    """Count an attempt at a job that has come to its end."""
    if _metrics is not None:
        _metrics.count_job(kind, outcome)


def count_outgoing(outcome: str, seconds: float) -> None:
    """Count a request to another server that has ended just now."""
    tracing.note_outgoing(outcome, seconds)
    if _metrics is not None:
        _metrics.count_outgoing(outcome, seconds)


def note_live_clients(number: int) -> None:
    """Note how many clients this process sends events to."""
    if _metrics is not None:
        _metrics.note_live_clients(number)


def watch_pool(engine: Engine, limit: int) -> None:
    """Note how many of an engine's connections are in use, of so many, where this process
    counts."""
    if (metrics := _metrics) is None:
        return
    pool: Any = engine.pool
    metrics.note_limit(limit)
    event.listen(engine, "checkout", lambda *_: metrics.note_connections(pool.checkedout()))
    # which comes before the pool itself counts
    event.listen(engine, "checkin", lambda *_: metrics.note_connections(pool.checkedout() - 1))


class _Untimed:
    """The context of all statements where nothing is counted."""

    __slots__ = ()

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        pass


class _Timed:
    __slots__ = ("_start", "_statement")

    def __init__(self, statement: object) -> None:
        self._statement, self._start = statement, monotonic()

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        seconds = monotonic() - self._start
        is_slow = slow_statements.limit is not None and seconds >= slow_statements.limit
        if _metrics is not None:
            _metrics.count_statement(seconds, is_slow=is_slow)
        tracing.note_statement(self._statement, seconds, error)
        if is_slow:
            slow_statements.tell(self._statement, seconds, error)


_UNTIMED = _Untimed()


def timed(statement: object) -> _Timed | _Untimed:
    """Return the context in which a statement runs, whose time is counted, sent as a span, and told
    where it is slow."""
    if _metrics is None and slow_statements.limit is None and not tracing.is_on():
        return _UNTIMED
    return _Timed(statement)
