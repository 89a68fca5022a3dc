"""Maps and layers are exported by jobs, over HTTP."""

import io
import json
import uuid
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pyogrio
import pytest
from flask import Flask
from sqlalchemy import Engine, text

from samsyn_admin.app import create_app
from samsyn_model.settings import CHECKOUT, Settings
from samsyn_provider.http.formats import FORMATS
from tests.api.jobs.workers import wait_until_over, worker
from tests.api.layer_requests import Caller, MakeCaller, feature, vector
from tests.documented_responses import validate_responses

POINT = {"type": "Point", "coordinates": [11.5, 57.5]}


@pytest.fixture
def app(empty_database: Engine, tmp_path: Path) -> Flask:
    settings = Settings(_env_file=None, storage_dir=tmp_path / "storage")
    created = create_app(settings, empty_database)
    validate_responses(created)
    return created


@pytest.fixture
def layer_id(owner: Caller) -> str:
    created = owner.post(vector(feature(POINT, a=1), feature(POINT, a=2)))
    assert created.status_code == 201, created.text
    assert created.json
    return str(created.json["id"])


@pytest.fixture
def map_id(owner: Caller, layer_id: str) -> str:
    made = owner.client.post("/api/v1/maps", json={"name": "Höjd"}, headers=owner.headers).json
    assert made
    path = f"/api/v1/maps/{made['id']}/layers"
    added = owner.client.post(path, json={"layer_id": layer_id}, headers=owner.headers)
    assert added.status_code == 201, added.text
    return str(made["id"])


def begin(caller: Caller, path: str) -> dict[str, Any]:
    begun = caller.client.post(path, headers=caller.headers)
    assert begun.status_code == 202, begun.text
    assert begun.json
    assert begun.headers["Location"].endswith(f"/api/v1/jobs/{begun.json['id']}")
    return begun.json


def finish(engine: Engine, tmp_path: Path, *jobs: dict[str, Any]) -> None:
    settings = {"STORAGE_DIR": str(tmp_path / "storage"), "PYTHONPATH": str(CHECKOUT)}
    with worker(engine, tmp_path / "log", **settings):
        for job in jobs:
            row = wait_until_over(engine, uuid.UUID(job["id"]))
            assert row.status == "successful", row.problem


def test_a_map_is_exported_and_sent_to_who_asked(
    owner: Caller,
    make_caller: MakeCaller,
    map_id: str,
    empty_database: Engine,
    tmp_path: Path,
) -> None:
    path = f"/api/v1/maps/{map_id}/export"
    assert owner.client.get(path, headers=owner.headers).status_code == 404
    job = begin(owner, path)
    assert (job["kind"], job["status"]) == ("export_map", "accepted")
    finish(empty_database, tmp_path, job)
    sent = owner.client.get(path, headers=owner.headers)
    assert sent.status_code == 200
    assert "H%C3%B6jd.gpkg" in sent.headers["Content-Disposition"]
    package = tmp_path / "sent.gpkg"
    package.write_bytes(sent.data)
    assert "Drawn" in {name for name, _ in pyogrio.list_layers(package)}
    result = owner.client.get(f"/api/v1/jobs/{job['id']}", headers=owner.headers).json
    assert result
    assert (result["result"]["layers"], result["result"]["features"]) == (1, 2)
    with empty_database.begin() as connection:
        connection.execute(text("UPDATE maps SET view_permission = 'public'"))
    stranger = make_caller("stranger")
    assert stranger.client.get(path, headers=stranger.headers).status_code == 404
    assert stranger.client.post(path, headers=stranger.headers).status_code == 202
    assert owner.client.post(path).status_code == 401


def test_a_layer_in_every_format(
    owner: Caller, layer_id: str, empty_database: Engine, tmp_path: Path
) -> None:
    path = f"/api/v1/layers/{layer_id}/export"
    jobs = {code: begin(owner, f"{path}?f={code}") for code in FORMATS}
    uri = "http://www.opengis.net/def/crs/EPSG/0/3035"
    moved = begin(owner, f"{path}?f=parquet&crs={uri}")
    finish(empty_database, tmp_path, *jobs.values(), moved)
    sent = {}
    for code, job in [*jobs.items(), ("moved", moved)]:
        response = owner.client.get(f"/api/v1/jobs/{job['id']}/results", headers=owner.headers)
        assert response.status_code == 200
        sent[code] = response.data
    items = f"/ogc/collections/{layer_id}/items"
    for code in ("csv", "geojsonseq", "jsonfg", "kml"):
        download = owner.client.get(f"{items}?f={code}", headers=owner.headers)
        assert sent[code] == download.data
    assert len(json.loads(sent["geojson"])["features"]) == 2
    geo = json.loads(pq.read_metadata(io.BytesIO(sent["moved"])).metadata[b"geo"])
    assert geo["columns"]["geometry"]["crs"]["id"]["code"] == 3035


def test_a_former_reader_gets_no_file(  # noqa: PLR0917 - who reads what
    owner: Caller,
    make_caller: MakeCaller,
    map_id: str,
    layer_id: str,
    empty_database: Engine,
    tmp_path: Path,
) -> None:
    _execute(empty_database, "UPDATE maps SET view_permission = 'public'")
    _execute(empty_database, "UPDATE layers SET visibility = 'public'")
    reader = make_caller("reader")
    paths = [f"/api/v1/maps/{map_id}/export", f"/api/v1/layers/{layer_id}/export"]
    jobs = [begin(caller, path) for caller in (reader, owner) for path in paths]
    finish(empty_database, tmp_path, *jobs)

    def statuses(caller: Caller, *of_jobs: dict[str, Any]) -> list[int]:
        results = [f"/api/v1/jobs/{job['id']}/results" for job in of_jobs]
        get = caller.client.get
        return [get(path, headers=caller.headers).status_code for path in results]

    assert statuses(reader, *jobs[:2]) == [200, 200]
    _execute(empty_database, "UPDATE maps SET view_permission = 'private'")
    assert statuses(reader, *jobs[:2]) == [404, 200]
    _execute(empty_database, "UPDATE layers SET visibility = 'private'")
    assert statuses(reader, *jobs[:2]) == [404, 404]
    assert statuses(owner, *jobs[2:]) == [200, 200]


def _execute(engine: Engine, statement: str) -> None:
    with engine.begin() as connection:
        connection.execute(text(statement))


def test_what_no_file_can_be(owner: Caller, layer_id: str) -> None:
    path = f"/api/v1/layers/{layer_id}/export"
    uri = "http://www.opengis.net/def/crs/EPSG/0/3035"
    for query in ("f=dxf", "f=gpkg&crs=x", f"f=kml&crs={uri}", f"f=geojsonseq&crs={uri}", "g=1"):
        refused = owner.client.post(f"{path}?{query}", headers=owner.headers)
        assert refused.status_code == 400, query
    missing = f"/api/v1/layers/{uuid.uuid4()}/export"
    assert owner.client.post(missing, headers=owner.headers).status_code == 404
