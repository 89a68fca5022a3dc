"""OGC API Processes: documents as the standard has them, jobs of the caller alone."""

import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import owslib.ogcapi  # type: ignore[import-untyped]
import pytest
from flask import Flask
from flask.testing import FlaskClient
from owslib.ogcapi.processes import Processes  # type: ignore[import-untyped]
from owslib.util import http_get  # type: ignore[import-untyped]
from sqlalchemy import Engine
from werkzeug.serving import make_server
from werkzeug.test import TestResponse

from samsyn_admin.app import create_app
from samsyn_model.database.transactions import writing
from samsyn_model.jobs.jobs import create_job
from samsyn_model.permissions.checks import require_user
from samsyn_model.settings import Settings
from samsyn_provider.http.deployment import deployment
from samsyn_provider.http.guard import principal
from samsyn_provider.processes.process import Process, install
from tests.api.jobs.test_jobs import end
from tests.api.jobs.workers import defer, rows, wait_until_over, worker
from tests.documented_responses import validate_responses
from tests.ogc.conftest import Person
from tests.ogc.processes.standard_schemas import assert_valid
from tests.statements import statements

EXCEPTIONS = "http://www.opengis.net/def/exceptions/ogcapi-processes-1/1.0"
EXECUTION = "/ogc/processes/import/execution"


def start(inputs: dict[str, Any]) -> uuid.UUID:
    with writing(deployment().engine) as connection:
        owner = require_user(principal())
        return create_job(connection, owner, "import", {"do": "answer", "answer": inputs})


IMPORT = Process(
    id="import",
    title="Import",
    description="Makes layers of files.",
    inputs={
        "import": {"title": "The import", "schema": {"type": "string", "format": "uuid"}},
        "choices": {"title": "How", "minOccurs": 0, "schema": {"type": "object"}},
    },
    outputs={"report": {"title": "What was made", "schema": {"type": "object"}}},
    start=start,
)


@pytest.fixture
def app(empty_database: Engine) -> Flask:
    made = create_app(Settings(_env_file=None), empty_database)
    validate_responses(made)
    install(made, IMPORT)
    return made


@pytest.fixture
def owner(person: Callable[[str], Person]) -> Person:
    return person("owner")


def execute(client: FlaskClient, owner: Person, body: Any, **headers: str) -> TestResponse:
    return client.post(EXECUTION, json=body, headers={**owner.headers, **headers})


def test_processes_are_described(client: FlaskClient) -> None:
    listed = client.get("/ogc/processes").json
    assert listed
    assert_valid("processList", listed)
    (summary,) = listed["processes"]
    assert summary["id"] == "import"
    assert "inputs" not in summary
    address = next(link["href"] for link in summary["links"] if link["rel"] == "self")
    described = client.get(address).json
    assert described
    assert_valid("process", described)
    assert list(described["inputs"]) == ["import", "choices"]
    assert described["jobControlOptions"] == ["async-execute", "dismiss"]
    relations = {link["rel"].rsplit("/", 1)[-1]: link["href"] for link in described["links"]}
    assert relations["execute"].endswith(EXECUTION)
    assert client.get(relations["job-list"]).status_code == 401
    missing = client.get("/ogc/processes/buffer")
    assert missing.status_code == 404
    assert missing.json
    assert missing.json["type"] == f"{EXCEPTIONS}/no-such-process"
    assert_valid("exception", missing.json)
    assert client.get("/ogc/processes?f=html").status_code == 400
    assert client.get("/ogc/processes", headers={"Accept": "text/html"}).status_code == 406


def test_the_landing_page_leads_there(client: FlaskClient) -> None:
    landing = client.get("/ogc/?f=json").json
    assert landing
    links = {link["rel"].rsplit("/", 1)[-1]: link["href"] for link in landing["links"]}
    assert links["processes"].endswith("/ogc/processes")
    assert links["job-list"].endswith("/ogc/jobs")
    classes = client.get("/ogc/conformance?f=json").json
    assert classes
    declared = {uri.rsplit("/", 1)[-1] for uri in classes["conformsTo"] if "processes-1" in uri}
    assert declared == {
        *("core", "json", "oas30", "ogc-process-description", "job-list", "dismiss")
    }


