"""From an upload to layers and back: inspected, committed and undone by jobs."""

import csv
import io
import json
import os
import time
import zipfile
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest
import shapely
from sqlalchemy import Engine

from samsyn_admin.imports.expiry import remove_expired
from samsyn_admin.imports.jobs import opened_file
from samsyn_admin.jobs.execution import execute
from samsyn_admin.storage.storage import open_storage
from samsyn_model.errors import ConflictError
from samsyn_model.jobs.attempts import begin_attempt
from samsyn_model.settings import Settings
from tests.api.imports.conftest import RunJobs
from tests.api.imports.upload_requests import POINTS, read, send, uploaded
from tests.api.jobs.workers import rows, wait_for, worker
from tests.api.layer_requests import Caller, MakeCaller
from tests.source_files import table, write_ogr

TEXTS = "namn,lon,lat,djup\nÅsa,11.5,57.5,3\nÖckerö,11.6,57.6,\n".encode("cp1252")
OUTSIDE = b"name,lon,lat\nMast,11.5,57.5\n=x,11.5,957.5\n"


def act(caller: Caller, run_jobs: RunJobs, import_id: str, action: str, **body: Any) -> Any:
    """Have a job of an import done; return the job and the import."""
    response = send(caller, "POST", f"/{import_id}/{action}", json=body)
    assert response.status_code == 202, response.text
    run_jobs()
    found = read(caller, import_id)
    assert response.json is not None
    assert found["job"]["id"] == response.json["id"]
    return found["job"], found


def layer(caller: Caller, layer_id: str) -> dict[str, Any]:
    response = caller.get(layer_id)
    assert response.json is not None
    found: dict[str, Any] = response.json
    return found


def test_an_inspection_says_what_the_file_holds(owner: Caller, run_jobs: RunJobs) -> None:
    created = uploaded(owner, {"orter.csv": TEXTS})
    run_jobs()
    found = read(owner, created["id"])
    assert found["status"] == "inspected"
    assert found["job"]["status"] == "successful"
    assert found["job"]["progress"] == 100
    (inspected,) = found["inspection"]["layers"]
    assert inspected["name"] == "orter"
    assert inspected["feature_count"] == 2
    assert inspected["geometry_types"] == {"Point": 2}
    assert inspected["extent"] == [11.5, 57.5, 11.6, 57.6]
    assert inspected["crs"]["code"] == "OGC:CRS84"
    assert inspected["fault_count"] == 0
    fields = {field["name"]: field for field in inspected["fields"]}
    assert fields["djup"]["type"] == "integer"
    assert fields["djup"]["samples"] == [3]
    assert fields["namn"]["type"] == "string"
    assert inspected["refusal"] is None
    encoding = inspected["encoding"]
    assert encoding["name"] == "Windows-1252"
    assert "UTF-8" in encoding["origin"]
    assert encoding["samples"] == ["Åsa", "Öckerö"]
    assert (inspected["columns"]["x"], inspected["columns"]["y"]) == ("lon", "lat")
    assert found["inspection"]["format"] == "CSV"


def geojson(*properties: str, **members: str) -> bytes:
    """Return a collection of points whose properties are these texts of JSON."""
    features = ",".join(
        f'{{"type":"Feature","geometry":{{"type":"Point","coordinates":[11,57]}},"properties":{p}}}'
        for p in properties
    )
    named = "".join(f'"{name}":{value},' for name, value in members.items())
    return f'{{"type":"FeatureCollection",{named}"features":[{features}]}}'.encode()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.geojson", geojson('{"a":"x\\u0000y"}', '{"a":"b"}')),
        ("a.geojson", geojson('{"a":"\\ud83d"}', '{"a":"b"}')),
        ("a.geojson", geojson('{"a":["\\ud83d"]}', '{"a":null}', name='"\\u0000\\ud83d"')),
        ("a.csv", b"a,lon,lat\nx\0y,11,57\nb,11,57\n"),
        ("a.csv", b"a,easting,northing\nx\0y,300000,6400000\nb,300001,6400000\n"),
    ],
)
def test_a_text_that_cannot_be_stored_is_one_fault_of_an_inspection(
    owner: Caller, run_jobs: RunJobs, name: str, content: bytes
) -> None:
    created = uploaded(owner, {name: content})
    run_jobs()
    found = read(owner, created["id"])
    assert found["status"] == "inspected", found["job"]
    (inspected,) = found["inspection"]["layers"]
    assert (inspected["refusal"], inspected["fault_count"]) == (None, 1)
    assert inspected["faults"][0]["number"] == 1
    assert inspected["geometry_types"] == {"Point": 1}


