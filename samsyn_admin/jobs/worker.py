"""The worker: takes jobs from the queue, and has each run by a process of its own; tells followers
of what has happened."""

import asyncio
import logging
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from pathlib import Path
from typing import Any
from uuid import UUID

from procrastinate import App, BaseRetryStrategy, JobContext, PsycopgConnector, RetryDecision
from procrastinate.exceptions import ConnectorException, JobAborted
from procrastinate.job_context import AbortReason
from procrastinate.jobs import Job
from psycopg_pool import PoolTimeout
from sqlalchemy import Connection, Engine

from samsyn_admin.companions.tied import end_with_server
from samsyn_admin.jobs.history import keep_history
from samsyn_admin.jobs.kinds import remove_expired
from samsyn_admin.jobs.process import Limits, LostDatabaseError, run_process
from samsyn_admin.jobs.results import remove_unneeded
from samsyn_admin.notifications.telling import Telling
from samsyn_admin.storage.storage import open_storage
from samsyn_model.database.engine import database_url, open_engine, way_of
from samsyn_model.database.pooling.way import NO_NOTIFICATIONS, Way
from samsyn_model.database.transactions import reading, writing
from samsyn_model.errors import SamsynError
from samsyn_model.jobs.attempts import MAX_ATTEMPTS, Attempt, begin_attempt, fail_attempt, give_back
from samsyn_model.jobs.jobs import QUEUE, TASK, status_of_job
from samsyn_model.jobs.upkeep import fail_abandoned, remove_old, requeue_abandoned
from samsyn_model.log import write_log
from samsyn_model.metrics import counting
from samsyn_model.replicas.commits import note_commits
from samsyn_model.scratch import ScratchFolder
from samsyn_model.settings import Settings, get_settings
from samsyn_provider.http.problems import problem_document

LOGGER = logging.getLogger(__name__)

_HEARTBEAT = 2  # seconds
_LOST = 12  # seconds without one after which other workers take over the jobs of a worker
_POLLING = 2  # seconds, where no notification comes through
_DISMISSALS = 0.5  # seconds between two looks for jobs to end, where no notification comes through
_UPKEEP = 3  # seconds
_RETENTION = 3600  # seconds between two removals of old jobs
_PAUSE = 2  # seconds before a job whose process lost the database, or a lost queue, is tried again

_GIVEN_UP = problem_document(
    HTTPStatus.INTERNAL_SERVER_ERROR,
    f"The server ended in the middle of this {MAX_ATTEMPTS} times; nothing of it was kept.",
)
_SCRATCH = "samsyn-jobs-"
_ABANDONED = problem_document(
    HTTPStatus.INTERNAL_SERVER_ERROR,
    "The server lost this from its queue; nothing of it was kept.",
)


