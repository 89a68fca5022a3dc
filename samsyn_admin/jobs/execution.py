"""The process of one job: `python -m samsyn_admin.jobs.execution JOB_ID ATTEMPT`.

A worker starts it, and learns from its exit status whether it noted the job's end.
"""

import ctypes
import logging
import os
import signal
import sys
from http import HTTPStatus
from pathlib import Path
from time import monotonic
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, select

from samsyn_admin.jobs.context import JobContext
from samsyn_admin.jobs.kinds import function_of
from samsyn_model.database.engine import open_engine
from samsyn_model.database.execution import run
from samsyn_model.database.transactions import reading, writing
from samsyn_model.errors import DatabaseUnavailableError
from samsyn_model.jobs.attempts import Attempt, AttemptOverError, fail_attempt
from samsyn_model.log import write_log
from samsyn_model.metrics import tracing
from samsyn_model.origin import Origin, set_origin
from samsyn_model.replicas.commits import note_commits
from samsyn_model.settings import Settings, get_settings
from samsyn_model.tables.jobs import Job
from samsyn_provider.http.problems import SERVER_FAULT, known_error, problem_document, status_of

LOGGER = logging.getLogger(__name__)

AGAIN = os.EX_TEMPFAIL
"""The exit status of a job that lost the database: it is begun again later."""

_PR_SET_PDEATHSIG = 1
_NICENESS = 10
_FIRST_TO_GO = "800"  # of 1000, where the system has no memory left


def main() -> None:
    """Run the job that the command line names."""
    settings = get_settings()
    write_log(settings.log_format, logging.INFO, "%(levelname)s %(name)s: %(message)s")
    _yield_to_others(int(os.environ["SAMSYN_WORKER"]))
    attempt = Attempt(UUID(sys.argv[1]), int(sys.argv[2]))
    sys.exit(execute(settings, attempt))


def execute(settings: Settings, attempt: Attempt) -> int:
    """Run an attempt at a job on DATABASE_URL, note its result or what it failed by, and return
    the exit status of the process."""
    engine = open_engine(settings.database_url or "", is_killed=True)
    note_commits(engine, settings)
    if settings.tracing:
        tracing.begin("jobs")
    try:
        try:
            _run(settings, attempt, engine)
        except (AttemptOverError, DatabaseUnavailableError):
            raise
        except Exception as error:
            problem = _problem_of(error, attempt)
            with writing(engine) as connection:
                fail_attempt(connection, attempt, problem)
    except AttemptOverError:
        LOGGER.info("job %s is over already", attempt.job_id)
    except DatabaseUnavailableError as error:
        LOGGER.warning("job %s: %s", attempt.job_id, error.detail)
        return AGAIN
    finally:
        tracing.end()
        engine.dispose()
    return 0


def _run(settings: Settings, attempt: Attempt, engine: Engine) -> None:
    with reading(engine) as connection:
        statement = select(Job.__table__).where(Job.id == attempt.job_id)
        row = run(connection, statement).one_or_none()
    if row is None or row.status != "running" or row.attempts != attempt.number:
        raise AttemptOverError
    timeout = settings.job_timeout or settings.import_timeout
    context = JobContext(
        engine=engine,
        settings=settings,
        attempt=attempt,
        user_id=row.user_id,
        import_id=row.import_id,
        parameters=row.parameters,
        deadline=monotonic() + timeout,
    )
    set_origin(Origin("job", row.user_id))
    with tracing.job(row.kind):
        result = function_of(row.kind)(context)
    if not context.is_finished:
        with writing(engine) as connection:
            context.finish(connection, result)


def _problem_of(error: Exception, attempt: Attempt) -> dict[str, Any]:
    """Return the problem document of what a job failed by; a fault of the code is logged."""
    known = known_error(error)
    if known is None:
        LOGGER.error("job %s failed", attempt.job_id, exc_info=error)
        return problem_document(HTTPStatus.INTERNAL_SERVER_ERROR, SERVER_FAULT)
    return problem_document(status_of(known), known.detail, known.faults)


def _yield_to_others(worker: int) -> None:
    """Let requests go first, and end with the worker, whose process number this is."""
    os.nice(_NICENESS)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != worker:  # which ended before it was waited for
        sys.exit(AGAIN)
    Path("/proc/self/oom_score_adj").write_text(_FIRST_TO_GO)


if __name__ == "__main__":
    main()