@pytest.mark.parametrize(("escape", "shown"), [("\\u0000", "x\\x00"), ("\\ud83d", "x\\ud83d")])
def test_a_name_of_a_property_that_cannot_be_stored_is_named(
    owner: Caller, run_jobs: RunJobs, escape: str, shown: str
) -> None:
    content = geojson(f'{{"x{escape}":1}}', '{"a":"b"}')
    created = uploaded(owner, {"a.geojson": content})
    run_jobs()
    (inspected,) = read(owner, created["id"])["inspection"]["layers"]
    assert f"The name of the property '{shown}'" in inspected["refusal"]
    for skip_faulty in (False, True):
        job, _ = act(owner, run_jobs, created["id"], "commit", skip_faulty=skip_faulty)
        assert job["problem"]["status"] == 422
        assert f"The name of the property '{shown}' of 'a'" in job["problem"]["detail"]


def test_a_crs_that_is_no_text_is_no_known_one(owner: Caller, run_jobs: RunJobs) -> None:
    crs = '{"type":"name","properties":{"name":"\\ud83d"}}'
    created = uploaded(owner, {"a.geojson": geojson('{"a":1}', crs=crs)})
    run_jobs()
    found = read(owner, created["id"])
    assert found["status"] == "inspected", found["job"]
    assert found["inspection"]["layers"][0]["crs"] is None


def test_an_inspection_of_several_layers_shows_each(
    owner: Caller, run_jobs: RunJobs, tmp_path: Path
) -> None:
    path = tmp_path / "x.gpkg"
    names = ["Å", "Å", "b", "", None, "c", "d"]
    depths = [1.5, 1.5, None, 2.0, 3.0, 4.0, 5.0]
    points = shapely.points(np.linspace(500_000, 500_060, 7), 6_400_000)
    columns = {"name": names, "depth": depths}
    options = {"geometry_type": "Point", "crs": "EPSG:3006", "layer": "points"}
    write_ogr(path, table(points, columns), "GPKG", **options)
    bowtie = shapely.from_wkt("POLYGON ((0 0, 1 1, 1 0, 0 1, 0 0))")
    write_ogr(path, table([bowtie, None], {"a": [1, 2]}), "GPKG", layer="areas", append=True)
    created = uploaded(owner, {"plan.gpkg": path.read_bytes()})
    run_jobs()
    inspection = read(owner, created["id"])["inspection"]
    first, second = inspection["layers"]
    assert first["crs"]["code"] == "EPSG:3006"
    assert first["extent"] == pytest.approx([15.0, 57.74, 15.001, 57.74], abs=0.01)
    assert {field["name"]: field["samples"] for field in first["fields"]} == {
        "name": ["Å", "b", "c"],
        "depth": [1.5, 2.0, 3.0],
    }
    assert first["encoding"]["samples"] == ["Å"]
    assert (second["null_count"], second["invalid_count"]) == (1, 1)
    assert second["geometry_types"] == {"Polygon": 1}


def test_data_outside_the_area_of_their_crs_are_told(owner: Caller, run_jobs: RunJobs) -> None:
    created = uploaded(owner, {"p.csv": POINTS})
    _, found = act(owner, run_jobs, created["id"], "inspect", crs="EPSG:3006")
    (inspected,) = found["inspection"]["layers"]
    assert inspected["crs"]["origin"] == "as chosen"
    assert any("degrees" in note for note in inspected["notes"]), inspected["notes"]
    assert found["choices"]["crs"] == "EPSG:3006"