class _Always(BaseRetryStrategy):
    """A job whose end could not be noted is taken up again: its attempts are counted there."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision:  # noqa: ARG002 - procrastinate's signature
        """Return when."""
        return RetryDecision(retry_in={"seconds": _PAUSE})


class Worker:
    """Runs jobs of a database until it is stopped."""

    def __init__(self, url: str, settings: Settings, scratch: Path) -> None:
        self._settings, self._scratch = settings, scratch
        self._limits = Limits.of(settings)
        self._has_told = False
        self._engine = open_engine(url, statement_timeout=settings.statement_timeout)
        note_commits(self._engine, settings)
        self._telling = Telling(url, settings)
        self._conninfo = (
            database_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        )

    async def run(self) -> None:
        """Run jobs, and tell followers, until cancelled; while the database is away wait for it."""
        upkeep = asyncio.create_task(self._keep_up())
        history = asyncio.create_task(keep_history(self._engine, self._settings))
        self._telling.start()
        try:
            while True:
                try:
                    await self._take_jobs()
                except (ConnectorException, PoolTimeout, SamsynError) as error:
                    reason = str(error.__cause__ or error).partition("\n")[0]
                    LOGGER.warning("the queue cannot be read: %s", reason)
                await asyncio.sleep(_PAUSE)
        finally:
            upkeep.cancel()
            history.cancel()
            self._telling.stop()
            self._engine.dispose()

    async def _take_jobs(self) -> None:
        """Take jobs until the queue is lost; those that run then are ended."""
        way = await self._find_way()
        options = "" if way.is_pooled else "-c search_path=public -c timezone=UTC"
        connector = PsycopgConnector(
            conninfo=self._conninfo,
            min_size=1,
            max_size=4,
            timeout=10,
            kwargs={
                "prepare_threshold": None,  # a pooler may stand between
                "application_name": "samsyn worker",
                "options": options,
            },
        )
        app = App(connector=connector)
        app.task(name=TASK, queue=QUEUE, pass_context=True, retry=_Always())(self._run_job)
        async with app.open_async():
            await app.run_worker_async(
                queues=[QUEUE],
                concurrency=max(1, self._settings.jobs_workers),
                fetch_job_polling_interval=_POLLING,
                abort_job_polling_interval=_DISMISSALS,
                shutdown_graceful_timeout=0,
                delete_jobs="always",
                install_signal_handlers=False,
                listen_notify=not way.moves,
                update_heartbeat_interval=_HEARTBEAT,
                stalled_worker_timeout=_LOST,
            )

    async def _find_way(self) -> Way:
        """Return what is between this worker and the database."""
        way = way_of(self._engine)

        def look() -> None:
            with reading(self._engine):
                pass

        await asyncio.to_thread(look)
        if way.moves and not self._has_told:
            self._has_told = True
            LOGGER.error(NO_NOTIFICATIONS, "jobs", f"{_POLLING} seconds")
        return way

    async def _run_job(self, context: JobContext, job_id: str) -> None:
        begun = await self._write(begin_attempt, UUID(job_id), _GIVEN_UP)
        if begun is None:
            return
        attempt, kind = begun
        LOGGER.info("job %s (%s) begins, attempt %s", job_id, kind, attempt.number)
        try:
            problem = await run_process(attempt, kind, self._limits, self._scratch)
        except asyncio.CancelledError:
            is_dismissed = await self._abort(context, attempt)
            counting.count_job(kind, "dismissed" if is_dismissed else "given back")
            raise JobAborted from None
        except LostDatabaseError:
            counting.count_job(kind, "given back")
            raise
        if problem is not None and await self._write(fail_attempt, attempt, problem):
            LOGGER.error("job %s: %s", job_id, problem["detail"])
        if counting.is_on():
            counting.count_job(kind, await self._write(status_of_job, attempt.job_id) or "removed")
        LOGGER.info("job %s is over", job_id)

    async def _abort(self, context: JobContext, attempt: Attempt) -> bool:
        """Note why an attempt was cancelled: a worker that stops leaves the job to the next one.

        Returns whether its user has dismissed the job.
        """
        if context.abort_reason() is AbortReason.USER_REQUEST:
            LOGGER.info("job %s is dismissed", attempt.job_id)
            return True
        with suppress(SamsynError):  # without the database it counts as an attempt
            await self._write(give_back, attempt)
        LOGGER.info("job %s waits for another worker", attempt.job_id)
        return False

    async def _keep_up(self) -> None:
        """Do what is to be done about all jobs, again and again."""
        rounds = _RETENTION // _UPKEEP
        number = 0
        while True:
            try:
                await self._write(requeue_abandoned, _LOST)
                await self._write(fail_abandoned, _ABANDONED)
                if number % rounds == 0:
                    await self._write(remove_old, self._settings.job_retention)
                    await asyncio.to_thread(remove_expired, self._engine, self._settings)
                    storage = open_storage(self._settings)
                    await asyncio.to_thread(remove_unneeded, self._engine, storage)
                number += 1
            except SamsynError as error:
                LOGGER.warning("what jobs have left is not removed: %s", error.detail)
            await asyncio.sleep(_UPKEEP)

    async def _write(self, change: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function in a transaction and a thread of its own: the event loop never waits."""
        return await asyncio.to_thread(_in_transaction, self._engine, change, arguments)


def _in_transaction(engine: Engine, change: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    connection: Connection
    with writing(engine) as connection:
        return change(connection, *arguments)


def run_worker(url: str, settings: Settings) -> None:
    """Run jobs until SIGTERM or SIGINT; jobs that run then are left to the next worker."""
    write_log(settings.log_format, logging.INFO, "%(levelname)s %(name)s: %(message)s")
    counting.begin("jobs")
    logging.getLogger("procrastinate").setLevel(logging.CRITICAL)  # its tracebacks of lost queues
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)
    scratch = ScratchFolder(_SCRATCH)
    try:
        os.environ["DATABASE_URL"] = url  # of the processes that run jobs
        asyncio.run(_until_stopped(Worker(url, settings, scratch.path)))
    finally:
        scratch.remove()


async def _until_stopped(worker: Worker) -> None:
    running = asyncio.create_task(worker.run())
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, running.cancel)
    with suppress(asyncio.CancelledError):
        await running


def main() -> None:
    """Run the worker of a `samsyn serve`, whose process number is in SAMSYN_SERVER; end with it."""
    settings = get_settings()
    end_with_server()
    run_worker(settings.database_url or "", settings)


if __name__ == "__main__":
    main()
