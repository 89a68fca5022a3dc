"""`/api/v1/jobs`: only their owner sees jobs, and ends them."""

import json
import uuid
from typing import Any

import pytest
from sqlalchemy import Engine
from werkzeug.test import TestResponse

from samsyn_admin.jobs.kinds import KINDS
from samsyn_model.jobs.jobs import list_jobs
from samsyn_model.tables.jobs import JOB_KINDS
from tests.api.jobs.workers import defer, rows
from tests.api.layer_requests import Caller, MakeCaller
from tests.statements import statements

JOBS = "/api/v1/jobs"
UPDATE = "UPDATE jobs SET status = :status, result = :result, problem = :problem WHERE id = :id"


def get(caller: Caller, address: str = "", **headers: str) -> TestResponse:
    return caller.client.get(f"{JOBS}{address}", headers={**caller.headers, **headers})


def delete(caller: Caller, job_id: uuid.UUID) -> TestResponse:
    return caller.client.delete(f"{JOBS}/{job_id}", headers=caller.headers)


def end(
    engine: Engine, job_id: uuid.UUID, status: str, result: Any = None, problem: Any = None
) -> None:
    values = {"result": json.dumps(result), "problem": json.dumps(problem)}
    rows(engine, UPDATE, id=job_id, status=status, **values)


def test_every_kind_has_a_function() -> None:
    assert tuple(KINDS) == JOB_KINDS


def test_a_job_is_its_owners_alone(
    owner: Caller, make_caller: MakeCaller, anonymous: Caller, empty_database: Engine
) -> None:
    job_id = defer(empty_database, owner.id, "import", secret="x")
    read = get(owner, f"/{job_id}")
    assert read.status_code == 200
    assert read.json
    assert (read.json["id"], read.json["kind"]) == (str(job_id), "import")
    assert (read.json["status"], read.json["progress"]) == ("accepted", 0)
    assert read.json["started_at"] is read.json["result"] is read.json["problem"] is None
    assert "parameters" not in read.json
    tag = read.headers["ETag"]
    assert get(owner, f"/{job_id}", **{"If-None-Match": tag}).status_code == 304
    other = make_caller("other", admin=True)
    for address in (f"/{job_id}", f"/{job_id}/results", f"/{uuid.uuid4()}", "/1", "/1/results"):
        assert get(other, address).status_code == 404
        assert get(anonymous, address).status_code == 401
    assert delete(other, job_id).status_code == 404
    assert delete(anonymous, job_id).status_code == 401
    assert get(other).json == []
    assert get(owner, f"/{job_id}").json == read.json
    reader = make_caller("owner", "read")
    assert get(reader, f"/{job_id}").status_code == 200
    assert delete(reader, job_id).status_code == 403


def test_jobs_are_listed_newest_first_by_status_and_kind(
    owner: Caller, empty_database: Engine
) -> None:
    ids = [
        str(defer(empty_database, owner.id, kind)) for kind in ("inspect", "import", "undo", "undo")
    ]
    end(empty_database, uuid.UUID(ids[1]), "failed")
    end(empty_database, uuid.UUID(ids[2]), "successful")

    def listed(query: str) -> list[str]:
        response = get(owner, query)
        assert response.status_code == 200, response.text
        assert response.json is not None
        return [job["id"] for job in response.json]

    assert listed("") == ids[::-1]
    assert listed("?kind=undo") == [ids[3], ids[2]]
    assert listed("?status=failed,successful") == [ids[2], ids[1]]
    assert listed("?status=accepted&kind=undo,import") == [ids[3]]
    assert listed(f"?import_id={uuid.uuid4()}") == []
    page = get(owner, "?limit=1&offset=1")
    assert page.json
    assert [job["id"] for job in page.json] == [ids[2]]
    assert page.headers["X-Total-Count"] == "4"
    assert 'rel="next"' in page.headers["Link"]
    for query in ("?status=", "?status=done", "?kind=inspect,", "?import_id=1", "?q=x", "?limit=0"):
        assert get(owner, query).status_code == 400, query
    with empty_database.begin() as connection:
        found, total = list_jobs(connection, owner.id, limit=2, kinds=("undo", "import"))
        assert ([str(row.id) for row in found], total) == ([ids[3], ids[2]], 3)
        assert list_jobs(connection, owner.id, limit=2, offset=9) == ([], 4)


def test_results(owner: Caller, empty_database: Engine) -> None:
    job_id = defer(empty_database, owner.id)
    waiting = get(owner, f"/{job_id}/results")
    assert waiting.status_code == 404
    assert "accepted" in waiting.text
    end(empty_database, job_id, "successful", {"layers": ["å"]})
    assert get(owner, f"/{job_id}/results").json == {"layers": ["å"]}
    fault = {"pointer": "/crs", "detail": "There is none."}
    document = {"type": "about:blank", "title": "x", "status": 422, "detail": "It does not suit."}
    end(empty_database, job_id, "failed", problem={**document, "errors": [fault]})
    failed = get(owner, f"/{job_id}/results")
    assert failed.status_code == 422
    assert failed.json
    assert (failed.json["detail"], failed.json["errors"]) == ("It does not suit.", [fault])


@pytest.mark.parametrize("status", ["accepted", "running"])
def test_a_job_that_is_not_over_is_dismissed_and_stays(
    owner: Caller, empty_database: Engine, status: str
) -> None:
    job_id = defer(empty_database, owner.id)
    end(empty_database, job_id, status)
    dismissed = delete(owner, job_id)
    assert dismissed.status_code == 200
    assert dismissed.json
    assert dismissed.json["status"] == "dismissed"
    assert dismissed.json["finished_at"]
    assert get(owner, f"/{job_id}").json == dismissed.json
    assert get(owner, f"/{job_id}/results").status_code == 404


@pytest.mark.parametrize("status", ["successful", "failed", "dismissed"])
def test_a_job_that_is_over_is_removed(owner: Caller, empty_database: Engine, status: str) -> None:
    job_id = defer(empty_database, owner.id)
    end(empty_database, job_id, status, {})
    removed = delete(owner, job_id)
    assert removed.status_code == 200
    assert removed.json
    assert removed.json["status"] == status
    assert get(owner, f"/{job_id}").status_code == 404
    assert delete(owner, job_id).status_code == 404


def test_requests_cost_one_statement(owner: Caller, empty_database: Engine) -> None:
    job_id = defer(empty_database, owner.id)
    get(owner)
    for address in ("", f"/{job_id}", f"/{job_id}/results"):
        with statements() as sent:
            get(owner, address)
        assert len([text for text in sent if "jobs" in text]) == 1, address
