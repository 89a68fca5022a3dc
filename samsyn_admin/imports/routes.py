"""`/api/v1/imports`: files that are uploaded, inspected, imported and taken back."""

import uuid
from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response, jsonify, request
from sqlalchemy import Connection, Row

from samsyn_admin.http.pagination import PAGE_PARAMETERS, parse_page, run_page
from samsyn_admin.http.request_body import read_json, validated
from samsyn_admin.http.responses import (
    check_if_match,
    no_content,
    respond,
    respond_list,
    version_of,
)
from samsyn_admin.imports import records, uploading
from samsyn_admin.imports.faults import faults_as_csv
from samsyn_admin.imports.process import create_import_job
from samsyn_admin.imports.schemas import (
    ImportUndo,
    parse_choices,
    parse_create,
    parse_read_choices,
)
from samsyn_admin.imports.serializer import (
    fault_count,
    import_document,
    import_documents,
    newest_job,
)
from samsyn_admin.jobs.serializer import job_document
from samsyn_model.database.transactions import LOCK_TIMEOUT, reading, set_in_transaction, writing
from samsyn_model.errors import (
    ConflictError,
    NotAcceptableError,
)
from samsyn_model.jobs.jobs import create_job, dismiss_job, find_job
from samsyn_model.permissions.actions import Action
from samsyn_model.permissions.checks import require_user
from samsyn_model.quotas.rows import Quota, refuse_excess
from samsyn_provider.http.deployment import deployment, public_url
from samsyn_provider.http.guard import principal, requires, spend
from samsyn_provider.query.parameters import parse_key, single_values
from samsyn_provider.rates.rate_limits import Rate

bp = Blueprint("imports", __name__, url_prefix="/api/v1/imports")


@bp.get("")
@requires(Action.SIGNED_IN)
def list_imports() -> Response:
    """List the caller's imports, newest first, without their inspections and reports."""
    page = parse_page(single_values(request.args, PAGE_PARAMETERS))
    statement = records.select_imports(require_user(principal()))
    with reading(deployment().engine) as connection:
        rows, total = run_page(connection, statement, page)
        documents = import_documents(connection, rows)
    return respond_list(documents, page, total)


@bp.post("")
@requires(Action.SIGNED_IN)
def create_import() -> Response:
    """Upload files as multipart/form-data, or begin an import of one that follows (JSON)."""
    single_values(request.args, ())
    spend(Rate.UPLOADS)
    user_id = require_user(principal())
    if request.mimetype == "multipart/form-data":
        import_id = uploading.receive_parts(user_id)
        with writing(deployment().engine) as connection:
            create_job(connection, user_id, "inspect", {"choices": {}}, import_id)
            return _created(connection, import_id)
    create = parse_create(read_json("application/json", "multipart/form-data"))
    begun = uploading.begin_file(user_id, create.name, create.size)
    with reading(deployment().engine) as connection:
        return _created(connection, begun.import_id, {"upload": begun.upload})


@bp.get("/<import_id>")
@requires(Action.SIGNED_IN)
def read_import(import_id: str) -> Response:
    """Return an import of the caller's: what the files hold, and what was made of them."""
    single_values(request.args, ())
    with reading(deployment().engine) as connection:
        return _responded(connection, import_id)


@bp.delete("/<import_id>")
@requires(Action.SIGNED_IN)
def delete_import(import_id: str) -> tuple[str, HTTPStatus]:
    """Delete an import with its files; what it has imported stays, and can no longer be undone."""
    single_values(request.args, ())
    with writing(deployment().engine) as connection:
        row = _found(connection, import_id)
        check_if_match(version_of(row.updated_at))
        for job in records.active_jobs(connection, row.id):
            dismiss_job(connection, row.user_id, job.id)
    # a job that was running holds the row until it has ended
    with writing(deployment().engine) as connection:
        set_in_transaction(connection, lock_timeout=LOCK_TIMEOUT)
        records.delete_record(connection, row.id)
    uploading.remove_files(row.id)
    return no_content()


@bp.put("/<import_id>/files/<path:file_name>")
@requires(Action.SIGNED_IN)
def upload_file(import_id: str, file_name: str) -> Response:
    """Upload a file of an import that was begun with JSON, as it is."""
    single_values(request.args, ())
    spend(Rate.UPLOADS)
    with reading(deployment().engine) as connection:
        row = _found(connection, import_id)
    uploading.receive_file(row.user_id, row.id, file_name)
    with reading(deployment().engine) as connection:
        return _responded(connection, import_id)


