"""Files that jobs bring: to be had by their owner until the job is removed."""

import json
import os
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import requests
from flask import Flask
from sqlalchemy import Engine

from samsyn_admin.app import create_app
from samsyn_admin.jobs.results import remove_unneeded
from samsyn_admin.storage.storage import open_storage
from samsyn_model.jobs.upkeep import remove_old
from samsyn_model.settings import Settings
from tests.api.jobs.workers import defer, rows, wait_until_over, worker
from tests.api.layer_requests import Caller
from tests.api.storage.s3_server import s3_server
from tests.documented_responses import validate_responses

NAME = "Kattegat höjd.gpkg"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "storage"


@pytest.fixture
def app(empty_database: Engine, folder: Path) -> Flask:
    created = create_app(Settings(_env_file=None, storage_dir=folder), empty_database)
    validate_responses(created)
    return created


def make_layer(owner: Caller) -> str:
    return str((owner.post({"name": "Kattegat", "source_type": "vector"}).json or {})["id"])


@pytest.fixture
def job_id(owner: Caller, empty_database: Engine, tmp_path: Path, folder: Path) -> Any:
    layer_id = make_layer(owner)
    job_id = defer(
        empty_database, owner.id, "export_layer", do="write", name=NAME, layer_id=layer_id
    )
    with worker(empty_database, tmp_path / "log", STORAGE_DIR=str(folder)):
        assert wait_until_over(empty_database, job_id).status == "successful"
    return job_id


def test_a_file_is_a_job_s_result_until_that_is_removed(
    owner: Caller, job_id: Any, folder: Path
) -> None:
    address = f"/api/v1/jobs/{job_id}"
    job = owner.client.get(address, headers=owner.headers).json
    assert job
    assert job["result"] == {"file": {"name": NAME, "size": 8}}
    sent = owner.client.get(f"{address}/results", headers=owner.headers)
    assert (sent.status_code, sent.data) == (200, b"contents")
    assert sent.headers["Content-Length"] == "8"
    disposition = sent.headers["Content-Disposition"]
    assert disposition.startswith('attachment; filename="Kattegat_h_jd.gpkg"')
    assert quote(NAME) in disposition
    assert [path.name for path in folder.rglob("*.gpkg")] == ["Kattegat_h_jd.gpkg"]
    assert owner.client.delete(address, headers=owner.headers).status_code == 200
    assert list(folder.rglob("*.gpkg")) == []


def test_files_of_jobs_that_are_gone_are_removed(
    empty_database: Engine, job_id: Any, folder: Path
) -> None:
    storage = open_storage(Settings(_env_file=None, storage_dir=folder))
    stored = folder / "results" / str(job_id)
    long_ago = time.time() - 7200
    os.utime(stored, (long_ago, long_ago))
    assert remove_unneeded(empty_database, storage) == 0
    rows(empty_database, "UPDATE jobs SET finished_at = now() - interval '3 days'")
    with empty_database.begin() as connection:
        assert remove_old(connection, 4) == []
        assert remove_old(connection, 2) == [job_id]
    assert remove_unneeded(empty_database, storage) == 1
    assert not stored.exists()


def test_a_file_in_a_bucket_is_at_an_address_of_the_bucket(
    owner: Caller, empty_database: Engine, tmp_path: Path
) -> None:
    with s3_server(tmp_path) as settings:
        job_id = defer(empty_database, owner.id, "export_layer", layer_id=make_layer(owner))
        key = f"results/{job_id}/k.gpkg"
        open_storage(settings).write(key, [b"contents"])
        result = json.dumps({"file": {"name": "k.gpkg", "key": key, "size": 8}})
        end = "UPDATE jobs SET status = 'successful', result = :result"
        rows(empty_database, end, result=result)
        app = create_app(settings, empty_database)
        validate_responses(app)
        sent = app.test_client().get(f"/api/v1/jobs/{job_id}/results", headers=owner.headers)
        assert sent.status_code == 303
        assert requests.get(sent.headers["Location"], timeout=10).content == b"contents"
