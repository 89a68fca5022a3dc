"""The file of a layer: read in parts, with credentials or a ticket."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from lxml import etree
from sqlalchemy import Engine, text
from werkzeug.test import TestResponse

from samsyn_model.identity.tickets import make_ticket
from samsyn_model.permissions.principal import Principal
from tests.api.imports.conftest import RunJobs
from tests.api.imports.rasters.made_rasters import ramp, tiff
from tests.api.layer_requests import Caller, MakeCaller
from tests.api.layers.rasters.conftest import import_layer


def read(caller: Caller, path: str, **headers: str) -> TestResponse:
    """Read an address below the layers; `If_Range` stands for the header If-Range."""
    renamed = {name.replace("_", "-"): value for name, value in headers.items()}
    return caller.client.get(f"/api/v1/layers/{path}", headers={**caller.headers, **renamed})


def own_path(address: str) -> str:
    """Return an address of ours as `read` takes it."""
    parts = urlsplit(address)
    return f"{parts.path.removeprefix('/api/v1/layers/')}?{parts.query}"


def test_the_file_is_sent_as_it_is_stored(
    owner: Caller, made: dict[str, Any], content: bytes
) -> None:
    response = read(owner, f"{made['id']}/file")
    assert response.status_code == 200
    assert response.mimetype == "image/tiff"
    assert response.headers["Accept-Ranges"] == "bytes"
    assert response.headers["Cache-Control"] == "private, no-cache"
    assert response.data[:4] == b"II*\0"
    assert len(response.data) == response.content_length
    original = read(owner, f"{made['id']}/file?original=true")
    assert original.data == content
    assert original.get_etag() != response.get_etag()


def test_parts_of_the_file_are_sent(owner: Caller, made: dict[str, Any]) -> None:
    path = f"{made['id']}/file"
    whole = read(owner, path)
    size, data = len(whole.data), whole.data
    for requested, start, end in (
        ("bytes=0-15", 0, 16),
        ("bytes=16-", 16, size),
        ("bytes=-10", size - 10, size),
        (f"bytes={size - 1}-{size + 99}", size - 1, size),
        ("bytes=-999999999", 0, size),
    ):
        part = read(owner, path, Range=requested)
        assert part.status_code == 206, requested
        assert part.data == data[start:end]
        assert part.headers["Content-Range"] == f"bytes {start}-{end - 1}/{size}"
        assert part.content_length == end - start
        assert part.get_etag() == whole.get_etag()


@pytest.mark.parametrize(
    "requested", ["bytes=0-3,8-11", "pixels=0-3", "bytes=x-y", "bytes", "bytes=-0"]
)
def test_what_is_no_single_range_is_answered_with_the_whole_file(
    owner: Caller, made: dict[str, Any], requested: str
) -> None:
    response = read(owner, f"{made['id']}/file", Range=requested)
    assert response.status_code == 200
    assert len(response.data) == response.content_length


@pytest.mark.parametrize("requested", ["bytes=99999999-", "bytes=99999999-999999999"])
def test_no_part_of_the_file_is_416(owner: Caller, made: dict[str, Any], requested: str) -> None:
    size = read(owner, f"{made['id']}/file").content_length
    response = read(owner, f"{made['id']}/file", Range=requested)
    assert response.status_code == 416
    assert response.headers["Content-Range"] == f"bytes */{size}"


def test_the_state_of_the_file_is_a_condition(owner: Caller, made: dict[str, Any]) -> None:
    path = f"{made['id']}/file"
    whole = read(owner, path)
    tag, changed = whole.headers["ETag"], whole.headers["Last-Modified"]
    assert read(owner, path, If_None_Match=tag).status_code == 304
    assert read(owner, path, If_Match='"other"').status_code == 412
    part = {"Range": "bytes=0-3"}
    assert read(owner, path, If_Range=tag, **part).status_code == 206
    assert read(owner, path, If_Range=changed, **part).status_code == 206
    assert read(owner, path, If_Range='"other"', **part).status_code == 200
    assert read(owner, path, If_Range=f"W/{tag}", **part).status_code == 200
    later = "Fri, 01 Jan 2100 00:00:00 GMT"
    assert read(owner, path, If_Range=later, **part).status_code == 200


def test_head_tells_the_size(owner: Caller, made: dict[str, Any]) -> None:
    size = read(owner, f"{made['id']}/file").content_length
    path = f"/api/v1/layers/{made['id']}/file"
    response = owner.client.head(path, headers={**owner.headers, "Range": "bytes=0-3"})
    assert (response.status_code, response.data) == (200, b"")
    assert response.content_length == size
    assert response.headers["Accept-Ranges"] == "bytes"


def test_a_private_file_is_not_there_for_others(
    owner: Caller, anonymous: Caller, make_caller: MakeCaller, made: dict[str, Any]
) -> None:
    stranger = make_caller("stranger")
    admin = make_caller("admin", admin=True)
    ticket = urlsplit(made["source_config"]["cogUrl"]).query
    for path in ("file", "file?original=true", "tilejson.json", "wmts.xml", "file?ticket=x"):
        for caller in (anonymous, stranger, admin):
            assert read(caller, f"{made['id']}/{path}").status_code == 404, path
        assert read(owner, f"{made['id']}/{path}").status_code == 200, path
    qgis = f"{made['id']}/wmts.xml?SERVICE=WMS&REQUEST="
    assert read(owner, f"{qgis}GetCapabilities").status_code == 200
    assert read(owner, f"{qgis}GetMap").status_code == 400
    # credentials count, not the ticket beside them
    assert read(stranger, f"{made['id']}/file?{ticket}").status_code == 404
    assert read(anonymous, f"{made['id']}/file?{ticket}").status_code == 200
    wrong = {"Authorization": "Bearer samsyn_wrong"}
    response = anonymous.client.get(f"/api/v1/layers/{made['id']}/file?{ticket}", headers=wrong)
    assert response.status_code == 401


def test_a_ticket_is_worth_what_its_maker_may(  # noqa: PLR0917 - fixtures
    owner: Caller,
    anonymous: Caller,
    make_caller: MakeCaller,
    run_jobs: RunJobs,
    made: dict[str, Any],
    empty_database: Engine,
) -> None:
    other = import_layer(owner, run_jobs, {"other.tif": tiff(ramp())})
    path = own_path(made["source_config"]["cogUrl"])
    ticket = urlsplit(path).query
    assert read(anonymous, path).status_code == 200
    assert read(anonymous, f"{other['id']}/file?{ticket}").status_code == 404
    stranger = make_caller("stranger")
    with empty_database.connect() as connection:
        tomorrow = datetime.now(UTC) + timedelta(hours=20)
        key = other["id"]
        arguments = ("raster", UUID(key))
        theirs = make_ticket(connection, Principal(stranger.id), *arguments, tomorrow)
        expired = make_ticket(
            connection, Principal(owner.id), *arguments, tomorrow - timedelta(days=2)
        )
        others = make_ticket(connection, Principal(owner.id), "live", arguments[1], tomorrow)
    for text_of_it in (theirs, expired, others):
        assert read(anonymous, f"{key}/file?ticket={text_of_it}").status_code == 404
    with empty_database.begin() as connection:  # the token that the ticket was made with
        connection.execute(text("UPDATE api_tokens SET revoked_at = now()"))
    assert read(anonymous, path).status_code == 404


def test_a_public_file_is_there_for_all(
    owner: Caller, anonymous: Caller, made: dict[str, Any]
) -> None:
    assert owner.patch(made["id"], {"visibility": "public"}).status_code == 200
    assert read(anonymous, f"{made['id']}/file").status_code == 200
    seen = anonymous.get(made["id"]).json
    assert seen is not None
    assert read(anonymous, own_path(seen["source_config"]["cogUrl"])).status_code == 200


def test_each_time_has_its_file(owner: Caller, anonymous: Caller, run_jobs: RunJobs) -> None:
    files = {"sst_2024-05-01.tif": tiff(ramp()), "sst_2024-05-02T0600.tif": tiff(ramp() + 1)}
    made = import_layer(owner, run_jobs, files)
    template = made["source_config"]["cogUrlTemplate"]
    first, second = (
        read(anonymous, own_path(template.replace("{time}", time)))
        for time in made["source_config"]["times"]
    )
    newest = read(anonymous, own_path(made["source_config"]["cogUrl"]))
    assert first.status_code == second.status_code == newest.status_code == 200
    assert newest.data == second.data != first.data
    assert read(owner, f"{made['id']}/file?time=2024-05-03").status_code == 404
    for wrong in ("yesterday", "2024-5-1", "2024-05-01T00:00:00", "", "2024-02-30"):
        assert read(owner, f"{made['id']}/file?time={wrong}").status_code == 400, wrong


@pytest.mark.parametrize(
    "query", ["original=yes", "unknown=1", "ticket=a&ticket=b", "time=2024-05-01&time=2024-05-02"]
)
def test_parameters_are_strict(owner: Caller, made: dict[str, Any], query: str) -> None:
    assert read(owner, f"{made['id']}/file?{query}").status_code == 400


def test_other_layers_have_no_file(owner: Caller, made: dict[str, Any]) -> None:
    remote = {"url": "https://data.example.org/a.tif"}
    created = owner.post({"name": "a", "source_type": "geotiff", "source_config": remote}).json
    vector = owner.post({"name": "b", "source_type": "vector"}).json
    assert created is not None
    assert vector is not None
    for layer_id in (created["id"], vector["id"], "nothing", made["creator"]["id"]):
        assert read(owner, f"{layer_id}/file").status_code == 404
    assert [link["rel"] for link in created["links"]] == [
        "tiles",
        "tilejson",
        "wmts",
        "comments",
        "hub",
    ]
    rels = [link["rel"] for link in made["links"]]
    assert rels == ["tiles", "tilejson", "wmts", "file", "comments", "hub"]


def test_capabilities_are_xml_whatever_the_layer_is_called(owner: Caller) -> None:
    config = {
        "cogUrlTemplate": "https://data.example.org/{time}.tif",
        "times": ["2024-05-01", "\uffff"],
    }
    body = {"name": "a\ufffe<b>\x0b", "source_type": "geotiff", "source_config": config}
    created = owner.post(body).json
    assert created is not None
    root = etree.fromstring(read(owner, f"{created['id']}/wmts.xml").data)
    assert root.findtext(".//{*}Layer/{*}Title") == "a\ufffd<b>\ufffd"
    assert [time.text for time in root.iterfind(".//{*}Dimension/{*}Value")][1:] == ["\ufffd"]