def test_a_file_that_cannot_be_read_is_told_by_its_own_name(
    owner: Caller, run_jobs: RunJobs, tmp_path: Path
) -> None:
    for name, content in (("text.gpkg", b"nonsense"), ("empty.csv", b""), ("a.zip", b"PK\3\4x")):
        created = uploaded(owner, {name: content})
        run_jobs()
        found = read(owner, created["id"])
        assert found["status"] == "failed"
        problem = found["job"]["problem"]
        assert problem["status"] == 400
        assert problem["detail"].startswith(name), problem
        assert "/tmp" not in problem["detail"]
    assert Path.cwd() != tmp_path


def test_an_import_makes_layers_and_is_taken_back(owner: Caller, run_jobs: RunJobs) -> None:
    created = uploaded(owner)
    run_jobs()
    choices = {"layers": [{"source": "points", "name": "Masts"}], "visibility": "public"}
    job, found = act(owner, run_jobs, created["id"], "commit", **choices)
    assert job["status"] == "successful"
    assert found["status"] == "imported"
    (report,) = found["report"]["layers"]
    assert (report["name"], report["inserted"], report["mode"]) == ("Masts", 2, "create")
    assert report["extent"] == [11.5, 57.5, 11.6, 57.6]
    made = layer(owner, report["layer_id"])
    assert (made["name"], made["feature_count"], made["visibility"]) == ("Masts", 2, "public")
    again = send(owner, "POST", f"/{created['id']}/commit", json=choices)
    assert again.status_code == 409
    job, found = act(owner, run_jobs, created["id"], "undo")
    assert (job["status"], found["status"]) == ("successful", "undone")
    assert job["result"]["layers_deleted"] == 1
    assert owner.get(report["layer_id"]).status_code == 404
    assert send(owner, "POST", f"/{created['id']}/undo").status_code == 409
    job, found = act(owner, run_jobs, created["id"], "commit", **choices)
    assert found["status"] == "imported"


def test_an_import_that_changed_since_is_taken_back_by_force_alone(
    owner: Caller, run_jobs: RunJobs
) -> None:
    created = uploaded(owner)
    run_jobs()
    _, found = act(owner, run_jobs, created["id"], "commit")
    layer_id = found["report"]["layers"][0]["layer_id"]
    assert owner.patch(layer_id, {"name": "Mine"}).status_code == 200
    job, found = act(owner, run_jobs, created["id"], "undo")
    assert (job["status"], job["problem"]["status"]) == ("failed", 409)
    assert "definition" in job["problem"]["detail"]
    assert found["status"] == "imported"
    job, found = act(owner, run_jobs, created["id"], "undo", force=True)
    assert (job["status"], found["status"]) == ("successful", "undone")
    assert layer(owner, layer_id)["name"] == "Mine"


def test_faults_fail_an_import_or_are_left_out(owner: Caller, run_jobs: RunJobs) -> None:
    created = uploaded(owner, {"p.csv": OUTSIDE})
    run_jobs()
    found = read(owner, created["id"])
    assert found["fault_count"] == 1
    assert found["inspection"]["layers"][0]["faults"][0]["number"] == 2
    job, found = act(owner, run_jobs, created["id"], "commit")
    assert (job["status"], found["status"], found["fault_count"]) == ("failed", "failed", 1)
    assert send(owner, "GET", "").json[0]["fault_count"] == 1  # type: ignore[index]
    assert owner.list().json == []
    faults = send(owner, "GET", f"/{created['id']}/faults").json
    assert faults is not None
    assert faults["fault_count"] == 1
    (fault,) = faults["faults"]
    assert (fault["layer"], fault["number"], fault["field"]) == ("p", 2, None)
    assert "957.5" in fault["reason"]
    job, found = act(owner, run_jobs, created["id"], "commit", skip_faulty=True)
    assert (job["status"], found["status"], found["fault_count"]) == ("successful", "imported", 1)
    assert found["report"]["layers"][0]["skipped"] == 1


