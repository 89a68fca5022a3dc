"""Documents of processes and jobs, as pygeoapi's functions build them, made valid.

Upstream links to pages that there are none of, leaves members null that may only be absent, and
ends a page by a link to the next one wherever the page is full.
"""

import json
from collections.abc import Sequence
from typing import Any

from pygeoapi.api import API
from pygeoapi.api.processes import (
    delete_job,
    describe_processes,
    execute_process,
    get_job_result,
    get_jobs,
)
from sqlalchemy import Row

from samsyn_provider.http.links import link, ogc_url
from samsyn_provider.http.media_types import JSON
from samsyn_provider.processes.job_manager import JobManager
from samsyn_provider.upstream.api import api_for
from samsyn_provider.upstream.deviations import DocumentRequest

_REL = "http://www.opengis.net/def/rel/ogc/1.0"

Document = dict[str, Any]


def processes_document() -> Document:
    """Return the list of processes (OGC 18-062r2, 7.7), without its links to itself."""
    _, _, document = describe_processes(_api(JobManager()), DocumentRequest())
    summaries = [{**summary, "links": _links(summary)} for summary in document["processes"]]
    for summary in summaries:
        summary["links"][0]["rel"] = "self"
    return {"processes": summaries}


def process_document(process_id: str) -> Document:
    """Return the description of a process (7.8)."""
    _, _, document = describe_processes(_api(JobManager()), DocumentRequest(), process_id)
    return {**document, "links": _links(document)}


def jobs_document(rows: Sequence[Row[Any]], total: int) -> Document:
    """Return a page of jobs (11.2), without its links to itself and to other pages."""
    api = _api(JobManager(*rows, total=total))
    _, _, document = get_jobs(api, DocumentRequest({"limit": str(max(1, len(rows)))}))
    jobs = [_status_info(job) for job in document["jobs"]]
    # upstream orders jobs by their start, which those that wait do not have
    order = {str(row.id): place for place, row in enumerate(rows)}
    return {"jobs": sorted(jobs, key=lambda job: order[job["jobID"]])}


def job_document(row: Row[Any]) -> Document:
    """Return the status of a job (7.12)."""
    _, _, document = get_jobs(_api(JobManager(row)), DocumentRequest(), str(row.id))
    return _status_info(document)


def results_document(row: Row[Any]) -> Document:
    """Return the results of a successful job (7.13)."""
    _, _, text = get_job_result(_api(JobManager(row)), DocumentRequest(), str(row.id))
    document: Document = json.loads(text)
    return document


def dismissed_document(row: Row[Any]) -> Document:
    """Dismiss a job, or remove one that is over, and return its status (11.4)."""
    _, _, document = delete_job(_api(JobManager(row)), DocumentRequest(), str(row.id))
    return {**_status_info(document), "type": "process", "processID": row.kind}


def execute(process_id: str, body: bytes, prefer: str) -> tuple[str, dict[str, str]]:
    """Create a job of a process; return its id and headers of the response."""
    request = DocumentRequest(data=body, headers={"Prefer": prefer})
    headers, _, document = execute_process(_api(JobManager()), request, process_id)
    return document["jobID"], {
        name: headers[name] for name in ("Location", "Preference-Applied") if name in headers
    }


def _api(manager: JobManager) -> API:
    api = api_for({})
    api.manager = manager
    return api


def _links(process: Document) -> list[Document]:
    address = f"{ogc_url()}/processes/{process['id']}"
    return [
        link("self", JSON, "The process", address),
        link(f"{_REL}/execute", JSON, "Execute the process", f"{address}/execution"),
        link(f"{_REL}/job-list", JSON, "Jobs of the process", f"{ogc_url()}/jobs"),
    ]


def _status_info(job: Document) -> Document:
    members = {
        name: value
        for name, value in job.items()
        if name not in {"links", "parameters"} and value not in {None, ""}
    }
    address = f"{ogc_url()}/jobs/{job['jobID']}"
    links = [link("self", JSON, "The job", address)]
    if job["status"] in {"successful", "failed"}:
        links.append(link(f"{_REL}/results", JSON, "The results", f"{address}/results"))
    return {**members, "links": links}
