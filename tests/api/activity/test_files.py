"""Activity as NDJSON and CSV: whole without a limit, read in parts."""

import csv
import io
import json
from typing import Any
from unittest.mock import patch

import pytest
from sqlalchemy import Engine
from werkzeug.test import TestResponse

from samsyn_admin.activity.documents import COLUMNS
from samsyn_admin.app import create_app
from samsyn_model.errors import NotFoundError
from samsyn_model.settings import Settings
from tests.api.activity.activity_requests import (
    activity,
    execute,
    insert,
    make_layer,
    make_map,
    page,
    send,
)
from tests.api.layer_requests import Caller
from tests.statements import statements


def _rows(response: TestResponse) -> list[dict[str, str]]:
    assert response.mimetype == "text/csv"
    return [*csv.DictReader(io.StringIO(response.get_data(as_text=True).removeprefix("\ufeff")))]


def _lines(response: TestResponse) -> list[Any]:
    assert response.mimetype == "application/x-ndjson"
    return [json.loads(line) for line in response.text.splitlines()]


def test_lines_of_text(owner: Caller) -> None:
    layer = make_layer(owner)
    insert(owner, layer)
    path = f"/layers/{layer}"
    send(owner, "PATCH", path, json={"name": "=cmd()"})
    whole = activity(owner, path, grouped="false")
    assert _lines(page(owner, path, grouped="false", f="ndjson")) == whole
    accepted = {"Accept": "application/x-ndjson"}
    assert _lines(send(owner, "GET", f"{path}/activity", headers=accepted)) == activity(owner, path)
    as_csv = page(owner, path, grouped="false", f="csv")
    assert as_csv.get_data().startswith(b"\xef\xbb\xbf")
    assert 'filename="activity.csv"' in as_csv.headers["Content-Disposition"]
    rows = _rows(as_csv)
    assert tuple(rows[0]) == COLUMNS
    assert [row["kind"] for row in rows] == ["layer", "features", "layer"]
    assert {row["name"] for row in rows} == {"'=cmd()"}, "not a formula"
    assert [row["inserted"] for row in rows] == ["", "1", ""]
    assert rows[0]["changed"] == "name"
    first = page(owner, path, grouped="false", f="csv", limit=2)
    assert len(_rows(first)) == 2
    assert 'rel="next"' in first.headers["Link"]
    refused = {"Accept": "image/png"}
    assert send(owner, "GET", f"{path}/activity", headers=refused).status_code == 406
    assert page(owner, path, f="csv", kind="x").status_code == 400


def test_a_file_has_everything_in_parts(owner: Caller, empty_database: Engine) -> None:
    layer = make_layer(owner)
    map_id = make_map(owner, layer)
    execute(
        empty_database,
        "SET LOCAL session_replication_role = replica;"
        "INSERT INTO change_sets (via, user_id, created_at) SELECT 'web', CAST(:user AS uuid),"
        " now() - n * interval '1 hour' FROM generate_series(2500, 1, -1) AS n;"
        "INSERT INTO subject_changes (change_set_id, kind, action, subject_id, layer_id, details)"
        " SELECT id, 'layer', 'update', CAST(:layer AS uuid), CAST(:layer AS uuid),"
        ' \'{"changed": ["description"]}\' FROM change_sets'
        " WHERE id NOT IN (SELECT change_set_id FROM subject_changes)",
        user=owner.id,
        layer=layer,
    )
    for path in (f"/layers/{layer}", f"/maps/{map_id}"):
        with statements() as seen:
            lines = _lines(page(owner, path, f="ndjson"))
        assert len(lines) >= 2501
        numbers = [line["last_change_set"] for line in lines]
        assert numbers == sorted(set(numbers), reverse=True)
        assert len(seen) < 40
        assert len(activity(owner, path)) == 100
    rows = _rows(page(owner, f"/layers/{layer}", f="csv", since=numbers[-1], kind="layer"))
    assert len(rows) == 2500


def test_who_may_not_read_any_more_gets_no_more(owner: Caller, empty_database: Engine) -> None:
    layer = make_layer(owner, visibility="public")
    for _ in range(30):
        insert(owner, layer)
    with (
        patch("samsyn_admin.activity.reading._MOST", 5),
        patch("samsyn_admin.activity.reading._LEAST", 5),
        patch("samsyn_admin.activity.routes._PART", 2),
    ):
        path = f"/api/v1/layers/{layer}/activity?f=ndjson&grouped=false"
        # an app whose responses are not read to be validated
        app = create_app(Settings(_env_file=None), empty_database)
        response = app.test_client().get(path, buffered=False)
        parts = iter(response.response)
        assert next(parts)
        send(owner, "PATCH", f"/layers/{layer}", json={"visibility": "private"})
        with pytest.raises(NotFoundError):
            list(parts)
