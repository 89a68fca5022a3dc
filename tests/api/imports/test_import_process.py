"""The import as a process of OGC API Processes: the rules are those of `/api/v1/imports`."""

import uuid
from typing import Any

import pytest
from sqlalchemy import Engine
from werkzeug.test import TestResponse

from tests.api.jobs.workers import rows
from tests.api.layer_requests import Caller, MakeCaller
from tests.ogc.processes.standard_schemas import assert_valid

BEGIN = (
    "INSERT INTO imports (user_id, name, status) VALUES (:user_id, 'a.gpkg', :status) RETURNING id"
)
LAYER = (
    "INSERT INTO layers (name, source_type, created_by, visibility)"
    " VALUES ('a', 'vector', :owner, :visibility) RETURNING id"
)


def begun(engine: Engine, caller: Caller, status: str = "inspected") -> str:
    return str(rows(engine, BEGIN, user_id=caller.id, status=status)[0].id)


def execute(caller: Caller, **inputs: Any) -> TestResponse:
    address = "/ogc/processes/import/execution"
    return caller.client.post(address, json={"inputs": inputs}, headers=caller.headers)


def test_the_process_describes_its_inputs(owner: Caller) -> None:
    described = owner.client.get("/ogc/processes/import").json
    assert described
    assert_valid("process", described)
    schema = described["inputs"]["choices"]["schema"]
    assert {"crs", "mode", "layer_id", "skip_faulty"} <= set(schema["properties"])
    assert "$ref" not in str(schema)
    assert "$defs" not in str(schema)


def test_an_import_is_begun_as_by_its_own_address(owner: Caller, empty_database: Engine) -> None:
    key = begun(empty_database, owner)
    created = execute(owner, **{"import": key, "choices": {"value": {"crs": "EPSG:3006"}}})
    assert created.status_code == 201, created.text
    (row,) = rows(empty_database, "SELECT * FROM jobs")
    assert (row.kind, str(row.import_id)) == ("import", key)
    assert row.parameters["choices"]["crs"] == "EPSG:3006"
    again = execute(owner, **{"import": key})
    assert again.status_code == 409
    assert len(rows(empty_database, "SELECT FROM jobs")) == 1


@pytest.mark.parametrize(
    ("choices", "pointer"),
    [
        ({"value": {"crs": "EPSG:0"}}, "/inputs/choices/crs"),
        ({"value": {"mode": "overwrite"}}, "/inputs/choices/mode"),
        ({"buffer": 1}, "/inputs/choices/buffer"),
        ([], "/inputs/choices"),
    ],
)
def test_choices_are_checked(
    owner: Caller, empty_database: Engine, choices: Any, pointer: str
) -> None:
    refused = execute(owner, **{"import": begun(empty_database, owner), "choices": choices})
    assert refused.status_code == 422
    assert refused.json
    assert [fault["pointer"] for fault in refused.json["errors"]] == [pointer]


def test_what_one_may_not_do_is_refused(
    owner: Caller, make_caller: MakeCaller, empty_database: Engine
) -> None:
    other = make_caller("other")
    theirs, own = begun(empty_database, other), begun(empty_database, owner)
    for key in (theirs, str(uuid.uuid4()), "x", 7):
        assert execute(owner, **{"import": key}).status_code == 422
    assert execute(owner, **{"import": own, "choices": {"is_global": True}}).status_code == 403
    for visibility, status in (("private", 422), ("public", 403)):
        layer = rows(empty_database, LAYER, owner=other.id, visibility=visibility)[0].id
        choices = {"mode": "append", "layer_id": str(layer)}
        assert execute(owner, **{"import": own, "choices": choices}).status_code == status
    for state in ("uploading", "imported"):
        key = begun(empty_database, owner, state)
        assert execute(owner, **{"import": key}).status_code == 409
    assert not rows(empty_database, "SELECT FROM jobs")