def test_faults_are_a_table_for_spreadsheets(owner: Caller, empty_database: Engine) -> None:
    created = uploaded(owner)
    fault = {"layer": "=cmd()", "number": 7, "line": None, "feature_id": "+1", "field": "djup"}
    values = {"id": created["id"], "faults": json.dumps([{**fault, "reason": "är, ej"}])}
    rows(
        empty_database,
        "UPDATE imports SET faults = CAST(:faults AS jsonb) WHERE id = :id",
        **values,
    )
    path = f"/{created['id']}/faults"
    by_parameter = send(owner, "GET", f"{path}?f=csv")
    by_header = send(owner, "GET", path, headers={"Accept": "text/csv"})
    assert by_parameter.data == by_header.data
    assert by_parameter.mimetype == "text/csv"
    table = list(csv.reader(io.StringIO(by_parameter.text.removeprefix("\ufeff"))))
    assert table == [
        ["layer", "number", "line", "feature_id", "field", "reason"],
        ["'=cmd()", "7", "", "'+1", "djup", "är, ej"],
    ]
    assert send(owner, "GET", f"{path}?f=xml").status_code == 406


def test_the_parts_of_a_shapefile_are_read_together(
    owner: Caller, run_jobs: RunJobs, tmp_path: Path
) -> None:
    content = table([shapely.Point(11.5, 57.5)], {"namn": ["Å"]})
    write_ogr(tmp_path / "orter.shp", content, "ESRI Shapefile", geometry_type="Point")
    files = {path.name: path.read_bytes() for path in tmp_path.glob("orter.*")}
    created = uploaded(owner, files)
    run_jobs()
    found = read(owner, created["id"])
    assert found["status"] == "inspected", found["job"]
    (inspected,) = found["inspection"]["layers"]
    assert (inspected["name"], inspected["feature_count"]) == ("orter", 1)


@pytest.mark.parametrize(
    ("names", "opened"),
    [
        (["a.gpkg"], "a.gpkg"),
        (["a.dbf", "a.SHP", "a.prj"], "a.SHP"),
        (["plan.gdb/gdb", "plan.gdb/a1.gdbtable"], "plan.gdb"),
        (["data/a.geojson"], "data/a.geojson"),
        (["a.geojson", "b.geojson"], None),
        (["a.shp", "b.shp"], None),
    ],
)
def test_which_of_several_files_is_opened(names: list[str], opened: str | None) -> None:
    if opened is None:
        with pytest.raises(ConflictError, match="2 files"):
            opened_file(names)
    else:
        assert opened_file(names) == Path(opened)


def test_a_job_of_somebody_who_lost_their_rights_changes_nothing(
    owner: Caller, make_caller: MakeCaller, run_jobs: RunJobs
) -> None:
    other = make_caller("other")
    features = {"type": "FeatureCollection", "features": []}
    body = {"name": "x", "source_type": "vector", "source_config": {"geojson": features}}
    shared = {**body, "visibility": "public", "editable": "everyone"}
    target = (other.post(shared).json or {})["id"]
    created = uploaded(owner)
    choices = {"mode": "append", "layer_id": target}
    response = send(owner, "POST", f"/{created['id']}/commit", json=choices)
    assert response.status_code == 202
    assert other.patch(target, {"editable": "creator-only"}).status_code == 200
    run_jobs()
    found = read(owner, created["id"])
    assert (found["status"], found["job"]["problem"]["status"]) == ("failed", 403)
    assert layer(other, target)["feature_count"] == 0


def test_a_dismissed_import_stores_nothing(
    owner: Caller, empty_database: Engine, settings: Settings
) -> None:
    created = uploaded(owner)
    response = send(owner, "POST", f"/{created['id']}/commit", json={})
    job_id = (response.json or {})["id"]
    with empty_database.begin() as connection:
        begun = begin_attempt(connection, UUID(job_id), {})
    assert begun is not None
    assert owner.client.delete(f"/api/v1/jobs/{job_id}", headers=owner.headers).status_code == 200
    rows(empty_database, "UPDATE jobs SET status = 'running' WHERE id = :id", id=job_id)
    rows(empty_database, "UPDATE jobs SET attempts = 2 WHERE id = :id", id=job_id)
    execute(settings, begun[0])
    assert owner.list().json == []
    assert read(owner, created["id"])["status"] == "uploaded"


