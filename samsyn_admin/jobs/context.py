"""What a job is given."""

from dataclasses import dataclass, field
from time import monotonic
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine

from samsyn_model.database.transactions import writing
from samsyn_model.jobs.attempts import Attempt, finish_attempt, report_progress
from samsyn_model.settings import Settings

_INTERVAL = 0.5  # seconds between two reports that are written


@dataclass(slots=True)
class JobContext:
    """What a job is given: its parameters, the database, and a way to say how far it is.

    The job runs in a process of its own, which is killed where the job is dismissed or takes too
    long. What it changes is one transaction, then, or does no harm when it is begun and not ended.
    Files in the temporary folder are removed after it.
    """

    engine: Engine
    settings: Settings
    attempt: Attempt
    user_id: UUID
    import_id: UUID | None
    parameters: dict[str, Any]
    deadline: float
    """The time by `time.monotonic()` at which the process is killed."""
    is_finished: bool = False
    _reported: tuple[int, str | None] = (0, None)
    _next: float = field(default_factory=monotonic)

    @property
    def job_id(self) -> UUID:
        """The id of the job."""
        return self.attempt.job_id

    def report(self, progress: int, message: str | None = None) -> None:
        """Say how far the job is, in percent, and what it does, in a sentence for people.

        In a transaction of its own, at most twice a second: call it as often as is convenient, but
        not after `finish`. Raises AttemptOverError where the job is over, which may be left alone.
        """
        report = (max(0, min(100, progress)), message)
        if report == self._reported or monotonic() < self._next:
            return
        with writing(self.engine) as connection:
            report_progress(connection, self.attempt, *report)
        self._reported, self._next = report, monotonic() + _INTERVAL

    def finish(self, connection: Connection, result: dict[str, Any]) -> None:
        """Make the job successful together with what the connection's transaction changes.

        The last statement of the transaction. Raises AttemptOverError where the job is over:
        leave it alone, so that the transaction is rolled back.
        """
        finish_attempt(connection, self.attempt, result)
        self.is_finished = True
