"""What the database says of the jobs that wait, when Prometheus asks."""

from collections.abc import Iterable
from threading import Lock
from time import monotonic

import psycopg
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from sqlalchemy import Engine

from samsyn_model.database.transactions import reading
from samsyn_model.errors import SamsynError
from samsyn_model.jobs.queue import Queue, read_queue

_KEPT = 5.0  # seconds: more servers of Prometheus cost the database nothing


class DatabaseCollector(Collector):
    """Whether the database responds, and how many jobs wait and run there, of all servers."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = Lock()
        self._read_at = float("-inf")
        self._queue: Queue | None = None

    def collect(self) -> Iterable[Metric]:
        """Return the metrics; those of jobs are absent while the database does not respond."""
        with self._lock:
            if monotonic() - self._read_at > _KEPT:
                self._queue = self._read()
                self._read_at = monotonic()
            found = self._queue
        yield GaugeMetricFamily(
            "samsyn_database_up", "Whether the database responds.", float(found is not None)
        )
        if found is None:
            return
        jobs = GaugeMetricFamily(
            "samsyn_jobs_pending", "Jobs that wait or run, of all servers.", labels=["status"]
        )
        jobs.add_metric(["accepted"], found.accepted)
        jobs.add_metric(["running"], found.running)
        yield jobs
        yield GaugeMetricFamily(
            "samsyn_jobs_oldest_wait_seconds", "How long the oldest job waits.", found.oldest_wait
        )

    def _read(self) -> Queue | None:
        try:
            with reading(self._engine) as connection:
                return read_queue(connection)
        except (SamsynError, psycopg.Error):
            return None