def test_what_nobody_needs_any_more_is_removed(
    owner: Caller, run_jobs: RunJobs, empty_database: Engine, settings: Settings
) -> None:
    ids = [uploaded(owner)["id"] for _ in range(3)]
    run_jobs()
    _, found = act(owner, run_jobs, ids[0], "commit")
    waiting = uploaded(owner)["id"]
    storage = open_storage(settings)
    assert settings.storage_dir is not None
    orphan = settings.storage_dir / "imports" / str(UUID(int=7))
    fresh = settings.storage_dir / "results" / str(UUID(int=8))
    for folder in (orphan, fresh):
        storage.write(f"{folder.parent.name}/{folder.name}/0-x", [b"x"])
    day = 24 * 3600
    os.utime(orphan, (time.time() - 2 * day, time.time() - 2 * day))
    age = """
    ALTER TABLE imports DISABLE TRIGGER keep_updated_at;
    UPDATE imports SET updated_at = now() - interval '8 days' WHERE id IN (:first, :second, :last);
    ALTER TABLE imports ENABLE TRIGGER keep_updated_at"""
    for statement in age.split(";"):
        values = {"first": ids[0], "second": ids[1], "last": waiting}
        rows(empty_database, statement, **(values if ":first" in statement else {}))
    assert remove_expired(empty_database, storage, settings) == 2
    remaining = {found["id"] for found in send(owner, "GET", "").json or []}
    assert remaining == {ids[0], ids[2], waiting}  # committed, new, with a job that waits
    assert not orphan.exists()
    assert fresh.exists()
    assert not (settings.storage_dir / "imports" / ids[1]).exists()
    assert (settings.storage_dir / "imports" / ids[0]).exists()
    later = settings.model_copy(update={"import_retention": 7})
    assert remove_expired(empty_database, storage, later) == 1
    assert owner.get(found["report"]["layers"][0]["layer_id"]).status_code == 200
    assert remove_expired(empty_database, storage, later) == 0


def test_a_shapefile_in_a_zip_keeps_its_name(
    owner: Caller, run_jobs: RunJobs, tmp_path: Path
) -> None:
    content = table([shapely.Point(1, 2)], {"a": [1]})
    write_ogr(tmp_path / "p.shp", content, "ESRI Shapefile", geometry_type="Point")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path in tmp_path.glob("p.*"):
            archive.write(path, path.name)
    created = uploaded(owner, {"upload.zip": packed.getvalue()})
    run_jobs()
    found = read(owner, created["id"])
    assert found["inspection"]["layers"][0]["name"] == "p", found["job"]


def test_a_worker_removes_what_has_expired(
    owner: Caller, empty_database: Engine, settings: Settings, tmp_path: Path
) -> None:
    created = uploaded(owner)
    rows(empty_database, "UPDATE jobs SET status = 'successful'")
    rows(empty_database, "ALTER TABLE imports DISABLE TRIGGER keep_updated_at")
    rows(empty_database, "UPDATE imports SET updated_at = now() - interval '8 days'")
    rows(empty_database, "ALTER TABLE imports ENABLE TRIGGER keep_updated_at")
    folder = tmp_path / "storage" / "imports" / created["id"]
    assert folder.exists()
    with worker(empty_database, tmp_path / "log", STORAGE_DIR=str(settings.storage_dir)):
        wait_for(lambda: not folder.exists())
    assert send(owner, "GET", f"/{created['id']}").status_code == 404


def test_a_file_of_nothing_but_faults_is_told_so(owner: Caller, run_jobs: RunJobs) -> None:
    created = uploaded(owner, {"p.csv": b"name,lon,lat\nMast,11.5,north\nBuoy,11.6,\n"})
    run_jobs()
    found = read(owner, created["id"])
    assert found["status"] == "inspected", found["job"]
    assert found["fault_count"] == 2
    job, found = act(owner, run_jobs, created["id"], "commit")
    assert (job["status"], job["problem"]["status"]) == ("failed", 422)
    job, found = act(owner, run_jobs, created["id"], "commit", skip_faulty=True)
    assert (job["status"], found["report"]["layers"][0]["skipped"]) == ("successful", 2)
