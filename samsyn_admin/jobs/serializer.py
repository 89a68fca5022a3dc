"""Jobs as JSON of the management API."""

from typing import Any

from sqlalchemy import Row

from samsyn_admin.http.responses import iso


def job_document(row: Row[Any]) -> dict[str, Any]:
    """Return the document of a row of `jobs`, for its owner."""
    return {
        "id": str(row.id),
        "kind": row.kind,
        "status": row.status,
        "progress": row.progress,
        "message": row.message,
        "result": _public(row.result),
        "problem": row.problem,
        "import_id": row.import_id and str(row.import_id),
        "created_at": iso(row.created_at),
        "started_at": iso(row.started_at),
        "finished_at": iso(row.finished_at),
        "updated_at": iso(row.updated_at),
    }


def _public(result: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return a result without the key that its file has in the storage."""
    if result is None or "file" not in result:
        return result
    return {**result, "file": {name: result["file"][name] for name in ("name", "size")}}
