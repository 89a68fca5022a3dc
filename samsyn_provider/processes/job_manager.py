"""pygeoapi's manager of jobs, over the table `jobs`: those of one user, or none."""

from collections import OrderedDict
from typing import Any
from uuid import UUID

from pygeoapi.process.manager.base import BaseManager
from pygeoapi.util import JobStatus
from sqlalchemy import Row

from samsyn_model.database.transactions import writing
from samsyn_model.jobs.jobs import dismiss_job
from samsyn_provider.http.deployment import deployment
from samsyn_provider.http.media_types import JSON
from samsyn_provider.processes.process import Process, processes


class JobManager(BaseManager):  # type: ignore[misc]
    """The processes of the app, and jobs that have been looked up for a request."""

    def __init__(self, *jobs: Row[Any], total: int = 0) -> None:
        super().__init__({"name": type(self).__name__})
        self.is_async = True
        self.processes: OrderedDict[str, Any] = OrderedDict((key, {}) for key in processes())
        self._jobs, self._total = jobs, total

    def get_processor(self, process_id: str) -> Process:
        """Return a process."""
        return processes()[process_id]

    def get_jobs(self, **_: Any) -> dict[str, Any]:
        """Return the jobs of a page that has been looked up."""
        return {"jobs": [_job(row) for row in self._jobs], "numberMatched": self._total}

    def get_job(self, _: str) -> dict[str, Any]:
        """Return the one job that has been looked up."""
        return _job(self._jobs[0])

    def get_job_result(self, _: str) -> tuple[str, dict[str, Any]]:
        """Return the results of a successful job: the value of its one output (OGC 18-062r2,
        7.13)."""
        row = self._jobs[0]
        output = next(iter(processes()[row.kind].outputs))
        return JSON, {output: {"value": row.result}}

    def delete_job(self, job_id: str) -> bool:
        """Dismiss the job."""
        with writing(deployment().engine) as connection:
            dismiss_job(connection, self._jobs[0].user_id, UUID(job_id))
        return True

    def execute_process(
        self, process_id: str, data_dict: dict[str, Any], **_: Any
    ) -> tuple[str, str, None, Any, dict[str, str]]:
        """Create a job; the process runs elsewhere, whatever the request prefers."""
        inputs = {name: _plain(value) for name, value in data_dict.items()}
        job_id = processes()[process_id].start(inputs)
        applied = {"Preference-Applied": "respond-async"}
        return str(job_id), JSON, None, JobStatus.accepted, applied


def _plain(value: Any) -> Any:
    """Return the value of an input; an object is sent as the member `value` of another."""
    return value["value"] if isinstance(value, dict) and "value" in value else value


def _job(row: Row[Any]) -> dict[str, Any]:
    """Return the job as pygeoapi's functions read it."""
    times = {
        name: moment and moment.isoformat().replace("+00:00", "Z")
        for name, moment in (
            ("created", row.created_at),
            ("started", row.started_at),
            ("finished", row.finished_at),
            ("updated", row.updated_at),
        )
    }
    return {
        "identifier": str(row.id),
        "process_id": row.kind,
        "status": row.status,
        "message": row.message or (row.problem or {}).get("detail"),
        "progress": row.progress,
        "mimetype": JSON,
        **times,
        # upstream compares these, of a page of jobs
        "started": times["started"] or "",
    }
