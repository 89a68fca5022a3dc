"""Imports as JSON of the management API."""

import uuid
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row

from samsyn_admin.http.responses import iso
from samsyn_admin.jobs.serializer import job_document
from samsyn_model.database.execution import run

_NEWEST_JOBS = """
SELECT DISTINCT ON (import_id) * FROM jobs
WHERE import_id = ANY(%(ids)s) ORDER BY import_id, created_at DESC, id"""


def import_documents(connection: Connection, rows: Sequence[Row[Any]]) -> list[dict[str, Any]]:
    """Return imports in a list, without what was found in the files and done with it; one
    statement."""
    jobs = _newest_jobs(connection, [row.id for row in rows])
    return [_document(row, jobs.get(row.id), row.report_fault_count or 0) for row in rows]


def import_document(row: Row[Any], job: dict[str, Any] | None) -> dict[str, Any]:
    """Return an import with its inspection, choices and report, and the `newest_job` of it, which
    is to be read before the row."""
    return {
        **_document(row, job, fault_count(row)),
        "inspection": row.inspection,
        "choices": row.choices,
        "report": row.report,
    }


def newest_job(connection: Connection, import_id: uuid.UUID) -> dict[str, Any] | None:
    """Return the newest job of an import, if it has one; one statement.

    A job ends together with what it changes of the row. So where it is over, a row that is read
    after it holds the outcome, and one that was read before it may not.
    """
    return _newest_jobs(connection, [import_id]).get(import_id)


def fault_count(row: Row[Any]) -> int:
    """Return how many faults the features of an import have: when it was committed, else when its
    files were inspected."""
    if row.report is not None:
        return int(row.report["fault_count"])
    layers = row.inspection["layers"] if row.inspection is not None else []
    return sum(layer["fault_count"] for layer in layers)


def _newest_jobs(
    connection: Connection, import_ids: Sequence[uuid.UUID]
) -> dict[uuid.UUID, dict[str, Any]]:
    if not import_ids:
        return {}
    rows = run(connection, _NEWEST_JOBS, {"ids": [*import_ids]})
    return {row.import_id: job_document(row) for row in rows}


def _document(row: Row[Any], job: dict[str, Any] | None, faults: int) -> dict[str, Any]:
    return {
        "id": str(row.id),
        "name": row.name,
        "status": row.status,
        "files": [{"name": file["name"], "size": file["size"]} for file in row.files],
        "size": row.size,
        "fault_count": faults,
        "created_at": iso(row.created_at),
        "updated_at": iso(row.updated_at),
        "imported_at": iso(row.imported_at),
        "undone_at": iso(row.undone_at),
        "job": job,
    }
