"""`/api/v1/jobs`: the jobs of the caller."""

from typing import Any
from uuid import UUID

from flask import Blueprint, Response, request
from sqlalchemy import Row

from samsyn_admin.http.pagination import PAGE_PARAMETERS, parse_page, run_page
from samsyn_admin.http.responses import respond, respond_list, version_of
from samsyn_admin.jobs.results import remove_files, respond_file
from samsyn_admin.jobs.serializer import job_document
from samsyn_admin.storage.storage import open_storage
from samsyn_model.database.transactions import reading, writing
from samsyn_model.errors import NoSuchJobError, ResultNotReadyError
from samsyn_model.jobs.jobs import dismiss_job, find_job, select_jobs
from samsyn_model.permissions.actions import Action
from samsyn_model.permissions.checks import require_user
from samsyn_model.permissions.lookup import find_layer, find_map
from samsyn_model.tables.jobs import JOB_KINDS, JOB_STATUSES
from samsyn_provider.http.deployment import deployment
from samsyn_provider.http.guard import principal, requires
from samsyn_provider.http.problems import failure
from samsyn_provider.query.parameters import (
    parse_uuid,
    parse_uuid_filter,
    parse_words,
    single_values,
)

bp = Blueprint("jobs", __name__, url_prefix="/api/v1/jobs")


@bp.get("")
@requires(Action.SIGNED_IN)
def list_jobs() -> Response:
    """List the caller's jobs, newest first."""
    values = single_values(request.args, {"status", "kind", "import_id", *PAGE_PARAMETERS})
    page = parse_page(values)
    statement = select_jobs(
        require_user(principal()),
        statuses=parse_words(values, "status", JOB_STATUSES),
        kinds=parse_words(values, "kind", JOB_KINDS),
        import_id=parse_uuid_filter(values, "import_id"),
    )
    with reading(deployment().engine) as connection:
        rows, total = run_page(connection, statement, page)
    return respond_list([job_document(row) for row in rows], page, total)


@bp.get("/<job_id>")
@requires(Action.SIGNED_IN)
def read_job(job_id: str) -> Response:
    """Return a job of the caller."""
    single_values(request.args, ())
    with reading(deployment().engine) as connection:
        row = find_job(connection, require_user(principal()), _key(job_id))
    return respond(job_document(row), version_of(row.updated_at))


@bp.get("/<job_id>/results")
@requires(Action.SIGNED_IN)
def read_results(job_id: str) -> Response:
    """Return what a job of the caller has brought, a file or JSON; of one that failed, why.

    A file of a map or a layer that the caller may no longer read is not found.
    """
    single_values(request.args, ())
    with reading(deployment().engine) as connection:
        row = find_job(connection, require_user(principal()), _key(job_id))
    if row.status == "failed":
        return failure(row.problem)
    if row.status != "successful":
        raise ResultNotReadyError(f"The job has no results: it is {row.status}.")
    if "file" in row.result:
        _refuse_former_reader(row)
        return respond_file(open_storage(deployment().settings), row.result["file"])
    return respond(row.result, version_of(row.updated_at))


@bp.delete("/<job_id>")
@requires(Action.SIGNED_IN)
def remove_job(job_id: str) -> Response:
    """Dismiss a job of the caller that is not over; remove one that is, with its results."""
    single_values(request.args, ())
    with writing(deployment().engine) as connection:
        row = dismiss_job(connection, require_user(principal()), _key(job_id))
    if row.result and "file" in row.result:
        remove_files(open_storage(deployment().settings), row.id)
    return respond(job_document(row), version_of(row.updated_at))


def _refuse_former_reader(job: Row[Any]) -> None:
    """Raise NotFoundError where the caller may no longer read what a job has written."""
    with reading(deployment().engine) as connection:
        if job.kind == "export_map":
            key = UUID(job.parameters["map_id"])
            find_map(connection, principal(), key, Action.READ_MAP)
        elif job.kind == "export_layer":
            key = UUID(job.parameters["layer_id"])
            find_layer(connection, principal(), key, Action.READ_LAYER)


def _key(text: str) -> UUID:
    key = parse_uuid(text)
    if key is None:
        raise NoSuchJobError("There is no such job.")
    return key
