"""`/api/v1/imports`: files of requests, stored for the caller alone."""

import io
import resource
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine, event

from samsyn_admin.app import create_app
from samsyn_admin.imports.uploads import checked_name, storage_key
from samsyn_model.errors import InvalidBodyError
from samsyn_model.identity import api_tokens
from samsyn_model.settings import Settings
from tests.api.imports.upload_requests import (
    BOUNDARY,
    IMPORTS,
    POINTS,
    begin,
    part,
    post_raw,
    read,
    send,
    upload,
    uploaded,
)
from tests.api.jobs.workers import rows
from tests.api.layer_requests import Caller, MakeCaller
from tests.documented_responses import validate_responses
from tests.statements import statements

SETTINGS: dict[str, Any] = {
    "max_upload": 1_000_000,
    "max_upload_bytes_per_user": 2_500_000,
    "max_pending_imports_per_user": 4,
    "max_body_size": 1024,
}


@pytest.fixture
def app(empty_database: Engine, tmp_path: Path) -> Flask:
    settings = Settings(_env_file=None, storage_dir=tmp_path / "storage", **SETTINGS)
    created = create_app(settings, empty_database)
    validate_responses(created)
    return created


@pytest.fixture
def stored(tmp_path: Path) -> "Stored":
    return Stored(tmp_path / "storage")


