"""Imports of rasters taken back, layers deleted: no file stays that nobody needs."""

import os
import time
from typing import Any

import pytest
from sqlalchemy import Engine, text

from samsyn_admin.imports.expiry import remove_expired
from samsyn_admin.storage.storage import open_storage
from samsyn_model.settings import Settings
from tests.api.imports.conftest import RunJobs
from tests.api.imports.rasters.made_rasters import act, layer, ramp, tiff
from tests.api.imports.upload_requests import send, uploaded
from tests.api.jobs.workers import rows
from tests.api.layer_requests import LAYERS, Caller, MakeCaller, add_to_map


def stored(settings: Settings) -> list[str]:
    assert settings.storage_dir is not None
    folder = settings.storage_dir / "rasters"
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def committed(
    caller: Caller, run_jobs: RunJobs, content: bytes, **choices: Any
) -> tuple[str, dict[str, Any]]:
    """Import a raster; return the import's id and the layer."""
    created = uploaded(caller, {"a.tif": content})
    run_jobs()
    job, found = act(caller, run_jobs, created["id"], "commit", **choices)
    assert job["status"] == "successful", job
    return created["id"], layer(caller, found["report"]["layers"][0]["layer_id"])


def test_an_import_taken_back_leaves_nothing(
    owner: Caller, run_jobs: RunJobs, settings: Settings
) -> None:
    import_id, made = committed(owner, run_jobs, tiff(ramp()))
    assert stored(settings) == ["0-a.tif", "0.tif"]
    job, _ = act(owner, run_jobs, import_id, "undo")
    assert job["status"] == "successful", job
    assert owner.get(made["id"]).status_code == 404
    assert stored(settings) == []


def test_a_deleted_layer_leaves_no_files(
    owner: Caller, run_jobs: RunJobs, settings: Settings, empty_database: Engine
) -> None:
    _, made = committed(owner, run_jobs, tiff(ramp()))
    assert owner.delete(made["id"]).status_code == 204
    assert stored(settings) == []
    assert rows(empty_database, "SELECT 1 FROM raster_files") == []


def test_a_deleted_layer_without_its_files_does_not_come_back(
    owner: Caller, run_jobs: RunJobs
) -> None:
    """One that is drawn from an address does."""
    _, made = committed(owner, run_jobs, tiff(ramp()))
    address = {"url": "https://files.example.org/a.tif"}
    elsewhere = owner.post({"name": "A", "source_type": "geotiff", "source_config": address})
    for layer_id in (made["id"], elsewhere.json["id"]):
        assert owner.delete(layer_id).status_code == 204
    assert [entry["id"] for entry in owner.get("deleted").json] == [elsewhere.json["id"]]

    def restored(layer_id: str) -> int:
        path = f"{LAYERS}/{layer_id}/restore"
        return owner.client.post(path, headers=owner.headers).status_code

    assert (restored(made["id"]), restored(elsewhere.json["id"])) == (404, 201)


def test_a_raster_is_replaced_and_given_back(
    owner: Caller, run_jobs: RunJobs, settings: Settings
) -> None:
    _, made = committed(owner, run_jobs, tiff(ramp()), colormap="blues")
    second, changed = committed(
        owner, run_jobs, tiff(ramp() + 100), mode="replace", layer_id=made["id"]
    )
    assert changed["id"] == made["id"]
    assert changed["name"] == made["name"]
    assert changed["source_config"]["statistics"]["b1"]["max"] == 163
    newer = owner.client.get(f"/api/v1/layers/{made['id']}/file", headers=owner.headers)
    assert len(stored(settings)) == 4
    job, _ = act(owner, run_jobs, second, "undo")
    assert job["status"] == "successful", job
    restored = layer(owner, made["id"])
    assert restored["source_config"] == made["source_config"]
    assert restored["legend_config"] == made["legend_config"]
    older = owner.client.get(f"/api/v1/layers/{made['id']}/file", headers=owner.headers)
    assert older.get_etag() != newer.get_etag()
    assert stored(settings) == ["0-a.tif", "0.tif"]


def test_what_was_replaced_goes_with_its_import(
    owner: Caller, run_jobs: RunJobs, settings: Settings, empty_database: Engine
) -> None:
    _, made = committed(owner, run_jobs, tiff(ramp()))
    second, _ = committed(owner, run_jobs, tiff(ramp() + 1), mode="replace", layer_id=made["id"])
    _age(settings)
    remove_expired(empty_database, open_storage(settings), settings)
    assert len(stored(settings)) == 4
    assert send(owner, "DELETE", f"/{second}").status_code == 204
    remove_expired(empty_database, open_storage(settings), settings)
    assert stored(settings) == ["0-a.tif", "0.tif"]