@bp.post("/<import_id>/inspect")
@requires(Action.SIGNED_IN)
def inspect_import(import_id: str) -> Response:
    """Read the files again as chosen, in a job."""
    single_values(request.args, ())
    choices = parse_read_choices(read_json() if request.get_data() else {})
    with reading(deployment().engine) as connection:
        row = _found(connection, import_id)
    if row.status == "uploading":
        uploading.complete(row.user_id, row.id)
    parameters = {"choices": choices.model_dump(mode="json", exclude_none=True)}
    with writing(deployment().engine) as connection:
        row = _idle(connection, import_id)
        _refuse_imported(row)
        return _created_job(connection, row, "inspect", parameters)


@bp.post("/<import_id>/commit")
@requires(Action.SIGNED_IN)
def commit_import(import_id: str) -> Response:
    """Import the files as chosen, in a job: all of them, or nothing."""
    single_values(request.args, ())
    choices = parse_choices(read_json())
    with writing(deployment().engine) as connection:
        job_id = create_import_job(connection, parse_key(import_id, "import"), choices)
        return _accepted(connection, job_id)


@bp.post("/<import_id>/undo")
@requires(Action.SIGNED_IN)
def undo_import(import_id: str) -> Response:
    """Take back what an import has done, in a job."""
    single_values(request.args, ())
    body = validated(ImportUndo, read_json() if request.get_data() else {})
    with writing(deployment().engine) as connection:
        row = _idle(connection, import_id)
        if row.status != "imported":
            raise ConflictError(
                "This has been undone already."
                if row.status == "undone"
                else "There is nothing to undo: this has not been imported."
            )
        return _created_job(connection, row, "undo", {"force": body.force})


@bp.get("/<import_id>/faults")
@requires(Action.SIGNED_IN)
def read_faults(import_id: str) -> Response:
    """Return the first 1,000 faults of the features of an import, as JSON or CSV."""
    media_type = _media_type_of_faults()
    with reading(deployment().engine) as connection:
        row = _found(connection, import_id)
    if media_type == "text/csv":
        response = Response(faults_as_csv(row.faults or []), mimetype="text/csv")
        response.headers["Content-Disposition"] = 'attachment; filename="faults.csv"'
    else:
        response = jsonify(fault_count=fault_count(row), faults=row.faults or [])
    response.headers["Cache-Control"] = "private, no-cache"
    response.headers["Vary"] = "Accept, Authorization"
    return response


def _media_type_of_faults() -> str:
    code = single_values(request.args, {"f"}).get("f")
    named = {"json": "application/json", "csv": "text/csv"}
    if code is not None:
        if code not in named:
            raise NotAcceptableError("f is json or csv.")
        return named[code]
    best = request.accept_mimetypes.best_match([*named.values()], "application/json")
    return str(best)


def _found(connection: Connection, import_id: str, *, lock: bool = False) -> Row[Any]:
    return records.find_import(
        connection, require_user(principal()), parse_key(import_id, "import"), lock=lock
    )


def _idle(connection: Connection, import_id: str) -> Row[Any]:
    return records.lock_idle(connection, require_user(principal()), parse_key(import_id, "import"))


def _refuse_imported(row: Row[Any]) -> None:
    if row.status == "imported":
        raise ConflictError("This has been imported already: undo it first, or upload it again.")


def _responded(connection: Connection, import_id: str) -> Response:
    job = newest_job(connection, parse_key(import_id, "import"))
    row = _found(connection, import_id)
    return respond(import_document(row, job), version_of(row.updated_at))


def _created(
    connection: Connection, import_id: uuid.UUID, members: dict[str, Any] | None = None
) -> Response:
    job = newest_job(connection, import_id)
    row = records.find_import(connection, require_user(principal()), import_id)
    document = {**import_document(row, job), **(members or {})}
    location = f"{public_url()}{bp.url_prefix}/{import_id}"
    return respond(document, version_of(row.updated_at), HTTPStatus.CREATED, location)


def _created_job(
    connection: Connection, row: Row[Any], kind: str, parameters: dict[str, Any]
) -> Response:
    """Create a job of an import; return the response that names it."""
    job_id = create_job(connection, row.user_id, kind, parameters, row.id)
    refuse_excess(connection, deployment().settings, (Quota.JOBS_OF_USER, row.user_id))
    return _accepted(connection, job_id)


def _accepted(connection: Connection, job_id: uuid.UUID) -> Response:
    job = find_job(connection, require_user(principal()), job_id)
    location = f"{public_url()}/api/v1/jobs/{job_id}"
    return respond(job_document(job), version_of(job.updated_at), HTTPStatus.ACCEPTED, location)