class Stored:
    """What the storage has."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self) -> list[str]:
        files = (path for path in self._folder.rglob("*") if path.is_file())
        return sorted(str(path.relative_to(self._folder)) for path in files)


def test_an_upload_is_stored_as_it_is_and_inspected(
    owner: Caller, empty_database: Engine, tmp_path: Path
) -> None:
    response = upload(owner, {"Områden 1.csv": POINTS})
    assert response.status_code == 201
    created = response.json
    assert created is not None
    assert response.headers["Location"].endswith(f"{IMPORTS}/{created['id']}")
    assert (created["name"], created["status"]) == ("Områden 1.csv", "uploaded")
    assert created["files"] == [{"name": "Områden 1.csv", "size": len(POINTS)}]
    assert created["size"] == len(POINTS)
    assert (created["job"]["kind"], created["job"]["status"]) == ("inspect", "accepted")
    assert created["job"]["import_id"] == created["id"]
    key = tmp_path / "storage" / "imports" / created["id"] / "0-Omr_den_1.csv"
    assert key.read_bytes() == POINTS
    assert read(owner, created["id"]) == created
    assert rows(empty_database, "SELECT count(*) FROM procrastinate_jobs")[0][0] == 1


def test_a_job_that_is_over_is_told_with_its_outcome(owner: Caller, empty_database: Engine) -> None:
    created = uploaded(owner)
    ended = []

    def end_job(*arguments: Any) -> None:  # after the first statement that reads of the import
        if any(f"FROM {table}" in arguments[2] for table in ("imports", "jobs")) and not ended:
            ended.append(True)
            rows(empty_database, "UPDATE jobs SET status = 'successful', finished_at = now()")
            rows(empty_database, "UPDATE imports SET status = 'inspected'")

    event.listen(empty_database, "after_cursor_execute", end_job)
    try:
        meanwhile = read(owner, created["id"])
    finally:
        event.remove(empty_database, "after_cursor_execute", end_job)
    assert ended
    is_over = meanwhile["job"]["status"] == "successful"
    assert meanwhile["status"] == "inspected" or not is_over
    after = read(owner, created["id"])
    assert (after["status"], after["job"]["status"]) == ("inspected", "successful")


def test_the_parts_of_a_shapefile_and_a_folder_come_together(owner: Caller) -> None:
    shapefile = {"areas.dbf": b"d", "areas.shp": b"s", "areas.shx": b"x"}
    assert uploaded(owner, shapefile)["name"] == "areas.shp"
    folder = {"plan.gdb/gdb": b"g", "plan.gdb/a00000001.gdbtable": b"t"}
    created = uploaded(owner, folder)
    assert created["name"] == "plan.gdb"
    assert [file["name"] for file in created["files"]] == [*folder]


@pytest.mark.parametrize(
    "name",
    ["../x.csv", "/etc/passwd", "a/../../x", "..", "a//b", "C:/x/../y", ".\\..\\x", "a\x01b", " "],
)
def test_a_name_never_leads_elsewhere(owner: Caller, name: str, stored: Stored) -> None:
    with pytest.raises(InvalidBodyError):
        checked_name(name)
    if name.isprintable() and "\\" not in name:  # which escapes in a header
        response = post_raw(owner, part(name, b"x") + f"--{BOUNDARY}--\r\n".encode())
        assert response.status_code == 422
    assert send(owner, "GET", "").json == []
    assert stored() == []


def test_a_key_has_nothing_of_a_name_but_plain_characters() -> None:
    import_id = uuid.UUID(int=1)
    for name in ("plan.gdb/a1.gdbtable", "..x", "日本.geojson", "a" * 300 + ".csv", "x y#1.kml"):
        key = storage_key(import_id, 0, name)
        assert key.removeprefix(f"imports/{import_id}/0-").isascii()
        assert len(key) < 200


def test_a_file_twice_is_refused(owner: Caller, stored: Stored) -> None:
    body = part("a.csv", b"x") + part("A.CSV", b"y") + f"--{BOUNDARY}--\r\n".encode()
    response = post_raw(owner, body)
    assert (response.status_code, response.json["errors"][0]["pointer"]) == (422, "/file")
    assert stored() == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 422),  # a form without parts
        (b"nonsense", 400),
        (f"--{BOUNDARY}--\r\n".encode(), 422),
        (part("a.csv", b"x" * 50_000), 400),  # without an end
        (part("a.csv", b"x", field="other") + f"--{BOUNDARY}--\r\n".encode(), 422),
        (
            f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="crs"\r\n\r\nx\r\n'.encode()
            + f"--{BOUNDARY}--\r\n".encode(),
            422,
        ),
        (f"--{BOUNDARY}\r\nX: y\r\n\r\nx\r\n--{BOUNDARY}--\r\n".encode(), 400),
        (f"--{BOUNDARY}\r\nX: {'y' * 1_200_000}".encode(), 413),
    ],
)
def test_a_body_that_is_not_files_leaves_nothing(
    owner: Caller, body: bytes, status: int, stored: Stored, empty_database: Engine
) -> None:
    assert post_raw(owner, body).status_code == status
    assert stored() == []
    assert rows(empty_database, "SELECT FROM imports") == []


def test_a_body_without_a_boundary_or_of_another_type_is_refused(owner: Caller) -> None:
    options = {"headers": owner.headers, "data": b"x"}
    post = owner.client.post
    assert post(IMPORTS, content_type="multipart/form-data", **options).status_code == 400
    assert post(IMPORTS, content_type="text/csv", **options).status_code == 415


@pytest.mark.parametrize("is_announced", [True, False])
def test_an_upload_that_is_too_large_leaves_nothing(
    owner: Caller, stored: Stored, empty_database: Engine, is_announced: bool
) -> None:
    body = part("a.csv", b"x" * 1_500_000) + f"--{BOUNDARY}--\r\n".encode()
    if is_announced:
        response = post_raw(owner, body)
    else:
        response = owner.client.post(
            IMPORTS,
            input_stream=io.BytesIO(body),
            content_type=f"multipart/form-data; boundary={BOUNDARY}",
            headers={**owner.headers, "Transfer-Encoding": "chunked"},
            environ_overrides={"wsgi.input_terminated": True},
        )
    assert response.status_code == 413, response.text
    assert "MAX_UPLOAD" in response.json["detail"]
    assert stored() == []
    assert rows(empty_database, "SELECT FROM imports") == []


def test_a_body_that_is_cut_off_leaves_nothing(
    owner: Caller, stored: Stored, empty_database: Engine
) -> None:
    body = part("a.csv", b"x" * 50_000)
    response = owner.client.post(
        IMPORTS,
        data=body,
        content_type=f"multipart/form-data; boundary={BOUNDARY}",
        headers=owner.headers,
        environ_overrides={"CONTENT_LENGTH": str(len(body) + 5_000)},
    )
    assert response.status_code == 400
    assert "cut off" in response.json["detail"]
    assert stored() == []
    assert rows(empty_database, "SELECT FROM imports") == []


@pytest.fixture
def full_disk() -> Iterator[None]:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.usefixtures("full_disk")
def test_a_full_disk_is_told_and_leaves_nothing(
    owner: Caller, stored: Stored, empty_database: Engine
) -> None:
    response = upload(owner, {"small.csv": b"x", "a.csv": b"x" * 50_000})
    assert response.status_code == 503
    assert response.json is not None
    assert "full" in response.json["detail"]
    assert stored() == []
    assert rows(empty_database, "SELECT FROM imports") == []


def test_the_bytes_of_a_user_are_limited(owner: Caller, make_caller: MakeCaller) -> None:
    first = uploaded(owner, {"a.csv": b"x" * 900_000})
    uploaded(owner, {"a.csv": b"x" * 900_000})
    response = upload(owner, {"a.csv": b"x" * 900_000})
    assert response.status_code == 422
    assert "2,500,000 bytes" in response.text
    assert upload(make_caller("other"), {"a.csv": b"x" * 900_000}).status_code == 201
    assert send(owner, "DELETE", f"/{first['id']}").status_code == 204
    assert upload(owner, {"a.csv": b"x" * 900_000}).status_code == 201


def test_imports_that_are_not_committed_are_limited(owner: Caller, empty_database: Engine) -> None:
    ids = [uploaded(owner)["id"] for _ in range(4)]
    assert upload(owner).status_code == 422
    assert begin(owner, "a.csv", 1).status_code == 422
    rows(empty_database, "UPDATE imports SET status = 'imported' WHERE id = :id", id=ids[0])
    assert upload(owner).status_code == 201


def test_uploads_are_counted(empty_database: Engine, tmp_path: Path) -> None:
    settings = Settings(_env_file=None, storage_dir=tmp_path, uploads_per_minute=2)
    app = create_app(settings, empty_database)
    with empty_database.begin() as connection:
        user_id = api_tokens.find_or_create_user(connection, "owner@example.org")
        token = api_tokens.create_token(connection, user_id, name="test", scope="write")
    owner = Caller(user_id, app.test_client(), {"Authorization": f"Bearer {token}"})
    assert [upload(owner).status_code for _ in range(3)] == [201, 201, 429]


def test_a_file_may_follow_its_import(owner: Caller, tmp_path: Path) -> None:
    response = begin(owner, "Områden.csv", len(POINTS))
    assert response.status_code == 201
    begun = response.json
    assert begun is not None
    assert (begun["status"], begun["job"]) == ("uploading", None)
    assert begun["upload"]["method"] == "PUT"
    assert begun["upload"]["expires_at"] is None
    path = begun["upload"]["url"].split("/api/v1/imports")[1]
    early = send(owner, "POST", f"/{begun['id']}/inspect")
    assert early.status_code == 409
    assert send(owner, "POST", f"/{begun['id']}/commit", json={}).status_code == 409
    put = send(owner, "PUT", path, data=POINTS, content_type="application/octet-stream")
    assert put.status_code == 200, put.text
    assert send(owner, "PUT", path, data=POINTS).status_code == 200  # again
    inspecting = send(owner, "POST", f"/{begun['id']}/inspect")
    assert inspecting.status_code == 202
    assert inspecting.json is not None
    assert inspecting.headers["Location"].endswith(f"/api/v1/jobs/{inspecting.json['id']}")
    found = read(owner, begun["id"])
    assert (found["status"], found["size"]) == ("uploaded", len(POINTS))
    assert found["job"]["id"] == inspecting.json["id"]
    late = send(owner, "PUT", path, data=b"other")
    assert late.status_code == 409
    folder = tmp_path / "storage" / "imports" / begun["id"]
    assert [path.read_bytes() for path in folder.iterdir()] == [POINTS]


def test_the_parts_of_a_shapefile_may_follow_one_by_one(owner: Caller) -> None:
    begun = begin(owner, "areas.shp", 1).json
    assert begun is not None
    for name in ("areas.shp", "areas.dbf", "areas.shx"):
        assert send(owner, "PUT", f"/{begun['id']}/files/{name}", data=b"x").status_code == 200
    assert send(owner, "POST", f"/{begun['id']}/inspect").status_code == 202
    assert len(read(owner, begun["id"])["files"]) == 3


@pytest.mark.parametrize("is_chunked", [False, True])
@pytest.mark.parametrize("content", [POINTS[:-1], POINTS + b"x", b""])
def test_a_file_of_another_size_than_announced_is_refused(
    owner: Caller, content: bytes, is_chunked: bool
) -> None:
    begun = begin(owner, "points.csv", len(POINTS)).json
    assert begun is not None
    path = f"/{begun['id']}/files/points.csv"
    options: dict[str, Any] = {"data": content}
    if is_chunked:
        options = {
            "input_stream": io.BytesIO(content),
            "headers": {"Transfer-Encoding": "chunked"},
            "environ_overrides": {"wsgi.input_terminated": True},
        }
    refused = send(owner, "PUT", path, **options)
    assert refused.status_code == 422, refused.text
    assert f"announced with {len(POINTS)} bytes" in refused.text
    assert send(owner, "POST", f"/{begun['id']}/inspect").status_code == 409
    found = read(owner, begun["id"])
    assert (found["status"], found["size"]) == ("uploading", len(POINTS))
    assert send(owner, "PUT", path, data=POINTS).status_code == 200
    assert send(owner, "POST", f"/{begun['id']}/inspect").status_code == 202


def test_a_second_file_of_a_name_is_refused_however_it_is_sent(owner: Caller) -> None:
    begun = begin(owner, "p.geojson", 1).json
    assert begun is not None
    refused = send(owner, "PUT", f"/{begun['id']}/files/P.geojson", data=b"x")
    assert refused.status_code == 422
    assert "two files called 'P.geojson'" in refused.text


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("a" * 300 + ".csv", "longer than 255 bytes"),
        ("plan\u202ecsv.kml", "the invisible character U+202E"),
        ("a/b/c/d/e/f.csv", "more than 4 folders"),
        ("../x.csv", "send the name alone"),
    ],
)
def test_a_refused_name_says_why(owner: Caller, name: str, reason: str) -> None:
    response = post_raw(owner, part(name, b"x") + f"--{BOUNDARY}--\r\n".encode())
    assert response.status_code == 422
    assert reason in response.json["detail"]


def test_a_name_that_is_not_utf_8_is_told(owner: Caller) -> None:
    body = part("NAME.csv", POINTS).replace(b"NAME", "Områden".encode("latin-1"))
    response = post_raw(owner, body + f"--{BOUNDARY}--\r\n".encode())
    assert response.status_code == 400
    assert "the name of the file in UTF-8" in response.json["detail"]


def test_a_file_that_has_not_arrived_whole_is_not_inspected(owner: Caller) -> None:
    begun = begin(owner, "areas.csv", 100).json
    assert begun is not None
    path = f"/{begun['id']}/files/areas.csv"
    cut = send(owner, "PUT", path, data=b"x" * 50, environ_overrides={"CONTENT_LENGTH": "100"})
    assert cut.status_code == 400
    assert send(owner, "POST", f"/{begun['id']}/inspect").status_code == 409
    for name in ("..%2Fx", "a/../../x", "%2Fetc%2Fpasswd"):
        response = send(owner, "PUT", f"/{begun['id']}/files/{name}", data=b"x")
        assert response.status_code in {308, 404, 422}  # to an address without double slashes
    assert begin(owner, "areas.csv", 1_000_001).status_code == 413
    assert send(owner, "PUT", path, data=b"x" * 1_000_001).status_code == 413


def test_an_import_is_its_owners_alone(
    owner: Caller, make_caller: MakeCaller, anonymous: Caller
) -> None:
    created = uploaded(owner)
    other, reader = make_caller("other", admin=True), make_caller("owner", "read")
    requests: list[tuple[str, str, dict[str, Any]]] = [
        ("GET", "", {}),
        ("DELETE", "", {}),
        ("PUT", "/files/a.csv", {"data": b"x"}),
        ("POST", "/inspect", {"json": {}}),
        ("POST", "/commit", {"json": {}}),
        ("POST", "/undo", {"json": {}}),
        ("GET", "/faults", {}),
    ]
    for method, path, options in requests:
        address = f"/{created['id']}{path}"
        assert send(other, method, address, **options).status_code == 404
        assert send(other, method, f"/1{path}", **options).status_code == 404
        assert send(anonymous, method, address, **options).status_code == 401
        status = 200 if method == "GET" else 403
        assert send(reader, method, address, **options).status_code == status
    assert send(other, "GET", "").json == []
    assert [found["id"] for found in send(owner, "GET", "").json or []] == [created["id"]]
    assert read(owner, created["id"]) == created


def test_a_list_is_paged_and_takes_three_statements(owner: Caller) -> None:
    ids = [uploaded(owner)["id"] for _ in range(3)]
    with statements() as sent:
        response = send(owner, "GET", "?limit=2")
    assert response.json is not None
    assert [found["id"] for found in response.json] == ids[:0:-1]
    assert response.headers["X-Total-Count"] == "3"
    assert len(sent) == 3, sent
    with statements() as sent:
        assert send(owner, "GET", f"/{ids[0]}").status_code == 200
    assert len(sent) == 3, sent


def test_a_deleted_import_leaves_nothing(
    owner: Caller, stored: Stored, empty_database: Engine
) -> None:
    created = uploaded(owner)
    stale = {"If-Match": '"1-2"'}
    assert send(owner, "DELETE", f"/{created['id']}", headers=stale).status_code == 412
    assert send(owner, "DELETE", f"/{created['id']}").status_code == 204
    assert send(owner, "GET", f"/{created['id']}").status_code == 404
    assert stored() == []
    assert rows(empty_database, "SELECT FROM jobs") == []


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"crs": "EPSG:0"}, "/crs"),
        ({"crs": "+init=/etc/passwd:1"}, "/crs"),
        ({"crs": "+proj=longlat +nadgrids=/etc/passwd"}, "/crs"),
        ({"encoding": "klingon"}, "/encoding"),
        ({"encoding": "base64"}, "/encoding"),
        ({"encoding": "\0"}, "/encoding"),
        ({"decimal": ";"}, "/decimal"),
        ({"colour": "red"}, "/colour"),
    ],
)
def test_choices_that_make_no_sense_are_named(
    owner: Caller, body: dict[str, Any], pointer: str
) -> None:
    created = uploaded(owner)
    for path in ("inspect", "commit"):
        response = send(owner, "POST", f"/{created['id']}/{path}", json=body)
        assert response.status_code == 422, response.text
        assert response.json is not None
        assert response.json["errors"][0]["pointer"] == pointer


def test_only_who_may_write_a_layer_imports_into_it(owner: Caller, make_caller: MakeCaller) -> None:
    created = uploaded(owner)
    other = make_caller("other")

    def commit(layer_id: str) -> int:
        body = {"mode": "append", "layer_id": layer_id}
        return send(owner, "POST", f"/{created['id']}/commit", json=body).status_code

    config = {"geojson": {"type": "FeatureCollection", "features": []}}
    layer = {"name": "x", "source_type": "vector", "source_config": config}
    private = other.post(layer).json or {}
    public = other.post({**layer, "visibility": "public"}).json or {}
    own = owner.post(layer).json or {}
    none = {"id": str(uuid.uuid4())}
    statuses = [commit(found["id"]) for found in (none, private, public, own)]
    assert statuses == [404, 404, 403, 202]
    response = send(owner, "POST", f"/{created['id']}/commit", json={"is_global": True})
    assert response.status_code == 403


def test_nothing_is_committed_twice_at_a_time(owner: Caller) -> None:
    created = uploaded(owner)
    assert send(owner, "POST", f"/{created['id']}/undo").status_code == 409
    assert send(owner, "POST", f"/{created['id']}/commit", json={}).status_code == 202
    for path in ("commit", "inspect"):
        response = send(owner, "POST", f"/{created['id']}/{path}", json={})
        assert response.status_code == 409