def test_only_who_may_change_a_layer_replaces_its_raster(
    owner: Caller, make_caller: MakeCaller, run_jobs: RunJobs
) -> None:
    other = make_caller("other")
    _, made = committed(owner, run_jobs, tiff(ramp()))
    created = uploaded(other, {"b.tif": tiff(ramp() + 1)})
    run_jobs()
    body = {"mode": "replace", "layer_id": made["id"]}
    assert send(other, "POST", f"/{created['id']}/commit", json=body).status_code == 404
    assert owner.patch(made["id"], {"visibility": "public"}).status_code == 200
    assert send(other, "POST", f"/{created['id']}/commit", json=body).status_code == 403
    vector = owner.post({"name": "b", "source_type": "vector"}).json
    assert vector is not None
    mine = uploaded(owner, {"b.tif": tiff(ramp() + 1)})
    run_jobs()
    body = {"mode": "replace", "layer_id": vector["id"]}
    assert send(owner, "POST", f"/{mine['id']}/commit", json=body).status_code == 404
    body = {"mode": "append", "layer_id": made["id"]}
    assert send(owner, "POST", f"/{mine['id']}/commit", json=body).status_code == 422


def test_a_layer_that_others_use_stays(
    owner: Caller, make_caller: MakeCaller, run_jobs: RunJobs, empty_database: Engine
) -> None:
    import_id, made = committed(owner, run_jobs, tiff(ramp()), visibility="public")
    add_to_map(empty_database, make_caller("other").id, made["id"])
    job, _ = act(owner, run_jobs, import_id, "undo")
    assert job["status"] == "failed"
    assert owner.get(made["id"]).status_code == 200


def test_what_a_killed_job_leaves_is_swept(
    owner: Caller, run_jobs: RunJobs, settings: Settings, empty_database: Engine
) -> None:
    _, made = committed(owner, run_jobs, tiff(ramp()))
    created = uploaded(owner, {"b.tif": tiff(ramp())})
    run_jobs()
    assert send(owner, "POST", f"/{created['id']}/commit", json={}).status_code == 202
    sql = "SELECT id FROM jobs WHERE status = 'accepted'"
    ((waiting,),) = rows(empty_database, sql)
    storage = open_storage(settings)
    storage.write(f"rasters/{waiting}-1-0/0.tif", [b"half"])
    storage.write("rasters/other/0.tif", [b"of nobody"])  # nothing that a job has made
    for age in (False, True):
        if age:
            _age(settings)
        remove_expired(empty_database, storage, settings)
        assert len(stored(settings)) == 4  # the job may still run
    with empty_database.begin() as connection:
        connection.execute(text("UPDATE jobs SET status = 'dismissed' WHERE status = 'accepted'"))
    remove_expired(empty_database, storage, settings)
    assert stored(settings) == ["0-a.tif", "0.tif", "0.tif"]
    response = owner.client.get(f"/api/v1/layers/{made['id']}/file", headers=owner.headers)
    assert response.status_code == 200


def _age(settings: Settings) -> None:
    """Make all folders of rasters look old."""
    assert settings.storage_dir is not None
    old = time.time() - 7200
    for folder in (settings.storage_dir / "rasters").iterdir():
        os.utime(folder, (old, old))


@pytest.mark.parametrize("failing", ["permission", "quota"])
def test_a_refusal_at_the_end_leaves_nothing(
    owner: Caller,
    run_jobs: RunJobs,
    settings: Settings,
    empty_database: Engine,
    failing: str,
) -> None:
    created = uploaded(owner, {"a.tif": tiff(ramp())})
    run_jobs()
    assert send(owner, "POST", f"/{created['id']}/commit", json={}).status_code == 202
    if failing == "quota":
        object.__setattr__(settings, "max_upload_bytes_per_user", 1)
    else:
        with empty_database.begin() as connection:
            connection.execute(text("UPDATE users SET deleted_at = now()"))
    run_jobs()
    (job,) = rows(empty_database, "SELECT * FROM jobs WHERE kind = 'import'")
    assert job.status == "failed", job.problem
    assert stored(settings) == []
    assert rows(empty_database, "SELECT 1 FROM layers") == []