def test_an_execution_is_a_job(client: FlaskClient, owner: Person, empty_database: Engine) -> None:
    key = str(uuid.uuid4())
    inputs = {"import": key, "choices": {"value": {"crs": "EPSG:3006"}}}
    created = execute(client, owner, {"inputs": inputs}, Prefer="respond-async")
    assert created.status_code == 201, created.text
    assert created.headers["Preference-Applied"] == "respond-async"
    assert created.json
    assert_valid("statusInfo", created.json)
    assert created.json["status"] == "accepted"
    address = created.headers["Location"]
    assert address.endswith(f"/ogc/jobs/{created.json['jobID']}")
    read = client.get(address, headers=owner.headers).json
    assert read == created.json
    (row,) = rows(empty_database, "SELECT parameters FROM jobs")
    assert row.parameters["answer"] == {"import": key, "choices": {"crs": "EPSG:3006"}}
    waiting = client.get(f"{address}/results", headers=owner.headers)
    assert waiting.status_code == 404
    assert waiting.json
    assert waiting.json["type"] == f"{EXCEPTIONS}/result-not-ready"


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ([], [""]),
        ({}, ["/inputs/import"]),
        ({"inputs": []}, ["/inputs"]),
        ({"inputs": {"import": {"href": "https://example.org/"}}}, ["/inputs/import"]),
        ({"inputs": {"import": "x", "buffer": 1}}, ["/inputs/buffer"]),
        ({"inputs": {"import": "x"}, "outputs": []}, ["/outputs"]),
        ({"inputs": {"import": "x"}, "outputs": {"map": {}}}, ["/outputs/map"]),
        ({"inputs": {"import": "x"}, "response": "xml"}, ["/response"]),
        ({"inputs": {"import": "x"}, "subscriber": {"successUri": "x"}}, ["/subscriber"]),
    ],
)
def test_what_is_not_understood_is_refused(
    client: FlaskClient, owner: Person, empty_database: Engine, body: Any, pointers: list[str]
) -> None:
    refused = execute(client, owner, body)
    assert refused.status_code == 422, refused.text
    assert refused.json
    assert [fault["pointer"] for fault in refused.json["errors"]] == pointers
    assert_valid("exception", refused.json)
    assert not rows(empty_database, "SELECT FROM jobs")


def test_others_see_no_job(
    client: FlaskClient, owner: Person, person: Callable[[str], Person], empty_database: Engine
) -> None:
    job_id = defer(empty_database, owner.id, "import")
    hidden = defer(empty_database, owner.id, "inspect")  # of no process
    other = person("other").headers
    for address in (f"/ogc/jobs/{job_id}", f"/ogc/jobs/{job_id}/results"):
        assert client.get(address).status_code == 401
        for headers, target in (
            (other, address),
            (owner.headers, address.replace(str(job_id), str(hidden))),
        ):
            response = client.get(target, headers=headers)
            assert response.status_code == 404
            assert response.json
            assert response.json["type"] == f"{EXCEPTIONS}/no-such-job"
    assert client.delete(f"/ogc/jobs/{job_id}", headers=other).status_code == 404
    assert client.delete(f"/ogc/jobs/{hidden}", headers=owner.headers).status_code == 404
    theirs = client.get("/ogc/jobs", headers=other).json
    assert theirs
    assert theirs["jobs"] == []
    assert len(rows(empty_database, "SELECT FROM jobs WHERE status = 'accepted'")) == 2


def test_jobs_are_listed(client: FlaskClient, owner: Person, empty_database: Engine) -> None:
    ids = [str(defer(empty_database, owner.id, "import")) for _ in range(4)]
    times = (
        "UPDATE jobs SET status = :status, created_at = CAST(:created AS timestamptz),"
        " started_at = CAST(:started AS timestamptz),"
        " finished_at = CAST(:started AS timestamptz) + interval '90 s' WHERE id = :id"
    )
    for number, status in ((0, "successful"), (1, "failed")):
        day = f"2026-01-0{number + 1}T12:00:00Z"
        rows(empty_database, times, id=ids[number], status=status, created=day, started=day)

    def listed(query: str) -> list[str]:
        response = client.get(f"/ogc/jobs{query}", headers=owner.headers)
        assert response.status_code == 200, response.text
        assert_valid("jobList", response.json)
        assert response.json
        return [job["jobID"] for job in response.json["jobs"]]

    assert listed("") == ids[::-1]
    assert listed("?status=failed,successful&type=process") == [ids[1], ids[0]]
    assert listed("?processID=import&limit=1") == [ids[3]]
    assert listed("?processID=buffer") == []
    assert listed("?datetime=2026-01-02") == [ids[1]]
    assert listed("?datetime=../2026-01-01T12:00:00Z") == [ids[0]]
    assert listed("?minDuration=90") == [ids[1], ids[0]]
    assert listed("?maxDuration=89") == []
    page = client.get("/ogc/jobs?limit=3&offset=1", headers=owner.headers)
    assert page.json
    relations = {link["rel"]: link["href"] for link in page.json["links"]}
    assert sorted(relations) == ["prev", "self"]
    first = client.get("/ogc/jobs?limit=3", headers=owner.headers).json
    assert first
    (following,) = [link["href"] for link in first["links"] if link["rel"] == "next"]
    assert listed(following.partition("/ogc/jobs")[2]) == [ids[0]]
    for query in (
        *("?status=done", "?type=other", "?limit=0", "?minDuration=x", "?datetime=x", "?q=x"),
        *("?f=html", "?offset=-1", "?maxDuration=9999999999"),
    ):
        assert client.get(f"/ogc/jobs{query}", headers=owner.headers).status_code == 400, query


