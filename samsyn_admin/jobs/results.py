"""Files that jobs bring: stored, sent, and removed with their jobs."""

import re
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote

from flask import Response
from sqlalchemy import Engine, select

from samsyn_admin.jobs.context import JobContext
from samsyn_admin.storage.storage import Storage, open_storage
from samsyn_model.database.execution import run
from samsyn_model.database.transactions import reading
from samsyn_model.tables.jobs import Job
from samsyn_provider.query.parameters import parse_uuid

_FOLDER = "results"
_VALID = 600  # seconds in which a client has to begin with a download from a bucket
_YOUNG = timedelta(hours=1)  # the file of a job that may not have noted its end yet


def store_result(context: JobContext, path: Path, name: str) -> dict[str, Any]:
    """Store a file as the result of a job, and return what its result has about it.

    A job whose result is `{"file": …}` with this brings the file: `name` is what people save it as.
    Raises the errors of `Storage.write`.
    """
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", name).lstrip(".") or "result"
    key = f"{_FOLDER}/{context.job_id}/{plain[-100:].lstrip('.')}"
    size = open_storage(context.settings).write_file(key, path)
    return {"name": name, "key": key, "size": size}


def respond_file(
    storage: Storage, file: dict[str, Any], media_type: str = "application/octet-stream"
) -> Response:
    """Return the response that sends a file of `store_result`, or leads to it in a bucket.

    Raises NotFoundError where it has been removed, StorageUnavailableError.
    """
    address = storage.presigned_get(file["key"], _VALID)
    if address is not None:
        response = Response(status=HTTPStatus.SEE_OTHER, headers={"Location": address})
    else:
        size = storage.size(file["key"])
        response = Response(storage.read(file["key"]), content_type=media_type)
        response.content_length = size
        plain = file["key"].rpartition("/")[2]
        full = quote(file["name"], safe="")
        response.headers["Content-Disposition"] = (
            f"attachment; filename=\"{plain}\"; filename*=UTF-8''{full}"
        )
    response.headers["Cache-Control"] = "private, no-store"
    return response


def remove_files(storage: Storage, job_id: object) -> None:
    """Remove the files of a job; none is no error."""
    storage.delete(f"{_FOLDER}/{job_id}")


def remove_unneeded(engine: Engine, storage: Storage) -> int:
    """Remove the files of jobs that are gone or have failed; return of how many."""
    before = datetime.now(UTC) - _YOUNG
    stored = {
        key: job_id
        for key, changed_at in storage.folders(_FOLDER)
        if changed_at < before and (job_id := parse_uuid(key.rpartition("/")[2]))
    }
    if not stored:
        return 0
    statement = select(Job.id).where(
        Job.id.in_(stored.values()), Job.status.in_(("accepted", "running", "successful"))
    )
    with reading(engine) as connection:
        needed = set(run(connection, statement).scalars())
    unneeded = [key for key, job_id in stored.items() if job_id not in needed]
    for key in unneeded:
        storage.delete(key)
    return len(unneeded)
