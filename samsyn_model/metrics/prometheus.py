"""The metrics, in files that all processes of a server write to: one a process and type.

Labels have few values: templates of routes, classes of statuses, names that the code gives.
"""

import os

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Summary, values

from samsyn_model.metrics.methods import METHODS

_NONE = "none"  # the route of an address that no route matches
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """What one process counts, in the files of a folder that are named by it."""

    def __init__(self, folder: str, process: str) -> None:
        """Go on where the last process of this name has ended."""
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        values.ValueClass = values.MultiProcessValue(lambda: process)  # type: ignore[no-untyped-call]
        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
        registry = CollectorRegistry(auto_describe=False)
        self._requests = Counter(
            "samsyn_requests",
            "Responses, by template of the route and class of the status.",
            ["method", "route", "status"],
            registry=registry,
        )
        self._of_requests: dict[tuple[str, str | None, int], tuple[Counter, Histogram]] = {}
        self._request_seconds = Histogram(
            "samsyn_request_seconds",
            "Seconds from a whole request to the end of its response.",
            ["route"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._statements = Summary(
            "samsyn_statement_seconds", "Seconds that statements take.", registry=registry
        )
        self._slow_statements = Counter(
            "samsyn_slow_statements", "Statements slower than SLOW_STATEMENTS.", registry=registry
        )
        self._in_use = Gauge(
            "samsyn_pool_connections_in_use",
            "Connections to the database that requests have.",
            multiprocess_mode="livesum",
            registry=registry,
        )
        self._limit = Gauge(
            "samsyn_pool_connections_limit",
            "Connections to the database that requests may have.",
            multiprocess_mode="livesum",
            registry=registry,
        )
        self._lookups = Counter(
            "samsyn_cache_lookups",
            "Looks into caches, by whether they had it.",
            ["cache", "outcome"],
            registry=registry,
        )
        self._reads = Counter(
            "samsyn_reads",
            "Requests that read, by server, and why the primary is read.",
            ["server", "reason"],
            registry=registry,
        )
        self._replica_lag = Gauge(
            "samsyn_replica_lag_seconds",
            "How far the replica is behind.",
            multiprocess_mode="livemax",
            registry=registry,
        )
        self._jobs = Counter(
            "samsyn_jobs",
            "Attempts at jobs, by how they ended.",
            ["kind", "outcome"],
            registry=registry,
        )
        self._outgoing = Counter(
            "samsyn_outgoing_requests",
            "Requests to other servers, by how they ended.",
            ["outcome"],
            registry=registry,
        )
        self._outgoing_seconds = Summary(
            "samsyn_outgoing_request_seconds",
            "Seconds that requests to other servers take.",
            registry=registry,
        )
        self._live_clients = Gauge(
            "samsyn_live_clients",
            "Clients that events are sent to.",
            multiprocess_mode="livesum",
            registry=registry,
        )
        starts = Counter("samsyn_process_starts", "Processes begun.", ["part"], registry=registry)
        starts.labels(process.rstrip("0123456789")).inc()

    def count_request(self, method: str, route: str | None, status: int, seconds: float) -> None:
        """Count a response."""
        key = method, route, status // 100
        counters = self._of_requests.get(key)
        if counters is None:  # looking them up by their labels takes longer than counting
            name = route or _NONE
            method = method if method in METHODS else "other"
            counters = (
                self._requests.labels(method, name, f"{status // 100}xx"),
                self._request_seconds.labels(name),
            )
            if method != "other":  # clients name methods as they like
                self._of_requests[key] = counters
        counters[0].inc()
        counters[1].observe(seconds)

    def count_statement(self, seconds: float, *, is_slow: bool) -> None:
        """Count a statement."""
        self._statements.observe(seconds)
        if is_slow:
            self._slow_statements.inc()

    def count_lookup(self, cache: str, *, is_hit: bool) -> None:
        """Count a look into a cache."""
        self._lookups.labels(cache, "hit" if is_hit else "miss").inc()

    def count_read(self, server: str, reason: str) -> None:
        """Count a request that reads."""
        self._reads.labels(server, reason).inc()

    def note_replica(self, lag: float) -> None:
        """Note how far the replica is behind."""
        self._replica_lag.set(lag)

    def count_job(self, kind: str, outcome: str) -> None:
        """Count an attempt at a job."""
        self._jobs.labels(kind, outcome).inc()

    def count_outgoing(self, outcome: str, seconds: float) -> None:
        """Count a request to another server."""
        self._outgoing.labels(outcome).inc()
        self._outgoing_seconds.observe(seconds)

    def note_live_clients(self, number: int) -> None:
        """Note how many clients there are."""
        self._live_clients.set(number)

    def note_connections(self, in_use: int) -> None:
        """Note how many connections are in use."""
        self._in_use.set(max(0, in_use))

    def note_limit(self, connections: int) -> None:
        """Note how many connections may be in use."""
        self._limit.set(connections)