def test_results_and_failures(client: FlaskClient, owner: Person, empty_database: Engine) -> None:
    job_id = defer(empty_database, owner.id, "import")
    end(empty_database, job_id, "successful", {"layers": ["å<"]})
    results = client.get(f"/ogc/jobs/{job_id}/results", headers=owner.headers).json
    assert_valid("results", results)
    assert results == {"report": {"value": {"layers": ["å<"]}}}
    problem = {"type": "about:blank", "title": "x", "status": 422, "detail": "It does not suit."}
    end(empty_database, job_id, "failed", problem=problem)
    status = client.get(f"/ogc/jobs/{job_id}", headers=owner.headers).json
    assert status
    assert_valid("statusInfo", status)
    assert status["message"] == "It does not suit."
    failed = client.get(f"/ogc/jobs/{job_id}/results", headers=owner.headers)
    assert failed.status_code == 422
    assert_valid("exception", failed.json)


@pytest.mark.parametrize("status", ["accepted", "running", "successful", "failed"])
def test_dismissing(
    client: FlaskClient, owner: Person, empty_database: Engine, status: str
) -> None:
    job_id = defer(empty_database, owner.id, "import")
    end(empty_database, job_id, status, {})
    address = f"/ogc/jobs/{job_id}"
    dismissed = client.delete(address, headers=owner.headers)
    assert dismissed.status_code == 200
    assert dismissed.json
    assert_valid("statusInfo", dismissed.json)
    assert (dismissed.json["status"], dismissed.json["jobID"]) == ("dismissed", str(job_id))
    after = client.get(address, headers=owner.headers)
    if status in {"accepted", "running"}:
        assert after.json
        assert after.json["status"] == "dismissed"
    else:
        assert after.status_code == 404


def test_requests_cost_one_statement(
    client: FlaskClient, owner: Person, empty_database: Engine
) -> None:
    job_id = defer(empty_database, owner.id, "import")
    client.get("/ogc/jobs", headers=owner.headers)
    for address, number in (("/ogc/processes", 0), ("/ogc/jobs", 1), (f"/ogc/jobs/{job_id}", 1)):
        with statements() as sent:
            client.get(address, headers=owner.headers)
        assert len([text for text in sent if " jobs" in text]) == number, address


@pytest.fixture
def address(app: Flask) -> Iterator[str]:
    """The address of the app at a real server."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/ogc/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_owslib_runs_a_job(
    address: str,
    owner: Person,
    empty_database: Engine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # OWSLib adds a client's headers to those of all clients
    monkeypatch.setattr(owslib.ogcapi, "REQUEST_HEADERS", dict(owslib.ogcapi.REQUEST_HEADERS))
    client = Processes(address, headers=owner.headers)
    assert [process["id"] for process in client.processes()] == ["import"]
    assert "choices" in client.process("import")["inputs"]
    job = client.execute("import", inputs={"import": "x"}, async_=True)
    with worker(empty_database, tmp_path / "log"):
        wait_until_over(empty_database, uuid.UUID(job["jobID"]))
    links = http_get(f"{address}jobs/{job['jobID']}", headers=owner.headers).json()["links"]
    (results,) = [link["href"] for link in links if link["rel"].endswith("/results")]
    value = http_get(results, headers=owner.headers).json()["report"]["value"]
    assert value["answer"] == {"import": "x"}
