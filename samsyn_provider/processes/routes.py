"""The routes of OGC API Processes, under `/ogc`."""

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from flask import Blueprint, Response, request
from sqlalchemy import Row

from samsyn_model.database.transactions import reading
from samsyn_model.errors import (
    Fault,
    InvalidBodyError,
    NoSuchJobError,
    NoSuchProcessError,
    ResultNotReadyError,
)
from samsyn_model.jobs.jobs import find_job, list_jobs
from samsyn_model.permissions.actions import Action
from samsyn_model.permissions.checks import require_user
from samsyn_provider.http import links
from samsyn_provider.http.deployment import deployment
from samsyn_provider.http.guard import principal, requires
from samsyn_provider.http.media_types import JSON, negotiate_offered
from samsyn_provider.http.problems import failure
from samsyn_provider.http.representations import respond_json
from samsyn_provider.http.request_body import read_json, refuse
from samsyn_provider.processes import documents
from samsyn_provider.processes.jobs_query import parse_jobs_query
from samsyn_provider.processes.process import processes
from samsyn_provider.query.parameters import DOCUMENT_PARAMETERS, parse_uuid, single_values

bp = Blueprint("ogc_processes", __name__, url_prefix="/ogc")

_JSON = {"json": JSON}
_EXECUTE_MEMBERS = frozenset({"inputs", "outputs", "response"})


@bp.get("/processes")
@requires(Action.READ_PUBLIC)
def process_list() -> Response:
    """Return the processes: OGC 18-062r2, /req/core/process-list."""
    negotiate_offered(_JSON)
    single_values(request.args, DOCUMENT_PARAMETERS)
    document = documents.processes_document()
    return respond_json({**document, "links": [_self_link("The processes")]})


@bp.get("/processes/<process_id>")
@requires(Action.READ_PUBLIC)
def process(process_id: str) -> Response:
    """Return the description of a process: OGC 18-062r2, /req/core/process."""
    negotiate_offered(_JSON)
    single_values(request.args, DOCUMENT_PARAMETERS)
    _check_process(process_id)
    return respond_json(documents.process_document(process_id))


@bp.post("/processes/<process_id>/execution")
@requires(Action.SIGNED_IN)
def execution(process_id: str) -> Response:
    """Create a job of a process: OGC 18-062r2, /req/core/process-execute."""
    single_values(request.args, DOCUMENT_PARAMETERS)
    _check_process(process_id)
    _check_execution(process_id, read_json())
    prefer = request.headers.get("Prefer", "")
    job_id, headers = documents.execute(process_id, request.get_data(), prefer)
    document = documents.job_document(_found(job_id))
    return respond_json(document, HTTPStatus.CREATED, headers)


@bp.get("/jobs")
@requires(Action.SIGNED_IN)
def job_list() -> Response:
    """Return the caller's jobs, newest first: OGC 18-062r2, /req/job-list/job-list-op."""
    negotiate_offered(_JSON)
    query = parse_jobs_query(request.args)
    kinds = tuple(kind for kind in processes() if query.kinds is None or kind in query.kinds)
    with reading(deployment().engine) as connection:
        rows, total = list_jobs(
            connection,
            require_user(principal()),
            *query.conditions,
            kinds=kinds,
            statuses=query.statuses,
            limit=query.limit,
            offset=query.offset,
        )
    document = documents.jobs_document(rows, total)
    document["links"] = [_self_link("The jobs")]
    if query.offset + len(rows) < total and rows:
        document["links"].append(links.page_link(JSON, "next", offset=query.offset + query.limit))
    if query.offset:
        before = max(0, query.offset - query.limit)
        document["links"].append(links.page_link(JSON, "prev", offset=before))
    return respond_json(document, headers=links.header(document["links"]))


@bp.get("/jobs/<job_id>")
@requires(Action.SIGNED_IN)
def job(job_id: str) -> Response:
    """Return the status of a job of the caller: OGC 18-062r2, /req/core/job."""
    negotiate_offered(_JSON)
    single_values(request.args, DOCUMENT_PARAMETERS)
    return respond_json(documents.job_document(_found(job_id)))


@bp.get("/jobs/<job_id>/results")
@requires(Action.SIGNED_IN)
def job_results(job_id: str) -> Response:
    """Return the results of a job of the caller: OGC 18-062r2, /req/core/job-results."""
    negotiate_offered(_JSON)
    single_values(request.args, DOCUMENT_PARAMETERS)
    row = _found(job_id)
    if row.status == "failed":
        return failure(row.problem)
    if row.status != "successful":
        raise ResultNotReadyError(f"The job has no results: it is {row.status}.")
    return respond_json(documents.results_document(row))


@bp.delete("/jobs/<job_id>")
@requires(Action.SIGNED_IN)
def dismiss(job_id: str) -> Response:
    """Dismiss a job of the caller: OGC 18-062r2, /req/dismiss/job-dismiss-op."""
    single_values(request.args, ())
    return respond_json(documents.dismissed_document(_found(job_id)))


def _found(job_id: str) -> Row[Any]:
    """Return the caller's job of a process."""
    key = parse_uuid(job_id)
    if key is not None:
        with reading(deployment().engine) as connection:
            row = find_job(connection, require_user(principal()), key)
        if row.kind in processes():
            return row
    raise NoSuchJobError("There is no such job.")


def _check_process(process_id: str) -> None:
    if process_id not in processes():
        raise NoSuchProcessError("There is no such process.")


def _check_execution(process_id: str, body: Any) -> None:
    """Raise InvalidBodyError for a body that upstream would read in part, or not at all."""
    if not isinstance(body, dict):
        raise InvalidBodyError(
            "The body has to be a JSON object.", (Fault("", "Expected an object."),)
        )
    known = processes()[process_id]
    faults = [
        Fault(f"/{name}", "There is no such member.")
        for name in body
        if name not in _EXECUTE_MEMBERS
    ]
    inputs = body.get("inputs", {})
    if isinstance(inputs, dict):
        faults += _input_faults(inputs, known.inputs)
    else:
        faults.append(Fault("/inputs", "This has to be an object."))
    outputs = body.get("outputs", {})
    if not isinstance(outputs, dict):
        faults.append(Fault("/outputs", "This has to be an object."))
    else:
        faults += [
            Fault(f"/outputs/{name}", "There is no such output.")
            for name in outputs
            if name not in known.outputs
        ]
    if body.get("response", "document") not in ("document", "raw"):
        faults.append(Fault("/response", "This has to be document or raw."))
    refuse(faults)


def _input_faults(inputs: Mapping[str, Any], known: Mapping[str, Any]) -> Iterator[Fault]:
    for name, value in inputs.items():
        if name not in known:
            yield Fault(f"/inputs/{name}", "There is no such input.")
        elif isinstance(value, dict) and "href" in value:
            yield Fault(f"/inputs/{name}", "Links are not followed: send the value itself.")
    for name, described in known.items():
        if name not in inputs and described.get("minOccurs", 1):
            yield Fault(f"/inputs/{name}", "This is missing.")


def _self_link(title: str) -> links.Link:
    return links.link("self", JSON, title, links.request_url())
